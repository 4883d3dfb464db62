"""What the tests of the whole program share: a ring of its own for each test, cqlsh, the Python driver."""
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HELENUS = os.environ.get("HELENUS", os.path.join(ROOT, "build/release/helenus"))
SHARED = os.environ.get("HELENUS_SHARED", os.path.join(ROOT, "..", "shared"))
CQLSH = os.path.join(ROOT, ".venv/bin/cqlsh")

KEYSPACE = "CREATE KEYSPACE demo_ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
TABLE = ("CREATE TABLE demo_ks.hashtags (hashtag text, interval text, mentions counter, "
         "PRIMARY KEY((hashtag), interval)) WITH CLUSTERING ORDER BY (interval DESC)")


class Skip(Exception):
    """Raised by a test that lacks something which only some clones have."""


def shared(path):
    found = os.path.join(SHARED, path)
    if not os.path.exists(found):
        raise Skip(f"no ../shared/{path}")
    return found


def run(*arguments, check=True, timeout=120, **options):
    done = subprocess.run([str(a) for a in arguments], text=True, errors="replace", capture_output=True, timeout=timeout,
                          **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, arguments))}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done


class Ring:
    """A ring of one node at an address of its own, so that nothing else on the machine is in its way."""

    def __init__(self, address="127.0.77.1"):
        self.address = address
        self.directory = tempfile.mkdtemp(prefix="helenus-test-")

    def start(self):
        return run(HELENUS, "ring", "start", "--nodes", 1, "--dir", self.directory, "--address", self.address)

    def stop(self):
        return run(HELENUS, "ring", "stop", "--dir", self.directory)

    def kill(self):
        return run(HELENUS, "ring", "kill", "--dir", self.directory, 1)

    def restart(self):
        return run(HELENUS, "ring", "restart", "--dir", self.directory, 1)

    def status(self):
        return json.loads(run(HELENUS, "ring", "status", "--json", "--dir", self.directory).stdout)[0]

    def data(self):
        return os.path.join(self.directory, "node1")

    def cqlsh(self, statements, check=True):
        return run(CQLSH, "--no-color", self.address, "-e", statements, check=check, env=dict(os.environ, CQLSH_NO_WARN="1"))

    def job(self, *arguments, **options):
        return run(HELENUS, "stream", "run", "--ring", self.address, *arguments, cwd=ROOT, **options)

    def jobs(self):
        return json.loads(run(HELENUS, "stream", "list", "--json", "--ring", self.address).stdout)

    @contextlib.contextmanager
    def session(self, keyspace=None, version=4):
        from cassandra.cluster import Cluster
        from cassandra.policies import DCAwareRoundRobinPolicy
        cluster = Cluster([self.address], protocol_version=version,
                          load_balancing_policy=DCAwareRoundRobinPolicy("datacenter1"))
        try:
            session = cluster.connect(keyspace)
            session.default_timeout = 60
            yield session
        finally:
            cluster.shutdown()

    def counts(self):
        with self.session("demo_ks") as session:
            return {(r.hashtag, r.interval): r.mentions for r in session.execute("SELECT * FROM hashtags")}


@contextlib.contextmanager
def ring(address="127.0.77.1", schema=False):
    made = Ring(address)
    try:
        made.start()
        if schema:
            made.cqlsh(f"{KEYSPACE}; {TABLE};")
        yield made
    finally:
        run(HELENUS, "ring", "stop", "--dir", made.directory, check=False)
        shutil.rmtree(made.directory, ignore_errors=True)


def truth(path):
    with open(path, encoding="utf-8", errors="surrogatepass", newline="\n") as lines:
        rows = (line.rstrip("\n").split("\t") for line in lines)
        return {(hashtag, interval): int(mentions) for hashtag, interval, mentions in rows}


def wait_until(holds, seconds, what):
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not after {seconds} s")
        time.sleep(0.01)
