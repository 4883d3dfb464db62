"""What an unmodified driver sees of a ring: all nodes from one contact point, tokens, replicas, who comes and goes."""
import json

from support import ring, wait_until

ADDRESS = "127.0.77.60"


def test_the_python_driver_finds_all_nodes_and_their_tokens():
    with ring(ADDRESS, nodes=3) as r:
        with r.session(node=2) as session:
            hosts = {str(h.address): h for h in session.cluster.metadata.all_hosts()}
            assert sorted(hosts) == r.addresses, hosts
            assert all(h.release_version == "5.0.4" and h.datacenter == "datacenter1" and h.rack == "rack1"
                       for h in hosts.values())
            ring_of_driver = {t.value: str(h.address) for t, h in session.cluster.metadata.token_map.token_to_host_owner.items()}
            ours = {e["token"]: e["address"].rsplit(":", 1)[0] for e in json.loads(r.tool("ring", "--json").stdout)}
            assert ring_of_driver == ours and len(ours) == 48


def test_it_agrees_about_replicas():
    from cassandra.metadata import murmur3
    with ring(ADDRESS, nodes=4) as r:
        with r.session(node=1) as session:
            assert murmur3 is not None
            for rf, strategy in [(1, "SimpleStrategy"), (2, "SimpleStrategy"), (3, "NetworkTopologyStrategy")]:
                option = "datacenter1" if strategy == "NetworkTopologyStrategy" else "replication_factor"
                session.execute(f"CREATE KEYSPACE rf{rf} WITH replication = {{'class': '{strategy}', '{option}': {rf}}}")
                session.execute(f"CREATE TABLE rf{rf}.t (k text PRIMARY KEY)")
                for i in range(25):
                    key = f"key {i}"
                    theirs = [str(h.address) for h in session.cluster.metadata.get_replicas(f"rf{rf}", key.encode())]
                    ours = json.loads(r.tool("getendpoints", "--json", f"rf{rf}", "t", key).stdout)
                    assert len(ours) == rf and sorted(ours) == sorted(theirs), (rf, key, ours, theirs)
                    assert rf == 3 or ours == theirs, (rf, key, ours, theirs)


def test_traces_are_found_at_any_node():
    from cassandra import ConsistencyLevel
    from cassandra.query import SimpleStatement
    with ring(ADDRESS, nodes=3) as r:
        with r.session(node=1) as session:
            session.execute("CREATE KEYSPACE tr WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}")
            session.execute("CREATE TABLE tr.t (k int PRIMARY KEY, v int)")
            insert = SimpleStatement("INSERT INTO tr.t (k, v) VALUES (1, 2)", consistency_level=ConsistencyLevel.ALL)
            trace = session.execute(insert, trace=True).get_query_trace()
            texts = [e.description for e in trace.events]
            assert trace.parameters["consistency_level"] == "ALL" and "query" in trace.parameters, trace.parameters
            assert str(trace.coordinator) in r.addresses and trace.duration is not None
            assert sum(t.startswith("Sending MUTATION_REQ message to /") for t in texts) == 2, texts
            assert sum(t.startswith("Processing response from /") for t in texts) == 2, texts
            ids = [row.session_id for row in session.execute("SELECT session_id FROM system_traces.sessions")]
            assert ids == [trace.trace_id], ids
            clients = list(session.execute("SELECT * FROM system_views.clients"))
            assert clients and all(c.driver_name == "DataStax Python Driver" and c.username == "anonymous" and
                                   c.connection_stage == "ready" for c in clients), clients
            assert sum(c.request_count for c in clients) > 0
            # A failure is traced too, and words that name a password are not kept.
            future = session.execute_async("CREATE ROLE r WITH PASSWORD = 'secret'", trace=True)
            try:
                future.result()
            except Exception:
                pass
            trace = future.get_query_trace()
            assert trace.parameters["query"] == "CREATE ROLE r WITH PASSWORD *******", trace.parameters
            assert not any("secret" in e.description for e in trace.events)


def test_a_trace_is_whole_when_it_is_there():
    """Drivers look for a session's row at ONE, wherever it is, and then once for its events, maybe at another node."""
    from cassandra.query import SimpleStatement
    with ring(ADDRESS, nodes=3) as r, r.session(node=1) as one, r.session(node=2) as two, r.session(node=3) as three:
        one.execute("CREATE KEYSPACE tr WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}")
        one.execute("CREATE TABLE tr.t (k int PRIMARY KEY, v int)")
        sessions = [s.prepare("SELECT duration FROM system_traces.sessions WHERE session_id = ?") for s in (one, two, three)]
        events = [s.prepare("SELECT activity FROM system_traces.events WHERE session_id = ?") for s in (one, two, three)]
        nodes, without = [one, two, three], 0
        for i in range(150):
            future = nodes[i % 3].execute_async(SimpleStatement("INSERT INTO tr.t (k, v) VALUES (1, 2)"), trace=True)
            future.result()
            trace = [future._query_traces[0].trace_id]
            first = next(at for at in range(i + 1, i + 10000) if nodes[at % 3].execute(sessions[at % 3], trace).one())
            then = (first + 1) % 3
            without += len(list(nodes[then].execute(events[then], trace))) < 3
        assert without == 0, f"{without} of 150 traces had no events when their session was there"
        r.kill(3)
        for _ in range(20):  # Some of them have a replica that is down.
            trace = one.execute(SimpleStatement("INSERT INTO tr.t (k, v) VALUES (1, 2)"), trace=True).get_query_trace()
            assert len(trace.events) > 2, trace.events


def test_requests_go_to_a_replica():
    from cassandra.cluster import Cluster
    from cassandra.policies import DCAwareRoundRobinPolicy, TokenAwarePolicy
    with ring(ADDRESS, nodes=4) as r:
        cluster = Cluster([r.addresses[2]], load_balancing_policy=TokenAwarePolicy(DCAwareRoundRobinPolicy("datacenter1")))
        try:
            session = cluster.connect()
            session.execute("CREATE KEYSPACE two WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 2}")
            session.execute("CREATE TABLE two.t (k text PRIMARY KEY, v int)")
            insert = session.prepare("INSERT INTO two.t (k, v) VALUES (?, ?)")
            direct = 0
            for i in range(1000):
                future = session.execute_async(insert, (f"k{i}", i))
                future.result()
                replicas = cluster.metadata.get_replicas("two", f"k{i}".encode())
                direct += future.coordinator_host.address in [h.address for h in replicas]
            assert direct >= 990, direct
            return f"{direct / 10:.1f} % of requests were answered by a replica"
        finally:
            cluster.shutdown()


class Events:
    """STATUS_CHANGE events as they come, without the driver's own opinion."""

    def __init__(self, cluster):
        self.seen = []
        connection = cluster.control_connection._connection
        connection.register_watcher("STATUS_CHANGE", lambda e: self.seen.append((e["change_type"], e["address"][0])))


def test_it_hears_who_goes_and_comes():
    with ring(ADDRESS, nodes=3) as r:
        with r.session(node=1) as session:
            events = Events(session.cluster)
            third = r.addresses[2]
            r.kill(3)
            wait_until(lambda: ("DOWN", third) in events.seen, 3, "DOWN is told")
            r.restart(3)
            wait_until(lambda: ("UP", third) in events.seen, 3, "UP is told")
            r.ring("pause", 2)
            wait_until(lambda: ("DOWN", r.addresses[1]) in events.seen, 6, "DOWN of a stopped process is told")
            r.ring("resume", 2)
            wait_until(lambda: ("UP", r.addresses[1]) in events.seen, 5, "UP is told again")


def test_it_goes_on_at_the_others_and_comes_back():
    with ring(ADDRESS, nodes=3, schema=True) as r:
        with r.session("demo_ks") as session:
            add = "UPDATE hashtags SET mentions = mentions + 1 WHERE hashtag = '#a' AND interval = 'ALL'"
            failed = 0
            for i in range(300):
                if i == 100:
                    r.kill(2)
                if i == 200:
                    r.restart(2)
                try:
                    session.execute(add)
                except Exception:
                    failed += 1
            assert failed <= 10, failed
            down = [h for h in session.cluster.metadata.all_hosts() if not h.is_up]
            wait_until(lambda: all(h.is_up for h in session.cluster.metadata.all_hosts()), 20, f"all are up again: {down}")
            return f"{failed} of 300 requests failed"
