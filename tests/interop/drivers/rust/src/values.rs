//! Each CQL type, with literals and what the driver binds and reads for them.
use scylla::value::{CqlDate, CqlDecimal, CqlDuration, CqlTime, CqlTimestamp, CqlTimeuuid, CqlValue, CqlVarint};
use uuid::Uuid;
use CqlValue::*;

const SOME: &str = "5132b130-ae79-11e4-ab27-0800200c9a66";

fn text(t: &str) -> CqlValue {
    Text(t.to_string())
}

fn decimal(digits: &[u8], scale: i32) -> CqlValue {
    Decimal(CqlDecimal::from_signed_be_bytes_and_exponent(digits.to_vec(), scale))
}

fn varint(digits: &[u8]) -> CqlValue {
    Varint(CqlVarint::from_signed_bytes_be_slice(digits))
}

fn duration(months: i32, days: i32, nanoseconds: i64) -> CqlValue {
    Duration(CqlDuration { months, days, nanoseconds })
}

fn user_type(keyspace: &str, name: &str, fields: Vec<(&str, Option<CqlValue>)>) -> CqlValue {
    let fields = fields.into_iter().map(|(name, value)| (name.to_string(), value)).collect();
    UserDefinedType { keyspace: keyspace.to_string(), name: name.to_string(), fields }
}

pub type Case = (&'static str, Vec<(String, CqlValue)>);

fn case(name: &'static str, values: Vec<(&str, CqlValue)>) -> Case {
    (name, values.into_iter().map(|(literal, value)| (literal.to_string(), value)).collect())
}

pub fn all(keyspace: &str) -> Vec<Case> {
    let some = Uuid::parse_str(SOME).unwrap();
    let street = |name: &str, number: Option<i32>| {
        user_type(keyspace, "street", vec![("name", Some(text(name))), ("number", number.map(Int))])
    };
    let address = |street, zip: &str, tags| user_type(keyspace, "address", vec![("street", street), ("zip", Some(text(zip))), ("tags", tags)]);
    vec![
        case("ascii", vec![("'abc'", Ascii("abc".into())), ("''", Ascii("".into())), ("'~ '''", Ascii("~ '".into()))]),
        case("bigint", vec![("0", BigInt(0)), ("9223372036854775807", BigInt(i64::MAX)), ("-9223372036854775808", BigInt(i64::MIN))]),
        case("blob", vec![("0x", Blob(vec![])), ("0x00ff", Blob(vec![0, 255]))]),
        case("boolean", vec![("true", Boolean(true)), ("false", Boolean(false))]),
        case("date", vec![("'1970-01-01'", Date(CqlDate(1 << 31))), ("'1969-12-31'", Date(CqlDate((1 << 31) - 1))), ("0", Date(CqlDate(0))), ("4294967295", Date(CqlDate(u32::MAX)))]),
        case("decimal", vec![("0", decimal(&[0], 0)), ("-1.50", decimal(&[0xff, 0x6a], 2)), ("0.00000000000000000000000000000001", decimal(&[1], 32))]),
        case("double", vec![("0.1", Double(0.1)), ("-1.7976931348623157E308", Double(f64::MIN)), ("Infinity", Double(f64::INFINITY)), ("4.9E-324", Double(5e-324))]),
        case("duration", vec![("1mo2d3ns", duration(1, 2, 3)), ("-2y", duration(-24, 0, 0)), ("P0D", duration(0, 0, 0)), ("9223372036854775807ns", duration(0, 0, i64::MAX))]),
        case("float", vec![("0.5", Float(0.5)), ("-Infinity", Float(f32::NEG_INFINITY)), ("3.4028235E38", Float(f32::MAX))]),
        case("inet", ["127.0.0.1", "::", "2001:db8::ff00:42:8329"].iter().map(|a| (*a, Inet(a.parse().unwrap()))).collect()),
        case("int", vec![("0", Int(0)), ("2147483647", Int(i32::MAX)), ("-2147483648", Int(i32::MIN))]),
        case("smallint", vec![("32767", SmallInt(i16::MAX)), ("-32768", SmallInt(i16::MIN))]),
        case("text", vec![("''", text("")), ("'Grüße, 世界 🌍'", text("Grüße, 世界 🌍")), ("$$it's$$", text("it's"))]),
        case("time", vec![("'00:00:00'", Time(CqlTime(0))), ("'23:59:59.999999999'", Time(CqlTime(86_399_999_999_999)))]),
        case("timestamp", vec![("0", Timestamp(CqlTimestamp(0))), ("'2026-11-22T21:20:19.123Z'", Timestamp(CqlTimestamp(1_795_382_419_123))), ("-1", Timestamp(CqlTimestamp(-1)))]),
        case("timeuuid", vec![(SOME, Timeuuid(CqlTimeuuid::from(some)))]),
        case("tinyint", vec![("127", TinyInt(127)), ("-128", TinyInt(-128))]),
        case("uuid", vec![(SOME, CqlValue::Uuid(some)), ("00000000-0000-0000-0000-000000000000", CqlValue::Uuid(Uuid::nil()))]),
        case("varint", vec![("0", varint(&[0])), ("-1", varint(&[255])), ("128", varint(&[0, 128])), ("-129", varint(&[255, 127])), ("18446744073709551616", varint(&[1, 0, 0, 0, 0, 0, 0, 0, 0]))]),
        case("list<int>", vec![("[3, 1, 1]", List(vec![Int(3), Int(1), Int(1)]))]),
        case("set<text>", vec![("{'b', 'a', ''}", Set(vec![text(""), text("a"), text("b")]))]),
        case("map<text, int>", vec![("{'b': 2, 'a': -1}", Map(vec![(text("a"), Int(-1)), (text("b"), Int(2))]))]),
        case("frozen<list<int>>", vec![("[]", List(vec![])), ("[0]", List(vec![Int(0)]))]),
        case("frozen<set<int>>", vec![("{}", Set(vec![])), ("{2, 1}", Set(vec![Int(1), Int(2)]))]),
        case("frozen<map<int, text>>", vec![("{}", Map(vec![])), ("{1: ''}", Map(vec![(Int(1), text(""))]))]),
        case("list<frozen<map<text, frozen<set<int>>>>>", vec![("[{'a': {1, 2}}, {}]", List(vec![Map(vec![(text("a"), Set(vec![Int(1), Int(2)]))]), Map(vec![])]))]),
        case("map<frozen<tuple<int, text>>, frozen<list<uuid>>>", vec![(&format!("{{(1, 'x'): [{SOME}]}}"), Map(vec![(Tuple(vec![Some(Int(1)), Some(text("x"))]), List(vec![CqlValue::Uuid(some)]))]))]),
        case("tuple<int, text, frozen<list<int>>>", vec![
            ("(1, 'a', [1])", Tuple(vec![Some(Int(1)), Some(text("a")), Some(List(vec![Int(1)]))])),
            ("(null, 'a', null)", Tuple(vec![None, Some(text("a")), None])),
            ("(1, '', [])", Tuple(vec![Some(Int(1)), Some(text("")), Some(List(vec![]))])),
        ]),
        case("frozen<street>", vec![("{name: 'Main', number: 1}", street("Main", Some(1))), ("{name: ''}", street("", None))]),
        case("address", vec![
            ("{street: {name: 'M', number: 2}, zip: 'z', tags: {'a', 'b'}}", address(Some(street("M", Some(2))), "z", Some(Set(vec![text("a"), text("b")])))),
            ("{zip: 'z'}", address(None, "z", None)),
        ]),
        case("list<frozen<street>>", vec![("[{name: 'a', number: -1}]", List(vec![street("a", Some(-1))]))]),
        case("vector<float, 3>", vec![("[1, 0.5, -2]", Vector(vec![Float(1.0), Float(0.5), Float(-2.0)]))]),
        case("vector<int, 2>", vec![("[1, -1]", Vector(vec![Int(1), Int(-1)]))]),
        case("vector<text, 2>", vec![("['', 'abc']", Vector(vec![text(""), text("abc")]))]),
    ]
    .into_iter()
    .map(|(name, values)| match name {
        "inet" => (name, values.into_iter().map(|(literal, value)| (format!("'{literal}'"), value)).collect()),
        _ => (name, values),
    })
    .collect()
}
