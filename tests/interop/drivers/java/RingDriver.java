// What the Java driver makes of a ring: one question a line on standard input, one answer a line.
//
//     RingDriver CONTACT_POINT
//
//     nodes                         the nodes that it knows: address state
//     replicas KEYSPACE TEXT…       for each text, as a partition key, the replicas' addresses, in the driver's order
//     increment KEYSPACE.TABLE N    N prepared increments at QUORUM, 64 in flight: "ok failed at_a_replica"
//     ddl KEYSPACE N                CREATE and DROP TABLE in turn, N statements: "longest agreement wait, us" and what failed
//     wait STATE ADDRESS SECONDS    until the driver sees the node UP or DOWN: how long it took, ms
import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.DefaultConsistencyLevel;
import com.datastax.oss.driver.api.core.config.DefaultDriverOption;
import com.datastax.oss.driver.api.core.config.DriverConfigLoader;
import com.datastax.oss.driver.api.core.cql.AsyncResultSet;
import com.datastax.oss.driver.api.core.cql.PreparedStatement;
import com.datastax.oss.driver.api.core.cql.ResultSet;
import com.datastax.oss.driver.api.core.metadata.Node;
import com.datastax.oss.driver.api.core.metadata.TokenMap;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletionStage;

public class RingDriver {
    static CqlSession session;

    static String address(Node node) {
        InetSocketAddress socket = (InetSocketAddress) node.getEndPoint().resolve();
        return socket.getAddress().getHostAddress();
    }

    static Set<String> replicas(String keyspace, String key) {
        TokenMap map = session.getMetadata().getTokenMap().get();
        ByteBuffer bytes = ByteBuffer.wrap(key.getBytes(StandardCharsets.UTF_8));
        Set<String> addresses = new TreeSet<>();
        for (Node node : map.getReplicas(keyspace, bytes)) addresses.add(address(node));
        return addresses;
    }

    static String nodes() {
        TreeSet<String> all = new TreeSet<>();
        for (Node node : session.getMetadata().getNodes().values()) all.add(address(node) + "=" + node.getState());
        return String.join(" ", all);
    }

    static String increment(String table, int count) throws Exception {
        PreparedStatement statement =
            session.prepare("UPDATE " + table + " SET mentions = mentions + 1 WHERE hashtag = ? AND interval = 'ALL'");
        String keyspace = table.substring(0, table.indexOf('.'));
        int ok = 0, failed = 0, atReplica = 0;
        ArrayDeque<CompletionStage<AsyncResultSet>> flying = new ArrayDeque<>();
        ArrayDeque<String> keys = new ArrayDeque<>();
        for (int i = 0; i < count || !flying.isEmpty();) {
            if (i < count && flying.size() < 64) {
                String key = "#tag" + i++ % 1000;
                flying.add(session.executeAsync(
                    statement.bind(key).setConsistencyLevel(DefaultConsistencyLevel.QUORUM).setIdempotent(false)));
                keys.add(key);
                continue;
            }
            String key = keys.remove();
            try {
                AsyncResultSet result = flying.remove().toCompletableFuture().get();
                ok++;
                if (replicas(keyspace, key).contains(address(result.getExecutionInfo().getCoordinator()))) atReplica++;
            } catch (Exception e) {
                if (failed++ < 3) System.err.println(e);
            }
        }
        return ok + " " + failed + " " + atReplica;
    }

    // The driver waits for agreement inside of execute(): what a statement takes is an upper bound of that wait.
    static String ddl(String keyspace, int count) {
        long longest = 0;
        int failed = 0;
        for (int i = 0; i < count; i++) {
            String table = keyspace + ".loop" + i / 2;
            String text = i % 2 == 0 ? "CREATE TABLE " + table + " (k text PRIMARY KEY, v int)" : "DROP TABLE " + table;
            try {
                long begin = System.nanoTime();
                ResultSet result = session.execute(text);
                long took = System.nanoTime() - begin;
                if (took > longest) longest = took;
                if (!result.getExecutionInfo().isSchemaInAgreement()) throw new Exception("no agreement: " + text);
                if (i % 2 == 0) {
                    // Each goes to another node than the one before it.
                    for (int k = 0; k < 3; k++) session.execute("INSERT INTO " + table + " (k, v) VALUES ('a', 1)");
                }
            } catch (Exception e) {
                if (failed++ < 3) System.err.println(e);
            }
        }
        return longest / 1000 + " " + failed;
    }

    static String await(String state, String wanted, int seconds) throws Exception {
        long begin = System.nanoTime();
        while (System.nanoTime() - begin < seconds * 1000000000L) {
            for (Node node : session.getMetadata().getNodes().values())
                if (address(node).equals(wanted) && node.getState().name().equals(state))
                    return String.valueOf((System.nanoTime() - begin) / 1000000);
            Thread.sleep(5);
        }
        return "never";
    }

    static String answer(String[] words) throws Exception {
        switch (words[0]) {
        case "nodes": return nodes();
        case "replicas": {
            StringBuilder all = new StringBuilder();
            for (int i = 2; i < words.length; i++)
                all.append(i > 2 ? " " : "").append(String.join(",", replicas(words[1], words[i])));
            return all.toString();
        }
        case "increment": return increment(words[1], Integer.parseInt(words[2]));
        case "ddl": return ddl(words[1], Integer.parseInt(words[2]));
        case "wait": return await(words[1], words[2], Integer.parseInt(words[3]));
        default: return "what?";
        }
    }

    public static void main(String[] arguments) throws Exception {
        DriverConfigLoader config = DriverConfigLoader.programmaticBuilder()
            .withDuration(DefaultDriverOption.REQUEST_TIMEOUT, Duration.ofSeconds(20))
            .withDuration(DefaultDriverOption.METADATA_SCHEMA_WINDOW, Duration.ofMillis(1)) // Else a DDL takes a second.
            .withDuration(DefaultDriverOption.RECONNECTION_BASE_DELAY, Duration.ofMillis(100))
            .withDuration(DefaultDriverOption.RECONNECTION_MAX_DELAY, Duration.ofSeconds(1))
            .build();
        session = CqlSession.builder()
            .addContactPoint(new InetSocketAddress(arguments[0], 9042))
            .withLocalDatacenter("datacenter1")
            .withConfigLoader(config)
            .build();
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        System.out.println("connected " + nodes());
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            String said;
            try {
                said = answer(line.trim().split(" "));
            } catch (Exception e) {
                said = "fault: " + e;
            }
            System.out.println(said);
        }
        session.close();
    }
}
