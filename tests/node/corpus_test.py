"""4,237 statements with the answers that a Cassandra 5.0.4 gave."""
import os
import re

from support import ROOT, ring, run, shared

# What passes today; it only goes up. The rest are features that are refused as not there yet.
PASSED_AT_LEAST = 4230


def test_the_corpus_of_statements():
    with ring("127.0.77.11") as r:
        done = run(os.path.join(ROOT, ".venv/bin/python"), shared("corpus/check.py"), r.address, 9042, shared("corpus/shipped"),
                   "--show", 0, check=False, timeout=600)
        passed, failed = map(int, re.search(r"(\d+) passed, (\d+) failed", done.stdout).groups())
        assert passed >= PASSED_AT_LEAST, done.stdout[-2000:]
        assert r.status()["state"] == "UP"
        return f"{passed} of {passed + failed}"


def test_conditions_at_their_edges():
    """Statements of ours, with a Cassandra 5.0.4's answers (corpus/record.py of the shared folder took them)."""
    with ring("127.0.77.11") as r:
        done = run(os.path.join(ROOT, ".venv/bin/python"), shared("corpus/check.py"), r.address, 9042,
                   os.path.join(ROOT, "tests/node/corpus"), "--show", 5, check=False, timeout=600)
        passed, failed = map(int, re.search(r"(\d+) passed, (\d+) failed", done.stdout).groups())
        assert passed > 140 and failed == 0, done.stdout[-2000:]
        return f"{passed} of {passed + failed}"


def test_warnings():
    """Of these statements everything is compared, what clients are warned of too."""
    with ring("127.0.77.11") as r:
        done = run(os.path.join(ROOT, ".venv/bin/python"), shared("corpus/check.py"), r.address, 9042,
                   os.path.join(ROOT, "tests/node/corpus-strict"), "--strict", "--show", 5, check=False, timeout=600)
        passed, failed = map(int, re.search(r"(\d+) passed, (\d+) failed", done.stdout).groups())
        assert passed > 40 and failed == 0, done.stdout[-2000:]
        return f"{passed} of {passed + failed}"
