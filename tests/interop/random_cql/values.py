"""Types of columns, and small domains of their values: few values, so that statements meet each other's rows."""
import struct
import uuid


class Type:
    """A CQL type. label: a vector's length or a user-defined type's name; fields: a user-defined type's names."""

    def __init__(self, name, args=(), frozen=False, label=None, fields=()):
        self.name, self.args, self.frozen = name, list(args), frozen
        self.label, self.fields = label, list(fields)

    def __str__(self):
        if self.name == "udt":
            text = self.label
        elif self.name == "vector":
            text = f"vector<{self.args[0]}, {self.label}>"
        elif self.args:
            text = f"{self.name}<{', '.join(map(str, self.args))}>"
        else:
            text = self.name
        return f"frozen<{text}>" if self.frozen else text

    def is_multi_cell(self):
        return self.name in ("list", "set", "map", "udt") and not self.frozen

    def holds(self, name):
        return self.name == name or any(a.holds(name) for a in self.args)


def integers(size, *more):
    def encode(n):
        return n.to_bytes(size, "big", signed=True)
    return [(str(n), encode(n)) for n in (0, 1, 2, 3, -1) + more]


def varint(n):
    return n.to_bytes(n.bit_length() // 8 + 1, "big", signed=True)


def decimal(text, unscaled, scale):
    return text, struct.pack(">i", scale) + varint(unscaled)


def texts(*values):
    return [("'" + v.replace("'", "''") + "'", v.encode()) for v in values]


UUIDS = ["123e4567-e89b-42d3-a456-426614174000", "00000000-0000-4000-8000-000000000000", "f0000000-0000-4000-b000-00000000000f"]
TIMEUUIDS = ["13814000-1dd2-11b2-8080-808080808080", "00000000-0000-1000-8000-000000000001", "f47ac10b-58cc-11e4-8ed6-0800200c9a66"]

DOMAINS = {
    "ascii": texts("a", "b", "", "B c"),
    "text": texts("a", "b", "", "it's", "é", "Ab"),
    "varchar": texts("a", "b"),
    "bigint": integers(8, 2**63 - 1, -2**63),
    "int": integers(4, 2**31 - 1, 100),
    "smallint": integers(2, 32767),
    "tinyint": integers(1, -128, 127),
    "counter": integers(8),
    "varint": [(str(n), varint(n)) for n in (0, 1, -1, 128, 10**20)],
    "decimal": [decimal("0", 0, 0), decimal("1", 1, 0), decimal("1.5", 15, 1), decimal("-2.50", -250, 2), decimal("1.0", 10, 1)],
    "double": [(t, struct.pack(">d", float(t))) for t in ("0.0", "1.5", "-2.5", "1", "NaN", "Infinity", "-0.0")],
    "float": [(t, struct.pack(">f", float(t))) for t in ("0.0", "1.5", "-2.5", "1", "NaN", "-Infinity")],
    "boolean": [("true", b"\1"), ("false", b"\0"), ("TRUE", b"\1")],
    "blob": [("0x", b""), ("0x00", b"\0"), ("0xCAFE", b"\xca\xfe"), ("0xff", b"\xff")],
    "uuid": [(u, uuid.UUID(u).bytes) for u in UUIDS + TIMEUUIDS[:1]],
    "timeuuid": [(u, uuid.UUID(u).bytes) for u in TIMEUUIDS],
    "inet": [("'10.0.0.1'", bytes([10, 0, 0, 1])), ("'127.0.0.1'", bytes([127, 0, 0, 1])), ("'::1'", bytes(15) + b"\1")],
    "date": [("'2024-02-29'", struct.pack(">I", 2**31 + 19782)), ("'1970-01-01'", struct.pack(">I", 2**31)),
             ("'1969-12-31'", struct.pack(">I", 2**31 - 1))],
    "time": [("'00:00:00'", bytes(8)), ("'08:30:00.5'", struct.pack(">q", 30600500000000)), ("1", struct.pack(">q", 1))],
    "timestamp": [("0", bytes(8)), ("'2024-02-29 12:34:56.789Z'", struct.pack(">q", 1709210096789)), ("-1", b"\xff" * 8),
                  ("'2024-02-29T12:34:56+0100'", struct.pack(">q", 1709206496000))],
    "duration": [("1d", b"\0\2\0"), ("1mo2d", b"\2\4\0"), ("P1Y", b"\x18\0\0"), ("5ns", b"\0\0\x0a")],
}
SIGNED = ("tinyint", "smallint", "int", "bigint", "varint")
NATIVE = [n for n in DOMAINS if n != "counter"]
NUMBERS = ("tinyint", "smallint", "int", "bigint", "varint", "decimal", "float", "double")


def value(t, random):
    """The text of a literal of type t, and its bytes (None: bytes are not made)."""
    if t.name in DOMAINS:
        return random.choice(DOMAINS[t.name])
    if t.name == "vector":
        parts = [value(t.args[0], random) for _ in range(t.label)]
        is_fixed = t.args[0].name in ("float", "int", "bigint", "double")
        return "[" + ", ".join(p[0] for p in parts) + "]", b"".join(p[1] for p in parts) if is_fixed else None
    if t.name in ("tuple", "udt"):
        parts = [value(a, random) if random.random() < 0.9 else ("null", b"") for a in t.args]
        raw = None
        if all(p[1] is not None for p in parts):
            raw = b"".join(struct.pack(">i", -1) if p[0] == "null" else struct.pack(">i", len(p[1])) + p[1] for p in parts)
        if t.name == "tuple":
            return "(" + ", ".join(p[0] for p in parts) + ")", raw
        return "{" + ", ".join(f"{n}: {p[0]}" for n, p in zip(t.fields, parts)) + "}", raw
    count = random.choice((0, 1, 1, 2, 2, 3))
    if t.name == "map":
        pairs = dict((value(t.args[0], random), value(t.args[1], random)) for _ in range(count))
        parts = [p for pair in pairs.items() for p in pair]
        text = "{" + ", ".join(f"{k[0]}: {v[0]}" for k, v in pairs.items()) + "}"
        count = len(pairs)
    else:
        parts = [value(t.args[0], random) for _ in range(count)]
        if t.name == "set":
            parts = list(dict.fromkeys(parts))
            if t.args[0].name in SIGNED:
                parts.sort(key=lambda p: int(p[0]))
        text = ("[%s]" if t.name == "list" else "{%s}") % ", ".join(p[0] for p in parts)
        count = len(parts)
    if any(p[1] is None for p in parts):
        return text, None
    return text, struct.pack(">i", count) + b"".join(struct.pack(">i", len(p[1])) + p[1] for p in parts)


def json_value(t, random):
    """A JSON text of a value of type t; its strings are for within a CQL string."""
    if random.random() < 0.05:
        return "null"
    if t.name in ("list", "set", "vector"):
        count = t.label if t.name == "vector" else random.choice((0, 1, 2))
        return "[" + ", ".join(json_value(t.args[0], random) for _ in range(count)) + "]"
    if t.name == "tuple":
        return "[" + ", ".join(json_value(a, random) for a in t.args) + "]"
    if t.name == "udt":
        return "{" + ", ".join(f'"{n}": {json_value(a, random)}' for n, a in zip(t.fields, t.args)) + "}"
    if t.name == "map":
        key = json_value(t.args[0], random)
        return "{%s: %s}" % (key if key.startswith('"') else '"' + key.replace('"', '\\"') + '"', json_value(t.args[1], random))
    text = random.choice(DOMAINS[t.name])[0]
    if text.startswith("'"):
        return '"' + text[1:-1] + '"'
    if t.name in NUMBERS or t.name == "boolean":
        return text.lower() if t.name == "boolean" or random.random() < 0.9 else '"' + text + '"'
    return '"' + text + '"'
