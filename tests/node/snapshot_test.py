"""Snapshots and imports of the whole program, and both ways with a real Cassandra."""
import contextlib
import glob
import json
import os
import shutil
import subprocess
import tempfile
import time

from support import Skip, ring, run, shared, wait_until

KEYSPACE = "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': %d}"
TABLES = ["CREATE TABLE k.t (a int, b text, s text static, v map<text, int>, PRIMARY KEY (a, b)) WITH CLUSTERING ORDER BY (b DESC)",
          "CREATE TABLE k.c (a int PRIMARY KEY, n counter)"]


def fill(session, keyspace="k"):
    for i in range(50):
        session.execute(f"INSERT INTO {keyspace}.t (a, b, s, v) VALUES ({i % 10}, 'b{i}', 's{i % 10}', {{'x': {i}}})")
        session.execute(f"UPDATE {keyspace}.c SET n = n + {i} WHERE a = {i % 5}")
    session.execute(f"DELETE FROM {keyspace}.t WHERE a = 3")


def rows(session, keyspace="k"):
    return (sorted((r.a, r.b or "", r.s, sorted((r.v or {}).items()))
                   for r in session.execute(f"SELECT a, b, s, v FROM {keyspace}.t")),
            sorted((r.a, r.n) for r in session.execute(f"SELECT a, n FROM {keyspace}.c")))


def listed(r, *arguments):
    return json.loads(r.tool("listsnapshots", "--json", *arguments).stdout)


def snapshot_directory(r, table, tag, node=1):
    found = glob.glob(os.path.join(r.data(node), "data", "k", f"{table}-*", "snapshots", tag))
    assert len(found) == 1, found
    return found[0]


def test_snapshots_of_a_ring():
    with ring("127.0.77.50", nodes=3, options=["--auto-snapshot"]) as r:
        with r.session() as session:
            for statement in [KEYSPACE % 2] + TABLES:
                session.execute(statement)
            fill(session)
            said = r.tool("snapshot", "-t", "s1", "k").stdout
            assert said == ("Requested creating snapshot(s) for [k] with snapshot name [s1] and options {skipFlush=false}\n"
                            "Snapshot directory: s1\n"), said
            assert {(s["node"], s["table"]) for s in listed(r)} == {(n, t) for n in (1, 2, 3) for t in "tc"}
            assert all(s["whole"] and s["expires_at"] is None for s in listed(r))
            again = r.tool("snapshot", "-t", "s1", "k", check=False)
            assert again.returncode == 1 and "Snapshot s1 already exists." in again.stderr, again.stderr
            none = r.tool("snapshot", "nosuch", check=False)
            assert none.returncode == 1 and "Keyspace nosuch does not exist" in none.stderr, none.stderr
            r.tool("snapshot", "--node", 2, "-t", "s2", "-kt", "k.t", "--ttl", "1h")
            assert [(s["node"], s["table"]) for s in listed(r) if s["snapshot"] == "s2"] == [(2, "t")]
            assert "ttl for snapshot" in r.tool("snapshot", "--ttl", "5s", check=False).stderr
            text = r.tool("listsnapshots", "--node", 2).stdout
            assert text.startswith("Snapshot Details: \nSnapshot name Keyspace name Column family name True size "), text
            assert "Specify snapshot name or --all" in r.tool("clearsnapshot", check=False).stderr
            r.tool("clearsnapshot", "-t", "s2")
            for options, why in [(["--all", "--older-than", "1h", "--older-than-timestamp", "2026-01-31T10:15:30Z"], "Specify only one of"),
                                 (["-t", "s1", "--older-than", "1h"], "together with --older-than flag is not allowed"),
                                 (["--all", "--older-than", "soon"], "Invalid duration: soon"),
                                 (["--all", "--older-than-timestamp", "2026-01-31"], "has to be a valid instant in ISO format.")]:
                assert why in r.tool("clearsnapshot", *options, check=False).stderr, options
            said = r.tool("clearsnapshot", "--all", "--older-than", "1h").stdout
            assert said == "Requested clearing snapshot(s) for [all keyspaces] with [all snapshots] older than 1h\n", said
            r.tool("clearsnapshot", "--all", "--older-than-timestamp", "2020-01-31T10:15:30Z")
            assert {s["snapshot"] for s in listed(r)} == {"s1"}
            r.tool("clearsnapshot", "--all", "--older-than-timestamp", "2100-01-31T10:15:30Z", "--node", 3)
            assert {s["node"] for s in listed(r)} == {1, 2}
            r.tool("clearsnapshot", "--all", "--", "k")
            assert listed(r) == []
            assert r.tool("listsnapshots", "--node", 1).stdout == "Snapshot Details: \nThere are no snapshots\n"


def test_what_was_truncated_or_dropped_can_be_had_back():
    with ring("127.0.77.54", options=["--auto-snapshot"]) as r, r.session() as session:
        for statement in [KEYSPACE % 1] + TABLES:
            session.execute(statement)
        fill(session)
        before = rows(session)
        for table in "tc":
            session.execute(f"TRUNCATE k.{table}")
        assert rows(session) == ([], [])
        tags = {s["table"]: s["snapshot"] for s in listed(r)}
        assert tags["t"].startswith("truncated-") and tags["t"].endswith("-t"), tags
        session.execute("UPDATE k.c SET n = n + 1000 WHERE a = 99")
        for table in "tc":
            r.tool("import", "-p", "k", table, snapshot_directory(r, table, tags[table]))
        session.execute("UPDATE k.c SET n = n + 1000 WHERE a = 1")
        found = rows(session)
        assert found[0] == before[0]
        assert dict(found[1]) == {a: n + (1000 if a == 1 else 0) for a, n in before[1]} | {99: 1000}, (found[1], before[1])
        session.execute("DROP TABLE k.t")
        wait_until(lambda: any(s["snapshot"].startswith("dropped-") for s in listed(r)), 10, "a snapshot of the dropped table")
        session.execute(TABLES[0])
        dropped = next(s["snapshot"] for s in listed(r) if s["snapshot"].startswith("dropped-"))
        r.tool("import", "-p", "k", "t", snapshot_directory(r, "t", dropped))
        assert rows(session)[0] == before[0]


def test_imports_that_cannot_be():
    with ring("127.0.77.55") as r, r.session() as session, tempfile.TemporaryDirectory() as d:
        for statement in [KEYSPACE % 1] + TABLES:
            session.execute(statement)
        fill(session)
        r.tool("snapshot", "-t", "s1", "k")
        copy = os.path.join(d, "copy")
        shutil.copytree(snapshot_directory(r, "t", "s1"), copy)
        data = glob.glob(os.path.join(copy, "*-Data.db"))[0]
        content = bytearray(open(data, "rb").read())
        content[len(content) // 2] ^= 1
        open(data, "wb").write(content)
        bad = r.tool("import", "k", "t", copy, check=False)
        assert bad.returncode == 1 and data in bad.stderr, bad.stderr
        assert os.path.exists(data)
        none = r.tool("import", "k", "t", os.path.join(d, "none"), check=False)
        assert none.returncode == 1, none.stderr
        other = r.tool("import", "k", "nosuch", copy, check=False)
        assert "Unknown keyspace/cf pair (k.nosuch)" in other.stderr, other.stderr


# ---- With a real Cassandra ------------------------------------------------------------------------


@contextlib.contextmanager
def cassandra():
    for program in ["java", "mvn"]:
        if shutil.which(program) is None:
            raise Skip(f"no {program}, which a Cassandra needs")
    program = shared("peers/cassandra/cassandra")
    was_up = subprocess.run([program, "pids"], capture_output=True).returncode == 0
    run(program, "up", 1, "512M", timeout=300)
    from cassandra.cluster import Cluster
    cluster = Cluster(["127.0.1.1"], protocol_version=4)
    name = f"k{time.time_ns()}"
    session = cluster.connect()
    session.default_timeout = 60
    try:
        yield lambda *a: run(program, "tool", "nodetool", "-p", "7299", *a, timeout=120), session, name
    finally:
        session.execute(f"DROP KEYSPACE IF EXISTS {name}")
        cluster.shutdown()
        if not was_up:
            run(program, "down")


def schema_of(directory):
    with open(os.path.join(directory, "schema.cql")) as file:
        return file.read()


def test_cassandra_takes_a_snapshot_of_ours():
    with cassandra() as (nodetool, theirs, name), ring("127.0.77.56") as r, r.session() as session:
        ours = name
        for statement in [KEYSPACE % 1] + TABLES:
            session.execute(statement.replace("KEYSPACE k", f"KEYSPACE {ours}").replace("k.", f"{ours}."))
        fill(session, ours)
        r.tool("snapshot", "-t", "s1", ours)
        theirs.execute((KEYSPACE % 1).replace("KEYSPACE k", f"KEYSPACE {name}"))
        for table in "tc":
            directory = glob.glob(os.path.join(r.data(), "data", ours, f"{table}-*", "snapshots", "s1"))[0]
            theirs.execute(schema_of(directory).rstrip().rstrip(";"))
            nodetool("import", "-p", name, table, directory)
        assert rows(theirs, name) == rows(session, ours)


def test_we_take_a_snapshot_of_cassandras():
    with cassandra() as (nodetool, theirs, name), ring("127.0.77.57") as r, r.session() as session:
        for statement in [KEYSPACE % 1] + TABLES:
            theirs.execute(statement.replace("KEYSPACE k", f"KEYSPACE {name}").replace("k.", f"{name}."))
        fill(theirs, name)
        nodetool("snapshot", "-t", "s1", name)
        session.execute((KEYSPACE % 1).replace("KEYSPACE k", f"KEYSPACE {name}"))
        data = run(shared("peers/cassandra/cassandra"), "data").stdout.strip()
        for table in "tc":
            directory = glob.glob(os.path.join(data, "node1", "data", name, f"{table}-*", "snapshots", "s1"))[0]
            session.execute(schema_of(directory).rstrip().rstrip(";"))
            r.tool("import", "-p", name, table, directory)
        assert rows(session, name) == rows(theirs, name)
        session.execute(f"UPDATE {name}.c SET n = n + 1 WHERE a = 1")
        assert dict(rows(session, name)[1])[1] == dict(rows(theirs, name)[1])[1] + 1
        # The words beside our snapshot are theirs, byte for byte.
        r.tool("snapshot", "-t", "s2", name)
        for table in "tc":
            theirs_at = glob.glob(os.path.join(data, "node1", "data", name, f"{table}-*", "snapshots", "s1"))[0]
            ours_at = glob.glob(os.path.join(r.data(), "data", name, f"{table}-*", "snapshots", "s2"))[0]
            assert schema_of(ours_at) == schema_of(theirs_at)
            manifests = [open(os.path.join(d, "manifest.json")).read().split("\n") for d in (ours_at, theirs_at)]
            assert [m[0] for m in manifests] == ["{", "{"] and [m[3:] for m in manifests][0] == [m[3:] for m in manifests][1]
