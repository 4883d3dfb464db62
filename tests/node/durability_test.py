"""kill -9 of the node under load loses no acknowledged write."""
import os
import random
import threading
import time

from support import ring

ROUNDS = int(os.environ.get("HELENUS_CRASH_ROUNDS", "5"))


def load(r, stop, acknowledged, uncertain, round_number, worker):
    from cassandra.cluster import Cluster, NoHostAvailable, ExecutionProfile, EXEC_PROFILE_DEFAULT
    from cassandra.policies import FallthroughRetryPolicy
    profile = ExecutionProfile(retry_policy=FallthroughRetryPolicy(), request_timeout=5)
    try:
        cluster = Cluster([r.address], protocol_version=4, execution_profiles={EXEC_PROFILE_DEFAULT: profile})
        session = cluster.connect("crash")
        insert = session.prepare("INSERT INTO rows (k, c, v) VALUES (?, ?, ?)")
        increment = session.prepare("UPDATE counts SET n = n + ? WHERE k = ?")
    except NoHostAvailable:
        return
    i = 0
    while not stop.is_set():
        i += 1
        key, amount = f"{round_number}-{worker}-{i % 50}", random.randrange(1, 100)
        try:
            session.execute(insert, (key, i, f"value {i}"))
            acknowledged["rows"].add((key, i))
        except Exception:
            uncertain["rows"].add((key, i))
            break
        try:
            session.execute(increment, (amount, key))
            acknowledged["counts"][key] = acknowledged["counts"].get(key, 0) + amount
        except Exception:
            uncertain["counts"][key] = uncertain["counts"].get(key, 0) + amount
            break
    cluster.shutdown()


def check(session, acknowledged, uncertain):
    rows = {(row.k, row.c) for row in session.execute("SELECT k, c FROM rows")}
    counts = {row.k: row.n for row in session.execute("SELECT k, n FROM counts")}
    lost = acknowledged["rows"] - rows
    assert not lost, f"{len(lost)} acknowledged rows are lost: {sorted(lost)[:5]}"
    strange = rows - acknowledged["rows"] - uncertain["rows"]
    assert not strange, f"rows that nobody wrote: {sorted(strange)[:5]}"
    for key in acknowledged["counts"].keys() | counts.keys():
        low = acknowledged["counts"].get(key, 0)
        high = low + uncertain["counts"].get(key, 0)
        assert low <= counts.get(key, 0) <= high, f"counter {key}: {counts.get(key)}, not from {low} to {high}"
    return len(rows), len(counts)


def test_a_kill_under_load_loses_nothing_acknowledged():
    acknowledged, uncertain = {"rows": set(), "counts": {}}, {"rows": set(), "counts": {}}
    with ring("127.0.77.5") as r:
        with r.session() as session:
            session.execute("CREATE KEYSPACE crash WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
            session.execute("CREATE TABLE crash.rows (k text, c int, v text, PRIMARY KEY (k, c))")
            session.execute("CREATE TABLE crash.counts (k text PRIMARY KEY, n counter)")
        for round_number in range(ROUNDS):
            stop = threading.Event()
            workers = [threading.Thread(target=load, args=(r, stop, acknowledged, uncertain, round_number, w)) for w in range(4)]
            for w in workers:
                w.start()
            time.sleep(1 + random.random())
            r.kill()
            stop.set()
            for w in workers:
                w.join()
            r.restart()
            with r.session("crash") as session:
                rows, counters = check(session, acknowledged, uncertain)
    return f"{ROUNDS} kills, {rows} rows, {counters} counters"
