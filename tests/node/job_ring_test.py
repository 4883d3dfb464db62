"""Jobs over a ring of three: exact, started at any node, whichever node or worker is killed meanwhile."""
import gzip
import http.server
import os
import random
import shutil
import signal
import struct
import subprocess
import tempfile
import threading
import time

from job_test import DATA, JOB, differences
from support import HELENUS, ROOT, ring, run, shared, truth, wait_until

ADDRESS = "127.0.91.1"


def counts(r, node=1):
    """At QUORUM: a node that was away may have missed something."""
    from cassandra import ConsistencyLevel
    from cassandra.query import SimpleStatement
    statement = SimpleStatement("SELECT * FROM demo_ks.hashtags", consistency_level=ConsistencyLevel.QUORUM)
    with r.session(node=node) as session:
        return {(row.hashtag, row.interval): row.mentions for row in session.execute(statement)}


def assert_counts(r, expected, said="", node=1):
    shown, count = differences(counts(r, node), expected)
    assert count == 0, f"{said}: {count} rows differ (key, expected, actual): {shown}"


def stream(r, node, *arguments, **options):
    return run(HELENUS, "stream", arguments[0], "--ring", r.addresses[node - 1], *arguments[1:], cwd=ROOT, **options)


def jobs(r, node=1):
    import json
    return json.loads(stream(r, node, "list", "--json").stdout)


def job_named(r, name, node=1):
    return next((job for job in reversed(jobs(r, node)) if job["name"] == name), None)


def start_job(r, node, name, data, *options):
    return subprocess.Popen([HELENUS, "stream", "run", "--name", name, "--ring", r.addresses[node - 1], "--batch-records", "20",
                             *options, JOB, data],
                            cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def wait_for_batches(r, name, more, node=1):
    before = (job_named(r, name, node) or {"batches_done": 0})["batches_done"]
    wait_until(lambda: (job_named(r, name, node) or {"batches_done": 0})["batches_done"] >= before + more, 30,
               f"{more} batches of {name} are done")


def test_each_data_set_is_exact_from_any_node():
    for i, name in enumerate(DATA):
        data, expected = shared(DATA[name][0]), truth(shared(DATA[name][1]))
        with ring(ADDRESS, schema=True, nodes=3) as r:
            stream(r, i % 3 + 1, "run", "--name", name, JOB, data)
            for node in (1, 2, 3):
                assert_counts(r, expected, f"{name}, asked at node {node}", node)
                assert job_named(r, name, node)["state"] == "finished"


def test_nodes_killed_and_restarted_under_a_job_lose_and_double_nothing():
    data, expected = shared(DATA["usql"][0]), truth(shared(DATA["usql"][1]))
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    kills = rounds = 0
    with ring(ADDRESS, schema=True, nodes=3) as r:
        while kills < 10:
            rounds += 1
            job = start_job(r, chance.randint(1, 3), f"round{rounds}", data)
            while job.poll() is None:
                time.sleep(chance.uniform(0.05, 0.3))
                if job.poll() is None and kills < 10:
                    node = chance.randint(1, 3)
                    r.kill(node)
                    time.sleep(chance.choice([0, 0, 0.1, 0.5]))
                    r.restart(node)
                    kills += 1
            said = job.stderr.read()
            assert job.returncode == 0, f"seed {seed}: {said}"
            assert_counts(r, {k: rounds * n for k, n in expected.items()}, f"seed {seed}, round {rounds}, {kills} kills")
    return f"{kills} kills in {rounds} runs, seed {seed}"


def test_a_job_goes_on_without_a_node():
    """Also when it is the one that its worker was told."""
    data, expected = shared(DATA["usql"][0]), truth(shared(DATA["usql"][1]))
    for node in (1, 2):
        with ring(ADDRESS, schema=True, nodes=3) as r:
            job = start_job(r, 1, "half", data)
            wait_for_batches(r, "half", 5, 3)
            r.kill(node)
            _, said = job.communicate(timeout=60)
            assert job.returncode == 0, said
            assert_counts(r, expected, f"node {node} killed", 3)
            assert job_named(r, "half", 3)["state"] == "finished"
            r.restart(node)
            assert_counts(r, expected, f"node {node} restarted", node)


def test_a_killed_owner_goes_on_at_another_node():
    data, expected = shared(DATA["usql"][0]), truth(shared(DATA["usql"][1]))
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    with ring(ADDRESS, schema=True, nodes=3) as r:
        kills = 0
        while True:
            job = start_job(r, kills % 3 + 1, "owner", data)
            try:
                _, said = job.communicate(timeout=chance.uniform(0.05, 0.3) if kills < 12 else 60)
                assert job.returncode == 0, f"seed {seed}: {said}"
                break
            except subprocess.TimeoutExpired:
                job.send_signal(signal.SIGKILL)
                job.communicate()
                kills += 1
            known = job_named(r, "owner", kills % 3 + 1)
            if known and known["state"] == "finished":
                break
        assert_counts(r, expected, f"seed {seed}, {kills} kills")
        return f"{kills} kills, {job_named(r, 'owner')['batches_done']} batches, seed {seed}"


def worker_of(job):
    """The process that runs a submitted job, and the node that started it."""
    for process in os.listdir("/proc"):
        try:
            with open(f"/proc/{process}/cmdline", "rb") as f:
                arguments = f.read().decode().split("\0")
        except (OSError, UnicodeDecodeError):
            continue
        if "worker" in arguments and job in arguments:
            return int(process), int(arguments[arguments.index("--ring") + 1].rsplit(".", 1)[1])
    return None


def test_a_submitted_job_outlives_its_worker_and_its_node():
    data, expected = shared(DATA["usql"][0]), truth(shared(DATA["usql"][1]))
    with ring(ADDRESS, schema=True, nodes=3) as r:
        job = stream(r, 2, "submit", "--name", "submitted", "--batch-records", "10", JOB, data).stdout.strip()
        wait_until(lambda: worker_of(job), 10, "its worker runs")
        wait_for_batches(r, "submitted", 3)
        process, _ = worker_of(job)
        os.kill(process, signal.SIGKILL)
        wait_until(lambda: worker_of(job) and worker_of(job)[0] != process, 10, "another worker runs")
        process, node = worker_of(job)
        other = node % 3 + 1
        wait_for_batches(r, "submitted", 3, other)
        r.kill(node)
        wait_until(lambda: worker_of(job) is None or worker_of(job)[0] != process, 5, "the worker dies with its node")
        wait_until(lambda: job_named(r, "submitted", other)["state"] == "finished", 60, "the job is finished")
        assert_counts(r, expected, node=other)
        r.restart(node)
        assert_counts(r, expected, node=node)


def test_a_submitted_job_halts_and_resumes():
    data, expected = shared(DATA["usql"][0]), truth(shared(DATA["usql"][1]))
    with ring(ADDRESS, schema=True, nodes=3) as r, tempfile.TemporaryDirectory() as d:
        job = stream(r, 1, "submit", "--name", "rests", "--batch-records", "10", JOB, data).stdout.strip()
        wait_for_batches(r, "rests", 3)
        stream(r, 2, "halt", "rests")
        wait_until(lambda: worker_of(job) is None, 5, "its worker is gone")
        known = job_named(r, "rests", 3)
        assert known["state"] == "halted" and known["note"] == "by hand", known
        time.sleep(1)
        assert job_named(r, "rests") == known and worker_of(job) is None
        stream(r, 3, "resume", job)
        wait_until(lambda: job_named(r, "rests")["state"] == "finished", 60, "the job is finished")
        assert_counts(r, expected)
        # One whose code fails is given up, and says why.
        script = os.path.join(d, "fails.lua")
        with open(script, "w") as f:
            f.write("local ssc = StreamingContext('t') ssc:textFileStream(arg[1]):map(function() error('no such luck') end)"
                    ":saveToCassandra('demo_ks', 'hashtags', SomeColumns('hashtag', 'interval', 'mentions')) ssc:start()")
        stream(r, 1, "submit", "--name", "fails", script, data)
        wait_until(lambda: job_named(r, "fails")["state"] == "halted", 30, "the job is halted")
        assert "no such luck" in job_named(r, "fails")["note"], job_named(r, "fails")
        stream(r, 1, "stop", "fails")
        assert job_named(r, "fails")["state"] == "stopped"


def test_a_name_that_is_submitted_to_three_nodes_at_once_is_one_job():
    data, expected = shared(DATA["usql"][0]), truth(shared(DATA["usql"][1]))
    with ring(ADDRESS, schema=True, nodes=3) as r:
        def submit(attempt, node, ids):
            ids.append(stream(r, node, "submit", "--name", f"same{attempt}", JOB, data).stdout.strip())

        for attempt in range(8):
            ids = []
            threads = [threading.Thread(target=submit, args=(attempt, node, ids)) for node in (1, 2, 3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert len(ids) == 3 and len(set(ids)) == 1, (attempt, ids)
            wait_until(lambda: job_named(r, f"same{attempt}")["state"] == "finished", 60, "the job is finished")
        assert_counts(r, {key: count * 8 for key, count in expected.items()})


def test_what_is_submitted_can_be_run_by_a_node():
    with ring(ADDRESS, schema=True, nodes=3) as r, tempfile.TemporaryDirectory() as d:
        said = stream(r, 1, "submit", JOB, "-", check=False)
        assert said.returncode == 1 and "standard input" in said.stderr and jobs(r) == [], said
        data = os.path.join(d, "two.jsonl")
        with open(data, "w") as f:
            f.write('{"text": "#a #b", "created_at": "Wed Oct 10 20:19:24 +0000 2018"}\n')
        # As many arguments as fit, and a name that is no UTF-8: still JSON.
        stream(r, 1, "submit", "--name", "x\udcffy", JOB, data, "demo_ks", *["1"] * 3000)
        wait_until(lambda: jobs(r)[0]["state"] == "finished", 30, "the job is finished")
        assert jobs(r)[0]["name"] == "x\ufffdy" and jobs(r)[0]["total"] == 4, jobs(r)


def intake_end(r, nodes=(1, 2, 3)):
    """How much of a job's input its copies have: of the newest worker's that took it over (stream/job/intake_copy.h)."""
    ends = {}
    for node in nodes:
        directory = os.path.join(r.data(node), "intake")
        for name in sorted(os.listdir(directory)) if os.path.isdir(directory) else []:
            epoch = int(name.rsplit("-", 2)[1], 16)
            with open(os.path.join(directory, name), "rb") as f:
                data = f.read()
            at = 0
            while at + 32 <= len(data):
                kind, size, offset = struct.unpack(">IIQ", data[at:at + 16])
                if at + 32 + size > len(data):
                    break
                adopted, end = ends.get((epoch, node), (False, 0))
                ends[epoch, node] = (adopted or kind in (0x484c4943, 0x484c4944), max(end, offset + size))
                at += 32 + size
    adopted = [(epoch, end) for (epoch, _), (is_adopted, end) in ends.items() if is_adopted]
    return max((end for epoch, end in adopted if epoch == max(adopted)[0]), default=0)


def start_piped(r, node, name, spool, *options):
    return subprocess.Popen([HELENUS, "stream", "run", "--name", name, "--ring", r.addresses[node - 1], "--spool", spool,
                             *options, os.path.join(ROOT, JOB), "-"],
                            cwd=spool, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def pipe(job, data, pause):
    """Until the job is dead."""
    def work():
        try:
            for at in range(0, len(data), 10000):
                job.stdin.write(data[at:at + 10000])
                job.stdin.flush()
                time.sleep(pause)
            job.stdin.close()
        except (BrokenPipeError, ValueError):
            pass
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_a_pipe_outlives_its_worker_the_workers_disk_and_a_copy():
    """The worker is killed and its spool deleted, a member that keeps a copy dies too: exact at another node."""
    expected = truth(shared(DATA["usql"][1]))
    with gzip.open(shared(DATA["usql"][0])) as f:
        data = f.read()
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    with ring(ADDRESS, schema=True, nodes=3) as r:
        dead, found = None, []
        for attempt in range(7):
            spool = tempfile.mkdtemp(prefix="helenus-spool-")
            live = [node for node in (1, 2, 3) if node != dead]
            job = start_piped(r, chance.choice(live), "piped", spool, "--batch-records", str(chance.choice([20, 200])))
            thread = pipe(job, data[found[-1] if found else 0:], 0.02 if attempt < 6 else 0)
            if attempt < 6:
                time.sleep(chance.uniform(0.2, 1.2) + (1.2 if dead else 0))
                job.kill()
            job.wait(60)
            said = job.stderr.read().decode()
            thread.join()
            shutil.rmtree(spool)
            if dead:
                r.restart(dead)
                dead = None
            if attempt == 6:
                assert job.returncode == 0, f"seed {seed}: {said}"
                break
            if attempt % 2 == 1:
                dead = chance.randint(1, 3)
                r.kill(dead)
            time.sleep(0.3)
            found.append(intake_end(r, [node for node in (1, 2, 3) if node != dead]))
        assert 0 < found[-1] < len(data) and found == sorted(found), f"seed {seed}: {found} of {len(data)}"
        assert_counts(r, expected, f"seed {seed}, restarts at {found} of {len(data)}")
        wait_until(lambda: all(os.listdir(os.path.join(r.data(node), "intake")) == [] for node in (1, 2, 3)), 15,
                   "copies of a finished job are removed")
        return f"restarts at {found} of {len(data)} bytes, seed {seed}"


def test_a_submitted_job_reads_http_at_another_node():
    """The node that runs it dies, and its disk is never seen again: the next one reads what the copies have."""
    expected = truth(shared(DATA["usql"][1]))
    with gzip.open(shared(DATA["usql"][0])) as f:
        data = f.read()
    with ring(ADDRESS, schema=True, nodes=3) as r:
        starts, dead = [], []

        class Serve(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                begin = intake_end(r, [node for node in (1, 2, 3) if node not in dead])
                starts.append(begin)
                self.send_response(200)
                self.end_headers()
                try:
                    for at in range(begin, len(data), 50000):
                        self.wfile.write(data[at:min(at + 50000, len(data))])
                        time.sleep(0.02)
                except OSError:
                    pass

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Serve)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            url = f"http://127.0.0.1:{server.server_port}/"
            job = stream(r, 1, "submit", "--name", "reads", "--batch-records", "50", os.path.join(ROOT, JOB), url).stdout.strip()
            wait_until(lambda: worker_of(job), 10, "its worker runs")
            wait_for_batches(r, "reads", 4)
            _, node = worker_of(job)
            number = r.addresses.index(f"{ADDRESS.rsplit('.', 1)[0]}.{node}") + 1
            r.kill(number)
            dead.append(number)
            other = number % 3 + 1
            wait_until(lambda: job_named(r, "reads", other)["state"] == "finished", 60, "the job is finished")
            assert len(starts) >= 2 and starts[0] == 0 < starts[1], starts
            assert_counts(r, expected, f"connections at {starts}", other)
        finally:
            server.shutdown()
        return f"connections at {starts} of {len(data)}"


def test_an_audit_finds_what_was_added_or_lost():
    data, expected = shared(DATA["btc"][0]), truth(shared(DATA["btc"][1]))
    largest = max(expected, key=expected.get)[0].replace("'", "''")
    with ring(ADDRESS, schema=True, nodes=3) as r:
        stream(r, 1, "run", "--name", "whole", JOB, data)
        r.cqlsh("UPDATE demo_ks.hashtags SET mentions = mentions + 5 WHERE hashtag = 'client' AND interval = 'ALL'")
        for node in (1, 2, 3):  # What clients add is no job's.
            assert "exact" in stream(r, node, "audit", "whole").stdout
        job = start_job(r, 2, "half", data)
        wait_for_batches(r, "half", 5)
        said = stream(r, 3, "audit", "half", check=False)
        assert said.returncode == 0 or "at work" in said.stderr, said
        assert job.wait(60) == 0
        assert "exact" in stream(r, 3, "audit", "half").stdout
        # The job has finished, so its table may be deleted from: and then it is not what the job counted.
        r.cqlsh(f"DELETE FROM demo_ks.hashtags WHERE hashtag = '{largest}'")
        said = stream(r, 1, "audit", "half", check=False)
        assert said.returncode == 1 and "WRONG" in said.stdout, said


def test_a_node_that_has_not_heard_of_a_job_lets_nothing_be_deleted_under_it():
    from cassandra import Unavailable
    from cassandra.cluster import NoHostAvailable
    data, expected = shared(DATA["usql"][0]), truth(shared(DATA["usql"][1]))
    deletions = ["DELETE FROM demo_ks.hashtags WHERE hashtag = '#a'",
                 "DELETE FROM demo_ks.hashtags WHERE hashtag = '#a' AND interval > 'A'",
                 "DELETE FROM demo_ks.hashtags WHERE hashtag = '#a' AND interval = 'ALL'",
                 "DELETE mentions FROM demo_ks.hashtags WHERE hashtag = '#a' AND interval = 'ALL'",
                 "BEGIN UNLOGGED BATCH DELETE FROM demo_ks.hashtags WHERE hashtag = '#b' "
                 "DELETE FROM demo_ks.hashtags WHERE hashtag = '#a' APPLY BATCH",
                 "BEGIN COUNTER BATCH DELETE FROM demo_ks.hashtags WHERE hashtag = '#a' APPLY BATCH"]
    with ring(ADDRESS, schema=True, nodes=3) as r:
        r.cqlsh("CREATE TABLE demo_ks.texts (k int PRIMARY KEY, v text)")
        r.kill(1)
        job = start_job(r, 2, "unheard", data)
        wait_for_batches(r, "unheard", 3, 2)
        job.kill()
        job.communicate()
        r.kill(2)
        r.kill(3)
        r.restart(1)
        with r.session(node=1) as session:
            session.execute("DELETE FROM demo_ks.texts WHERE k = 1")
            prepared = session.prepare("DELETE FROM demo_ks.hashtags WHERE hashtag = ?")
            for statement in [*deletions, prepared.bind(["#a"])]:
                try:
                    session.execute(statement)
                    raise AssertionError(f"{statement} was let through")
                except (Unavailable, NoHostAvailable) as e:
                    assert "majority" in str(e), e
        said = r.cqlsh("TRUNCATE demo_ks.hashtags", check=False, node=1)
        assert said.returncode != 0 and "Cannot achieve consistency level ALL" in said.stderr, said
        r.restart(2)
        r.restart(3)
        # At once: it may still not have heard.
        for statement in [*deletions, "TRUNCATE demo_ks.hashtags"]:
            said = r.cqlsh(statement, check=False, node=1)
            assert said.returncode != 0 and "written by the stream job 'unheard'" in said.stderr, said
        job = start_job(r, 1, "unheard", data)
        _, said = job.communicate(timeout=60)
        assert job.returncode == 0, said
        assert_counts(r, expected)
        r.cqlsh(deletions[0])
