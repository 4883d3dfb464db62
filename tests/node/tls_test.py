"""TLS on the port for clients: unmodified clients, certificates of clients, old versions, half handshakes, plain bytes."""
import os
import re
import socket
import ssl
import subprocess
import tempfile
import time

from support import CQLSH, HELENUS, KEYSPACE, ROOT, ring, run

ADDRESS = "127.0.77.95"
# OPTIONS of protocol version 4.
OPTIONS = bytes([4, 0, 0, 0, 5, 0, 0, 0, 0])
SUPPORTED = 6


def tls_file(r, name):
    return os.path.join(r.directory, "tls", name)


def log(r):
    with open(os.path.join(r.data(), "log"), encoding="utf-8") as f:
        return f.read()


def wait_for(r, words):
    for _ in range(100):
        if words in log(r):
            return
        time.sleep(0.05)
    raise AssertionError(f"no '{words}' in the log:\n{log(r)}")


def configure(r, **keys):
    """Sets keys of client_encryption_options, and starts the node anew."""
    r.stop()
    path = os.path.join(r.data(), "helenus.yaml")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    for key, value in keys.items():
        text = re.sub(rf"\n  {key}: [^\n]*", "", text)
        text = text.replace("\nclient_encryption_options:", f"\nclient_encryption_options:\n  {key}: {value}")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    r.ring("start")


def context(r, certificate=None, trusted=None):
    made = ssl.create_default_context(cafile=trusted or tls_file(r, "ca.pem"))
    if certificate:
        made.load_cert_chain(certificate)
    return made


def connected(r, made, port=9042):
    """(version, cipher) of a TLS connection that asked OPTIONS."""
    with socket.create_connection((r.address, port), timeout=10) as plain:
        with made.wrap_socket(plain, server_hostname=r.address) as s:
            s.sendall(OPTIONS)
            answer = s.recv(4096)
            assert len(answer) == 9 + int.from_bytes(answer[5:9], "big") and answer[4] == SUPPORTED, answer
            found = s.version(), s.cipher()[0]
            s.unwrap()  # The server says that it closes too.
            return found


def driver(r, made, **options):
    from cassandra.cluster import Cluster
    from cassandra.policies import WhiteListRoundRobinPolicy
    return Cluster([r.address], ssl_context=made, ssl_options={"server_hostname": r.address},
                   load_balancing_policy=WhiteListRoundRobinPolicy([r.address]), **options)


def refused(function, *arguments, **options):
    try:
        function(*arguments, **options)
    except Exception as e:
        return str(e)
    raise AssertionError("it was not refused")


def new_authority(folder):
    """A certificate of a client that nobody knows."""
    key, certificate, both = (os.path.join(folder, name) for name in ("key.pem", "certificate.pem", "both.pem"))
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out",
        certificate, "-days", "2", "-subj", "/CN=nobody")
    with open(both, "w", encoding="utf-8") as f:
        f.write(open(key, encoding="utf-8").read() + open(certificate, encoding="utf-8").read())
    return both


def test_real_clients():
    with ring(ADDRESS, options=["--tls", "--rf", "1"]) as r:
        for name in os.listdir(os.path.join(r.directory, "tls")):
            secret = "PRIVATE" in open(tls_file(r, name), encoding="utf-8").read()
            assert (os.stat(tls_file(r, name)).st_mode & 0o77 == 0) == secret, name
        said = run(CQLSH, "--cqlshrc", tls_file(r, "cqlshrc"), r.address, "-e", "SELECT cluster_name FROM system.local").stdout
        assert "Helenus" in said, said
        # As a person would without a cqlshrc.
        environment = dict(os.environ, SSL_CERTFILE=tls_file(r, "ca.pem"), SSL_VALIDATE="true")
        run(CQLSH, "--ssl", r.address, "-e", "USE demo_ks", env=environment)
        said = run(CQLSH, r.address, "-e", "SELECT * FROM system.local", check=False)
        assert said.returncode != 0
        wait_for(r, "no handshake: the client does not speak TLS")
        for version in (3, 4, 5):
            cluster = driver(r, context(r), protocol_version=version)
            session = cluster.connect("demo_ks")
            shown = session.execute("SELECT ssl_enabled, ssl_protocol, ssl_cipher_suite FROM system_views.clients").one()
            assert shown == (True, "TLSv1.3", "TLS_AES_256_GCM_SHA384"), shown
            if version == 3:
                session.execute("CREATE TABLE t (k int, c int, v blob, PRIMARY KEY (k, c))")
            if version == 5:
                big = bytes(range(256)) * 4096  # Of a MiB: many records both ways.
                insert = session.prepare("INSERT INTO t (k, c, v) VALUES (?, ?, ?)")
                futures = [session.execute_async(insert, (0, i, big)) for i in range(6)]
                futures += [session.execute_async(insert, (1, i, b"x")) for i in range(500)]
                assert all(future.result() is not None for future in futures)
                rows = list(session.execute("SELECT c, v FROM t WHERE k = 0"))
                assert [row.c for row in rows] == list(range(6)) and all(row.v == big for row in rows)
            cluster.shutdown()
        with tempfile.TemporaryDirectory() as folder:
            new_authority(folder)
            words = refused(connected, r, context(r, trusted=os.path.join(folder, "certificate.pem")))
            assert "certificate verify failed" in words, words
        said = run(HELENUS, "ring", "start", "--dir", r.directory).stdout  # It asks by TLS whether the node answers.
        assert "1 node answers" in said
        assert connected(r, context(r))[0] == "TLSv1.3"
        return f"{r.status()['resident_bytes'] / 2**20:.1f} MiB"


def test_clients_with_certificates():
    with ring(ADDRESS, options=["--tls"]) as r, tempfile.TemporaryDirectory() as folder:
        configure(r, require_client_auth="true")
        cluster = driver(r, context(r, tls_file(r, "client.pem")))
        assert cluster.connect().execute("SELECT cluster_name FROM system.local").one().cluster_name == "Helenus"
        cluster.shutdown()
        said = run(CQLSH, "--cqlshrc", tls_file(r, "cqlshrc"), r.address, "-e", "SELECT cluster_name FROM system.local").stdout
        assert "Helenus" in said
        bench = [HELENUS, "bench", "cql", "--host", r.address, "--warm-up", "0", "--count", "1000", "--strict"]
        file = os.path.join(ROOT, "bench/statements/increment.cql")
        run(*bench, "--tls-ca", tls_file(r, "ca.pem"), "--tls-key", tls_file(r, "client.pem"), file)
        said = run(*bench, "--tls-ca", new_authority(folder), "--tls-key", tls_file(r, "client.pem"), file, check=False)
        assert said.returncode == 1 and "local issuer" in said.stderr or "self-signed" in said.stderr, said.stderr
        time.sleep(1.1)  # A line a second is told.
        refused(connected, r, context(r))
        wait_for(r, "peer did not return a certificate")
        time.sleep(1.1)  # A line a second is told.
        refused(connected, r, context(r, new_authority(folder)))
        wait_for(r, "self-signed certificate")


def s_client(r, *options, say=b""):
    return subprocess.run(["openssl", "s_client", "-connect", f"{r.address}:9042", "-CAfile", tls_file(r, "ca.pem"), *options],
                          input=say, capture_output=True, timeout=20)


def test_versions_and_renegotiation():
    with ring(ADDRESS, options=["--tls"]) as r:
        for old in ("-tls1", "-tls1_1"):
            done = s_client(r, old, "-cipher", "ALL:@SECLEVEL=0")
            assert b"Cipher is (NONE)" in done.stdout, (old, done.stdout)
        for new, name in (("-tls1_2", b"TLSv1.2"), ("-tls1_3", b"TLSv1.3")):
            done = s_client(r, new)
            assert b"Verify return code: 0 (ok)" in done.stdout and name in done.stdout, done.stdout
            assert b"Secure Renegotiation IS NOT" in done.stdout or new == "-tls1_2"
        asked = subprocess.Popen(["openssl", "s_client", "-tls1_2", "-connect", f"{r.address}:9042"], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        time.sleep(0.5)
        asked.stdin.write(b"R\n")
        asked.stdin.flush()
        time.sleep(0.5)
        said = asked.communicate(timeout=20)[0]
        assert b"RENEGOTIATING" in said and b"no renegotiation" in said, said
        configure(r, accepted_protocols="[TLSv1.3]")
        assert b"Cipher is (NONE)" in s_client(r, "-tls1_2").stdout
        assert connected(r, context(r))[0] == "TLSv1.3"
        configure(r, accepted_protocols="[TLSv1.2]", cipher_suites="[TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]")
        assert connected(r, context(r)) == ("TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256")


def hello():
    """The first flight of a client."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    made = ssl._create_unverified_context()
    try:
        made.wrap_bio(incoming, outgoing).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def test_who_speaks_otherwise_harms_nobody():
    with ring(ADDRESS, options=["--tls"]) as r:
        before = r.status()["resident_bytes"]
        assert before < 16 * 2**20, before
        flight = hello()
        half = []
        for i in range(300):
            s = socket.create_connection((r.address, 9042), timeout=10)
            s.sendall(flight[:i % len(flight) + 1])
            half.append(s)
        whole = []
        for i in range(300):  # Their handshakes wait for us.
            s = socket.create_connection((r.address, 9042), timeout=10)
            s.sendall(flight)
            whole.append(s)
        begin = time.monotonic()
        assert connected(r, context(r))[0] == "TLSv1.3"
        assert time.monotonic() - begin < 2
        grown = (r.status()["resident_bytes"] - before) / len(half + whole)
        assert grown < 128 * 1024, grown
        for s in half + whole:
            s.close()
        for said in (OPTIONS, b"GET / HTTP/1.1\r\n\r\n", b"\x80" * 100, b"\x16\x03\x01\x00\x05hello", bytes(1000)):
            with socket.create_connection((r.address, 9042), timeout=10) as s:
                s.sendall(said)
                while True:  # An alert, at most.
                    got = s.recv(1000)
                    assert not got or got[0] == 0x15, got
                    if not got:
                        break
        assert connected(r, context(r))[0] == "TLSv1.3"
        return f"{before / 2**20:.1f} MiB idle, {grown / 1024:.0f} KiB a half handshake"


def test_both_on_one_port_and_on_two():
    with ring(ADDRESS, options=["--tls"]) as r:
        configure(r, optional="true")
        r.cqlsh(KEYSPACE)
        said = r.cqlsh("SELECT ssl_enabled, ssl_protocol FROM system_views.clients").stdout
        assert re.search(r"False \| +null", said), said
        assert connected(r, context(r))[0] == "TLSv1.3"
        with open(os.path.join(r.data(), "helenus.yaml"), "a", encoding="utf-8") as f:
            f.write("native_transport_port_ssl: 9142\n")
        configure(r, optional="false")
        r.cqlsh("USE demo_ks")
        assert connected(r, context(r), 9142)[0] == "TLSv1.3"
        # At the plain port a client with TLS hears what Cassandra says: it is no version of the protocol.
        refused(connected, r, context(r))
        with socket.create_connection((r.address, 9042), timeout=10) as s:
            s.sendall(hello())
            assert b"Invalid or unsupported protocol version (22)" in s.recv(1000)


def test_what_is_refused_is_said_with_what_to_do():
    with tempfile.TemporaryDirectory() as folder:
        def words(text, *options):
            path = os.path.join(folder, "helenus.yaml")
            with open(path, "w", encoding="utf-8") as f:
                f.write(f"listen_address: {ADDRESS}\n{text}")
            done = run(HELENUS, "node", "--dir", os.path.join(folder, "node"), "--config", path, *options, check=False)
            assert done.returncode == 1, done.stderr
            assert "sesame" not in done.stderr
            return done.stderr

        new_authority(folder)
        store = os.path.join(folder, "store.p12")
        run("openssl", "pkcs12", "-export", "-in", os.path.join(folder, "both.pem"), "-out", store, "-passout", "pass:sesame")
        client = "client_encryption_options:\n  enabled: true\n"
        assert f"openssl pkcs12 -in {store} -nodes" in words(f"{client}  keystore: {store}\n  keystore_password: sesame\n")
        assert "keytool -importkeystore" in words(f"{client}  store_type: JKS\n")
        assert "name a PEM file" in words(client)
        assert "/nonexistent.pem" in words(f"{client}  keystore: /nonexistent.pem\n")
        assert "put PEM texts into files" in words(
            client + "  ssl_context_factory:\n    class_name: PEMBasedSslContextFactory\n    parameters:\n      private_key: |\n"
            "        sesame\n")
        assert "is true or false" in words(f"{client}  optional: perhaps\n")
        assert "helenus.yaml:4: no key 'client_encryption_options.keystor'" in words(f"{client}  keystor: a\n")
        assert "truststore" in words(f"{client}  keystore: {folder}/both.pem\n  require_client_auth: true\n")
        assert "for native_transport_port_ssl" in words("native_transport_port_ssl: 9142\n")
        assert "nodes do not speak TLS with each other" in words("server_encryption_options:\n  internode_encryption: all\n")
        assert "nodes do not speak TLS with each other" in words(
            "server_encryption_options:\n  internode_encryption: none\n  enabled: true\n")
        # Reachable by others: certificates are no logins.
        assert "nobody has to log in" in words(f"{client}  keystore: {folder}/both.pem\n", "--listen-address", "192.0.2.1")
