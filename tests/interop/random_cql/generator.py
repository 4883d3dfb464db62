"""Walks the grammar with a schema at hand, and makes one statement after the other.

The schema is a model: what a statement changes is told by an effect, which the caller applies when the server has done it.
"""
import random
import re

from . import grammar
from .values import DOMAINS, NATIVE, NUMBERS, Type, json_value, value

RARE = 1500
WORDS = ["SELECT", "FROM", "WHERE", "AND", "IF", "NULL", "(", ")", ",", "=", "+", "-", "[", "]", "{", "}", ":", ".", "'x'", "1", "1.5",
         "?", "*", "SET", "VALUES", "IN", "TOKEN", "LIMIT", "AS", "frozen", "int", "0xf", "$", '"', "'", ";", "--", "USING", "TTL"]
TOKENS = re.compile(r"'(?:[^']|'')*'|\w[\w.]*|\s+|.", re.S)


class Impossible(Exception):
    """A leaf has nothing to offer here."""


class Table:
    def __init__(self, name):
        self.name = name
        self.partition, self.clustering, self.static, self.regular = [], [], [], []
        self.types, self.indexed = {}, []
        self.allows_lwt = self.counts = False

    def names(self, *kinds):
        return [n for kind in kinds for n in getattr(self, kind)]

    def all(self):
        return self.names("partition", "clustering", "static", "regular")

    def text(self):
        columns = ", ".join(f"{n} {self.types[n]}{' STATIC' if n in self.static else ''}" for n in self.all())
        key = ", ".join([f"({', '.join(self.partition)})"] + [n for n, _ in self.order])
        order = ", ".join(f"{n} {d}" for n, d in self.order)
        return (f"{self.name} ({columns}, PRIMARY KEY ({key}))"
                + (f" WITH CLUSTERING ORDER BY ({order})" if order else " WITH comment = ''"))


class Statement:
    def __init__(self, text, kind, binds, effect, table, is_mutated):
        self.text, self.kind, self.binds, self.effect = text, kind, binds, effect
        self.table, self.is_mutated = table, is_mutated
        self.options = {}


class Generator:
    def __init__(self, seed, keyspace):
        self.keyspace = keyspace
        self.random = random.Random(seed)
        self.rules = grammar.rules()
        self.counts = {(rule, a): 0 for rule, alternatives in self.rules.items() for _, a in alternatives}
        self.clock, self.total = 1000, 0
        self.numbers = {}
        self.forget()

    def forget(self):
        """A new keyspace: nothing is in it."""
        self.tables, self.user_types, self.indexes = {}, {}, []

    # ------------------------------------------------------------ the walk

    def statement(self):
        while True:
            self.begin()
            rule = "statement"
            if len(self.user_types) < 2:
                rule = "create_type"
            elif len(self.tables) < 3:
                rule = "create_table"
            try:
                text = self.expand(rule)
            except Impossible:
                continue
            kind = self.trace[1][0] if rule == "statement" and len(self.trace) > 1 else rule
            if rule == "statement":
                named = re.match(r"<([a-z_]+)>", self.trace[0][1])
                kind = named.group(1) if named else self.trace[0][1].split()[0].lower()
            self.total += 1
            for production in self.trace:
                self.counts[production] += 1
            return self.finish(re.sub(r"\s+", " ", text).strip(), kind)

    def begin(self):
        self.clock += 1
        self.trace, self.binds, self.effect, self.want, self.column = [], [], None, Type("int"), None
        self.filters = False
        self.current = self.random.choice(list(self.tables.values())) if self.tables else None
        self.marks = self.random.choice(["?", "?", "?", ":"]) if self.random.random() < 0.3 else None
        self.is_wrong = self.random.random() < 0.1

    def finish(self, text, kind):
        r = self.random
        is_mutated = not self.binds and r.random() < 0.08
        if is_mutated:
            text = self.mutate(text)
        made = Statement(text, "mutated " + kind if is_mutated else kind, self.binds or None, self.effect,
                         self.current.name if self.current else None, is_mutated)
        made.options["timestamp"] = self.clock
        if self.binds:
            made.options["bind"] = [b for b in self.binds]
        if kind == "select" and r.random() < 0.2:
            made.options["page"] = r.choice((1, 2, 3, 5))
        return made

    def mutate(self, text):
        r, tokens = self.random, [t for t in TOKENS.findall(text)]
        for _ in range(r.choice((1, 1, 2))):
            i = r.randrange(len(tokens))
            while tokens[i].isspace():
                i = r.randrange(len(tokens))
            how = r.randrange(4)
            if how == 0:
                del tokens[i]
            elif how == 1:
                tokens.insert(i, tokens[i] + " ")
            elif how == 2:
                tokens[i] = r.choice(WORDS)
            else:
                tokens.insert(i, r.choice(WORDS) + " ")
            if not any(t.strip() for t in tokens):
                return ";"
        return "".join(tokens)

    def expand(self, rule):
        alternatives = list(self.rules[rule])
        while alternatives:
            chosen = self.random.choices(alternatives, [self.weight(rule, w, a) for w, a in alternatives])[0]
            state = len(self.trace), len(self.binds), self.want, self.current
            self.trace.append((rule, chosen[1]))
            try:
                return grammar.PART.sub(self.part, chosen[1])
            except Impossible:
                del self.trace[state[0]:], self.binds[state[1]:]
                self.want, self.current = state[2:]
                alternatives.remove(chosen)
        raise Impossible

    def weight(self, rule, weight, alternative):
        """What has become rare is taken more often: each production is to occur at least some 60 times in 100,000."""
        return weight * 8 if self.counts[rule, alternative] * RARE < self.total else weight

    def part(self, match):
        rule, repeat, leaf = match.groups()
        if leaf:
            return getattr(self, "leaf_" + leaf)()
        if repeat == "?":
            return self.expand(rule) if self.random.random() < 0.5 else ""
        if repeat:
            count = self.random.choice((1, 1, 2, 2, 3))
            return (", " if repeat == "+," else " AND ").join(self.expand(rule) for _ in range(count))
        return self.expand(rule)

    def numbered(self, prefix):
        self.numbers[prefix] = self.numbers.get(prefix, -1) + 1
        return f"{prefix}{self.numbers[prefix]}"

    # ------------------------------------------------------------ columns

    def pick(self, names):
        """One of the columns; at times, on purpose, any other."""
        if not self.current:
            raise Impossible
        if self.is_wrong and self.random.random() < 0.15:
            names = self.current.all() + ["nowhere"]
        if not names:
            raise Impossible
        self.column = self.random.choice(names)
        self.want = self.current.types.get(self.column, Type("int"))
        return self.column

    def typed(self, test):
        return self.pick([n for n in self.current.all() if test(self.current.types[n])] if self.current else [])

    def leaf_any(self):
        return self.pick(self.current.all() if self.current else [])

    def leaf_regular(self):
        return self.pick(self.current.regular if self.current else [])

    def leaf_static(self):
        return self.pick(self.current.static if self.current else [])

    def leaf_partition(self):
        return self.pick(self.current.partition if self.current else [])

    def leaf_clustering(self):
        return self.pick(self.current.clustering if self.current else [])

    def leaf_number(self):
        return self.typed(lambda t: t.name in NUMBERS)

    def leaf_text(self):
        return self.typed(lambda t: t.name == "text")

    def leaf_time_like(self):
        return self.typed(lambda t: t.name in ("timestamp", "date", "timeuuid"))

    def leaf_collection(self):
        return self.typed(lambda t: t.name in ("list", "set", "map"))

    def leaf_list(self):
        return self.typed(lambda t: t.name == "list")

    def leaf_set(self):
        return self.typed(lambda t: t.name == "set")

    def leaf_map(self):
        return self.typed(lambda t: t.name == "map")

    def leaf_udt(self):
        return self.typed(lambda t: t.name == "udt")

    def leaf_vector(self):
        return self.typed(lambda t: t.name == "vector")

    def leaf_counter(self):
        return self.typed(lambda t: t.name == "counter")

    def leaf_indexable(self):
        return self.pick((self.current.indexed or self.current.all()) if self.current else [])

    def leaf_same(self):
        return self.column

    def leaf_all_columns(self):
        return ", ".join(self.current.all())

    def leaf_partition_columns(self):
        return ", ".join(self.current.partition)

    def leaf_clustering_list(self):
        if not self.current.clustering:
            raise Impossible
        self.chosen = self.current.clustering[:self.random.randint(1, len(self.current.clustering))]
        return ", ".join(self.chosen)

    def leaf_clustering_tuple(self):
        return "(" + ", ".join(self.term(self.current.types[n]) for n in self.chosen) + ")"

    # ------------------------------------------------------------ terms

    def term(self, t):
        before, self.want = self.want, t
        text = self.expand("term")
        self.want = before
        return text

    def leaf_term(self):
        return self.term(self.want)

    def leaf_literal(self):
        text, raw = value(self.want, self.random)
        if self.marks and raw is not None and self.random.random() < 0.6:
            chance = self.random.random()
            self.binds.append(None if chance < 0.03 else "unset" if chance < 0.05 else "0x" + raw.hex())
            return "?" if self.marks == "?" else f":n{len(self.binds)}"
        return text

    def leaf_constant(self):
        return value(Type(self.random.choice(NATIVE)), self.random)[0]

    def leaf_wrong(self):
        return value(Type(self.random.choice(NATIVE)) if self.random.random() < 0.7 else Type("list", [Type("int")]), self.random)[0]

    def leaf_wanted_type(self):
        return str(self.want)

    def leaf_native(self):
        return self.random.choice(NATIVE)

    def leaf_type(self):
        return str(self.type(2, self.random.random() < 0.5)) if self.random.random() < 0.8 else "nowhere"

    def leaf_only_numbers(self):
        if self.want.name not in NUMBERS:
            raise Impossible
        return ""

    def leaf_only_tuples(self):
        if self.want.name != "tuple":
            raise Impossible
        return ""

    def inner(self, index, *names):
        if self.want.name in names and len(self.want.args) > index:
            return self.term(self.want.args[index])
        return self.leaf_constant()

    def leaf_element(self):
        return self.inner(0, "list", "set") if self.want.name != "map" else self.leaf_value()

    def leaf_key(self):
        return self.inner(0, "map")

    def leaf_value(self):
        return self.inner(1, "map")

    def leaf_keys(self):
        return self.term(Type("set", self.want.args[:1])) if self.want.name == "map" else self.leaf_constant()

    def leaf_field(self):
        if self.want.name != "udt":
            return "nowhere"
        i = self.random.randrange(len(self.want.fields))
        name, self.want = self.want.fields[i], self.want.args[i]
        return name

    def leaf_small(self):
        return self.term(Type("int")) if self.random.random() < 0.1 else str(self.random.choice((0, 1, 1, 2, 3)))

    def leaf_bigint(self):
        return str(self.random.choice((-2**63, -2**62, 0, 2**62, 2**63 - 1)))

    def leaf_timestamp(self):
        return self.random.choice([str(self.clock + self.random.randint(-9, 3))] * 12 + ["-1", "null", "'x'"])

    def leaf_ttl(self):
        return self.random.choice(["100000000"] * 8 + ["0", "null", "-1", "700000000"])

    def leaf_partition_terms(self):
        return ", ".join(self.term(self.current.types[n]) for n in self.current.partition)

    # ------------------------------------------------------------ words

    def leaf_nothing(self):
        return ""

    def leaf_nowhere(self):
        return "nowhere"

    def leaf_set_open(self):
        return "{"

    def leaf_keyspace(self):
        return self.keyspace

    def leaf_alias(self):
        return self.random.choice(["a1", '"A 1"', "ttl", "a1"])

    def leaf_role(self):
        return self.random.choice(["rx1", "'rx2'", '"Rx3"'])

    def leaf_table(self):
        if not self.current:
            raise Impossible
        if self.is_wrong and self.random.random() < 0.06:
            return self.random.choice(["nowhere", "nowhere.t", self.keyspace + ".nowhere"])
        return self.current.name if self.random.random() < 0.9 else f"{self.keyspace}.{self.current.name}"

    def leaf_using(self):
        return " " + self.expand("usings") if self.random.random() < 0.3 else ""

    def leaf_using_timestamp(self):
        return f" USING TIMESTAMP {self.leaf_timestamp()}" if self.random.random() < 0.3 else ""

    def leaf_lwt(self):
        """Conditions make times of their own: only some tables have them, so that other statements count elsewhere."""
        if not self.current.allows_lwt and self.random.random() < 0.98:
            raise Impossible
        return ""

    def leaf_counters(self):
        found = [t for t in self.tables.values() if t.counts]
        if not found:
            raise Impossible
        self.current = self.random.choice(found)
        return ""

    def leaf_only_counters(self):
        if not self.current.counts:
            raise Impossible
        return ""

    # ------------------------------------------------------------ WHERE

    def relation(self, name, may_be_in=0.06):
        self.want = self.current.types[name]
        if self.random.random() < may_be_in:
            return f"{name} IN ({self.expand('terms')})"
        return f"{name} = {self.term(self.want)}"

    def slice(self, name):
        self.want = self.current.types[name]
        text = f"{name} {self.expand('comparison')} {self.term(self.want)}"
        if self.random.random() < 0.3:
            text += f" AND {name} {self.expand('comparison')} {self.term(self.want)}"
        return text

    def where_of(self, parts):
        if self.is_wrong and parts and self.random.random() < 0.1:
            del parts[self.random.randrange(len(parts))]
        return " WHERE " + " AND ".join(parts) if parts else ""

    def leaf_key_where(self):
        columns = self.current.partition + self.current.clustering
        return self.where_of([self.relation(n, 0.03) for n in columns])

    def leaf_delete_where(self):
        parts = [self.relation(n) for n in self.current.partition]
        for n in self.current.clustering:
            if self.random.random() < 0.25:
                if self.random.random() < 0.6:
                    parts.append(self.slice(n))
                break
            parts.append(self.relation(n))
        return self.where_of(parts)

    def leaf_partition_where(self):
        parts = [self.relation(n) for n in self.current.partition]
        for n in self.current.clustering:
            chance = self.random.random()
            if chance < 0.5:
                break
            parts.append(self.relation(n) if chance < 0.75 else self.slice(n))
            if chance >= 0.75:
                break
        if self.random.random() < 0.1:
            parts.append(self.expand("relation"))
        return self.where_of(parts)

    def leaf_distinct_where(self):
        if self.random.random() < 0.5:
            return ""
        return self.where_of([self.relation(n, 0.3) for n in self.current.partition])

    def leaf_where(self):
        if not self.current:
            raise Impossible
        chance = self.random.random()
        if chance < 0.15:
            return ""
        if chance < 0.6:
            return self.leaf_partition_where()
        if chance < 0.68:
            return " WHERE " + self.expand("token_relation")
        count = self.random.choice((1, 1, 2, 3))
        text = " WHERE " + " AND ".join(self.expand("relation") for _ in range(count))
        self.filters = self.random.random() < 0.7
        return text

    def leaf_filtering(self):
        return self.expand("filtering") if self.filters or self.random.random() < 0.1 else ""

    def leaf_group_by(self):
        columns = self.current.partition + self.current.clustering
        count = self.random.randint(1, len(columns))
        return "GROUP BY " + ", ".join(columns[:count] if self.random.random() < 0.9 else [self.leaf_any()])

    def leaf_ordering(self):
        if not self.current.clustering:
            raise Impossible
        names = self.current.clustering[:self.random.randint(1, len(self.current.clustering))]
        turned = self.random.random() < 0.5
        order = dict(self.current.order)
        return ", ".join(f"{n} {'DESC' if (order[n] == 'DESC') != turned else 'ASC'}" if self.random.random() < 0.9 else n for n in names)

    # ------------------------------------------------------------ INSERT

    def leaf_insert_columns(self):
        if not self.current:
            raise Impossible
        t, r = self.current, self.random
        names = t.partition + (t.clustering if r.random() < 0.95 or not t.static else []) + [
            n for n in t.static + t.regular if r.random() < 0.5]
        if self.is_wrong and r.random() < 0.2:
            names = r.choice([names[1:] or ["nowhere"], names + ["nowhere"], names + names[:1]])
        if r.random() < 0.3:
            r.shuffle(names)
        terms = [self.term(t.types.get(n, Type("int"))) for n in names]
        if self.is_wrong and r.random() < 0.1:
            terms.append("1")
        return f"({', '.join(names)}) VALUES ({', '.join(terms)})"

    def leaf_json(self):
        t, r = self.current, self.random
        if not t:
            raise Impossible
        names = t.partition + t.clustering + [n for n in t.static + t.regular if r.random() < 0.5]
        if self.is_wrong and r.random() < 0.2:
            names = names[1:] + ["nowhere"]
        types = [t.types.get(n, Type("int")) for n in names]
        if self.is_wrong and r.random() < 0.3:
            types[r.randrange(len(types))] = Type(r.choice(NATIVE))
        return "'{" + ", ".join(f'"{n}": {json_value(x, r)}' for n, x in zip(names, types)) + "}'"

    # ------------------------------------------------------------ schema

    def type(self, depth, is_inner=False):
        r, chance = self.random, self.random.random()
        if depth == 0 or chance < 0.5:
            return Type(r.choice(["int", "text", "int", "text"] + NATIVE))
        frozen = is_inner or r.random() < 0.25
        if chance < 0.6:
            return Type("list", [self.type(depth - 1, True)], frozen)
        if chance < 0.7:
            return Type("set", [self.type(depth - 1, True)], frozen)
        if chance < 0.82:
            return Type("map", [self.type(depth - 1, True), self.type(depth - 1, True)], frozen)
        if chance < 0.88:
            return Type("tuple", [self.type(depth - 1, True) for _ in range(r.choice((1, 2, 3)))], True)
        if chance < 0.94 or not self.user_types:
            return Type("vector", [Type(r.choice(("float", "int", "text", "float")))], False, r.choice((2, 3)))
        name = r.choice(list(self.user_types))
        made = self.user_types[name]
        return Type("udt", made.args, frozen, name, made.fields)

    def key_type(self):
        r = self.random
        if r.random() < 0.8:
            return Type(r.choice([n for n in NATIVE if n not in ("duration", "varchar")] + ["int", "text"] * 4))
        return Type(r.choice(("list", "set")), [Type("int")], True) if r.random() < 0.5 else Type(
            "tuple", [Type("int"), Type("text")], True)

    def leaf_create_table(self):
        r, t = self.random, Table(self.numbered("t"))
        t.counts = r.random() < 0.2
        t.allows_lwt = not t.counts and r.random() < 0.4
        t.partition = [self.numbered("p") for _ in range(r.choice((1, 1, 1, 2)))]
        t.clustering = [self.numbered("c") for _ in range(r.choice((0, 1, 1, 2, 3)))]
        t.static = [self.numbered("s") for _ in range(r.choice((0, 1, 2)))] if t.clustering else []
        t.regular = [self.numbered("v") for _ in range(r.choice((1, 3, 5, 7)))]
        t.order = [(n, r.choice(("ASC", "DESC"))) for n in t.clustering]
        for n in t.partition + t.clustering:
            t.types[n] = self.key_type()
        for n in t.static + t.regular:
            t.types[n] = Type("counter") if t.counts else self.type(2)
            if t.types[n].name == "tuple":
                t.types[n].frozen = False

        def apply():
            self.tables[t.name] = t
        self.effect, self.current = apply, t
        return t.text()

    def change_table(self, change):
        t = self.current

        def apply():
            if t.name in self.tables:
                change(t)
        self.effect = apply

    def leaf_new_column(self):
        name, made = self.numbered("v"), Type("counter") if self.current.counts else self.type(2)
        previous = self.effect

        def change(t):
            if previous:
                previous()
            t.regular.append(name)
            t.types[name] = made
        self.change_table(change)
        return f"{name} {made}"

    def leaf_dropped(self):
        name = self.pick([n for n in self.current.static + self.current.regular] if self.current else [])
        previous = self.effect

        def change(t):
            if previous:
                previous()
            for group in (t.static, t.regular, t.indexed):
                if name in group:
                    group.remove(name)
        self.change_table(change)
        return name

    def leaf_renamed(self):
        name, new = self.pick(self.current.partition + self.current.clustering if self.current else []), self.numbered("c")

        def change(t):
            for group in (t.partition, t.clustering):
                group[:] = [new if n == name else n for n in group]
            t.order = [(new if n == name else n, d) for n, d in t.order]
            t.types[new] = t.types.pop(name)
        self.change_table(change)
        return f"{name} TO {new}"

    def leaf_dropped_table(self):
        if not self.current:
            raise Impossible
        name = self.current.name
        self.effect = lambda: self.tables.pop(name, None)
        return name

    def leaf_create_type(self):
        name = self.numbered("ty")
        fields = [self.numbered("f") for _ in range(self.random.choice((1, 2, 3)))]
        types = [self.type(1, True) for _ in fields]

        def apply():
            self.user_types[name] = Type("udt", types, False, name, fields)
        self.effect = apply
        return f"{name} ({', '.join(f'{n} {t}' for n, t in zip(fields, types))})"

    def leaf_type_name(self):
        if not self.user_types:
            raise Impossible
        self.user_type = self.random.choice(list(self.user_types.values()))
        return self.user_type.label

    def users_of(self, made):
        for table in self.tables.values():
            for t in table.types.values():
                if t.name == "udt" and t.label == made.label:
                    yield t

    def leaf_new_field(self):
        made, name, t = self.user_type, self.numbered("f"), self.type(1, True)

        def apply():
            # The types of columns share their lists of fields with the type.
            made.fields.append(name)
            made.args.append(t)
            for user in self.users_of(made):
                user.fields, user.args = list(made.fields), list(made.args)
        self.effect = apply
        return f"{name} {t}"

    def leaf_renamed_field(self):
        made, new = self.user_type, self.numbered("f")
        name = self.random.choice(made.fields)

        def apply():
            made.fields[made.fields.index(name)] = new
            for user in self.users_of(made):
                user.fields = list(made.fields)
        self.effect = apply
        return f"{name} TO {new}"

    def leaf_dropped_type(self):
        name = self.leaf_type_name()
        self.effect = lambda: self.user_types.pop(name, None)
        return name

    def leaf_index_name_new(self):
        self.index = self.numbered("ix")
        name, t = self.index, self.current

        def apply():
            self.indexes.append(name)
            if self.column:
                t.indexed.append(self.column)
        self.effect = apply
        return name

    def leaf_indexed(self):
        return self.pick([n for n in self.current.all() if self.current.types[n].name != "counter"] if self.current else [])

    def leaf_index_name(self):
        return self.random.choice(self.indexes) if self.indexes else "nowhere"

    def leaf_dropped_index(self):
        name = self.leaf_index_name()
        self.effect = lambda: self.indexes.remove(name) if name in self.indexes else None
        return name
