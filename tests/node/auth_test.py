"""Logins, roles and permissions: as Cassandra's PasswordAuthenticator and CassandraAuthorizer, in a ring and over restarts."""
import json
import os
import tempfile

from support import HELENUS, ROOT, ring, run

ADDRESS = "127.0.77.90"
# What Cassandra answers otherwise: writes to tables that are made for each read (3), permissions on functions of users, which
# there are none of, and an index of permissions of which REVOKE leaves out what is still there.
DIFFERENCES_AT_MOST = 6


def login(address, user, password, **options):
    from cassandra.auth import PlainTextAuthProvider
    from cassandra.cluster import Cluster
    return Cluster([address], auth_provider=PlainTextAuthProvider(user, password), **options)


def refused(function, *arguments):
    """The words of the error."""
    try:
        function(*arguments)
    except Exception as e:
        return str(e)
    raise AssertionError("it was not refused")


def test_statements_of_several_users():
    from auth_corpus import check
    with ring(ADDRESS, options=["--auth"]) as r:
        passed, failures = check(r.address, os.path.join(ROOT, "tests/node/corpus-auth"))
        assert passed >= 500 and len(failures) <= DIFFERENCES_AT_MOST, "\n".join(failures)
        return f"{passed} of {passed + len(failures)}"


def test_real_clients_log_in():
    with ring(ADDRESS, options=["--auth"]) as r:
        cqlsh = [os.path.join(ROOT, ".venv/bin/cqlsh"), "--no-color", r.address]
        said = run(*cqlsh, "-u", "cassandra", "-p", "cassandra", "-e", "LIST ROLES").stdout
        assert "cassandra" in said, said
        said = run(*cqlsh, "-u", "cassandra", "-p", "wrong", "-e", "LIST ROLES", check=False)
        assert said.returncode != 0 and "Provided username cassandra and/or password are incorrect" in said.stderr, said.stderr
        said = run(*cqlsh, "-e", "LIST ROLES", check=False)
        assert said.returncode != 0 and "requires authentication" in said.stderr, said.stderr
        for version in (3, 4, 5):
            cluster = login(r.address, "cassandra", "cassandra", protocol_version=version)
            assert cluster.connect().execute("LIST ROLES").one().role == "cassandra"
            cluster.shutdown()
        secret = "very secret word"
        cluster = login(r.address, "cassandra", "cassandra")
        session = cluster.connect()
        session.execute(f"CREATE ROLE u WITH PASSWORD = '{secret}' AND LOGIN = true")
        session.execute(session.prepare(f"ALTER ROLE u WITH PASSWORD = '{secret}'"))
        refused(session.execute, f"CREATE ROLE u WITH PASSWORD = '{secret}' AND LOGIN = true")
        cluster.shutdown()
        login(r.address, "u", secret).connect().cluster.shutdown()
        r.stop()
        for folder, _, names in os.walk(r.directory):  # neither the log nor any other file knows it
            for name in names:
                with open(os.path.join(folder, name), "rb") as f:
                    assert secret.encode() not in f.read(), f"{folder}/{name}"


def test_roles_are_everywhere_and_stay():
    with ring(ADDRESS, nodes=3, options=["--auth"]) as r:
        first = login(r.addresses[0], "cassandra", "cassandra")
        session = first.connect()
        session.execute("CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}")
        session.execute("CREATE TABLE k.t (a int PRIMARY KEY)")
        session.execute("CREATE ROLE u WITH PASSWORD = 'w' AND LOGIN = true")
        session.execute("GRANT SELECT ON k.t TO u")
        other = login(r.addresses[2], "u", "w")
        reader = other.connect()
        prepared = reader.prepare("SELECT a FROM k.t")
        assert reader.execute(prepared).one() is None
        assert "User u has no MODIFY permission on <table k.t>" in refused(reader.execute, "INSERT INTO k.t (a) VALUES (1)")
        session.execute("REVOKE SELECT ON k.t FROM u")  # at once, on each node, for what is prepared too
        assert "User u has no SELECT permission on <table k.t>" in refused(reader.execute, prepared)
        session.execute("GRANT MODIFY ON ALL KEYSPACES TO u")
        reader.execute("INSERT INTO k.t (a) VALUES (1)")
        r.kill(2)
        session.execute("CREATE ROLE late WITH PASSWORD = 'w' AND LOGIN = true")
        r.restart(2)
        for cluster in (first, other):
            cluster.shutdown()
        login(r.addresses[1], "late", "w").connect().cluster.shutdown()
        r.stop()
        r.ring("start")
        login(r.addresses[1], "u", "w").connect().cluster.shutdown()


def test_other_machines_need_logins_unless_told():
    def words(*options):
        done = run(HELENUS, "node", "--dir", "/nonexistent/helenus", *options, check=False)
        assert done.returncode != 0
        return done.stderr

    assert "nobody has to log in" in words("--listen-address", "192.0.2.1")
    assert "nobody has to log in" in words("--rpc-address", "192.0.2.1")
    for options in (["--allow-clients-without-authentication", "true"], ["--authenticator", "PasswordAuthenticator"]):
        assert "nobody has to log in" not in words("--listen-address", "192.0.2.1", *options)
    assert "can't be used with CassandraAuthorizer" in words("--authorizer", "CassandraAuthorizer")
    assert "authenticator is AllowAllAuthenticator or PasswordAuthenticator" in words("--authenticator", "Any")


def test_our_own_commands_log_in():
    with tempfile.TemporaryDirectory() as folder:
        def made(name, text):
            with open(os.path.join(folder, name), "w") as f:
                f.write(text)
            return os.path.join(folder, name)

        init = made("init.cql", "CREATE TABLE demo_ks.t (k int PRIMARY KEY, v int); ALTER ROLE cassandra WITH PASSWORD = 'other';")
        work = made("work.cql", "-- bind int uniform 100\nINSERT INTO demo_ks.t (k, v) VALUES (?, 1)\n")
        right, wrong, empty = made("right", "other\nand more\n"), made("wrong", "cassandra"), made("empty", "\nother")
        with ring(ADDRESS, options=["--auth", "--rf", 1, "--init", init]) as r:
            def bench(*options, **more):
                return run(HELENUS, "bench", "cql", "--host", r.address, "--connections", 2, "--count", 200, "--warm-up", 0,
                           *options, work, **more)

            for options in (["--protocol", 3], ["--protocol", 4, "--lz4"], ["--protocol", 5], ["--protocol", 5, "--lz4"]):
                said = json.loads(bench("--user", "cassandra", "--password-file", right, "--json", *options).stdout.split("\n")[-2])
                assert said["operations"] == 200 and said["errors"] == 0, said
            for options, words in [([], "it wants a login"), (["--user", "cassandra"], "go together"),
                                   (["--user", "cassandra", "--password-file", wrong], "are incorrect"),
                                   (["--user", "cassandra", "--password-file", empty], "is no password"),
                                   (["--user", "nobody", "--password-file", right], "are incorrect")]:
                done = bench(*options, check=False)
                assert done.returncode != 0 and words in done.stderr, (options, done.stderr)
            more = made("more.cql", "CREATE TABLE demo_ks.more (k int PRIMARY KEY)")
            done = r.ring("start", "--init", more, check=False)
            assert done.returncode != 0 and "are incorrect" in done.stderr, done.stderr
            r.ring("start", "--init", more, "--user", "cassandra", "--password-file", right)
            login(r.address, "cassandra", "other").connect().execute("SELECT k FROM demo_ks.more")
