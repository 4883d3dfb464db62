"""Compactions of the whole program: by itself, when told, and what its tools say in nodetool's words."""
import json
import os

from support import ring, wait_until

KEYSPACE = "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 2}"


def stats(r, table, node=1):
    return json.loads(r.tool("tablestats", "--json", f"k.{table}", node=node).stdout)[0]


def fill(r, session, rounds, first=0):
    for i in range(rounds):
        for j in range(40):
            session.execute(f"INSERT INTO k.t (a, b) VALUES ({j}, 'round {first + i}')")
            session.execute(f"INSERT INTO k.l (a, b) VALUES ({j}, 'round {first + i}')")
            session.execute(f"UPDATE k.c SET n = n + 1 WHERE a = {j}")
        r.tool("flush", "k", node=1)
        r.tool("flush", "k", node=2)


def check(session, rounds):
    last = f"round {rounds - 1}"
    for table in "tl":
        assert {(x.a, x.b) for x in session.execute(f"SELECT a, b FROM k.{table}")} == {(j, last) for j in range(40)}
    assert {(x.a, x.n) for x in session.execute("SELECT a, n FROM k.c")} == {(j, rounds) for j in range(40)}


def test_compactions_of_a_ring():
    with ring("127.0.77.210", nodes=2) as r:
        with r.session() as session:
            for statement in [
                KEYSPACE,
                "CREATE TABLE k.t (a int PRIMARY KEY, b text)",
                "CREATE TABLE k.l (a int PRIMARY KEY, b text) WITH compaction = {'class': 'LeveledCompactionStrategy'}",
                "CREATE TABLE k.c (a int PRIMARY KEY, n counter)",
            ]:
                session.execute(statement)
            fill(r, session, 4)
            for node in (1, 2):
                wait_until(lambda: stats(r, "t", node=node)["sstable_count"] == 1, 10, "four flushes become one SSTable")
                wait_until(lambda: json.loads(r.tool("compactionstats", "--json", node=node).stdout)["pending_tasks"] == 0, 10,
                           "all is done")
            check(session, 4)
            history = list(session.execute("SELECT * FROM system.compaction_history"))
            done = [h for h in history if h.keyspace_name == "k" and h.columnfamily_name == "t"]
            assert len(done) == 1 and sum(done[0].rows_merged.values()) == 40 and done[0].rows_merged[4] == 40, history
            assert done[0].compaction_properties == {"compaction_type": "Compaction"} and done[0].bytes_in > done[0].bytes_out > 0
            wait_until(lambda: not list(session.execute("SELECT * FROM system_views.sstable_tasks")), 10, "no task is left")

            assert r.tool("statusautocompaction", "k", "t").stdout == "running\n"
            r.tool("disableautocompaction", "k")
            assert r.tool("statusautocompaction", "k", "t", node=2).stdout == "not running\n"
            fill(r, session, 5, first=4)
            assert stats(r, "t", node=2)["sstable_count"] == 6, stats(r, "t", node=2)
            r.tool("compact", "k", "t", "c")
            assert [stats(r, t, node=2)["sstable_count"] for t in "tc"] == [1, 1]
            assert stats(r, "l")["sstable_count"] > 1
            r.tool("compact")
            assert stats(r, "l")["sstables_in_each_level"][:2] == [0, 1], stats(r, "l")
            check(session, 9)
            r.tool("enableautocompaction", "k")
            assert r.tool("statusautocompaction", "k").stdout == "running\n"


def test_its_tools_say_what_nodetool_says():
    with ring("127.0.77.214", nodes=1) as r:
        assert r.tool("getcompactionthroughput").stdout == "Current compaction throughput: 64 MB/s\n"
        r.stop()
        with open(os.path.join(r.directory, "node1", "helenus.yaml"), "a") as f:
            f.write("compaction_throughput: 32MiB/s\nconcurrent_compactors: 3\n")
        r.start()
        with r.session() as session:
            session.execute(KEYSPACE)
            session.execute("CREATE TABLE k.t (a int PRIMARY KEY, b text)")
        assert r.tool("getcompactionthroughput").stdout == "Current compaction throughput: 32 MB/s\n"
        assert r.tool("getconcurrentcompactors").stdout == "Current concurrent compactors in the system is: \n3\n"
        shown = r.tool("compactionstats").stdout
        for line in ["concurrent compactors            3", "pending tasks                    0",
                     "compaction throughput (MiB/s)    32.0"]:
            assert line in shown.splitlines(), shown
        r.tool("setcompactionthroughput", "0")
        r.tool("setconcurrentcompactors", "1")
        shown = r.tool("compactionstats").stdout
        assert "compaction throughput (MiB/s)    throttling disabled (0)" in shown, shown
        assert "\t\tTable: t\n\t\tSSTable count: 0\n" in r.tool("tablestats", "k.t").stdout
        for arguments, words in [
            (["compact", "nosuch"], "Keyspace nosuch does not exist"),
            (["compact", "k", "nosuch"], "Unknown keyspace/cf pair (k.nosuch)"),
            (["stop", "nonsense"], 'compaction_type: can not convert "nonsense" to a OperationType'),
            (["setcompactionthroughput", "abc"], 'can not convert "abc" to a Integer'),
            (["setconcurrentcompactors", "0"], "concurrent_compactors should be great than 0."),
        ]:
            done = r.tool(*arguments, check=False)
            assert done.returncode != 0 and words in done.stderr, (arguments, done.stderr)
        assert json.loads(r.tool("stop", "--json", "COMPACTION").stdout) == {"stopped": 0}
