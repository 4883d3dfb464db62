"""A real Cassandra 5.0.4 opens what a node flushed: its tools list the same rows, a live node imports them."""
import glob
import json
import os
import shutil
import subprocess
import tempfile

from support import Skip, ring, run, shared, truth

JOB = "examples/hashtags.lua"


def peer(*arguments, **options):
    for program in ["java", "mvn"]:
        if shutil.which(program) is None:
            raise Skip(f"no {program}, which a Cassandra needs")
    return run(shared("peers/cassandra/cassandra"), *arguments, **options)


def table_directory(r):
    found = glob.glob(os.path.join(r.data(), "data", "demo_ks", "hashtags-*"))
    assert len(found) == 1, found
    return found[0]


def dumped(path):
    """The keys and rows of one SSTable as Cassandra's sstabledump lists them."""
    partitions = json.loads(peer("tool", "sstabledump", path, timeout=300).stdout)
    return {(p["partition"]["key"][0], row["clustering"][0]) for p in partitions for row in p["rows"]}


def flushed_copy(r, into):
    """Stops the node in good order, which flushes, and copies the table's files."""
    r.stop()
    copy = os.path.join(into, "files")
    shutil.copytree(table_directory(r), copy)
    return copy, glob.glob(os.path.join(copy, "nb-*-big-Data.db"))


def cassandra_counts(session, keyspace):
    rows = session.execute(f"SELECT hashtag, interval, mentions FROM {keyspace}.hashtags")
    return {(row.hashtag, row.interval): row.mentions for row in rows}


def test_cassandra_dumps_and_imports_what_we_flushed():
    data, counts = shared("data/btc/tweets.jsonl.gz"), truth(shared("data/btc/counts.tsv"))
    peer("data")
    from cassandra.cluster import Cluster
    with ring("127.0.77.10", schema=True) as r, tempfile.TemporaryDirectory() as d:
        r.job(JOB, data)
        copy, files = flushed_copy(r, d)
        assert files, os.listdir(copy)
        rows = set()
        for path in files:
            rows |= dumped(path)
        assert rows == set(counts), (len(rows), len(counts))
        was_up = subprocess.run([shared("peers/cassandra/cassandra"), "pids"], capture_output=True).returncode == 0
        peer("up", 1, "1G", timeout=300)
        cluster = Cluster(["127.0.1.1"], protocol_version=4)
        try:
            session = cluster.connect()
            session.default_timeout = 60
            session.execute("DROP KEYSPACE IF EXISTS helenus_import")
            session.execute("CREATE KEYSPACE helenus_import WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
            session.execute("CREATE TABLE helenus_import.hashtags (hashtag text, interval text, mentions counter, "
                            "PRIMARY KEY((hashtag), interval)) WITH CLUSTERING ORDER BY (interval DESC)")
            peer("tool", "nodetool", "-p", 7299, "import", "helenus_import", "hashtags", copy, timeout=300)
            actual = cassandra_counts(session, "helenus_import")
            assert actual == counts, (len(actual), len(counts))
            session.execute("DROP KEYSPACE helenus_import")
        finally:
            cluster.shutdown()
            if not was_up:
                peer("down")
        r.restart()
        assert r.counts() == counts
    return f"{len(counts)} rows in {len(files)} SSTable(s)"
