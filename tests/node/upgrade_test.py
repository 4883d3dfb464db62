"""A node starts on the folder that a node of each earlier release left behind when it was killed (tests/golden/releases; made by
tests/golden/make_release), and answers what that one answered."""
import glob
import json
import os
import tarfile

from support import ROOT, ring

ADDRESS = "127.0.77.30"  # Stands in the folders.
SELECTS = [
    "SELECT k, c, s, v, m, st, l, tp, WRITETIME(v) FROM release.events",
    "SELECT k, c, n, m FROM release.counts",
    "SELECT * FROM release.plain",
    "SELECT keyspace_name, table_name, id FROM system_schema.tables WHERE keyspace_name = 'release'",
    "SELECT table_name, column_name, kind, type FROM system_schema.columns WHERE keyspace_name = 'release'",
]


def answers(session):
    """As texts, for JSON."""
    return {select: [str(tuple(row)) for row in session.execute(select)] for select in SELECTS}


def test_a_node_starts_on_what_each_release_left():
    said = []
    for package in sorted(glob.glob(os.path.join(ROOT, "tests/golden/releases/*/node.tar.gz"))):
        release = os.path.dirname(package)
        with open(os.path.join(release, "node.json"), encoding="utf-8") as file:
            expected = json.load(file)
        with ring(ADDRESS) as node:
            node.stop()
            run_on(node, package)
            with node.session() as session:
                actual = answers(session)
                for select in SELECTS:
                    assert actual[select] == expected[select], (release, select, expected[select], actual[select])
                session.execute("UPDATE release.counts SET n = n + 1 WHERE k = 'key0' AND c = 0")
                session.execute("INSERT INTO release.plain (k, a) VALUES (-5, 5)")
            node.tool("flush")
        said.append(os.path.basename(release))
    assert said
    return ", ".join(said)


def run_on(node, package):
    """The node's folder becomes that of the package."""
    for folder, folders, files in os.walk(node.directory, topdown=False):
        for name in files:
            os.remove(os.path.join(folder, name))
        for name in folders:
            os.rmdir(os.path.join(folder, name))
    with tarfile.open(package) as tar:
        tar.extractall(node.directory)
    node.restart()
