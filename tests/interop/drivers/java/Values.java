// Each CQL type, with literals and what the driver binds and reads for them.
import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.data.CqlDuration;
import com.datastax.oss.driver.api.core.data.CqlVector;
import com.datastax.oss.driver.api.core.data.GettableByIndex;
import com.datastax.oss.driver.api.core.data.TupleValue;
import com.datastax.oss.driver.api.core.data.UdtValue;
import com.datastax.oss.driver.api.core.metadata.schema.KeyspaceMetadata;
import com.datastax.oss.driver.api.core.type.DataTypes;
import com.datastax.oss.driver.api.core.type.TupleType;
import com.datastax.oss.driver.api.core.type.UserDefinedType;
import com.datastax.oss.protocol.internal.util.Bytes;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.stream.Collectors;

class Values {
    static final String SOME = "5132b130-ae79-11e4-ab27-0800200c9a66";

    record Value(String literal, Object bound) {}

    record Type(String name, List<Value> values) {}

    static Type type(String name, Object... literalsAndValues) {
        List<Value> values = new ArrayList<>();
        for (int i = 0; i < literalsAndValues.length; i += 2)
            values.add(new Value((String) literalsAndValues[i], literalsAndValues[i + 1]));
        return new Type(name, values);
    }

    static Set<Object> set(Object... values) {
        return new LinkedHashSet<>(Arrays.asList(values));
    }

    static UdtValue street(UserDefinedType type, String name, Integer number) {
        UdtValue value = type.newValue().setString("name", name);
        return number == null ? value.setToNull("number") : value.setInt("number", number);
    }

    // The types alone, before there are user-defined ones to make values of.
    static final List<String> USER_TYPES = List.of("CREATE TYPE street (name text, number int)",
        "CREATE TYPE address (street frozen<street>, zip text, tags frozen<set<text>>)");

    static List<Type> all(CqlSession session, String keyspace) throws Exception {
        KeyspaceMetadata metadata = session.getMetadata().getKeyspace(keyspace).get();
        UserDefinedType street = metadata.getUserDefinedType("street").get(), address = metadata.getUserDefinedType("address").get();
        TupleType triple = DataTypes.tupleOf(DataTypes.INT, DataTypes.TEXT, DataTypes.frozenListOf(DataTypes.INT));
        TupleType pair = DataTypes.tupleOf(DataTypes.INT, DataTypes.TEXT);
        String many = "1" + "0".repeat(60);
        return List.of(
            type("ascii", "'abc'", "abc", "''", "", "'~ '''", "~ '"),
            type("bigint", "0", 0L, "9223372036854775807", Long.MAX_VALUE, "-9223372036854775808", Long.MIN_VALUE),
            type("blob", "0x", ByteBuffer.allocate(0), "0x00ff", ByteBuffer.wrap(new byte[] {0, -1})),
            type("boolean", "true", true, "false", false),
            type("date", "'2026-02-28'", LocalDate.of(2026, 2, 28), "'0001-01-01'", LocalDate.of(1, 1, 1), "0",
                LocalDate.ofEpochDay(Integer.MIN_VALUE), "'1969-12-31'", LocalDate.of(1969, 12, 31)),
            type("decimal", "0", BigDecimal.ZERO, "-1.50", new BigDecimal("-1.50"), "1E30", new BigDecimal("1E30"),
                "0.00000000000000000000000000000001", new BigDecimal("0.00000000000000000000000000000001")),
            type("double", "0.1", 0.1, "-1.7976931348623157E308", -Double.MAX_VALUE, "NaN", Double.NaN, "4.9E-324", Double.MIN_VALUE),
            type("duration", "1mo2d3ns", CqlDuration.newInstance(1, 2, 3), "-2y", CqlDuration.newInstance(-24, 0, 0),
                "P0D", CqlDuration.newInstance(0, 0, 0), "9223372036854775807ns", CqlDuration.newInstance(0, 0, Long.MAX_VALUE)),
            type("float", "0.5", 0.5f, "-Infinity", Float.NEGATIVE_INFINITY, "3.4028235E38", Float.MAX_VALUE),
            type("inet", "'127.0.0.1'", InetAddress.getByName("127.0.0.1"), "'::'", InetAddress.getByName("::"),
                "'2001:db8::ff00:42:8329'", InetAddress.getByName("2001:db8::ff00:42:8329")),
            type("int", "0", 0, "2147483647", Integer.MAX_VALUE, "-2147483648", Integer.MIN_VALUE),
            type("smallint", "32767", Short.MAX_VALUE, "-32768", Short.MIN_VALUE),
            type("text", "''", "", "'Grüße, 世界 🌍'", "Grüße, 世界 🌍", "$$it's$$", "it's"),
            type("time", "'00:00:00'", LocalTime.MIN, "'23:59:59.999999999'", LocalTime.MAX),
            type("timestamp", "0", Instant.EPOCH, "'2026-11-22T21:20:19.123Z'", Instant.parse("2026-11-22T21:20:19.123Z"),
                "-1", Instant.ofEpochMilli(-1)),
            type("timeuuid", SOME, UUID.fromString(SOME)),
            type("tinyint", "127", Byte.MAX_VALUE, "-128", Byte.MIN_VALUE),
            type("uuid", SOME, UUID.fromString(SOME), "00000000-0000-0000-0000-000000000000", new UUID(0, 0)),
            type("varint", "0", BigInteger.ZERO, "-1", BigInteger.ONE.negate(), "128", BigInteger.valueOf(128), "-129",
                BigInteger.valueOf(-129), many, new BigInteger(many)),
            type("list<int>", "[3, 1, 1]", List.of(3, 1, 1)),
            type("set<text>", "{'b', 'a', ''}", set("", "a", "b")),
            type("map<text, int>", "{'b': 2, 'a': -1}", new TreeMap<>(Map.of("a", -1, "b", 2))),
            type("frozen<list<int>>", "[]", List.of(), "[0]", List.of(0)),
            type("frozen<set<int>>", "{}", set(), "{2, 1}", set(1, 2)),
            type("frozen<map<int, text>>", "{}", Map.of(), "{1: ''}", Map.of(1, "")),
            type("list<frozen<map<text, frozen<set<int>>>>>", "[{'a': {1, 2}}, {}]", List.of(Map.of("a", set(1, 2)), Map.of())),
            type("map<frozen<tuple<int, text>>, frozen<list<uuid>>>", "{(1, 'x'): [" + SOME + "]}",
                Map.of(pair.newValue(1, "x"), List.of(UUID.fromString(SOME)))),
            type("tuple<int, text, frozen<list<int>>>", "(1, 'a', [1])", triple.newValue(1, "a", List.of(1)), "(null, 'a', null)",
                triple.newValue(null, "a", null), "(1, '', [])", triple.newValue(1, "", List.of())),
            type("frozen<street>", "{name: 'Main', number: 1}", street(street, "Main", 1), "{name: ''}", street(street, "", null)),
            type("address", "{street: {name: 'M', number: 2}, zip: 'z', tags: {'a', 'b'}}",
                address.newValue(street(street, "M", 2), "z", set("a", "b")), "{zip: 'z'}", address.newValue(null, "z", null)),
            type("list<frozen<street>>", "[{name: 'a', number: -1}]", List.of(street(street, "a", -1))),
            type("vector<float, 3>", "[1, 0.5, -2]", CqlVector.newInstance(1f, 0.5f, -2f)),
            type("vector<int, 2>", "[1, -1]", CqlVector.newInstance(1, -1)),
            type("vector<text, 2>", "['', 'abc']", CqlVector.newInstance("", "abc")));
    }

    // A value's text, by which two are compared: its class and all that it holds.
    static String show(Object value) {
        if (value == null) return "null";
        if (value instanceof ByteBuffer bytes) return Bytes.toHexString(bytes);
        if (value instanceof UdtValue || value instanceof TupleValue) {
            GettableByIndex fields = (GettableByIndex) value;
            List<String> all = new ArrayList<>();
            for (int i = 0; i < fields.size(); i++) all.add(show(fields.getObject(i)));
            return "(" + String.join(", ", all) + ")";
        }
        if (value instanceof Map<?, ?> map)
            return map.entrySet().stream().map(e -> show(e.getKey()) + ": " + show(e.getValue())).collect(Collectors.joining(", ", "{", "}"));
        if (value instanceof Collection<?> values) {
            boolean isSet = value instanceof Set;
            return values.stream().map(Values::show).collect(Collectors.joining(", ", isSet ? "{" : "[", isSet ? "}" : "]"));
        }
        if (value instanceof InetAddress address) return address.getHostAddress();
        return value.getClass().getSimpleName() + " " + value;
    }
}
