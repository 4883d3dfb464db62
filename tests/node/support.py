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
    """A ring at addresses of its own, so that nothing else on the machine is in its way."""

    def __init__(self, address="127.0.77.1", nodes=1):
        self.address = address
        self.nodes = nodes
        first, last = address.rsplit(".", 1)
        self.addresses = [f"{first}.{int(last) + i}" for i in range(nodes)]
        self.directory = tempfile.mkdtemp(prefix="helenus-test-")

    def ring(self, action, *arguments, **options):
        return run(HELENUS, "ring", action, "--dir", self.directory, *arguments, **options)

    def start(self, *arguments):
        return self.ring("start", "--nodes", self.nodes, "--address", self.address, *arguments)

    def stop(self):
        return self.ring("stop")

    def kill(self, node=1):
        return self.ring("kill", node)

    def restart(self, node=1):
        return self.ring("restart", node)

    def statuses(self):
        return json.loads(self.ring("status", "--json").stdout)

    def status(self, node=1):
        return self.statuses()[node - 1]

    def tool(self, command, *arguments, node=1, **options):
        """helenus status and its like, asked of a node."""
        return run(HELENUS, command, "--ring", self.addresses[node - 1], *arguments, **options)

    def states(self, node=1):
        """What a node says of all: {number: "UP"}."""
        return {m["node"]: m["state"] for m in json.loads(self.tool("status", "--json", node=node).stdout)}

    def data(self, node=1):
        return os.path.join(self.directory, f"node{node}")

    def cqlsh(self, statements, check=True, node=1):
        return run(CQLSH, "--no-color", self.addresses[node - 1], "-e", statements, check=check,
                   env=dict(os.environ, CQLSH_NO_WARN="1"))

    def job(self, *arguments, **options):
        return run(HELENUS, "stream", "run", "--ring", self.address, *arguments, cwd=ROOT, **options)

    def jobs(self):
        return json.loads(run(HELENUS, "stream", "list", "--json", "--ring", self.address).stdout)

    @contextlib.contextmanager
    def session(self, keyspace=None, version=4, node=None):
        """Of all nodes, or of one alone."""
        from cassandra.cluster import Cluster
        from cassandra.policies import DCAwareRoundRobinPolicy, WhiteListRoundRobinPolicy
        address = self.address if node is None else self.addresses[node - 1]
        policy = DCAwareRoundRobinPolicy("datacenter1") if node is None else WhiteListRoundRobinPolicy([address])
        cluster = Cluster([address], protocol_version=version, load_balancing_policy=policy)
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
def ring(address="127.0.77.1", schema=False, nodes=1, options=()):
    made = Ring(address, nodes)
    try:
        made.start(*options)
        if schema:
            keyspace = KEYSPACE.replace("'replication_factor': 1", f"'replication_factor': {min(nodes, 3)}")
            made.cqlsh(f"{keyspace}; {TABLE};")
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
