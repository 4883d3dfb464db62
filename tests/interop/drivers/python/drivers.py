"""What the Python driver makes of a server: one function a claim. README.md beside this folder says how it is run.

    drivers.py HOST,HOST,... [HELENUS RING_DIRECTORY]
"""
import datetime
import decimal
import ipaddress
import json
import math
import os
import ssl
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter, namedtuple

from cassandra import AlreadyExists, ConsistencyLevel, InvalidRequest, Unavailable, WriteTimeout
from cassandra.cluster import Cluster, EXEC_PROFILE_DEFAULT, ExecutionProfile
from cassandra.concurrent import execute_concurrent_with_args
from cassandra.policies import (ConstantReconnectionPolicy, DCAwareRoundRobinPolicy, FallthroughRetryPolicy, TokenAwarePolicy,
                                WhiteListRoundRobinPolicy)
from cassandra.protocol import ConfigurationException, SyntaxException
from cassandra.query import BatchStatement, BatchType, SimpleStatement, dict_factory
from cassandra.util import Date, Duration, OrderedMapSerializedKey, SortedSet, Time

HOSTS = sys.argv[1].split(",")
# With --tls: what the server's certificate must go back to.
TLS = ssl.create_default_context(cafile=os.environ["CA"]) if "CA" in os.environ else None
HELENUS, RING = sys.argv[2:4] if len(sys.argv) > 2 else (None, None)
KEYSPACE = "drivers_python"

Street = namedtuple("Street", "name number")
Address = namedtuple("Address", "street zip tags")


class NotHere(Exception):
    """What cannot be asked of this server."""


def needs_ring():
    if RING is None:
        raise NotHere("needs a ring of Helenus's")


def helenus(*words):
    return subprocess.run([HELENUS, *map(str, words)], text=True, capture_output=True, check=True, timeout=60).stdout


def connect(version=4, compression=False, hosts=None, keyspace=KEYSPACE, level=ConsistencyLevel.QUORUM):
    """At all nodes, by token; or at those named alone."""
    policy = WhiteListRoundRobinPolicy(hosts) if hosts else TokenAwarePolicy(DCAwareRoundRobinPolicy("datacenter1"))
    # The driver's own retry policy sends an increment again whose connection broke, which then may count twice.
    profile = ExecutionProfile(load_balancing_policy=policy, consistency_level=level, request_timeout=120,
                               retry_policy=FallthroughRetryPolicy())
    cluster = Cluster(hosts or HOSTS[:1], protocol_version=version, compression=compression,
                      execution_profiles={EXEC_PROFILE_DEFAULT: profile}, ssl_context=TLS, schema_event_refresh_window=0,
                      status_event_refresh_window=0, reconnection_policy=ConstantReconnectionPolicy(0.2, None))
    return cluster.connect(keyspace)


def close(*sessions):
    for session in sessions:
        session.cluster.shutdown()


def wait_until(holds, seconds, what):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"{what}: not after {seconds} s"
        time.sleep(0.02)


def raised(kind, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except kind as e:
        return e
    raise AssertionError(f"no {kind.__name__}: {arguments}")


def connects_by_each_version(session):
    tried = []
    for version in [3, 4, 5]:
        for compression in [False, "lz4"]:
            other = connect(version, compression)
            row = other.execute("SELECT release_version, native_protocol_version FROM system.local").one()
            assert other.cluster.protocol_version == version and row.native_protocol_version == "5", row
            connection = other.cluster.control_connection._connection
            assert bool(connection.compressor) or not compression or version == 5, connection
            large = "x" * 300000 + "y"
            assert other.execute("SELECT %s AS t FROM system.local".replace("%s", "(text) '" + large + "'")).one().t == large
            close(other)
            tried.append(f"v{version}{' ' + compression if compression else ''}")
    # One that starts with the newest it knows, and steps down.
    cluster = Cluster(HOSTS[:1], ssl_context=TLS, execution_profiles={EXEC_PROFILE_DEFAULT: ExecutionProfile(
        load_balancing_policy=DCAwareRoundRobinPolicy("datacenter1"))})
    cluster.connect()
    tried.append(f"negotiated v{cluster.protocol_version}")
    assert cluster.protocol_version == 5
    cluster.shutdown()
    return ", ".join(tried)


def metadata_is_whole(session):
    session.execute("CREATE TYPE meta_type (a int, b frozen<list<text>>)")
    session.execute("CREATE TABLE meta (a int, b text, c timeuuid, s set<int> static, v frozen<meta_type>, w vector<float, 3>, "
                    "PRIMARY KEY ((a, b), c)) WITH CLUSTERING ORDER BY (c DESC) AND comment = 'it''s' AND gc_grace_seconds = 77")
    session.execute("CREATE INDEX meta_v ON meta (v)")
    hosts = session.cluster.metadata.all_hosts()
    assert sorted(str(h.address) for h in hosts) == sorted(HOSTS), hosts
    assert {(h.datacenter, h.rack, h.release_version) for h in hosts} == {("datacenter1", "rack1", "5.0.4")}, hosts
    keyspace = session.cluster.metadata.keyspaces[KEYSPACE]
    assert keyspace.durable_writes and keyspace.replication_strategy.replication_factor == len(HOSTS)
    table = keyspace.tables["meta"]
    assert [c.name for c in table.partition_key] == ["a", "b"] and [c.name for c in table.clustering_key] == ["c"]
    assert table.columns["c"].is_reversed and table.columns["s"].is_static
    assert {n: c.cql_type for n, c in table.columns.items()} == {
        "a": "int", "b": "text", "c": "timeuuid", "s": "set<int>", "v": "frozen<meta_type>", "w": "vector<float, 3>"}
    assert table.options["comment"] == "it's" and table.options["gc_grace_seconds"] == 77, table.options
    assert table.indexes["meta_v"].index_options == {"target": "v"}, table.indexes["meta_v"].index_options
    assert keyspace.user_types["meta_type"].field_types == ["int", "frozen<list<text>>"]
    assert {"system", "system_schema", "system_auth", "system_traces", "system_distributed"} <= set(session.cluster.metadata.keyspaces)
    # What the driver prints of the table makes the same table again.
    printed = table.as_cql_query()
    session.execute("DROP TABLE meta")
    wait_until(lambda: "meta" not in keyspace_tables(session), 5, "the table is gone")
    session.execute(printed)
    again = session.cluster.metadata.keyspaces[KEYSPACE].tables["meta"]
    assert again.as_cql_query() == printed, (printed, again.as_cql_query())


def keyspace_tables(session):
    return session.cluster.metadata.keyspaces[KEYSPACE].tables


def replicas_are_those_of_the_server(session):
    needs_ring()
    owners = {t.value: str(h.address) for t, h in session.cluster.metadata.token_map.token_to_host_owner.items()}
    assert owners == {e["token"]: e["address"].rsplit(":", 1)[0] for e in json.loads(helenus("ring", "--ring", HOSTS[0], "--json"))}
    for factor in [1, 2, 3]:
        name = f"{KEYSPACE}_{factor}"
        session.execute(f"CREATE KEYSPACE {name} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': {factor}}}")
        session.execute(f"CREATE TABLE {name}.t (k text PRIMARY KEY)")
        for i in range(10):
            theirs = [str(h.address) for h in session.cluster.metadata.get_replicas(name, f"key {i}".encode())]
            ours = json.loads(helenus("getendpoints", "--ring", HOSTS[0], "--json", name, "t", f"key {i}"))
            assert theirs == ours and len(ours) == factor, (name, i, theirs, ours)
        session.execute(f"DROP KEYSPACE {name}")
    return f"{len(owners)} tokens"


def prepared_statements_survive_changes(session):
    for version in [3, 4, 5]:
        one, two = connect(version), connect(version)
        one.execute("DROP TABLE IF EXISTS prepared")
        one.execute("CREATE TABLE prepared (k int PRIMARY KEY, a text)")
        insert = one.prepare("INSERT INTO prepared (k, a) VALUES (:k, :a)")
        assert insert.routing_key_indexes == [0] and [c.name for c in insert.column_metadata] == ["k", "a"]
        select = one.prepare("SELECT * FROM prepared WHERE k = ?")
        one.execute(insert, {"k": 1, "a": "one"})
        assert one.execute(select, [1]).one() == (1, "one")
        two.execute("ALTER TABLE prepared ADD b list<int>")
        one.execute("UPDATE prepared SET b = [1, 2] WHERE k = 1")
        row = one.execute(select, [1]).one()
        # Only v5 tells a client that the columns of a prepared SELECT * are others now.
        assert row == ((1, "one", [1, 2]) if version == 5 else (1, "one")) or row == (1, "one", [1, 2]), (version, row)
        two.execute("DROP TABLE prepared")
        two.execute("CREATE TABLE prepared (k int PRIMARY KEY, a text)")
        one.execute(insert, [2, "two"])  # UNPREPARED, prepared again, executed.
        assert one.execute(select, [2]).one()[:2] == (2, "two")
        close(one, two)


def pages_go_on_at_another_node(session):
    session.execute("CREATE TABLE pages (p int, c int, v text, PRIMARY KEY (p, c))")
    insert = session.prepare("INSERT INTO pages (p, c, v) VALUES (?, ?, ?)")
    execute_concurrent_with_args(session, insert, [(i % 10, i, f"v{i}") for i in range(1000)])
    for version in [3, 4, 5]:
        other = connect(version)
        hosts = sorted(other.cluster.metadata.all_hosts(), key=lambda h: h.address)
        for text in ["SELECT c FROM pages", "SELECT c FROM pages WHERE p IN (0,1,2,3,4,5,6,7,8,9)", "SELECT c FROM pages WHERE c >= 0 ALLOW FILTERING"]:
            statement = SimpleStatement(text, fetch_size=7)
            assert sorted(r.c for r in other.execute(statement)) == list(range(1000)), text
            seen, state, pages = [], None, 0
            while True:
                result = other.execute(statement, paging_state=state, host=hosts[pages % len(hosts)])
                seen += [r.c for r in result.current_rows]
                assert len(result.current_rows) <= 7
                pages, state = pages + 1, result.paging_state
                if state is None:
                    break
            assert sorted(seen) == list(range(1000)), (version, text, len(seen))
        # Within a partition pages keep the order.
        statement = SimpleStatement("SELECT c FROM pages WHERE p = 3 ORDER BY c DESC LIMIT 50", fetch_size=7)
        assert [r.c for r in other.execute(statement)] == list(range(993, 493, -10))
        close(other)


def batches_do_all_they_hold(session):
    session.execute("CREATE TABLE batched (k int PRIMARY KEY, v text)")
    session.execute("CREATE TABLE batched_counts (k int PRIMARY KEY, n counter)")
    insert = session.prepare("INSERT INTO batched (k, v) VALUES (?, ?)")
    for version in [3, 4, 5]:
        other = connect(version)
        insert = other.prepare("INSERT INTO batched (k, v) VALUES (?, ?)")
        for kind in [BatchType.LOGGED, BatchType.UNLOGGED]:
            other.execute("TRUNCATE batched")
            batch = BatchStatement(batch_type=kind)
            for i in range(20):
                batch.add(insert, (i, str(i)))
            batch.add("INSERT INTO batched (k, v) VALUES (100, 'text')")
            batch.add(SimpleStatement("INSERT INTO batched (k, v) VALUES (%s, %s)"), (101, "it's"))
            batch.add("DELETE FROM batched USING TIMESTAMP 1 WHERE k = 100")
            other.execute(batch)
            rows = {r.k: r.v for r in other.execute("SELECT * FROM batched")}
            assert rows == {**{i: str(i) for i in range(20)}, 100: "text", 101: "it's"}, rows
        other.execute("TRUNCATE batched_counts")
        add = other.prepare("UPDATE batched_counts SET n = n + ? WHERE k = ?")
        batch = BatchStatement(batch_type=BatchType.COUNTER)
        for i in range(30):
            batch.add(add, (i, i % 3))
        other.execute(batch)
        assert {r.k: r.n for r in other.execute("SELECT * FROM batched_counts")} == {0: 135, 1: 145, 2: 155}
        mixed = BatchStatement(batch_type=BatchType.LOGGED)
        mixed.add(add, (1, 1))
        raised(InvalidRequest, other.execute, mixed)
        close(other)


UTC = datetime.timezone.utc
SOME = uuid.UUID("5132b130-ae79-11e4-ab27-0800200c9a66")
MAX32, MAX64 = 2**31 - 1, 2**63 - 1
VALUES = [
    ("ascii", [("'abc'", "abc"), ("''", ""), ("'~ '''", "~ '")]),
    ("bigint", [("0", 0), (str(MAX64), MAX64), (str(-MAX64 - 1), -MAX64 - 1)]),
    ("blob", [("0x", b""), ("0x00ff", b"\0\xff")]),
    ("boolean", [("true", True), ("false", False)]),
    ("date", [("'2026-02-28'", Date("2026-02-28")), ("'0001-01-01'", Date("0001-01-01")), ("0", Date(-MAX32 - 1)),
              ("'1969-12-31'", Date(-1))]),
    ("decimal", [("0", decimal.Decimal(0)), ("-1.50", decimal.Decimal("-1.50")), ("1E30", decimal.Decimal("1E30")),
                 ("0.00000000000000000000000000000001", decimal.Decimal("0.00000000000000000000000000000001"))]),
    ("double", [("0.1", 0.1), ("-1.7976931348623157E308", -1.7976931348623157e308), ("Infinity", math.inf), ("4.9E-324", 5e-324)]),
    ("duration", [("1mo2d3ns", Duration(1, 2, 3)), ("-2y", Duration(-24, 0, 0)), ("P0D", Duration(0, 0, 0)),
                  ("9223372036854775807ns", Duration(0, 0, MAX64))]),
    ("float", [("0.5", 0.5), ("-Infinity", -math.inf), ("3.4028235E38", 3.4028234663852886e38)]),
    ("inet", [("'127.0.0.1'", "127.0.0.1"), ("'::'", "::"), ("'2001:db8::ff00:42:8329'", "2001:db8::ff00:42:8329")]),
    ("int", [("0", 0), (str(MAX32), MAX32), (str(-MAX32 - 1), -MAX32 - 1)]),
    ("smallint", [("32767", 32767), ("-32768", -32768)]),
    ("text", [("''", ""), ("'Grüße, 世界 🌍'", "Grüße, 世界 🌍"), ("$$it's$$", "it's")]),
    ("time", [("'00:00:00'", Time(0)), ("'23:59:59.999999999'", Time(86399999999999))]),
    ("timestamp", [("0", datetime.datetime(1970, 1, 1)), ("'2026-11-22T21:20:19.123Z'", datetime.datetime(2026, 11, 22, 21, 20, 19, 123000)),
                   ("-1", datetime.datetime(1969, 12, 31, 23, 59, 59, 999000))]),
    ("timeuuid", [(str(SOME), SOME)]),
    ("tinyint", [("127", 127), ("-128", -128)]),
    ("uuid", [(str(SOME), SOME), ("00000000-0000-0000-0000-000000000000", uuid.UUID(int=0))]),
    ("varint", [("0", 0), ("-1", -1), (str(10**60), 10**60), (str(-(2**127)), -(2**127)), ("128", 128), ("-129", -129)]),
    ("list<int>", [("[3, 1, 1]", [3, 1, 1])]),
    ("set<text>", [("{'b', 'a', ''}", SortedSet(["", "a", "b"]))]),
    ("map<text, int>", [("{'b': 2, 'a': -1}", {"a": -1, "b": 2})]),
    ("frozen<list<int>>", [("[]", []), ("[0]", [0])]),
    ("frozen<set<int>>", [("{}", SortedSet()), ("{2, 1}", SortedSet([1, 2]))]),
    ("frozen<map<int, text>>", [("{}", {}), ("{1: ''}", {1: ""})]),
    ("list<frozen<map<text, frozen<set<int>>>>>", [("[{'a': {1, 2}}, {}]", [{"a": SortedSet([1, 2])}, {}])]),
    ("map<frozen<tuple<int, text>>, frozen<list<uuid>>>", [(f"{{(1, 'x'): [{SOME}]}}", {(1, "x"): [SOME]})]),
    ("tuple<int, text, frozen<list<int>>>", [("(1, 'a', [1])", (1, "a", [1])), ("(null, 'a', null)", (None, "a", None)), ("(1, '', [])", (1, "", []))]),
    ("frozen<street>", [("{name: 'Main', number: 1}", Street("Main", 1)), ("{name: ''}", Street("", None))]),
    ("address", [("{street: {name: 'M', number: 2}, zip: 'z', tags: {'a', 'b'}}", Address(Street("M", 2), "z", SortedSet(["a", "b"]))),
                 ("{zip: 'z'}", Address(None, "z", None))]),
    ("list<frozen<street>>", [("[{name: 'a', number: -1}]", [Street("a", -1)])]),
    ("vector<float, 3>", [("[1, 0.5, -2]", [1.0, 0.5, -2.0])]),
    ("vector<int, 2>", [("[1, -1]", [1, -1])]),
    ("vector<text, 2>", [("['', 'abc']", ["", "abc"])]),
]


def every_type_there_and_back(session):
    session.execute("CREATE TYPE street (name text, number int)")
    session.execute("CREATE TYPE address (street frozen<street>, zip text, tags frozen<set<text>>)")
    columns = ", ".join(f"c{i} {kind}" for i, (kind, _) in enumerate(VALUES))
    session.execute(f"CREATE TABLE every_type (k int PRIMARY KEY, {columns})")
    count = 0
    for version in [3, 4, 5]:
        other = connect(version, "lz4")
        other.cluster.register_user_type(KEYSPACE, "street", Street)
        other.cluster.register_user_type(KEYSPACE, "address", Address)
        for i, (kind, values) in enumerate(VALUES):
            insert = other.prepare(f"INSERT INTO every_type (k, c{i}) VALUES (?, ?)")
            select = other.prepare(f"SELECT c{i} AS v FROM every_type WHERE k = ?")
            for k, (literal, value) in enumerate([*values, ("null", None)]):
                other.execute(insert, (k, value))
                bound = other.execute(select, [k]).one().v
                other.execute(f"INSERT INTO every_type (k, c{i}) VALUES ({k}, {literal})")
                written = other.execute(select, [k]).one().v
                assert same(bound, value) and same(written, value), (version, kind, literal, value, bound, written)
                count += 1
        nothing = other.execute("SELECT * FROM every_type WHERE k = 0").one()
        assert all(v is not None for v in nothing)
        blob = bytes(range(256)) * 12 * 1024  # 3 MiB: many segments of v5.
        other.execute("INSERT INTO every_type (k, c2) VALUES (%s, %s)", (99, blob))
        assert other.execute("SELECT c2 AS v FROM every_type WHERE k = 99").one().v == blob
        # UNSET leaves what is there; v3 has no such thing.
        if version >= 4:
            insert = other.prepare("INSERT INTO every_type (k, c0, c1) VALUES (?, ?, ?)")
            other.execute(insert, (7, "kept", 1))
            other.execute(insert, {"k": 7, "c1": 2})
            assert other.execute("SELECT c0, c1 FROM every_type WHERE k = 7").one() == ("kept", 2)
        close(other)
    return f"{count} values of {len(VALUES)} types"


def same(a, b):
    if isinstance(a, OrderedMapSerializedKey):
        return dict(a.items()) == b
    return a == b or (isinstance(a, float) and isinstance(b, float) and math.isclose(a, b, rel_tol=1e-7))


def counters_count(session):
    session.execute("CREATE TABLE counts (k text, c int, n counter, m counter, PRIMARY KEY (k, c))")
    add = session.prepare("UPDATE counts SET n = n + ?, m = m - ? WHERE k = ? AND c = ?")
    for n in [1, -5, MAX64 - 100, 0]:
        session.execute(add, (n, n, "a", 1))
    assert session.execute("SELECT n, m FROM counts").one() == (MAX64 - 104, 104 - MAX64)
    session.execute("DELETE n FROM counts WHERE k = 'a' AND c = 1")
    assert session.execute("SELECT n, m FROM counts").one() == (None, 104 - MAX64)
    raised(InvalidRequest, session.execute, "INSERT INTO counts (k, c, n) VALUES ('a', 1, 1)")


def conditions_say_what_was_there(session):
    session.execute("CREATE TABLE conditional (k int, c int, v text, s text static, PRIMARY KEY (k, c))")
    insert = session.prepare("INSERT INTO conditional (k, c, v) VALUES (?, ?, ?) IF NOT EXISTS")
    result = session.execute(insert, (1, 1, "a"))
    assert result.was_applied and result.one() == (True,)
    result = session.execute(insert, (1, 1, "b"))
    assert not result.was_applied
    row = result.one()
    assert row._asdict() == {"applied": False, "k": 1, "c": 1, "s": None, "v": "a"}, row
    update = session.prepare("UPDATE conditional SET v = ? WHERE k = 1 AND c = 1 IF v = ?")
    assert session.execute(update, ("c", "a")).was_applied
    result = session.execute(update, ("d", "a"))
    assert not result.was_applied and result.one() == (False, "c")
    batch = BatchStatement()
    batch.add(insert, (1, 2, "new"))
    batch.add(update, ("e", "x"))
    result = session.execute(batch)
    assert not result.was_applied and [r[:3] for r in result] in ([(False, 1, 1)], [(False, 1, 1), (False, 1, 2)])
    assert session.execute("SELECT count(*) FROM conditional WHERE k = 1").one()[0] == 1
    assert session.execute("DELETE FROM conditional WHERE k = 1 AND c = 1 IF EXISTS").was_applied
    assert not session.execute("DELETE FROM conditional WHERE k = 1 AND c = 1 IF EXISTS").was_applied
    serial = SimpleStatement("SELECT * FROM conditional WHERE k = 1", consistency_level=ConsistencyLevel.SERIAL)
    assert list(session.execute(serial)) == []
    # Eight threads add to one cell by compare and set: none is lost, and none counts that is not known of.
    session.execute("INSERT INTO conditional (k, c, v) VALUES (2, 1, '0')")
    cas = session.prepare("UPDATE conditional SET v = ? WHERE k = 2 AND c = 1 IF v = ?")
    read = session.prepare("SELECT v FROM conditional WHERE k = 2 AND c = 1")
    read.consistency_level = ConsistencyLevel.SERIAL
    faults, unknown = [], []

    def add():
        done = 0
        while done < 5 and not faults:
            try:
                old = session.execute(read).one().v
                done += session.execute(cas, (str(int(old) + 1), old)).was_applied
            except WriteTimeout as e:
                unknown.append(e)
            except Exception as e:
                faults.append(e)

    threads = [threading.Thread(target=add) for _ in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    value = int(session.execute(read).one().v)
    assert not faults and 40 <= value <= 40 + len(unknown), (value, faults, unknown)
    return f"{len(unknown)} of unknown end among 40 that were contended"


def schema_events_are_heard(session):
    other = connect(hosts=HOSTS[-1:])
    heard = []
    session.cluster.control_connection._connection.register_watcher("SCHEMA_CHANGE", heard.append)
    other.execute("CREATE TABLE heard (k int PRIMARY KEY)")
    wait_until(lambda: "heard" in keyspace_tables(session), 10, "a table that another made")
    other.execute("ALTER TABLE heard ADD v int")
    wait_until(lambda: "v" in keyspace_tables(session)["heard"].columns, 10, "its new column")
    other.execute("CREATE TYPE heard_type (a int)")
    wait_until(lambda: "heard_type" in session.cluster.metadata.keyspaces[KEYSPACE].user_types, 10, "a type")
    other.execute("CREATE INDEX heard_v ON heard (v)")
    wait_until(lambda: "heard_v" in keyspace_tables(session)["heard"].indexes, 10, "an index")
    other.execute("DROP TABLE heard")
    wait_until(lambda: "heard" not in keyspace_tables(session), 10, "its end")
    told = [(e["change_type"], e["target_type"], e.get("table") or e.get("type")) for e in heard
            if e["keyspace"] == KEYSPACE]
    assert told == [("CREATED", "TABLE", "heard"), ("UPDATED", "TABLE", "heard"), ("CREATED", "TYPE", "heard_type"),
                    ("UPDATED", "TABLE", "heard"), ("DROPPED", "TABLE", "heard")], told
    close(other)


def nodes_that_go_and_come_are_heard_of(session):
    needs_ring()
    third = next(h for h in session.cluster.metadata.all_hosts() if str(h.address) == HOSTS[2])
    assert third.is_up
    helenus("ring", "kill", "--dir", RING, 3)
    wait_until(lambda: not third.is_up, 10, "it is down")
    helenus("ring", "restart", "--dir", RING, 3)
    wait_until(lambda: third.is_up, 20, "it is up")


def sums_under_load_are_exact(session):
    session.execute("CREATE TABLE load (k int PRIMARY KEY, n counter)")
    session.execute("CREATE TABLE load_rows (p int, c int, v int, PRIMARY KEY (p, c))")
    for version in [3, 4, 5]:
        other = connect(version, "lz4" if version != 4 else False)
        session.execute("TRUNCATE load")
        add = other.prepare("UPDATE load SET n = n + ? WHERE k = ?")
        insert = other.prepare("INSERT INTO load_rows (p, c, v) VALUES (?, ?, ?)")
        execute_concurrent_with_args(other, add, [(i, i % 17) for i in range(5000)], concurrency=200)
        execute_concurrent_with_args(other, insert, [(i % 17, i, i) for i in range(5000)], concurrency=200)
        sums = Counter()
        for i in range(5000):
            sums[i % 17] += i
        assert {r.k: r.n for r in other.execute("SELECT * FROM load")} == sums
        assert {r.p: r.s for r in other.execute("SELECT p, sum(v) AS s FROM load_rows GROUP BY p")} == sums
        close(other)
    return "3 times 5,000 increments and 5,000 rows, 200 in flight"


def a_restart_loses_nothing_acknowledged(session):
    needs_ring()
    session.execute("CREATE TABLE kept (k int PRIMARY KEY, v int)")
    session.execute("CREATE TABLE kept_sum (k int PRIMARY KEY, n counter)")
    insert = session.prepare("INSERT INTO kept (k, v) VALUES (?, ?)")
    add = session.prepare("UPDATE kept_sum SET n = n + 1 WHERE k = 0")
    acknowledged, tried, sums, stop, next_key = set(), Counter(), Counter(), threading.Event(), iter(range(10**9))
    lock = threading.Lock()

    def work():
        while not stop.is_set():
            with lock:
                key = next(next_key)
            try:
                session.execute(insert, (key, key))
                acknowledged.add(key)
            except Exception as e:
                tried[type(e).__name__] += 1
            try:
                session.execute(add)
                sums["added"] += 1
            except Exception as e:
                sums["unknown"] += 1
                tried[type(e).__name__] += 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    [t.start() for t in threads]
    for how in ["kill", "stop"]:
        wait_until(lambda begun=len(acknowledged): len(acknowledged) > begun + 500, 20, "writes go on")
        if how == "kill":
            helenus("ring", "kill", "--dir", RING, 2)
            wait_until(lambda begun=len(acknowledged): len(acknowledged) > begun + 500, 20, "writes go on without it")
        helenus("ring", "restart", "--dir", RING, 2)
    wait_until(lambda begun=len(acknowledged): len(acknowledged) > begun + 500, 20, "writes go on")
    stop.set()
    [t.join() for t in threads]
    found = {r.k for r in session.execute(SimpleStatement("SELECT k FROM kept", fetch_size=5000))}
    assert acknowledged <= found, f"{len(acknowledged - found)} of {len(acknowledged)} acknowledged rows are lost"
    counted = session.execute("SELECT n FROM kept_sum").one().n
    assert sums["added"] <= counted <= sums["added"] + sums["unknown"], (sums, counted)
    return f"{len(acknowledged)} rows, {counted} increments; failed: {dict(tried) or 'none'}"


def errors_say_what_is_wrong(session):
    for version in [3, 4, 5]:
        other = connect(version)
        e = raised(SyntaxException, other.execute, "SELEC * FROM x")
        assert "line 1:0 no viable alternative at input 'SELEC'" in str(e), e
        e = raised(InvalidRequest, other.execute, "SELECT * FROM nowhere")
        assert 'message="table nowhere does not exist"' in str(e) or "unconfigured table" in str(e), e
        e = raised(InvalidRequest, other.execute, "SELECT nothing FROM system.local")
        assert "Undefined column name nothing in table system.local" in str(e), e
        e = raised(AlreadyExists, other.execute, "CREATE TABLE meta (k int PRIMARY KEY)")
        assert (e.keyspace, e.table) == (KEYSPACE, "meta"), e
        e = raised(AlreadyExists, other.execute, f"CREATE KEYSPACE {KEYSPACE} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}")
        assert (e.keyspace, e.table) == (KEYSPACE, None) or e.table == "", e
        raised(ConfigurationException, other.execute, "CREATE KEYSPACE bad WITH replication = {'class': 'NoStrategy'}")
        far, needed = f"{KEYSPACE}_far", len(HOSTS) + 2
        other.execute(f"CREATE KEYSPACE IF NOT EXISTS {far} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': {needed}}}")
        other.execute(f"CREATE TABLE IF NOT EXISTS {far}.t (k int PRIMARY KEY)")
        statement = SimpleStatement(f"INSERT INTO {far}.t (k) VALUES (1)", consistency_level=ConsistencyLevel.ALL)
        e = raised(Unavailable, other.execute, statement)
        assert (e.consistency, e.required_replicas, e.alive_replicas) == (ConsistencyLevel.ALL, needed, len(HOSTS)), vars(e)
        raised(InvalidRequest, other.execute, "INSERT INTO meta (a) VALUES (1)")
        raised(InvalidRequest, other.prepare, "SELECT * FROM nowhere WHERE k = ?")
        close(other)


def traces_are_found(session):
    session.execute("CREATE TABLE traced (k int PRIMARY KEY)")
    for version in [3, 4, 5]:
        other = connect(version)
        result = other.execute("INSERT INTO traced (k) VALUES (1)", trace=True)
        trace = result.get_query_trace(max_wait_sec=10)
        assert trace.duration > datetime.timedelta(0) and len(trace.events) > 2 and trace.request_type == "Execute CQL3 query", vars(trace)
        assert str(trace.coordinator) in HOSTS and trace.parameters["query"] == "INSERT INTO traced (k) VALUES (1)", trace.parameters
        assert all(e.description and e.source_elapsed is not None for e in trace.events)
        close(other)


def v5_names_a_keyspace(session):
    other, elsewhere = connect(5), f"{KEYSPACE}_elsewhere"
    other.execute(f"CREATE KEYSPACE {elsewhere} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}")
    other.execute(SimpleStatement("CREATE TABLE elsewhere (k int PRIMARY KEY, v int)", keyspace=elsewhere))
    other.execute(SimpleStatement("INSERT INTO elsewhere (k, v) VALUES (1, 2)", keyspace=elsewhere))
    assert other.execute(SimpleStatement("SELECT v FROM elsewhere", keyspace=elsewhere)).one().v == 2
    select = other.prepare("SELECT v FROM elsewhere WHERE k = ?", keyspace=elsewhere)
    assert other.execute(select, [1]).one().v == 2
    raised(InvalidRequest, other.execute, "SELECT v FROM elsewhere")
    other.execute(f"DROP KEYSPACE {elsewhere}")
    close(other)


def warnings_reach_the_client(session):
    for version in [3, 4, 5]:
        other = connect(version)
        future = other.execute_async("SELECT count(*) FROM pages")
        future.result()
        assert (future.warnings or []) == ([] if version == 3 else ["Aggregation query used without partition key"]), (version, future.warnings)
        close(other)


def a_custom_payload_does_no_harm(session):
    for version in [4, 5]:
        other = connect(version)
        future = other.execute_async("SELECT key FROM system.local", custom_payload={"a": b"1", "b": b""})
        assert future.result().one().key == "local" and future.custom_payload is None
        close(other)


CLAIMS = [connects_by_each_version, metadata_is_whole, replicas_are_those_of_the_server, prepared_statements_survive_changes,
          pages_go_on_at_another_node, batches_do_all_they_hold, every_type_there_and_back, counters_count,
          conditions_say_what_was_there, schema_events_are_heard, nodes_that_go_and_come_are_heard_of, sums_under_load_are_exact,
          a_restart_loses_nothing_acknowledged, errors_say_what_is_wrong, traces_are_found, v5_names_a_keyspace,
          warnings_reach_the_client, a_custom_payload_does_no_harm]


def main():
    session = connect(keyspace=None)
    session.execute(f"DROP KEYSPACE IF EXISTS {KEYSPACE}")
    session.execute(f"CREATE KEYSPACE {KEYSPACE} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': {len(HOSTS)}}}")
    session.set_keyspace(KEYSPACE)
    passed = failed = 0
    for claim in CLAIMS:
        begin = time.monotonic()
        try:
            detail = claim(session) or ""
            passed += 1
            print(f"ok   {claim.__name__} ({time.monotonic() - begin:.1f} s) {detail}", flush=True)
        except NotHere as e:
            print(f"-    {claim.__name__}: {e}", flush=True)
        except Exception as e:
            failed += 1
            print(f"FAIL {claim.__name__}: {type(e).__name__}: {str(e)[:600]} (line {e.__traceback__.tb_next.tb_lineno})", flush=True)
    for name in [KEYSPACE, f"{KEYSPACE}_far"]:
        session.execute(f"DROP KEYSPACE IF EXISTS {name}")
    session.cluster.shutdown()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
