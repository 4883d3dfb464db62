"""The Java driver at a ring of three: finds all nodes, agrees on replicas, routes by token, follows nodes that go and come."""
import contextlib
import glob
import os
import shutil
import subprocess

from support import HELENUS, ROOT, Skip, ring, run, wait_until

SOURCE = os.path.join(ROOT, "tests/interop/drivers/java")
BUILD = os.path.join(ROOT, "build/drivers/java")


def classes():
    """Fetched and compiled once; the class path."""
    for program in ["java", "javac", "mvn"]:
        if shutil.which(program) is None:
            raise Skip(f"no {program}, which the Java driver needs")
    libraries, made = os.path.join(BUILD, "lib"), os.path.join(BUILD, "classes")
    if not os.path.isdir(libraries):
        done = run("mvn", "-q", "-B", "-f", os.path.join(SOURCE, "pom.xml"), "dependency:copy-dependencies",
                   f"-DoutputDirectory={libraries}.new", check=False, timeout=600)
        if done.returncode != 0:
            raise Skip("the Java driver cannot be fetched with Maven")
        os.rename(f"{libraries}.new", libraries)
    path = ":".join(sorted(glob.glob(os.path.join(libraries, "*.jar"))))
    run("javac", "-nowarn", "-cp", path, "-d", made, os.path.join(SOURCE, "RingDriver.java"))
    return f"{made}:{path}"


class Driver:
    def __init__(self, contact_point):
        self.process = subprocess.Popen(["java", "-Xmx256m", "-cp", classes(), "RingDriver", contact_point], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.first = self.process.stdout.readline().split()

    def ask(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer.endswith("\n") and not answer.startswith("fault"), (words, answer)
        return answer.strip().split(" ")


@contextlib.contextmanager
def driver_at(contact_point):
    made = Driver(contact_point)
    try:
        yield made
    finally:
        made.process.stdin.close()
        made.process.wait(20)


def check_replicas(r, driver, keyspace, factor):
    keys = [f"#key{i}" for i in range(40)]
    for key, told in zip(keys, driver.ask("replicas", keyspace, *keys)):
        endpoints = run(HELENUS, "getendpoints", "--ring", r.address, keyspace, "hashtags", key).stdout.split()
        assert sorted(endpoints) == told.split(",") and len(endpoints) == factor, (key, endpoints, told)


def test_the_java_driver_knows_routes_and_follows():
    with ring("127.0.77.31", nodes=3) as r, driver_at(r.addresses[0]) as driver:
        assert driver.first[1:] == [f"{a}=UP" for a in r.addresses], driver.first
        for factor in [1, 2, 3]:
            r.cqlsh(f"CREATE KEYSPACE k{factor} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': {factor}}};"
                    f"CREATE TABLE k{factor}.hashtags (hashtag text, interval text, mentions counter, "
                    "PRIMARY KEY((hashtag), interval));")
            wait_until(lambda: len(driver.ask("replicas", f"k{factor}", "x")[0].split(".")) == 3 * factor + 1, 5, "the new keyspace")
            check_replicas(r, driver, f"k{factor}", factor)
        ok, failed, at_a_replica = map(int, driver.ask("increment", "k1.hashtags", 20000))
        assert ok == 20000 and failed == 0, (ok, failed)
        assert at_a_replica >= 0.99 * ok, f"{at_a_replica} of {ok} were answered by a replica"
        longest_us, faults = map(int, driver.ask("ddl", "k3", 100))
        assert faults == 0, f"{faults} of 100 DDLs, or what used their tables, failed"
        run(HELENUS, "ring", "kill", "--dir", r.directory, 3)
        down_ms = int(driver.ask("wait", "DOWN", r.addresses[2], 10)[0])
        ok, failed, _ = map(int, driver.ask("increment", "k3.hashtags", 5000))
        assert ok == 5000, f"one of three down: {failed} of 5000 QUORUM increments failed"
        run(HELENUS, "ring", "restart", "--dir", r.directory, 3)
        up_ms = int(driver.ask("wait", "UP", r.addresses[2], 20)[0])
        return (f"{at_a_replica} of 20000 answered by a replica; a DDL with the driver's wait took {longest_us} us at most; "
                f"down seen after {down_ms} ms, up after {up_ms} ms")
