"""Traces: what the coordinator and each replica tell of a request, and requests that are traced unasked; tpstats."""
import json

from support import ring, wait_until

ADDRESS = "127.0.36.10"


def events(session, trace_id, sources):
    """Of a session, once as many nodes have told of it: {source: [activity, …]}."""
    told = {}

    def is_told():
        told.clear()
        for row in session.execute(f"SELECT activity, source FROM system_traces.events WHERE session_id = {trace_id}"):
            told.setdefault(row.source, []).append(row.activity)
        return len(told) >= sources
    wait_until(is_told, 10, f"{sources} nodes tell of {trace_id}")
    return told


def test_replicas_tell_of_their_part():
    from cassandra import ConsistencyLevel
    from cassandra.query import SimpleStatement
    with ring(ADDRESS, nodes=3) as r:
        with r.session(node=1) as session:
            session.execute("CREATE KEYSPACE tr WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}")
            session.execute("CREATE TABLE tr.t (k int PRIMARY KEY, v int)")
            session.execute("CREATE TABLE tr.c (k int PRIMARY KEY, n counter)")

            def traced(text):
                trace = session.execute(SimpleStatement(text, consistency_level=ConsistencyLevel.ALL), trace=True).get_query_trace()
                told = events(session, trace.trace_id, 3)
                assert sorted(told) == r.addresses, told
                return {source: activities for source, activities in told.items() if source != str(trace.coordinator)}
            for activities in traced("INSERT INTO tr.t (k, v) VALUES (1, 2)").values():
                assert activities[0].startswith("MUTATION_REQ message received from /" + r.address), activities
                assert activities[1:3] == ["Appending to commitlog", "Adding to t memtable"], activities
                assert activities[3].startswith("Enqueuing response to /") and len(activities) == 5, activities
                assert activities[4].startswith("Sending MUTATION_RSP message to /"), activities
            for activities in traced("SELECT * FROM tr.t WHERE k = 1").values():
                assert activities[0].startswith("READ_REQ message received from /" + r.address), activities
                assert activities[1] == "Executing single-partition query on t", activities
                assert activities[-1].startswith("Sending READ_RSP message to /"), activities
            for activities in traced("UPDATE tr.c SET n = n + 1 WHERE k = 1").values():
                assert "Adding to c memtable" in activities, activities
            assert session.execute("SELECT n FROM tr.c WHERE k = 1").one().n == 1


def test_requests_are_traced_unasked():
    with ring(ADDRESS, nodes=1) as r:
        with r.session(node=1) as session:
            session.execute("CREATE KEYSPACE tr WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
            session.execute("CREATE TABLE tr.t (k int PRIMARY KEY, v int)")

            def count():
                return len([row for row in session.execute("SELECT parameters FROM system_traces.sessions")
                            if "tr.t" in row.parameters["query"]])
            insert = "INSERT INTO tr.t (k, v) VALUES (1, 2)"
            session.execute(insert)
            assert json.loads(r.tool("gettraceprobability", "--json").stdout) == {"trace_probability": 0}
            r.tool("settraceprobability", "1")
            assert r.tool("gettraceprobability").stdout == "Current trace probability: 1\n"
            future = session.execute_async(insert)
            future.result()
            assert not future._query_traces  # The client did not ask: it is not told.
            wait_until(lambda: count() == 1, 10, "one session")
            r.tool("settraceprobability", "0.5")
            for _ in range(64):
                session.execute(insert)
            r.tool("settraceprobability", "0")
            session.execute(insert)
            wait_until(lambda: 5 <= count() <= 60, 10, "about half of them")
            refused = r.tool("settraceprobability", "1.5", check=False)
            assert refused.returncode != 0 and "between 0 and 1" in refused.stderr, refused


def test_stages_are_counted():
    with ring(ADDRESS, nodes=1) as r:
        with r.session(node=1) as session:
            session.execute("CREATE KEYSPACE tr WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
            session.execute("CREATE TABLE tr.t (k int PRIMARY KEY, v int)")
            for i in range(10):
                session.execute(f"INSERT INTO tr.t (k, v) VALUES ({i}, 2)")
                session.execute(f"SELECT * FROM tr.t WHERE k = {i}")
            pools = {row.name: row for row in session.execute("SELECT * FROM system_views.thread_pools")}
            assert pools["MutationStage"].completed_tasks >= 10 and pools["ReadStage"].completed_tasks >= 10, pools
            assert pools["Native-Transport-Requests"].active_tasks == 1, pools
            told = json.loads(r.tool("tpstats", "--json").stdout)
            assert told["MutationStage"]["completed"] >= 10 and sorted(told) == sorted(pools), told
            assert "Pool Name" in r.tool("tpstats").stdout
            histograms = json.loads(r.tool("tablehistograms", "--json", "tr", "t").stdout)
            assert histograms["tr.t"]["read"]["count"] == 10 and histograms["tr.t"]["write"]["Max"] > 0, histograms
            assert "tr/t histograms" in r.tool("tablehistograms").stdout
            latency = session.execute("SELECT * FROM system_views.coordinator_read_latency").one()
            assert (latency.table_name, latency.count) == ("t", 10) and latency.max_ms >= latency.p50th_ms > 0, latency


def test_what_goes_between_members_is_counted():
    with ring(ADDRESS, nodes=3) as r:
        with r.session(node=1) as session:
            session.execute("CREATE KEYSPACE tr WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}")
            session.execute("CREATE TABLE tr.t (k int PRIMARY KEY, v int)")
            for i in range(10):
                session.execute(f"INSERT INTO tr.t (k, v) VALUES ({i}, 2)")
            out = list(session.execute("SELECT * FROM system_views.internode_outbound"))
            assert sorted(row.address for row in out) == r.addresses[1:], out
            assert all(row.sent_count >= 10 and row.sent_bytes > 100 and row.active_connections == 1 for row in out), out
            assert all(row.received_count > 0 for row in session.execute("SELECT * FROM system_views.internode_inbound"))
            r.kill(3)
            wait_until(lambda: r.states()[3] == "DOWN", 20, "node 3 is down")
            session.execute("INSERT INTO tr.t (k, v) VALUES (1, 3)")
            wait_until(lambda: list(session.execute("SELECT * FROM system_views.pending_hints")), 10, "a hint")
            hint = session.execute("SELECT * FROM system_views.pending_hints").one()
            assert hint.address == r.addresses[2] and hint.files == 1 and hint.status == "DOWN", hint
