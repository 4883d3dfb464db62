"""The quick forms of tests/interop: a real Cassandra reads, checks and imports what we write."""
import os
import re
import time

from support import HELENUS, ROOT, Skip, run


def said_by(*arguments):
    done = run(os.path.join(ROOT, "tests/interop", arguments[0]), *arguments[1:], timeout=900, check=False,
               env=dict(os.environ, HELENUS=HELENUS))
    skipped = re.search(r"^skipped: (.*)$", done.stdout, re.M)
    if skipped:
        raise Skip(skipped.group(1))
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return done.stdout


def test_cassandra_reads_golden_and_random_tables():
    said = said_by("cassandra_reads", os.path.dirname(HELENUS), "--seed", int(time.time()), "--tables", 14)
    return re.sub(r"\s+", " ", said)


def test_cassandra_reads_what_crashes_leave():
    return said_by("crashed_directories", os.path.dirname(HELENUS), "--quick").rstrip().split("\n")[-1]
