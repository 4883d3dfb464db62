"""The main job on real tweets: exact, again, and whatever is killed meanwhile."""
import gzip
import os
import random
import signal
import socket
import subprocess
import tempfile
import time

from support import HELENUS, ROOT, TABLE, Skip, ring, run, shared, truth, wait_until

JOB = "examples/hashtags.lua"
DATA = {
    "usql": ("data/usql/status.jsonl.gz", "data/usql/counts.tsv"),
    "btc": ("data/btc/tweets.jsonl.gz", "data/btc/counts.tsv"),
    "mayweather": ("data/mayweather/tweets.jsonl.gz", "data/mayweather/counts.tsv"),
    "es": ("data/es/status.jsonl.gz", "data/es/counts.tsv"),
}
KILLS = int(os.environ.get("HELENUS_KILLS", "50"))


def differences(actual, expected):
    wrong = [(k, expected.get(k), actual.get(k)) for k in sorted(actual.keys() | expected.keys())
             if actual.get(k) != expected.get(k)]
    return wrong[:5], len(wrong)


def assert_counts(r, expected):
    shown, count = differences(r.counts(), expected)
    assert count == 0, f"{count} rows differ (key, expected, actual): {shown}"


def check_data_set(name):
    data, counts = (shared(path) for path in DATA[name])
    with ring("127.0.77.4", schema=True) as r:
        r.job(JOB, data)
        expected = truth(counts)
        assert_counts(r, expected)
        return f"{len(expected)} rows"


def test_usql_is_exact():
    return check_data_set("usql")


def test_btc_is_exact():
    return check_data_set("btc")


def test_mayweather_is_exact():
    return check_data_set("mayweather")


def test_es_is_exact():
    return check_data_set("es")


def test_a_generated_stream_is_exact():
    with ring("127.0.77.4", schema=True) as r, tempfile.TemporaryDirectory() as d:
        tweets, counts = os.path.join(d, "tweets.jsonl"), os.path.join(d, "counts.tsv")
        with open(tweets, "wb") as out:
            subprocess.run([HELENUS, "tweets", "--count", "20000", "--seed", "7", "--counts", counts], stdout=out, check=True)
        r.job(JOB, tweets)
        expected = truth(counts)
        assert expected["#iphone", "ALL"] > expected["#android", "ALL"] > 1000, "the two largest are fixed"
        recount = run(os.path.join(ROOT, ".venv/bin/python"), shared("data/truth.py"), tweets).stdout
        assert dict(((h, i), int(n)) for h, i, n in (line.split("\t") for line in recount.splitlines() if line)) == expected
        assert_counts(r, expected)


def test_a_node_is_small_again_after_its_jobs():
    """Resident memory five seconds after a job's end at the latest: after each data set, all in one node."""
    with open(HELENUS, "rb") as program:
        if b"__asan_init" in program.read():
            raise Skip("a sanitizer keeps what is freed")
    with ring("127.0.77.4", schema=True) as r, tempfile.TemporaryDirectory() as d:
        tweets = os.path.join(d, "tweets.jsonl")
        with open(tweets, "wb") as out:
            subprocess.run([HELENUS, "tweets", "--count", "200000", "--seed", "2014"], stdout=out, check=True)
        sizes = []
        for data in [tweets] + [shared(data) for data, _ in DATA.values()]:
            r.job(JOB, data)
            wait_until(lambda: r.status()["resident_bytes"] <= 48 << 20, 5, f"at most 48 MiB after {data}")
            sizes.append(r.status()["resident_bytes"] >> 20)
        return f"MiB: {sizes}"


def test_a_second_name_doubles_and_the_same_name_resumes():
    data, counts = (shared(path) for path in DATA["btc"])
    expected = truth(counts)
    with ring("127.0.77.4", schema=True) as r:
        r.job("--name", "one", JOB, data)
        assert_counts(r, expected)
        r.job("--name", "two", JOB, data)
        assert_counts(r, {k: 2 * n for k, n in expected.items()})
        # A finished job starts anew.
        r.job("--name", "one", JOB, data)
        assert_counts(r, {k: 3 * n for k, n in expected.items()})
        # And all of it is there after a restart.
        r.restart()
        assert_counts(r, {k: 3 * n for k, n in expected.items()})


def test_bad_lines_are_counted_and_stop_nothing():
    good = b'{"text": "one #Tag and #tag", "created_at": "Sat Aug 23 22:13:00 +0000 2008"}\n'
    bad = [b"no json\n", b"[1, 2]\n", b'{"text": "#x"}\n', b'{"created_at": "2012-01-01T10:37:26Z"}\n',
           b'{"text": 5, "created_at": "2012-01-01T10:37:26Z"}\n', b'{"text": "#x", "created_at": "yesterday"}\n',
           b'{"text": "#\xff\xfe", "created_at": "2012-01-01T10:37:26Z"}\n', b"\n", b'{"text": "#cut", "created_at": "2012-\n']
    with ring("127.0.77.4", schema=True) as r, tempfile.NamedTemporaryFile(suffix=".jsonl") as f:
        for line in bad:
            f.write(good + line)
        f.flush()
        done = r.job(JOB, f.name)
        times = 2 * len(bad)
        assert_counts(r, {("#tag", "ALL"): times, ("#tag", "20080823"): times})
        assert str(len(bad)) in done.stderr + done.stdout, done.stderr + done.stdout
        return (done.stderr + done.stdout).strip().split("\n")[-1]


def test_standard_input_is_a_source():
    data, counts = (shared(path) for path in DATA["btc"])
    with ring("127.0.77.4", schema=True) as r, gzip.open(data) as lines:
        done = subprocess.run([HELENUS, "stream", "run", "--ring", r.address, JOB, "-"], input=lines.read(), cwd=ROOT,
                              capture_output=True, timeout=120)
        assert done.returncode == 0, done.stderr
        assert_counts(r, truth(counts))


def start_job(r, name, data):
    # Many batches, so that a kill can hit any part of one.
    return subprocess.Popen([HELENUS, "stream", "run", "--name", name, "--ring", r.address, "--batch-records", "20", JOB, data],
                            cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def job_named(r, name):
    """The newest job of that name; None when no submission got through."""
    return next((job for job in reversed(r.jobs()) if job["name"] == name), None)


def run_with_kills(r, name, data, chance, kills_left):
    """One job, killed at random moments and resumed until it is finished. Returns the batches done at each kill."""
    hits = []
    while True:
        job = start_job(r, name, data)
        try:
            _, said = job.communicate(timeout=chance.uniform(0.01, 0.12) if len(hits) < kills_left else 60)
            assert job.returncode == 0, said
            assert job_named(r, name)["state"] == "finished"
            return hits
        except subprocess.TimeoutExpired:
            job.send_signal(signal.SIGKILL)
            job.communicate()
        known = job_named(r, name)
        hits.append(known["batches_done"] if known else 0)
        # A finished job of this name would start anew: the kill came after its end was recorded.
        if known and known["state"] == "finished":
            return hits


def test_a_killed_job_resumes_to_the_exact_counts():
    """`kill -9` of the worker at random moments, each run resumed under its name until it ends."""
    data, counts = (shared(path) for path in DATA["usql"])
    expected = truth(counts)
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    hits, rounds = [], 0
    with ring("127.0.77.4", schema=True) as r:
        while len(hits) < KILLS:
            rounds += 1
            hits += run_with_kills(r, f"kill{rounds}", data, chance, KILLS - len(hits))
            shown, count = differences(r.counts(), {k: rounds * n for k, n in expected.items()})
            assert count == 0, f"seed {seed}, round {rounds}, {len(hits)} kills: {count} rows differ: {shown}"
        batches = r.jobs()[0]["batches_recorded"]
    inside = sum(0 < done < batches for done in hits)
    assert inside * 2 > len(hits), f"seed {seed}: only {inside} of {len(hits)} kills hit a job at work: {hits}"
    return f"{len(hits)} kills in {rounds} runs of {batches} batches, {inside} of them between two batches, seed {seed}"


def test_a_node_killed_under_a_job_loses_and_doubles_nothing():
    data, counts = (shared(path) for path in DATA["usql"])
    expected = truth(counts)
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    kills = rounds = 0
    with ring("127.0.77.4", schema=True) as r:
        while kills < KILLS // 5:
            rounds += 1
            job = start_job(r, f"node{rounds}", data)
            while job.poll() is None:
                time.sleep(chance.uniform(0.02, 0.2))
                if job.poll() is None and kills < KILLS // 5:
                    r.kill()
                    r.restart()
                    kills += 1
            said = job.stderr.read()
            assert job.returncode == 0, f"seed {seed}: {said}"
            shown, count = differences(r.counts(), {k: rounds * n for k, n in expected.items()})
            assert count == 0, f"seed {seed}, round {rounds}, {kills} kills: {count} rows differ: {shown}"
    return f"{kills} kills in {rounds} runs, seed {seed}"


def stop_in_the_middle(r, name, data):
    """Starts a job and kills its worker when some of its batches are done."""
    before = (job_named(r, name) or {"batches_done": 0})["batches_done"]
    job = start_job(r, name, data)
    wait_until(lambda: (job_named(r, name) or {"batches_done": 0})["batches_done"] > before + 5, 20, "batches are done")
    job.send_signal(signal.SIGKILL)
    job.communicate()
    return job_named(r, name)


def test_jobs_are_listed():
    data, _ = (shared(path) for path in DATA["usql"])
    with ring("127.0.77.4", schema=True) as r:
        assert r.jobs() == []
        r.job("--name", "whole \"one\"", "--batch-kib", "512", JOB, data)
        open_job = stop_in_the_middle(r, "half", data)
        whole, half = r.jobs()
        assert half == open_job
        assert whole["name"] == 'whole "one"' and whole["state"] == "finished" and half["state"] == "open", (whole, half)
        assert whole["batches_recorded"] == whole["batches_done"] == 9, whole
        assert whole["tables"] == ["demo_ks.hashtags"] and whole["total"] == sum(truth(shared(DATA["usql"][1])).values())
        assert half["batches_done"] <= half["batches_recorded"] and 0 < half["offsets"][0] < whole["offsets"][0], half
        r.restart()
        assert r.jobs() == [whole, half]
        assert "half" in run(HELENUS, "stream", "list", "--ring", r.address).stdout


def test_a_table_that_a_job_writes_can_not_be_deleted_from():
    """Rules 13 and 14: until the job is finished, or stopped for good."""
    data, counts = (shared(path) for path in DATA["usql"])
    refused = ["DELETE FROM demo_ks.hashtags WHERE hashtag = '#a'",
               "DELETE FROM demo_ks.hashtags WHERE hashtag = '#a' AND interval > 'A'",
               "DELETE FROM demo_ks.hashtags WHERE hashtag = '#a' AND interval = 'ALL'",
               "DELETE mentions FROM demo_ks.hashtags WHERE hashtag = '#a' AND interval = 'ALL'",
               "BEGIN UNLOGGED BATCH DELETE FROM demo_ks.other WHERE hashtag = '#a' "
               "DELETE FROM demo_ks.hashtags WHERE hashtag = '#a' APPLY BATCH",
               "BEGIN COUNTER BATCH DELETE FROM demo_ks.hashtags WHERE hashtag = '#a' APPLY BATCH",
               "TRUNCATE demo_ks.hashtags",
               "ALTER KEYSPACE demo_ks WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 1}",
               "ALTER TABLE demo_ks.hashtags DROP mentions"]
    allowed = ["UPDATE demo_ks.hashtags SET mentions = mentions + 1 WHERE hashtag = 'client' AND interval = 'ALL'",
               "ALTER TABLE demo_ks.hashtags WITH comment = 'counted'",
               "DELETE FROM demo_ks.other WHERE hashtag = '#a'",
               "TRUNCATE demo_ks.other"]
    with ring("127.0.77.4", schema=True) as r:
        r.cqlsh(TABLE.replace("hashtags", "other"))
        stop_in_the_middle(r, "half", data)
        r.restart()
        for statement in refused:
            said = r.cqlsh(statement, check=False).stderr
            assert "table demo_ks.hashtags is written by the stream job 'half': " in said and "refused" in said, said
        for statement in allowed:
            r.cqlsh(statement)
        # The job goes on, exact.
        r.job("--name", "half", JOB, data)
        expected = truth(counts)
        assert_counts(r, {**expected, ("client", "ALL"): 1})
        r.cqlsh("TRUNCATE demo_ks.hashtags")
        # One that will never go on is stopped.
        stop_in_the_middle(r, "half", data)
        assert "refused" in r.cqlsh(refused[0], check=False).stderr
        run(HELENUS, "stream", "stop", "--ring", r.address, "half")
        assert r.jobs()[-1]["state"] == "stopped"
        again = run(HELENUS, "stream", "stop", "--ring", r.address, "half", check=False)
        assert again.returncode == 1 and "stopped already" in again.stderr, again.stderr
        for statement in refused[:-1]:
            r.cqlsh(statement)
        # The name is free again.
        r.job("--name", "half", JOB, data)
        assert_counts(r, expected)


def test_a_source_that_changed_stops_the_job():
    data, _ = (shared(path) for path in DATA["usql"])
    with ring("127.0.77.4", schema=True) as r, tempfile.TemporaryDirectory() as d:
        copy = os.path.join(d, "tweets.jsonl")
        with gzip.open(data) as lines, open(copy, "wb") as out:
            out.write(lines.read())
        for attempt in range(20):
            known = stop_in_the_middle(r, "changed", copy)
            # A change of the file's first 64 KiB would make it another source.
            if known["batches_done"] < known["batches_recorded"] and known["offsets"][0] > 100_000:
                break
        else:
            raise AssertionError("20 kills left no batch to run again")
        with open(copy, "r+b") as file:
            file.seek(known["offsets"][0] - 500)
            byte = file.read(1)
            file.seek(-1, os.SEEK_CUR)
            file.write(b"y" if byte == b"x" else b"x")
        done = r.job("--name", "changed", JOB, copy, check=False)
        assert done.returncode == 1 and "the source has other bytes now" in done.stderr, done.stderr
        assert r.jobs()[-1]["batches_done"] == known["batches_done"]


def test_an_unnamed_job_that_fails_is_stopped():
    data, _ = (shared(path) for path in DATA["usql"])
    with ring("127.0.77.4", schema=True) as r, tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write("local ssc = StreamingContext('t') ssc:textFileStream(arg[1]):map(function() error('no') end)"
                     ":saveToCassandra('demo_ks', 'hashtags', SomeColumns('hashtag', 'interval', 'mentions')) ssc:start()")
        script.flush()
        for name, state in ([], "stopped"), (["--name", "kept"], "open"):
            done = r.job(*name, script.name, data, check=False)
            assert done.returncode == 1 and ": no" in done.stderr, done.stderr
            assert r.jobs()[-1]["state"] == state, r.jobs()


def test_a_worker_of_a_stopped_job_ends():
    data, _ = (shared(path) for path in DATA["usql"])
    with ring("127.0.77.4", schema=True) as r:
        job = start_job(r, "stopped", data)
        wait_until(lambda: job_named(r, "stopped"), 20, "the job is there")
        run(HELENUS, "stream", "stop", "--ring", r.address, "stopped")
        _, said = job.communicate(timeout=30)
        assert job.returncode == 1 and "the job is stopped" in said, said


def test_a_job_whose_table_was_made_anew_does_not_go_on():
    data, _ = (shared(path) for path in DATA["usql"])
    with ring("127.0.77.4", schema=True) as r:
        stop_in_the_middle(r, "half", data)
        r.cqlsh(f"DROP TABLE demo_ks.hashtags; {TABLE}")
        done = r.job("--name", "half", JOB, data, check=False)
        assert done.returncode == 1 and "was dropped since" in done.stderr, done.stderr


def test_the_deck_job_counts_an_http_stream():
    """examples/deck.lua over `helenus tweets --serve`: every two seconds, #iphone and #android, ALL and by day."""
    server = subprocess.Popen([HELENUS, "tweets", "--serve", "8123", "--count", "3000", "--rate", "1000", "--seed", "3"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        wait_until(lambda: socket.socket().connect_ex(("127.0.0.1", 8123)) == 0, 10, "tweets are served")
        with ring("127.0.77.4", schema=True) as r:
            r.job("examples/deck.lua", "http://127.0.0.1:8123/")
            counts = r.counts()
            assert {k[0] for k in counts} == {"#iphone", "#android"}, counts
            for tag in ["#iphone", "#android"]:
                days = sum(n for (t, i), n in counts.items() if t == tag and i != "ALL")
                assert days == counts[tag, "ALL"] > 0, counts
    finally:
        server.kill()
        server.wait()
