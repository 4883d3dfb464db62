// What the Java driver makes of a server: one method a claim. README.md in the folder above says how it is run.
//
//     java Drivers HOST,HOST,... [HELENUS RING_DIRECTORY]
import com.datastax.oss.driver.api.core.AllNodesFailedException;
import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.CqlSessionBuilder;
import com.datastax.oss.driver.api.core.DefaultConsistencyLevel;
import com.datastax.oss.driver.api.core.config.DefaultDriverOption;
import com.datastax.oss.driver.api.core.config.DriverConfigLoader;
import com.datastax.oss.driver.api.core.config.ProgrammaticDriverConfigLoaderBuilder;
import com.datastax.oss.driver.api.core.cql.BatchStatement;
import com.datastax.oss.driver.api.core.cql.BatchStatementBuilder;
import com.datastax.oss.driver.api.core.cql.BatchType;
import com.datastax.oss.driver.api.core.cql.DefaultBatchType;
import com.datastax.oss.driver.api.core.cql.PagingState;
import com.datastax.oss.driver.api.core.cql.PreparedStatement;
import com.datastax.oss.driver.api.core.cql.QueryTrace;
import com.datastax.oss.driver.api.core.cql.ResultSet;
import com.datastax.oss.driver.api.core.cql.Row;
import com.datastax.oss.driver.api.core.cql.SimpleStatement;
import com.datastax.oss.driver.api.core.cql.Statement;
import com.datastax.oss.driver.api.core.metadata.Metadata;
import com.datastax.oss.driver.api.core.metadata.Node;
import com.datastax.oss.driver.api.core.metadata.NodeStateListenerBase;
import com.datastax.oss.driver.api.core.metadata.TokenMap;
import com.datastax.oss.driver.api.core.metadata.schema.ColumnMetadata;
import com.datastax.oss.driver.api.core.metadata.schema.KeyspaceMetadata;
import com.datastax.oss.driver.api.core.metadata.schema.SchemaChangeListenerBase;
import com.datastax.oss.driver.api.core.metadata.schema.TableMetadata;
import com.datastax.oss.driver.api.core.servererrors.AlreadyExistsException;
import com.datastax.oss.driver.api.core.servererrors.InvalidConfigurationInQueryException;
import com.datastax.oss.driver.api.core.servererrors.InvalidQueryException;
import com.datastax.oss.driver.api.core.servererrors.SyntaxError;
import com.datastax.oss.driver.api.core.servererrors.UnavailableException;
import com.datastax.oss.driver.api.core.servererrors.CASWriteUnknownException;
import com.datastax.oss.driver.api.core.servererrors.WriteTimeoutException;
import com.datastax.oss.driver.api.core.type.UserDefinedType;
import java.io.FileInputStream;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

public class Drivers {
    static final String KEYSPACE = "drivers_java";
    static List<String> hosts;
    static String helenus, ring; // The program and its ring's directory; null with a server of another make.
    static CqlSession session;

    interface Claim {
        Object holds() throws Exception;
    }

    interface Holds {
        boolean now() throws Exception;
    }

    interface Act {
        void at(CqlSession session, String version) throws Exception;
    }

    static class NotHere extends Exception {
        NotHere(String text) {
            super(text);
        }
    }

    static void needsRing() throws NotHere {
        if (ring == null) throw new NotHere("needs a ring of Helenus's");
    }

    static String tool(Object... words) throws Exception {
        List<String> command = new ArrayList<>(List.of(helenus));
        for (Object word : words) command.add(String.valueOf(word));
        Process process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        check(process.waitFor() == 0, command + ": exit code " + process.exitValue());
        return output;
    }

    static void check(boolean holds, Object text) {
        if (!holds) throw new AssertionError(text);
    }

    static void equal(Object found, Object wanted) {
        check(found == null ? wanted == null : found.equals(wanted), found + " instead of " + wanted);
    }

    static void waitUntil(int seconds, String what, Holds holds) throws Exception {
        long end = System.nanoTime() + seconds * 1000000000L;
        while (!holds.now()) {
            check(System.nanoTime() < end, what + ": not after " + seconds + " s");
            Thread.sleep(20);
        }
    }

    // With --tls: trusts what goes back to this authority.
    static SSLContext trusting(String authority) {
        try (InputStream file = new FileInputStream(authority)) {
            KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
            store.load(null, null);
            store.setCertificateEntry("authority", CertificateFactory.getInstance("X.509").generateCertificate(file));
            TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
            trust.init(store);
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(null, trust.getTrustManagers(), null);
            return context;
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    static CqlSessionBuilder builder(String version, String compression) {
        ProgrammaticDriverConfigLoaderBuilder config = DriverConfigLoader.programmaticBuilder()
            .withDuration(DefaultDriverOption.REQUEST_TIMEOUT, Duration.ofSeconds(30))
            .withDuration(DefaultDriverOption.CONNECTION_INIT_QUERY_TIMEOUT, Duration.ofSeconds(20))
            .withDuration(DefaultDriverOption.CONTROL_CONNECTION_TIMEOUT, Duration.ofSeconds(20))
            .withDuration(DefaultDriverOption.METADATA_SCHEMA_WINDOW, Duration.ofMillis(1)) // Else a DDL takes a second.
            .withDuration(DefaultDriverOption.METADATA_TOPOLOGY_WINDOW, Duration.ofMillis(1))
            .withDuration(DefaultDriverOption.RECONNECTION_BASE_DELAY, Duration.ofMillis(100))
            .withDuration(DefaultDriverOption.RECONNECTION_MAX_DELAY, Duration.ofSeconds(1))
            .withString(DefaultDriverOption.NETTY_IO_SHUTDOWN_UNIT, "MILLISECONDS") // Else the end of a session takes two seconds.
            .withString(DefaultDriverOption.NETTY_ADMIN_SHUTDOWN_UNIT, "MILLISECONDS")
            .withInt(DefaultDriverOption.NETTY_IO_SHUTDOWN_QUIET_PERIOD, 50)
            .withInt(DefaultDriverOption.NETTY_ADMIN_SHUTDOWN_QUIET_PERIOD, 50)
            .withInt(DefaultDriverOption.NETTY_IO_SHUTDOWN_TIMEOUT, 2000)
            .withInt(DefaultDriverOption.NETTY_ADMIN_SHUTDOWN_TIMEOUT, 2000)
            .withString(DefaultDriverOption.REQUEST_CONSISTENCY, "QUORUM")
            .withBoolean(DefaultDriverOption.REQUEST_WARN_IF_SET_KEYSPACE, false);
        if (version != null) config.withString(DefaultDriverOption.PROTOCOL_VERSION, version);
        if (compression != null) config.withString(DefaultDriverOption.PROTOCOL_COMPRESSION, compression);
        CqlSessionBuilder made = CqlSession.builder();
        if (System.getenv("CA") != null) made.withSslContext(trusting(System.getenv("CA")));
        return made
            .addContactPoint(new InetSocketAddress(hosts.get(0), 9042))
            .withLocalDatacenter("datacenter1")
            .withConfigLoader(config.build());
    }

    static CqlSession connect(String version, String compression) {
        return builder(version, compression).withKeyspace(KEYSPACE).build();
    }

    static void versions(Act act) throws Exception {
        for (String version : List.of("V3", "V4", "V5")) {
            try (CqlSession other = connect(version, null)) {
                act.at(other, version);
            }
        }
    }

    static String address(Node node) {
        return ((InetSocketAddress) node.getEndPoint().resolve()).getAddress().getHostAddress();
    }

    static <E extends Exception> E refused(Class<E> kind, CqlSession at, Statement<?> statement) {
        try {
            at.execute(statement);
        } catch (AllNodesFailedException e) {
            for (List<Throwable> errors : e.getAllErrors().values())
                for (Throwable error : errors)
                    if (kind.isInstance(error)) return kind.cast(error);
            throw e;
        } catch (Exception e) {
            if (kind.isInstance(e)) return kind.cast(e);
            throw new AssertionError(e + " instead of " + kind.getSimpleName(), e);
        }
        throw new AssertionError("no " + kind.getSimpleName());
    }

    static <E extends Exception> void refused(Class<E> kind, CqlSession at, String text, String words) {
        E e = refused(kind, at, SimpleStatement.newInstance(text));
        check(e.getMessage().contains(words), text + ": " + e.getMessage());
    }

    static Object connectsByEachVersion() {
        List<String> tried = new ArrayList<>();
        for (String version : List.of("V3", "V4", "V5", "")) {
            for (String compression : List.of("none", "lz4")) {
                try (CqlSession other = connect(version.isEmpty() ? null : version, compression)) {
                    String large = "x".repeat(300000) + "y";
                    Row row = other.execute("SELECT release_version, (text) '" + large + "' AS t FROM system.local").one();
                    equal(row.getString("release_version"), "5.0.4");
                    equal(row.getString("t"), large);
                    String used = other.getContext().getProtocolVersion().name();
                    equal(used, version.isEmpty() ? "V5" : version);
                    tried.add((version.isEmpty() ? "negotiated " : "") + used + (compression.equals("lz4") ? " lz4" : ""));
                }
            }
        }
        return String.join(", ", tried);
    }

    static KeyspaceMetadata keyspace() {
        return session.getMetadata().getKeyspace(KEYSPACE).get();
    }

    static Object metadataIsWhole() {
        session.execute("CREATE TYPE meta_type (a int, b frozen<list<text>>)");
        session.execute("CREATE TABLE meta (a int, b text, c timeuuid, s set<int> static, v frozen<meta_type>, w vector<float, 3>, "
            + "PRIMARY KEY ((a, b), c)) WITH CLUSTERING ORDER BY (c DESC) AND comment = 'it''s' AND gc_grace_seconds = 77");
        session.execute("CREATE INDEX meta_v ON meta (v)");
        Metadata metadata = session.getMetadata();
        equal(metadata.getNodes().values().stream().map(Drivers::address).sorted().toList(), hosts);
        for (Node node : metadata.getNodes().values()) {
            equal(node.getDatacenter() + " " + node.getRack() + " " + node.getCassandraVersion(), "datacenter1 rack1 5.0.4");
            check(node.getHostId() != null && node.getSchemaVersion() != null, node);
        }
        equal(keyspace().getReplication(), Map.of("class", "org.apache.cassandra.locator.SimpleStrategy", "replication_factor", "" + hosts.size()));
        TableMetadata table = keyspace().getTable("meta").get();
        equal(table.getPartitionKey().stream().map(c -> c.getName().asInternal()).toList(), List.of("a", "b"));
        equal(table.getClusteringColumns().toString().contains("DESC"), true);
        Map<String, String> types = new TreeMap<>();
        for (ColumnMetadata c : table.getColumns().values()) types.put(c.getName().asInternal(), c.getType().asCql(false, true));
        equal(types.toString(), "{a=int, b=text, c=timeuuid, s=set<int>, v=" + types.get("v") + ", w=" + types.get("w") + "}");
        check(types.get("v").contains("meta_type") && types.get("w").toLowerCase().startsWith("vector<float, 3"), types);
        check(table.getColumn("s").get().isStatic(), "s is static");
        equal(table.getIndex("meta_v").get().getTarget(), "v");
        Map<String, Object> options = new TreeMap<>();
        table.getOptions().forEach((name, value) -> options.put(name.asInternal(), value));
        equal(options.get("comment") + " " + options.get("gc_grace_seconds"), "it's 77");
        UserDefinedType type = keyspace().getUserDefinedType("meta_type").get();
        equal(type.getFieldNames().toString(), "[a, b]");
        // What the driver prints of the table makes the same table again.
        String printed = table.describe(true);
        session.execute("DROP TABLE meta");
        session.execute(printed.substring(0, printed.indexOf(';')));
        equal(keyspace().getTable("meta").get().describe(true), printed);
        return metadata.getKeyspaces().size() + " keyspaces";
    }

    static Object replicasAreThoseOfTheServer() throws Exception {
        needsRing();
        String owners = tool("ring", "--ring", hosts.get(0), "--json");
        TokenMap tokens = session.getMetadata().getTokenMap().get();
        equal(tokens.getPartitionerName(), "org.apache.cassandra.dht.Murmur3Partitioner");
        int count = 0;
        for (Node node : session.getMetadata().getNodes().values())
            for (var token : tokens.getTokens(node)) {
                String entry = tokens.format(token) + ",";
                int at = owners.indexOf(" " + entry);
                String object = owners.substring(owners.lastIndexOf('{', at), owners.indexOf('}', at));
                check(at > 0 && object.contains("\"" + address(node) + ":"), entry + " of " + address(node) + ": " + object);
                count++;
            }
        equal(count, 16 * hosts.size());
        for (int factor = 1; factor <= 3; factor++) {
            String name = KEYSPACE + "_" + factor;
            session.execute("CREATE KEYSPACE " + name + " WITH replication = {'class': 'SimpleStrategy', 'replication_factor': " + factor + "}");
            session.execute("CREATE TABLE " + name + ".t (k text PRIMARY KEY)");
            for (int i = 0; i < 10; i++) {
                String key = "key " + i;
                ByteBuffer bytes = ByteBuffer.wrap(key.getBytes(StandardCharsets.UTF_8));
                TokenMap map = session.getMetadata().getTokenMap().get();
                Set<String> theirs = map.getReplicas(name, bytes).stream().map(Drivers::address).collect(Collectors.toCollection(TreeSet::new));
                Set<String> ours = new TreeSet<>(List.of(tool("getendpoints", "--ring", hosts.get(0), name, "t", key).trim().split("\\s+")));
                equal(theirs, ours);
                equal(theirs.size(), factor);
            }
            session.execute("DROP KEYSPACE " + name);
        }
        return count + " tokens";
    }

    static Object preparedStatementsSurviveChanges() throws Exception {
        versions((one, version) -> {
            try (CqlSession two = connect(version, null)) {
                two.execute("DROP TABLE IF EXISTS prepared");
                two.execute("CREATE TABLE prepared (k int PRIMARY KEY, a text)");
                PreparedStatement insert = one.prepare("INSERT INTO prepared (k, a) VALUES (:k, :a)");
                PreparedStatement select = one.prepare("SELECT * FROM prepared WHERE k = ?");
                equal(insert.getPartitionKeyIndices(), List.of(0));
                one.execute(insert.bind().setInt("k", 1).setString("a", "one"));
                equal(one.execute(select.bind(1)).one().getFormattedContents(), "[k:1, a:'one']");
                two.execute("ALTER TABLE prepared ADD b list<int>");
                two.execute("UPDATE prepared SET b = [1, 2] WHERE k = 1");
                String row = one.execute(select.bind(1)).one().getFormattedContents();
                // Only v5 tells a client that the columns of a prepared SELECT * are others now.
                check(row.equals("[k:1, a:'one', b:[1,2]]") || !version.equals("V5") && row.equals("[k:1, a:'one']"), version + " " + row);
                two.execute("DROP TABLE prepared");
                two.execute("CREATE TABLE prepared (k int PRIMARY KEY, a text)");
                one.execute(insert.bind(2, "two")); // UNPREPARED, prepared again, executed.
                Row again = one.execute(select.bind(2)).one();
                equal(again.getInt("k") + again.getString("a"), "2two");
            }
        });
        return "";
    }

    static Object pagesGoOnAtAnotherNode() throws Exception {
        session.execute("CREATE TABLE pages (p int, c int, v text, PRIMARY KEY (p, c))");
        PreparedStatement insert = session.prepare("INSERT INTO pages (p, c, v) VALUES (?, ?, ?)");
        parallel(session, 1000, i -> insert.bind(i % 10, i, "v" + i));
        versions((other, version) -> {
            List<Node> nodes = new ArrayList<>(other.getMetadata().getNodes().values());
            for (String text : List.of("SELECT c FROM pages", "SELECT c FROM pages WHERE p IN (0,1,2,3,4,5,6,7,8,9)",
                     "SELECT c FROM pages WHERE c >= 0 ALLOW FILTERING")) {
                SimpleStatement statement = SimpleStatement.newInstance(text).setPageSize(7);
                Set<Integer> seen = new TreeSet<>();
                PagingState state = null;
                int pages = 0, rows = 0;
                do {
                    SimpleStatement page = statement.setNode(nodes.get(pages++ % nodes.size()));
                    ResultSet result = other.execute(state == null ? page : page.setPagingState(state));
                    check(result.getAvailableWithoutFetching() <= 7, "a page of " + result.getAvailableWithoutFetching());
                    for (int left = result.getAvailableWithoutFetching(); left > 0; left--, rows++) seen.add(result.one().getInt("c"));
                    state = result.getExecutionInfo().getSafePagingState();
                } while (state != null);
                equal(seen.size() + " " + rows, "1000 1000");
            }
            int wanted = 993;
            for (Row row : other.execute(SimpleStatement.newInstance("SELECT c FROM pages WHERE p = 3 ORDER BY c DESC LIMIT 50").setPageSize(7))) {
                equal(row.getInt("c"), wanted);
                wanted -= 10;
            }
            equal(wanted, 493);
        });
        return "";
    }

    static Object batchesDoAllTheyHold() throws Exception {
        session.execute("CREATE TABLE batched (k int PRIMARY KEY, v text)");
        session.execute("CREATE TABLE batched_counts (k int PRIMARY KEY, n counter)");
        versions((other, version) -> {
            PreparedStatement insert = other.prepare("INSERT INTO batched (k, v) VALUES (?, ?)");
            PreparedStatement add = other.prepare("UPDATE batched_counts SET n = n + ? WHERE k = ?");
            for (BatchType kind : List.of(DefaultBatchType.LOGGED, DefaultBatchType.UNLOGGED)) {
                other.execute("TRUNCATE batched");
                BatchStatementBuilder batch = BatchStatement.builder(kind);
                for (int i = 0; i < 20; i++) batch.addStatement(insert.bind(i, "" + i));
                batch.addStatement(SimpleStatement.newInstance("INSERT INTO batched (k, v) VALUES (100, 'text')"));
                batch.addStatement(SimpleStatement.newInstance("INSERT INTO batched (k, v) VALUES (?, ?)", 101, "it's"));
                batch.addStatement(SimpleStatement.newInstance("DELETE FROM batched USING TIMESTAMP 1 WHERE k = 100"));
                other.execute(batch.build());
                Map<Integer, String> found = new TreeMap<>();
                for (Row row : other.execute("SELECT * FROM batched")) found.put(row.getInt("k"), row.getString("v"));
                check(found.size() == 22 && found.get(19).equals("19") && found.get(100).equals("text") && found.get(101).equals("it's"), found);
            }
            other.execute("TRUNCATE batched_counts");
            BatchStatementBuilder counters = BatchStatement.builder(DefaultBatchType.COUNTER);
            for (int i = 0; i < 30; i++) counters.addStatement(add.bind((long) i, i % 3));
            other.execute(counters.build());
            Map<Integer, Long> counts = new TreeMap<>();
            for (Row row : other.execute("SELECT * FROM batched_counts")) counts.put(row.getInt("k"), row.getLong("n"));
            equal(counts.toString(), "{0=135, 1=145, 2=155}");
            refused(InvalidQueryException.class, other, BatchStatement.newInstance(DefaultBatchType.LOGGED, add.bind(1L, 1)));
        });
        return "";
    }

    static final Pattern COLLECTION = Pattern.compile("(frozen<)?(list|set|map)<");

    static Object everyTypeThereAndBack() throws Exception {
        for (String statement : Values.USER_TYPES) session.execute(statement);
        List<Values.Type> types = Values.all(session, KEYSPACE);
        StringBuilder columns = new StringBuilder();
        for (int i = 0; i < types.size(); i++) columns.append(", c" + i + " " + types.get(i).name());
        session.execute("CREATE TABLE every_type (k int PRIMARY KEY" + columns + ")");
        AtomicInteger count = new AtomicInteger();
        versions((other, version) -> {
            List<Values.Type> here = Values.all(other, KEYSPACE);
            for (int i = 0; i < here.size(); i++) {
                // Of v4; the driver has no codecs for them in v3.
                if (version.equals("V3") && List.of("date", "time", "smallint", "tinyint").contains(here.get(i).name())) continue;
                PreparedStatement insert = other.prepare("INSERT INTO every_type (k, c" + i + ") VALUES (?, ?)");
                PreparedStatement select = other.prepare("SELECT c" + i + " FROM every_type WHERE k = ?");
                List<Values.Value> values = new ArrayList<>(here.get(i).values());
                values.add(new Values.Value("null", null));
                for (int k = 0; k < values.size(); k++, count.incrementAndGet()) {
                    Values.Value value = values.get(k);
                    String wanted = Values.show(value.bound());
                    other.execute(insert.bind(k, value.bound()));
                    // Of collections that are not there the driver makes empty ones, as there are none in Cassandra.
                    if (wanted.equals("null") && COLLECTION.matcher(here.get(i).name()).lookingAt()) wanted = here.get(i).name().contains("list<") && !here.get(i).name().startsWith("map") ? "[]" : "{}";
                    String bound = Values.show(other.execute(select.bind(k)).one().getObject(0));
                    other.execute("INSERT INTO every_type (k, c" + i + ") VALUES (" + k + ", " + value.literal() + ")");
                    String written = Values.show(other.execute(select.bind(k)).one().getObject(0));
                    check(bound.equals(wanted) && written.equals(wanted), version + " " + here.get(i).name() + " " + value.literal() + ": bound "
                        + wanted + ", read " + bound + ", of the literal " + written);
                }
            }
            ByteBuffer blob = ByteBuffer.wrap("0123456789abcdef".repeat(3 << 16).getBytes(StandardCharsets.UTF_8)); // Many segments of v5.
            other.execute(SimpleStatement.newInstance("INSERT INTO every_type (k, c2) VALUES (?, ?)", 99, blob));
            equal(other.execute("SELECT c2 FROM every_type WHERE k = 99").one().getByteBuffer(0), blob);
            if (!version.equals("V3")) {
                PreparedStatement insert = other.prepare("INSERT INTO every_type (k, c0, c1) VALUES (?, ?, ?)");
                other.execute(insert.bind(7, "kept", 1L));
                other.execute(insert.bind(7).setLong(2, 2)); // What is not set stays.
                equal(other.execute("SELECT c0, c1 FROM every_type WHERE k = 7").one().getFormattedContents(), "[c0:'kept', c1:2]");
            }
        });
        return count + " values of " + types.size() + " types";
    }

    static Object countersCount() {
        session.execute("CREATE TABLE counts (k text, c int, n counter, m counter, PRIMARY KEY (k, c))");
        PreparedStatement add = session.prepare("UPDATE counts SET n = n + ?, m = m - ? WHERE k = ? AND c = ?");
        for (long n : new long[] {1, -5, Long.MAX_VALUE - 100, 0}) session.execute(add.bind(n, n, "a", 1));
        Row row = session.execute("SELECT n, m FROM counts").one();
        equal(row.getLong(0), Long.MAX_VALUE - 104);
        equal(row.getLong(1), 104 - Long.MAX_VALUE);
        session.execute("DELETE n FROM counts WHERE k = 'a' AND c = 1");
        check(session.execute("SELECT n, m FROM counts").one().isNull(0), "a deleted counter");
        return "";
    }

    static Object conditionsSayWhatWasThere() throws Exception {
        session.execute("CREATE TABLE conditional (k int, c int, v text, s text static, PRIMARY KEY (k, c))");
        PreparedStatement insert = session.prepare("INSERT INTO conditional (k, c, v) VALUES (?, ?, ?) IF NOT EXISTS");
        ResultSet result = session.execute(insert.bind(1, 1, "a"));
        check(result.wasApplied(), "applied");
        result = session.execute(insert.bind(1, 1, "b"));
        check(!result.wasApplied(), "not applied");
        equal(result.one().getFormattedContents(), "[\"[applied]\":false, k:1, c:1, s:NULL, v:'a']");
        PreparedStatement update = session.prepare("UPDATE conditional SET v = ? WHERE k = 1 AND c = 1 IF v = ?");
        check(session.execute(update.bind("c", "a")).wasApplied(), "applied");
        equal(session.execute(update.bind("d", "a")).one().getFormattedContents(), "[\"[applied]\":false, v:'c']");
        BatchStatement batch = BatchStatement.newInstance(DefaultBatchType.LOGGED, insert.bind(1, 2, "new"), update.bind("e", "x"));
        check(!session.execute(batch).wasApplied(), "not applied");
        equal(session.execute("SELECT count(*) FROM conditional WHERE k = 1").one().getLong(0), 1L);
        // Eight threads add to one cell by compare and set: none is lost, and none counts that is not known of.
        AtomicInteger unknown = new AtomicInteger();
        session.execute("INSERT INTO conditional (k, c, v) VALUES (2, 1, '0')");
        PreparedStatement set = session.prepare("UPDATE conditional SET v = ? WHERE k = 2 AND c = 1 IF v = ?");
        SimpleStatement read = SimpleStatement.newInstance("SELECT v FROM conditional WHERE k = 2 AND c = 1")
            .setConsistencyLevel(DefaultConsistencyLevel.SERIAL);
        AtomicReference<Exception> fault = new AtomicReference<>();
        threads(8, () -> {
            for (int done = 0; done < 5 && fault.get() == null;) {
                try {
                    String old = session.execute(read).one().getString(0);
                    if (session.execute(set.bind("" + (Integer.parseInt(old) + 1), old)).wasApplied()) done++;
                } catch (WriteTimeoutException | CASWriteUnknownException e) {
                    unknown.incrementAndGet();
                } catch (Exception e) {
                    fault.set(e);
                }
            }
        });
        check(fault.get() == null, fault);
        int sum = Integer.parseInt(session.execute(read).one().getString(0));
        check(40 <= sum && sum <= 40 + unknown.get(), sum + " instead of 40, and " + unknown + " of unknown end");
        return unknown + " of unknown end among 40 that were contended";
    }

    static void threads(int count, Runnable run) throws InterruptedException {
        List<Thread> all = new ArrayList<>();
        for (int i = 0; i < count; i++) all.add(new Thread(run));
        for (Thread t : all) t.start();
        for (Thread t : all) t.join();
    }

    static Object schemaEventsAreHeard() throws Exception {
        Set<String> heard = ConcurrentHashMap.newKeySet();
        SchemaChangeListenerBase listener = new SchemaChangeListenerBase() {
            @Override
            public void onTableCreated(TableMetadata table) {
                heard.add("created " + table.getName());
            }

            @Override
            public void onTableUpdated(TableMetadata current, TableMetadata previous) {
                heard.add("updated " + current.getName() + " " + current.getColumns().size() + " " + current.getIndexes().size());
            }

            @Override
            public void onTableDropped(TableMetadata table) {
                heard.add("dropped " + table.getName());
            }

            @Override
            public void onUserDefinedTypeCreated(UserDefinedType type) {
                heard.add("created " + type.getName());
            }

            @Override
            public void onUserDefinedTypeUpdated(UserDefinedType current, UserDefinedType previous) {
                heard.add("updated " + current.getName() + " " + current.getFieldNames().size());
            }

            @Override
            public void onUserDefinedTypeDropped(UserDefinedType type) {
                heard.add("dropped " + type.getName());
            }

            @Override
            public void onKeyspaceCreated(KeyspaceMetadata keyspace) {
                heard.add("created " + keyspace.getName());
            }

            @Override
            public void onKeyspaceUpdated(KeyspaceMetadata current, KeyspaceMetadata previous) {
                heard.add("updated " + current.getName() + " " + current.isDurableWrites());
            }

            @Override
            public void onKeyspaceDropped(KeyspaceMetadata keyspace) {
                heard.add("dropped " + keyspace.getName());
            }
        };
        String far = KEYSPACE + "_heard";
        Map<String, String> steps = new LinkedHashMap<>();
        steps.put("CREATE TABLE heard (k int PRIMARY KEY)", "created heard");
        steps.put("ALTER TABLE heard ADD v int", "updated heard 2 0");
        steps.put("CREATE INDEX heard_v ON heard (v)", "updated heard 2 1");
        steps.put("CREATE TYPE heard_type (a int)", "created heard_type");
        steps.put("ALTER TYPE heard_type ADD b int", "updated heard_type 2");
        steps.put("DROP TABLE heard", "dropped heard");
        steps.put("DROP TYPE heard_type", "dropped heard_type");
        steps.put("CREATE KEYSPACE " + far + " WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}", "created " + far);
        steps.put("ALTER KEYSPACE " + far + " WITH durable_writes = false", "updated " + far + " false");
        steps.put("DROP KEYSPACE " + far, "dropped " + far);
        try (CqlSession listening = builder("V5", null).withKeyspace(KEYSPACE).withSchemaChangeListener(listener).build()) {
            for (var step : steps.entrySet()) {
                session.execute(step.getKey());
                waitUntil(10, step.getValue(), () -> heard.contains(step.getValue()));
            }
        }
        return steps.size() + " kinds";
    }

    static Object nodesThatGoAndComeAreHeardOf() throws Exception {
        needsRing();
        Set<String> heard = ConcurrentHashMap.newKeySet();
        NodeStateListenerBase listener = new NodeStateListenerBase() {
            @Override
            public void onUp(Node node) {
                heard.add("up " + address(node));
            }

            @Override
            public void onDown(Node node) {
                heard.add("down " + address(node));
            }
        };
        try (CqlSession listening = builder("V4", null).withNodeStateListener(listener).build()) {
            heard.clear();
            tool("ring", "kill", "--dir", ring, 3);
            waitUntil(10, "it is down", () -> heard.contains("down " + hosts.get(2)));
            heard.clear();
            tool("ring", "restart", "--dir", ring, 3);
            waitUntil(20, "it is up", () -> heard.contains("up " + hosts.get(2)));
        }
        return "";
    }

    interface Numbered {
        Statement<?> statement(int i);
    }

    // That many statements, 200 in flight; what fails in one fails the claim.
    static void parallel(CqlSession at, int count, Numbered numbered) throws Exception {
        Semaphore room = new Semaphore(200);
        ConcurrentLinkedQueue<Throwable> faults = new ConcurrentLinkedQueue<>();
        for (int i = 0; i < count; i++) {
            room.acquire();
            at.executeAsync(numbered.statement(i)).whenComplete((result, e) -> {
                if (e != null) faults.add(e);
                room.release();
            });
        }
        room.acquire(200);
        check(faults.isEmpty(), faults.size() + " failed: " + faults.peek());
    }

    static Object sumsUnderLoadAreExact() throws Exception {
        session.execute("CREATE TABLE load (k int PRIMARY KEY, n counter)");
        session.execute("CREATE TABLE load_rows (p int, c int, v int, PRIMARY KEY (p, c))");
        long[] sums = new long[17];
        for (int i = 0; i < 5000; i++) sums[i % 17] += i;
        for (String version : List.of("V3", "V4", "V5")) {
            try (CqlSession other = connect(version, version.equals("V4") ? "none" : "lz4")) {
                other.execute("TRUNCATE load");
                PreparedStatement add = other.prepare("UPDATE load SET n = n + ? WHERE k = ?");
                PreparedStatement insert = other.prepare("INSERT INTO load_rows (p, c, v) VALUES (?, ?, ?)");
                parallel(other, 5000, i -> add.bind((long) i, i % 17));
                parallel(other, 5000, i -> insert.bind(i % 17, i, i));
                for (int k = 0; k < 17; k++) {
                    equal(other.execute("SELECT n FROM load WHERE k = " + k).one().getLong(0), sums[k]);
                    equal((long) other.execute("SELECT sum(v) FROM load_rows WHERE p = " + k).one().getInt(0), sums[k]);
                }
            }
        }
        return "3 times 5,000 increments and 5,000 rows, 200 in flight";
    }

    static Object aRestartLosesNothingAcknowledged() throws Exception {
        needsRing();
        session.execute("CREATE TABLE kept (k int PRIMARY KEY, v int)");
        session.execute("CREATE TABLE kept_sum (k int PRIMARY KEY, n counter)");
        PreparedStatement insert = session.prepare("INSERT INTO kept (k, v) VALUES (?, ?)");
        PreparedStatement add = session.prepare("UPDATE kept_sum SET n = n + 1 WHERE k = 0");
        Set<Integer> acknowledged = ConcurrentHashMap.newKeySet();
        AtomicInteger next = new AtomicInteger(), rows = new AtomicInteger(), added = new AtomicInteger(), unknown = new AtomicInteger();
        AtomicReference<Exception> fault = new AtomicReference<>();
        Map<String, Integer> failures = new ConcurrentHashMap<>();
        Thread director = new Thread(() -> {
            try {
                String[][] steps = {{}, {"kill"}, {"restart"}, {"restart"}};
                for (String[] step : steps) {
                    for (String action : step) tool("ring", action, "--dir", ring, 2);
                    int begun = rows.get();
                    waitUntil(20, "writes go on after " + String.join("", step), () -> rows.get() > begun + 500);
                }
            } catch (Exception | AssertionError e) {
                fault.set(new Exception(e));
            }
        });
        director.start();
        threads(8, () -> {
            while (director.isAlive()) {
                int key = next.getAndIncrement();
                try {
                    session.execute(insert.bind(key, key));
                    acknowledged.add(key);
                    rows.incrementAndGet();
                } catch (Exception e) {
                    failures.merge(e.getClass().getSimpleName(), 1, Integer::sum);
                }
                try {
                    session.execute(add.bind());
                    added.incrementAndGet();
                } catch (Exception e) {
                    unknown.incrementAndGet();
                    failures.merge(e.getClass().getSimpleName(), 1, Integer::sum);
                }
            }
        });
        check(fault.get() == null, fault);
        Set<Integer> lost = new TreeSet<>(acknowledged);
        for (Row row : session.execute("SELECT k FROM kept")) lost.remove(row.getInt(0));
        check(lost.isEmpty(), lost.size() + " of " + acknowledged.size() + " acknowledged rows are lost: " + lost);
        long counted = session.execute("SELECT n FROM kept_sum WHERE k = 0").one().getLong(0);
        check(added.get() <= counted && counted <= added.get() + unknown.get(), counted + " counted, " + added + " acknowledged, " + unknown + " unknown");
        return acknowledged.size() + " rows, " + counted + " increments; failed: " + failures;
    }

    static Object errorsSayWhatIsWrong() throws Exception {
        String far = KEYSPACE + "_far";
        int needed = hosts.size() + 2;
        versions((other, version) -> {
            refused(SyntaxError.class, other, "SELEC * FROM x", "line 1:0 no viable alternative at input 'SELEC'");
            refused(InvalidQueryException.class, other, "SELECT * FROM nowhere", "table nowhere does not exist");
            refused(InvalidQueryException.class, other, "SELECT nothing FROM system.local", "Undefined column name nothing in table system.local");
            refused(InvalidQueryException.class, other, "INSERT INTO meta (a) VALUES (1)", "Some partition key parts are missing: b");
            refused(InvalidConfigurationInQueryException.class, other, "CREATE KEYSPACE bad WITH replication = {'class': 'NoStrategy'}", "NoStrategy");
            refused(AlreadyExistsException.class, other, "CREATE TABLE meta (k int PRIMARY KEY)", "Object " + KEYSPACE + ".meta already exists");
            refused(AlreadyExistsException.class, other,
                "CREATE KEYSPACE " + KEYSPACE + " WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
                "Keyspace " + KEYSPACE + " already exists");
            other.execute("CREATE KEYSPACE IF NOT EXISTS " + far + " WITH replication = {'class': 'SimpleStrategy', 'replication_factor': " + needed + "}");
            other.execute("CREATE TABLE IF NOT EXISTS " + far + ".t (k int PRIMARY KEY)");
            SimpleStatement statement = SimpleStatement.newInstance("INSERT INTO " + far + ".t (k) VALUES (1)");
            UnavailableException e = refused(UnavailableException.class, other, statement.setConsistencyLevel(DefaultConsistencyLevel.ALL));
            equal(e.getConsistencyLevel() + " " + e.getRequired() + " " + e.getAlive(), "ALL " + needed + " " + hosts.size());
        });
        return "";
    }

    static Object tracesAreFound() throws Exception {
        session.execute("CREATE TABLE traced (k int PRIMARY KEY)");
        versions((other, version) -> {
            String text = "INSERT INTO traced (k) VALUES (1)";
            QueryTrace trace = other.execute(SimpleStatement.newInstance(text).setTracing(true)).getExecutionInfo().getQueryTrace();
            equal(trace.getRequestType() + ": " + trace.getParameters().get("query"), "Execute CQL3 query: " + text);
            check(hosts.contains(trace.getCoordinatorAddress().getAddress().getHostAddress()), trace.getCoordinatorAddress());
            check(trace.getDurationMicros() > 0 && trace.getEvents().size() > 2, trace.getEvents());
        });
        return "";
    }

    static Object v5NamesAKeyspaceAndATime() {
        String elsewhere = KEYSPACE + "_elsewhere";
        int now = (int) (System.currentTimeMillis() / 1000) + 10000;
        session.execute("CREATE KEYSPACE " + elsewhere + " WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}");
        session.execute(SimpleStatement.newInstance("CREATE TABLE elsewhere (k int PRIMARY KEY, v int)").setKeyspace(elsewhere));
        SimpleStatement insert = SimpleStatement.newInstance("INSERT INTO elsewhere (k, v) VALUES (1, 2) USING TTL 1000").setKeyspace(elsewhere);
        SimpleStatement select = SimpleStatement.newInstance("SELECT TTL(v) FROM elsewhere WHERE k = 1").setKeyspace(elsewhere);
        session.execute(insert.setNowInSeconds(now));
        equal(session.execute(select.setNowInSeconds(now + 400)).one().getInt(0), 600);
        check(session.execute(select.setNowInSeconds(now + 1000)).one() == null, "a row of the past");
        session.execute(session.prepare(insert).bind().setNowInSeconds(now + 1000));
        equal(session.execute(session.prepare(select).bind().setNowInSeconds(now + 1000)).one().getInt(0), 1000);
        session.execute(BatchStatement.newInstance(DefaultBatchType.LOGGED, insert).setKeyspace(elsewhere).setNowInSeconds(now + 2000));
        equal(session.execute(select.setNowInSeconds(now + 2001)).one().getInt(0), 999);
        refused(InvalidQueryException.class, session, "SELECT v FROM elsewhere", "table elsewhere does not exist");
        session.execute("DROP KEYSPACE " + elsewhere);
        return "";
    }

    static Object warningsReachTheClient() throws Exception {
        versions((other, version) -> equal(other.execute("SELECT count(*) FROM pages").getExecutionInfo().getWarnings(),
            version.equals("V3") ? List.of() : List.of("Aggregation query used without partition key")));
        return "";
    }

    static Object aCustomPayloadDoesNoHarm() throws Exception {
        versions((other, version) -> {
            if (version.equals("V3")) return;
            Map<String, ByteBuffer> payload = Map.of("a", ByteBuffer.wrap(new byte[] {1}), "b", ByteBuffer.allocate(0));
            ResultSet result = other.execute(SimpleStatement.newInstance("SELECT key FROM system.local").setCustomPayload(payload));
            equal(result.one().getString(0) + result.getExecutionInfo().getIncomingPayload(), "local{}");
        });
        return "";
    }

    static final Map<String, Claim> CLAIMS = new LinkedHashMap<>();

    static {
        CLAIMS.put("connects_by_each_version", Drivers::connectsByEachVersion);
        CLAIMS.put("metadata_is_whole", Drivers::metadataIsWhole);
        CLAIMS.put("replicas_are_those_of_the_server", Drivers::replicasAreThoseOfTheServer);
        CLAIMS.put("prepared_statements_survive_changes", Drivers::preparedStatementsSurviveChanges);
        CLAIMS.put("pages_go_on_at_another_node", Drivers::pagesGoOnAtAnotherNode);
        CLAIMS.put("batches_do_all_they_hold", Drivers::batchesDoAllTheyHold);
        CLAIMS.put("every_type_there_and_back", Drivers::everyTypeThereAndBack);
        CLAIMS.put("counters_count", Drivers::countersCount);
        CLAIMS.put("conditions_say_what_was_there", Drivers::conditionsSayWhatWasThere);
        CLAIMS.put("schema_events_are_heard", Drivers::schemaEventsAreHeard);
        CLAIMS.put("nodes_that_go_and_come_are_heard_of", Drivers::nodesThatGoAndComeAreHeardOf);
        CLAIMS.put("sums_under_load_are_exact", Drivers::sumsUnderLoadAreExact);
        CLAIMS.put("a_restart_loses_nothing_acknowledged", Drivers::aRestartLosesNothingAcknowledged);
        CLAIMS.put("errors_say_what_is_wrong", Drivers::errorsSayWhatIsWrong);
        CLAIMS.put("traces_are_found", Drivers::tracesAreFound);
        CLAIMS.put("v5_names_a_keyspace_and_a_time", Drivers::v5NamesAKeyspaceAndATime);
        CLAIMS.put("warnings_reach_the_client", Drivers::warningsReachTheClient);
        CLAIMS.put("a_custom_payload_does_no_harm", Drivers::aCustomPayloadDoesNoHarm);
    }

    public static void main(String[] arguments) {
        hosts = List.of(arguments[0].split(","));
        if (arguments.length == 3) {
            helenus = arguments[1];
            ring = arguments[2];
        }
        int passed = 0, failed = 0;
        try (CqlSession first = builder("V4", null).build()) {
            first.execute("DROP KEYSPACE IF EXISTS " + KEYSPACE);
            first.execute("CREATE KEYSPACE " + KEYSPACE + " WITH replication = {'class': 'SimpleStrategy', 'replication_factor': " + hosts.size() + "}");
            session = connect("V5", null);
            for (Map.Entry<String, Claim> claim : CLAIMS.entrySet()) {
                long begin = System.nanoTime();
                try {
                    Object detail = claim.getValue().holds();
                    passed++;
                    System.out.printf("ok   %s (%.1f s) %s%n", claim.getKey(), (System.nanoTime() - begin) / 1e9, detail);
                } catch (NotHere e) {
                    System.out.printf("-    %s: %s%n", claim.getKey(), e.getMessage());
                } catch (Exception | AssertionError e) {
                    failed++;
                    String line = "";
                    for (StackTraceElement at : e.getStackTrace())
                        if (line.isEmpty() && at.getClassName().equals("Drivers") && !List.of("check", "equal", "refused", "waitUntil").contains(at.getMethodName()))
                            line = " (line " + at.getLineNumber() + ")";
                    System.out.printf("FAIL %s: %s%s%n", claim.getKey(), e, line);
                }
            }
            for (String name : List.of(KEYSPACE, KEYSPACE + "_far")) first.execute("DROP KEYSPACE IF EXISTS " + name);
            session.close();
        }
        System.out.println(passed + " passed, " + failed + " failed");
        System.exit(failed > 0 ? 1 : 0);
    }
}
