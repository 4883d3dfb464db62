"""Clients that mean harm, or are broken: what tests/node/hostile_client_test.py and tests/interop/hostile_clients do to a
node. Each function of SCENARIOS takes an address and a scale (1: seconds; 10 and more: minutes) and says what happened;
an AssertionError is an answer that a server should not give.
"""
import contextlib
import json
import os
import random
import select
import socket
import statistics
import struct
import subprocess
import threading
import time
import zlib

from support import HELENUS, run

PORT = 9042
ERROR, STARTUP, READY, OPTIONS, SUPPORTED, QUERY, RESULT, PREPARE, EXECUTE, REGISTER, BATCH = (
    0, 1, 2, 5, 6, 7, 8, 9, 10, 11, 13)
PROTOCOL_ERROR, OVERLOADED, SYNTAX_ERROR, INVALID = 0x000A, 0x1001, 0x2000, 0x2200
ONE = 1


# ---- Bytes ---------------------------------------------------------------------------------------

def frame(opcode, body=b"", version=4, stream=0, flags=0, size=None):
    return struct.pack(">BBhBI", version, flags, stream, opcode, len(body) if size is None else size) + body


def text(value):
    return struct.pack(">H", len(value)) + value


def startup(version=4, lz4=False):
    options = [(b"CQL_VERSION", b"3.4.5")] + ([(b"COMPRESSION", b"lz4")] if lz4 else [])
    return frame(STARTUP, struct.pack(">H", len(options)) + b"".join(text(k) + text(v) for k, v in options), version)


def query_body(statement, version=4):
    return struct.pack(">I", len(statement)) + statement + struct.pack(">H", ONE) + (b"\0\0\0\0" if version >= 5 else b"\0")


def query(statement, version=4, stream=0):
    return frame(QUERY, query_body(statement, version), version, stream)


def prepare(statement, stream=0):
    return frame(PREPARE, struct.pack(">I", len(statement)) + statement, 4, stream)


def crc24(data):
    crc = 0x875060
    for byte in data:
        crc ^= byte << 16
        for _ in range(8):
            crc <<= 1
            if crc & 0x1000000:
                crc ^= 0x1974F0B
    return crc


def segment(payload, whole=True, lz4_plain_size=None, bad_header=False, bad_payload=False):
    """A v5 segment; with lz4_plain_size its payload is one LZ4 block that claims to be so long."""
    if lz4_plain_size is None:
        header = (len(payload) | whole << 17).to_bytes(3, "little")
    else:
        header = (len(payload) | lz4_plain_size << 17 | whole << 34).to_bytes(5, "little")
    checksum = crc24(header) ^ (1 if bad_header else 0)
    payload_checksum = zlib.crc32(payload, zlib.crc32(b"\xfa\x2d\x55\xca")) ^ (1 if bad_payload else 0)
    return header + checksum.to_bytes(3, "little") + payload + payload_checksum.to_bytes(4, "little")


def lz4_bomb(size):
    """An LZ4 block of `size` zeros: 255 of them for each of its bytes."""
    match = size - 1 - 5
    rest = match - 4 - 15
    return b"\x1f\0\x01\0" + b"\xff" * (rest // 255) + bytes([rest % 255]) + b"\x50" + b"\0" * 5


# ---- Clients -------------------------------------------------------------------------------------

class Client:
    def __init__(self, address, version=4, lz4=False, start=True, receive_buffer=None):
        self.version = version
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(20)
        self.socket.connect((address, PORT))
        self.received = b""
        if start:
            self.send(startup(version, lz4))
            assert self.answer()[2] == READY

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def send_what_goes(self, data):
        """As much as the node takes within a second: it may stop to read, or close."""
        self.socket.settimeout(1)
        with contextlib.suppress(OSError):
            self.socket.sendall(data)
        self.socket.settimeout(20)

    def take(self, size):
        while len(self.received) < size:
            data = self.socket.recv(1 << 16)
            if not data:
                raise EOFError
            self.received += data
        taken, self.received = self.received[:size], self.received[size:]
        return taken

    def answer(self):
        """version, stream, opcode, body; an EOFError or ConnectionError when the node has closed."""
        version, _, stream, opcode, size = struct.unpack(">BBhBI", self.take(9))
        return version, stream, opcode, self.take(size)

    def error(self):
        """The code of the next answer that is an error, of v5 too."""
        if self.version >= 5:
            head = self.take(6)
            size = int.from_bytes(head[:3], "little") & 0x1ffff
            payload = self.take(size)
            self.take(4)
            assert payload[4] == ERROR, payload
            return struct.unpack(">I", payload[9:13])[0]
        _, _, opcode, body = self.answer()
        assert opcode == ERROR, opcode
        return struct.unpack(">I", body[:4])[0]

    def is_closed(self):
        """Reads to the end, which has to come."""
        try:
            while self.socket.recv(1 << 16):
                pass
            return True
        except ConnectionError:
            return True
        except TimeoutError:
            return False


def clients(address, count, **options):
    """So many, as an exit stack closes them."""
    stack = contextlib.ExitStack()
    return stack, [stack.enter_context(Client(address, **options)) for _ in range(count)]


# ---- What they do --------------------------------------------------------------------------------

def half_frames(address, scale):
    """Headers that claim 16 MiB, half of a MiB behind each, and then silence: more of it than a node may hold."""
    count, piece = 300 * min(scale, 20), b"\0" * (512 << 10)
    stack, all_of_them = clients(address, count, start=False)
    with stack:
        for i, client in enumerate(all_of_them):
            client.send_what_goes(frame(QUERY, piece, 3 + i % 2, size=16 << 20))
        poll = select.poll()
        for client in all_of_them:
            poll.register(client.socket, select.POLLIN)
        assert poll.poll(10000), "all half messages are held"
        time.sleep(0.5)
        closed = len(poll.poll(0))
        for client in all_of_them[:1]:  # It began first.
            assert client.error() == OVERLOADED
        return f"{count} halves of a message, {closed} had to leave"


def giant_lengths(address, scale):
    for _ in range(10 * scale):
        for size, lives in ((16 << 20 | 1, True), (1 << 30, True), (0x7fffffff, True), (0x80000000, False), (0xffffffff, False)):
            for version in (3, 4):
                with Client(address, version) as client:
                    client.send(frame(QUERY, b"SELECT", version, size=size))
                    code = client.error()
                    assert code == (INVALID if lives else PROTOCOL_ERROR), (size, code)
                    assert lives or client.is_closed()
            with Client(address, 5) as client:
                client.send(segment(frame(QUERY, b"SELECT", 5, size=size), whole=False))
                code = client.error()
                assert code == (INVALID if lives else PROTOCOL_ERROR), (size, code)
    return f"{150 * scale} messages longer than may be"


def connect_all(address, count):
    """`count` connections that have sent STARTUP and read READY, fast."""
    all_of_them, waiting = [], []
    for i in range(count):
        made = socket.create_connection((address, PORT), 20)
        made.sendall(startup())
        all_of_them.append(made)
        waiting.append(made)
        if len(waiting) == 200 or i == count - 1:
            for one in waiting:
                assert one.recv(100)[4] == READY
            waiting.clear()
    return all_of_them


def idle_connections(address, scale, resident=lambda: 0, held=lambda: None):
    """`held` is called while they are all there."""
    count = 10000
    before = resident()
    all_of_them = connect_all(address, count)
    each = (resident() - before) / count
    try:
        for one in random.sample(all_of_them, 100):
            one.sendall(frame(OPTIONS))
            assert one.recv(4096)[4] == SUPPORTED
        assert each <= 8192, f"{each:.0f} bytes for each of {count} idle connections"
        held()
        # Each of them asks for something, and is as small as before when it was answered.
        for one in all_of_them:
            one.sendall(query(b"SELECT * FROM system.local"))
        for one in all_of_them:
            left = struct.unpack(">I", one.recv(9, socket.MSG_WAITALL)[5:9])[0]
            while left > 0:
                left -= len(one.recv(left))
        later = (resident() - before) / count
        assert later <= 8192, f"{later:.0f} bytes for each of {count} connections that had asked once"
    finally:
        for one in all_of_them:
            one.close()
    return f"{count} held, {each:.0f} bytes each, {later:.0f} after a SELECT"


def prepared_statements(address, scale):
    """Each another text, thousands in flight."""
    count, group = 20000 * scale, 500
    with Client(address) as client:
        for begin in range(0, count, group):
            client.send(b"".join(prepare(b"SELECT k, v FROM hostile.t WHERE k = ? AND v = %d ALLOW FILTERING" % i, i % group)
                                 for i in range(begin, begin + group)))
            for _ in range(group):
                _, _, opcode, _ = client.answer()
                assert opcode == RESULT, opcode
    return f"{count} prepared"


def slow_readers(address, scale):
    """They ask for a result of 24 MiB, unpaged, many times, and do not read it: one after the other, not in step."""
    count, asked = 12 * min(scale, 10), 8
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            client = stack.enter_context(Client(address, receive_buffer=4096))
            client.send_what_goes(b"".join(query(b"SELECT * FROM hostile.large", stream=i) for i in range(asked)))
            time.sleep(0.05)
    return f"{count} that do not read {asked * 24} MiB each"


def stream_reuse(address, scale):
    count = 2000 * scale
    with Client(address) as client:
        client.send(b"".join(query(b"SELECT v FROM hostile.t WHERE k = 1", stream=7) for _ in range(count)))
        for _ in range(count):
            _, stream, opcode, _ = client.answer()
            assert (stream, opcode) == (7, RESULT)
    return f"{count} requests with one stream"


def garbage(address, scale):
    generator = random.Random(1)
    for i in range(200 * scale):
        with Client(address, start=False) as client:
            begin = [b"", startup(3), startup(4), startup(4, lz4=True), startup(5), startup(5, lz4=True)][i % 6]
            client.send_what_goes(begin + generator.randbytes(generator.choice((10, 200, 5000))))
            if i % 10 == 0:
                client.socket.shutdown(socket.SHUT_WR)
                assert client.is_closed()
    return f"{200 * scale} times nonsense"


def wrong_states(address, scale):
    for _ in range(20 * scale):
        for opcode in (QUERY, PREPARE, EXECUTE, REGISTER, BATCH, 0x0F):  # Before STARTUP.
            with Client(address, start=False) as client:
                client.send(frame(opcode, query_body(b"SELECT")))
                assert client.error() == PROTOCOL_ERROR
        for opcode in (STARTUP, 0x0F):  # When it is over.
            with Client(address) as client:
                client.send(frame(opcode, b"\0\0"))
                assert client.error() == PROTOCOL_ERROR
                client.send(query(b"SELECT v FROM hostile.t WHERE k = 1"))
                assert client.answer()[2] == RESULT  # The conversation goes on.
        for opcode in (ERROR, READY, SUPPORTED, RESULT, 0x0C, 0x0E, 0x10, 0x04, 0x7f, 0xff):
            with Client(address) as client:
                client.send(frame(opcode, b"\0" * 10))
                assert client.error() == PROTOCOL_ERROR and client.is_closed()
        with Client(address) as client:  # A version amid another.
            client.send(query(b"SELECT v FROM hostile.t WHERE k = 1", 3))
            assert client.error() == PROTOCOL_ERROR and client.is_closed()
    return f"{380 * scale} messages out of place"


def bad_checksums(address, scale):
    good = query(b"SELECT v FROM hostile.t WHERE k = 1", 5)
    for _ in range(10 * scale):
        for lz4 in (False, True):
            size = len(good) if lz4 else None
            payload = bytes([0xf0, len(good) - 15]) + good if lz4 else good
            for bad in ({"bad_header": True}, {"bad_payload": True}):
                with Client(address, 5, lz4) as client:
                    client.send(segment(payload, lz4_plain_size=size, **bad))
                    if not lz4:
                        assert client.error() == PROTOCOL_ERROR
                    assert client.is_closed()
            with Client(address, 5, lz4) as client:  # And all is well with the right ones.
                client.send(segment(payload, lz4_plain_size=size))
                client.take(20)
    return f"{40 * scale} segments with wrong checksums"


def bombs(address, scale):
    """Small blocks that say, rightly or not, that they are large."""
    for _ in range(2 * scale):
        for claimed, size in ((16 << 20, 16 << 20), (16 << 20, 100), (100, 16 << 20), (0x7fffffff, 1000), (0xffffffff, 1000)):
            for version in (3, 4):
                with Client(address, version, lz4=True) as client:
                    client.send(frame(QUERY, struct.pack(">I", claimed) + lz4_bomb(size), version, flags=1))
                    code = client.error()
                    if claimed == size:  # Whole: an empty statement with 16 MiB behind it.
                        assert code == SYNTAX_ERROR
                    else:
                        assert code == PROTOCOL_ERROR and client.is_closed()
        for claimed in (131071, 100, 0x1ffff):
            with Client(address, 5, lz4=True) as client:
                client.send(segment(lz4_bomb(131071), lz4_plain_size=claimed))
                assert client.is_closed()
    return f"{26 * scale} LZ4 blocks that are not what they say"


def statements_without_reading(address, scale):
    count = 20000 * min(scale, 10)
    with Client(address, receive_buffer=4096) as client:
        client.send_what_goes(b"".join(query(b"SELECT * FROM system_schema.columns", stream=i % 30000) for i in range(count)))
        time.sleep(0.5)
    return f"up to {count} statements whose answers are not read"


def closed_in_the_middle(address, scale):
    generator = random.Random(2)
    whole = startup() + query(b"SELECT * FROM system_schema.columns") + query(b"SELECT * FROM hostile.large")
    for i in range(500 * scale):
        client = socket.create_connection((address, PORT), 20)
        if i % 2 == 0:  # A reset instead of an end.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.sendall(whole[:generator.randrange(1, len(whole) + 1)])
        client.close()
    return f"{500 * scale} closed amid a message or its answer"


def large_statements(address, scale):
    """Texts of megabytes that are a statement, and a tree many times as large."""
    size = min(4 * scale, 15) << 20
    for begin, piece, end in ((b"SELECT v FROM hostile.t WHERE k IN (1", b",1", b")"),
                              (b"SELECT v FROM hostile.t WHERE v = ", b"(", b""),
                              (b"SELECT v FROM hostile.t WHERE v = ", b"[", b""),
                              (b"SELECT ", b"a,", b"a FROM hostile.t"),
                              (b"SELECT v FROM hostile.t WHERE k = ", b"-", b"1"),
                              (b"INSERT INTO hostile.t (k, v) VALUES (1, '", b"''", b"')")):
        with Client(address) as client:
            client.send(query(begin + piece * (size // len(piece)) + end))
            with contextlib.suppress(EOFError, ConnectionError):
                client.answer()
    return f"6 statements of {size >> 20} MiB"


SCENARIOS = [giant_lengths, wrong_states, garbage, bad_checksums, bombs, stream_reuse, closed_in_the_middle, half_frames,
             slow_readers, statements_without_reading, large_statements, prepared_statements, idle_connections]


# ---- Somebody else, meanwhile --------------------------------------------------------------------

class GoodClient:
    """A client of ours that asks 500 times a second, at due times, while the block runs. It prepares nothing: a million
    statements of somebody else would push its own out, and it does not prepare them again as drivers do."""

    def __init__(self, address, statements, rate=500):
        self.command = [HELENUS, "bench", "cql", "--host", address, "--connections", "2", "--in-flight", "64", "--rate",
                        str(rate), "--warm-up", "0", "--seconds", "3600", "--json", "--unprepared", statements]
        self.seconds = []

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=self.read)
        self.reader.start()
        return self

    def read(self):
        for line in self.process.stdout:
            self.seconds.append(json.loads(line))

    def __exit__(self, *_):
        self.ended_early = self.process.poll()
        self.process.kill()
        self.complaint = self.process.communicate()[1]
        self.reader.join()

    def await_seconds(self, count):
        """Until so many more seconds were measured."""
        wanted, end = len(self.seconds) + count, time.monotonic() + 10 * count
        while len(self.seconds) < wanted and self.process.poll() is None and time.monotonic() < end:
            time.sleep(0.05)

    def worst_ms(self, since=0):
        """The p99 of the worst second."""
        return max((s["p99_us"] for s in self.seconds[since:]), default=0) / 1000

    def usual_ms(self):
        """The p99 of most seconds."""
        return statistics.median(s["p99_us"] for s in self.seconds) / 1000


def make_tables(ring):
    ring.cqlsh("CREATE KEYSPACE hostile WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1};"
               "CREATE TABLE hostile.t (k int PRIMARY KEY, v int); INSERT INTO hostile.t (k, v) VALUES (1, 1);"
               "CREATE TABLE hostile.large (k int, c int, v blob, PRIMARY KEY (k, c));")
    with Client(ring.address) as client:
        for i in range(24):
            client.send(query(b"INSERT INTO hostile.large (k, c, v) VALUES (1, %d, 0x%s)" % (i, b"ab" * (1 << 20))))
            assert client.answer()[2] == RESULT


def peak_bytes(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
