"""What differs, put in classes: two differences are of one class when their texts are equal but for names, numbers and types.

KNOWN are the classes that docs/differences.md explains: the row's first words there, and a pattern of the classes.
"""
import re

ERROR = r"(?:Invalid|Config error|Unauthorized|Already exists|Syntax error): "
KNOWN = [
    ("`COMPACT STORAGE`", r"COMPACT STORAGE is not supported by Helenus yet"),
    ("`m[null]` in a selection", r"\| Server error: java\.lang\.NullPointerException \| Invalid: Invalid null value for \w+ selection"),
    ("`ALTER TYPE … RENAME a TO b AND c TO d` with several unknown fields", r"^alter_type \| Invalid: Unkown field .* other names$"),
    ("`min`, `max`, `mask_default` and `blob_as_timeuuid` of timeuuids", r"^select \| other columns \| \(\"custom\('…'\)\""),
    ("a query while the index is built", r"^select \| Read failure: .* INDEX_NOT_AVAILABLE .* \| rows$"),
    ("`IN` on the partition key in a batch with `IF`", r"Server error: java\.lang\.IllegalArgumentException: Batch with conditions"),
    ("a range of rows to delete that ends at null", r"^error \| Write failure: .* \| Invalid: Invalid null value in condition"),
    ("a statement at which Cassandra stumbles",
     r"\| (?:Server error: java|Read failure|Write failure).* \| (?:rows|void|Invalid: .*)$"),
    ("the words of a syntax error", r"^\w+ \| Syntax error: .* \| (?:Syntax error: .*|the same, with other names)$"),
    ("names that Cassandra takes from a hash table", rf"^\w+ \| {ERROR}.* \| the same, with other names$"),
    ("several faults of one statement", rf"^error \| {ERROR}.* \| {ERROR}"),
    ("a condition behind one that is false", r"^(?:update|delete|insert|batch) \| rows \| Invalid: Invalid "),
    ("pages of a table without clustering columns", r"^select \| (?:other paging|Protocol error: Invalid value for the paging state \| rows)"),
    ("numbers that are equal and written differently, in keys and sets", r"other digits of equal numbers$"),
]

NATIVE = (r"(?:ascii|bigint|blob|boolean|counter|date|decimal|double|duration|float|inet|int|smallint|text|time|timestamp|timeuuid|"
          r"tinyint|uuid|varchar|varint)")
MASKS = [
    (re.compile(r"\brandom_[a-z]+\b"), "KS"),
    (re.compile(r"\b127\.0\.\d+\.\d+\b"), "#"),
    (re.compile(r"signatures: .*", re.S), "signatures: …"),
    (re.compile(r"\(\[?[^()]*\[[^\]]+\][^)]*\)$"), "(…)"),
    (re.compile(r"'(?:[^']|'')*'"), "'…'"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b"), "#"),
    (re.compile(r"\b0[xX][0-9a-fA-F]*\b"), "#"),
    (re.compile(r"\b(?:[pcsvfto]|ty|ix|tx)\d+\b"), "N"),
    (re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:[eE]-?\d+)?\b"), "#"),
    (re.compile(rf"\b{NATIVE}\b"), "T"),
    (re.compile(r"\b(?:frozen|list|set|vector|map|tuple)<(?:[TN#]|, )*>"), "T"),
]


def mask(text):
    for pattern, new in MASKS[:-1]:
        text = pattern.sub(new, text)
    before = None
    while before != text:
        before, text = text, MASKS[-1][0].sub(MASKS[-1][1], text)
    return text


HIDDEN = re.compile(r"\b(?:now|uuid|current_\w+|current\w+)\(|system\.now|\bttl\(", re.I)
SERVER_TIME = 10**15


def settle(answer):
    """What two servers cannot have alike: times of the server, what is left of a ttl."""
    names = [c[0] for c in answer.get("columns", [])]
    if names[:2] == ["keyspace_name", "type"]:
        answer["rows"] = [r for r in answer["rows"] if r[0].startswith("system")]       # there may be others
    for row in answer.get("rows", []):
        for i, name in enumerate(names):
            if row[i] is None:
                continue
            if HIDDEN.search(name):
                row[i] = "<masked>"
            elif "writetime(" in name.lower():
                row[i] = re.sub(r"\b\d{16}\b", "<now>", row[i])
            elif name == "[json]" or name == "ttl":
                row[i] = re.sub(r'("[^"]*ttl\([^:]*": )\d+', r"\1<ttl>", re.sub(r"\b17\d{14}\b", "<now>", row[i]))
    return answer


def said(answer):
    if "error" in answer:
        e = answer["error"]
        return f"{e['name']}: {mask(e['message'])}"
    if "lost" in answer:
        return "lost: " + mask(answer["lost"])
    if "rows" in answer:
        return "rows"
    return "/".join(k for k in ("void", "set_keyspace", "schema_change") if k in answer)


def class_of(kind, theirs, ours):
    """None where both answers are equal; else the class of the difference."""
    if theirs == ours:
        return None
    a, b = said(theirs), said(ours)
    if a != b:
        return f"{'error' if 'error' in theirs and 'error' in ours else kind} | {a} | {b}"
    if "error" in theirs:
        if theirs["error"] == ours["error"]:
            return f"{kind} | {a} | the same, at another time"
        return f"{kind} | {a} | the same, with other names"
    for part in ("columns", "from", "schema_change", "warnings", "prepared", "paging"):
        if theirs.get(part) != ours.get(part):
            return f"{kind} | other {part} | {mask(str(first_difference(theirs.get(part), ours.get(part))))}"
    if len(theirs["rows"]) != len(ours["rows"]):
        return f"{kind} | {'more' if len(theirs['rows']) > len(ours['rows']) else 'fewer'} rows in Cassandra"
    for mine, other in zip(theirs["rows"], ours["rows"]):
        for (name, type_name), x, y in zip(theirs["columns"], mine, other):
            if x != y:
                if sorted(map(str, theirs["rows"])) == sorted(map(str, ours["rows"])):
                    return f"{kind} | other order of rows"
                if digits(x) == digits(y):
                    return f"{kind} | other digits of equal numbers"
                what = mask(name) if "(" in name or " " in name else mask(type_name)
                return f"{kind} | other value of {what}{' null' if x is None else ''}{' null here' if y is None else ''}"
    return f"{kind} | other answer"


def digits(text):
    """Numbers without zeros behind the point: 1.0 is 1."""
    return text and re.sub(r"\d+\.\d+", lambda m: m.group().rstrip("0").rstrip("."), text)


def first_difference(a, b):
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for x, y in zip(a, b):
            if x != y:
                return first_difference(x, y)
    if isinstance(a, dict) and isinstance(b, dict):
        for key in sorted(set(a) | set(b)):
            if a.get(key) != b.get(key):
                return key, first_difference(a.get(key), b.get(key))
    return a, b


def row_of(name):
    """The row of docs/differences.md that explains a class, or None."""
    for row, pattern in KNOWN:
        if re.search(pattern, name):
            return row
    return None
