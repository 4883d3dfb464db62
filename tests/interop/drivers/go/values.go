package main

import (
	"bytes"
	"fmt"
	"math"
	"math/big"
	"net"
	"reflect"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"gopkg.in/inf.v0"
)

type street struct {
	Name   string `cql:"name"`
	Number *int   `cql:"number"`
}

type address struct {
	Street *street  `cql:"street"`
	Zip    string   `cql:"zip"`
	Tags   []string `cql:"tags"`
}

type pair struct {
	A int
	B string
}

type value struct {
	literal string
	bound   any
}

func pointer[T any](v T) *T { return &v }

func number(text string) *big.Int {
	n, _ := new(big.Int).SetString(text, 10)
	return n
}

func decimal(text string) *inf.Dec {
	n, _ := new(inf.Dec).SetString(text)
	return n
}

func identifier(text string) gocql.UUID {
	id, err := gocql.ParseUUID(text)
	must(err)
	return id
}

const some = "5132b130-ae79-11e4-ab27-0800200c9a66"

// Each type, with literals and what the driver binds and reads for them.
var types = []struct {
	name   string
	values []value
}{
	{"ascii", []value{{"'abc'", "abc"}, {"''", ""}, {"'~ '''", "~ '"}}},
	{"bigint", []value{{"0", int64(0)}, {"9223372036854775807", int64(math.MaxInt64)}, {"-9223372036854775808", int64(math.MinInt64)}}},
	{"blob", []value{{"0x", []byte{}}, {"0x00ff", []byte{0, 255}}}},
	{"boolean", []value{{"true", true}, {"false", false}}},
	{"date", []value{{"'2026-02-28'", time.Date(2026, 2, 28, 0, 0, 0, 0, time.UTC)}, {"'1969-12-31'", time.Date(1969, 12, 31, 0, 0, 0, 0, time.UTC)}}},
	{"decimal", []value{{"0", decimal("0")}, {"-1.50", decimal("-1.50")}, {"0.00000000000000000000000000000001", decimal("0.00000000000000000000000000000001")}}},
	{"double", []value{{"0.1", 0.1}, {"-1.7976931348623157E308", -math.MaxFloat64}, {"Infinity", math.Inf(1)}, {"4.9E-324", math.SmallestNonzeroFloat64}}},
	{"duration", []value{{"1mo2d3ns", gocql.Duration{Months: 1, Days: 2, Nanoseconds: 3}}, {"-2y", gocql.Duration{Months: -24}}, {"9223372036854775807ns", gocql.Duration{Nanoseconds: math.MaxInt64}}}},
	{"float", []value{{"0.5", float32(0.5)}, {"-Infinity", float32(math.Inf(-1))}, {"3.4028235E38", float32(math.MaxFloat32)}}},
	{"inet", []value{{"'127.0.0.1'", net.ParseIP("127.0.0.1")}, {"'::'", net.ParseIP("::")}, {"'2001:db8::ff00:42:8329'", net.ParseIP("2001:db8::ff00:42:8329")}}},
	{"int", []value{{"0", 0}, {"2147483647", math.MaxInt32}, {"-2147483648", math.MinInt32}}},
	{"smallint", []value{{"32767", int16(32767)}, {"-32768", int16(-32768)}}},
	{"text", []value{{"''", ""}, {"'Grüße, 世界 🌍'", "Grüße, 世界 🌍"}, {"$$it's$$", "it's"}}},
	{"time", []value{{"'00:00:00'", time.Duration(0)}, {"'23:59:59.999999999'", 24*time.Hour - 1}}},
	{"timestamp", []value{{"0", time.UnixMilli(0).UTC()}, {"'2026-11-22T21:20:19.123Z'", time.Date(2026, 11, 22, 21, 20, 19, 123000000, time.UTC)}, {"-1", time.UnixMilli(-1).UTC()}}},
	{"timeuuid", []value{{some, identifier(some)}}},
	{"tinyint", []value{{"127", int8(127)}, {"-128", int8(-128)}}},
	{"uuid", []value{{some, identifier(some)}, {"00000000-0000-0000-0000-000000000000", gocql.UUID{}}}},
	{"varint", []value{{"0", number("0")}, {"-1", number("-1")}, {"128", number("128")}, {"-129", number("-129")}, {"1" + fmt.Sprintf("%060d", 0), number("1" + fmt.Sprintf("%060d", 0))}}},
	{"list<int>", []value{{"[3, 1, 1]", []int{3, 1, 1}}}},
	{"set<text>", []value{{"{'b', 'a', ''}", []string{"", "a", "b"}}}},
	{"map<text, int>", []value{{"{'b': 2, 'a': -1}", map[string]int{"a": -1, "b": 2}}}},
	{"frozen<list<int>>", []value{{"[]", []int{}}, {"[0]", []int{0}}}},
	{"frozen<set<int>>", []value{{"{}", []int{}}, {"{2, 1}", []int{1, 2}}}},
	{"frozen<map<int, text>>", []value{{"{}", map[int]string{}}, {"{1: ''}", map[int]string{1: ""}}}},
	{"list<frozen<map<text, frozen<set<int>>>>>", []value{{"[{'a': {1, 2}}, {}]", []map[string][]int{{"a": {1, 2}}, {}}}}},
	{"map<frozen<tuple<int, text>>, frozen<list<uuid>>>", []value{{"{(1, 'x'): [" + some + "]}", map[pair][]gocql.UUID{{1, "x"}: {identifier(some)}}}}},
	{"frozen<street>", []value{{"{name: 'Main', number: 1}", street{"Main", pointer(1)}}, {"{name: ''}", street{"", nil}}}},
	{"address", []value{{"{street: {name: 'M', number: 2}, zip: 'z', tags: {'a', 'b'}}", address{&street{"M", pointer(2)}, "z", []string{"a", "b"}}}, {"{zip: 'z'}", address{nil, "z", nil}}}},
	{"list<frozen<street>>", []value{{"[{name: 'a', number: -1}]", []street{{"a", pointer(-1)}}}}},
	{"vector<float, 3>", []value{{"[1, 0.5, -2]", []float32{1, 0.5, -2}}}},
	{"vector<int, 2>", []value{{"[1, -1]", []int{1, -1}}}},
	{"vector<text, 2>", []value{{"['', 'abc']", []string{"", "abc"}}}},
}

func same(found, wanted any) bool {
	switch wanted := wanted.(type) {
	case *big.Int:
		return found.(*big.Int).Cmp(wanted) == 0
	case *inf.Dec:
		return found.(*inf.Dec).Cmp(wanted) == 0 && found.(*inf.Dec).Scale() == wanted.Scale()
	case time.Time:
		return found.(time.Time).Equal(wanted)
	case net.IP:
		return found.(net.IP).Equal(wanted)
	case []byte:
		return bytes.Equal(found.([]byte), wanted)
	}
	return reflect.DeepEqual(found, wanted)
}

// read gives the column as the type that the driver bound, or nil when it is null.
func read(session *gocql.Session, text string, like any) any {
	found := reflect.New(reflect.PointerTo(reflect.TypeOf(like)))
	if err := session.Query(text).Scan(found.Interface()); err != nil {
		fail("%s: %v", text, err)
	}
	if found.Elem().IsNil() {
		return nil
	}
	return found.Elem().Elem().Interface()
}

func everyTypeThereAndBack(session *gocql.Session) string {
	run(session, "CREATE TYPE street (name text, number int)")
	run(session, "CREATE TYPE address (street frozen<street>, zip text, tags frozen<set<text>>)")
	columns := ""
	for i, t := range types {
		columns += fmt.Sprintf(", c%d %s", i, t.name)
	}
	run(session, "CREATE TABLE every_type (k int PRIMARY KEY, t tuple<int, text, frozen<list<int>>>"+columns+")")
	count := 0
	versions(func(version int, session *gocql.Session) {
		for i, t := range types {
			for k, v := range t.values {
				at := fmt.Sprintf("SELECT c%d FROM every_type WHERE k = %d", i, k)
				run(session, fmt.Sprintf("INSERT INTO every_type (k, c%d) VALUES (?, ?)", i), k, v.bound)
				bound := read(session, at, v.bound)
				run(session, fmt.Sprintf("INSERT INTO every_type (k, c%d) VALUES (%d, %s)", i, k, v.literal))
				written := read(session, at, v.bound)
				check(same(bound, v.bound) && same(written, v.bound), "v%d %s %s: bound %#v, read %#v, of the literal %#v", version, t.name,
					v.literal, v.bound, bound, written)
				count++
			}
			none := reflect.Zero(reflect.PointerTo(reflect.TypeOf(t.values[0].bound))).Interface()
			run(session, fmt.Sprintf("INSERT INTO every_type (k, c%d) VALUES (?, ?)", i), 50, none)
			null := read(session, fmt.Sprintf("SELECT c%d FROM every_type WHERE k = 50", i), t.values[0].bound)
			check(null == nil, "%s: %v instead of null", t.name, null)
		}
		tuples(session)
		blob := bytes.Repeat([]byte("0123456789abcdef"), 3<<16) // 3 MiB: many segments of v5.
		run(session, "INSERT INTO every_type (k, c2) VALUES (?, ?)", 99, blob)
		check(bytes.Equal(one[[]byte](session, "SELECT c2 FROM every_type WHERE k = 99"), blob), "3 MiB are others")
		if version >= 4 {
			run(session, "INSERT INTO every_type (k, c0, c1) VALUES (?, ?, ?)", 7, "kept", 1)
			run(session, "INSERT INTO every_type (k, c0, c1) VALUES (?, ?, ?)", 7, gocql.UnsetValue, 2)
			equal(one[string](session, "SELECT c0 FROM every_type WHERE k = 7"), "kept")
		}
	})
	return fmt.Sprintf("%d values of %d types", count, len(types)+1)
}

// gocql binds and reads a tuple's elements as columns of their own.
func tuples(session *gocql.Session) {
	var a *int
	var b *string
	var c []int
	run(session, "INSERT INTO every_type (k, t) VALUES (?, (?, ?, ?))", 1, 1, "a", []int{1})
	must(session.Query("SELECT t FROM every_type WHERE k = 1").Scan(&a, &b, &c))
	check(*a == 1 && *b == "a" && reflect.DeepEqual(c, []int{1}), "%v %v %v", *a, *b, c)
	run(session, "INSERT INTO every_type (k, t) VALUES (1, (null, '', null))")
	must(session.Query("SELECT t FROM every_type WHERE k = 1").Scan(&a, &b, &c))
	check(a == nil && b != nil && *b == "" && c == nil, "%v %v %v", a, b, c)
}
