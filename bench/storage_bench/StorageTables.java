// Cassandra's own classes with the rows of workload.h: the memtable, its flush, reads, CompactionTask, and
// CQLSSTableWriter, in one process without a server. One line of JSON for each measurement.
// usage: StorageTables DIRECTORY ROWS READS ROUNDS; cassandra.yaml's data directory is its own to fill.
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.util.*;
import org.apache.cassandra.config.DatabaseDescriptor;
import org.apache.cassandra.cql3.*;
import org.apache.cassandra.cql3.statements.schema.CreateTableStatement;
import org.apache.cassandra.db.*;
import org.apache.cassandra.db.commitlog.CommitLog;
import org.apache.cassandra.db.compaction.CompactionManager;
import org.apache.cassandra.db.context.CounterContext;
import org.apache.cassandra.db.filter.*;
import org.apache.cassandra.db.marshal.*;
import org.apache.cassandra.db.memtable.Memtable;
import org.apache.cassandra.db.partitions.*;
import org.apache.cassandra.db.rows.*;
import org.apache.cassandra.dht.Murmur3Partitioner;
import org.apache.cassandra.io.sstable.*;
import org.apache.cassandra.io.sstable.format.SSTableReader;
import org.apache.cassandra.io.util.File;
import org.apache.cassandra.schema.*;

public class StorageTables {
    static final String EVENTS = "CREATE TABLE bench.events (k text, c bigint, v text, n int, PRIMARY KEY ((k), c)) WITH CLUSTERING ORDER BY (c DESC)";
    static final String HASHTAGS = "CREATE TABLE bench.hashtags (tag text, day text, mentions counter, PRIMARY KEY ((tag), day)) WITH CLUSTERING ORDER BY (day DESC)";
    static final int DAYS = 60, FILES = 4, SLICE_ROWS = 30, INCREMENTS_OF_PLACE = 4, NOW = 1_700_000_000;
    static final long FIRST_TIMESTAMP_US = 1_700_000_000_000_000L;

    // ---- The workload, as in workload.c ---------------------------------------------------------

    static long random(long index) {
        long z = (index + 1) * 0x9e3779b97f4a7c15L;
        z = (z ^ z >>> 30) * 0xbf58476d1ce4e5b9L;
        z = (z ^ z >>> 27) * 0x94d049bb133111ebL;
        return z ^ z >>> 31;
    }

    static long below(long index, long count) { return Long.remainderUnsigned(random(index), count); }

    record Event(ByteBuffer k, ByteBuffer c, ByteBuffer v, ByteBuffer n) {
        long size() { return k.remaining() + 8L + v.remaining() + 4L; }
    }

    record Place(ByteBuffer tag, ByteBuffer day) {
        long size() { return tag.remaining() + day.remaining() + 8L; }
    }

    static long rows, partitions, tags;

    static String eventKey(long index) { return "tag" + (random(index) >>> 1) % partitions; }

    static Event event(long index) {
        long more = random(~index);
        return new Event(UTF8Type.instance.decompose(eventKey(index)), LongType.instance.decompose(more >>> 40),
            UTF8Type.instance.decompose("value-" + (more & 0xffffff) % 1000000 + "-of-thirty-two-bytes"), Int32Type.instance.decompose((int) index));
    }

    static Place place(long place) {
        return new Place(UTF8Type.instance.decompose("#tag" + place / DAYS), UTF8Type.instance.decompose(String.format("d%02d", place % DAYS)));
    }

    static int[] increments(int count) {
        double[] sums = new double[(int) tags];
        double sum = 0;
        for (int i = 0; i < tags; i++) sums[i] = sum += 1.0 / (i + 1);
        int[] order = new int[count];
        for (int i = 0; i < count; i++) {
            long bits = random(i);
            double wanted = (bits >>> 11) * 0x1p-53 * sum;
            int low = 0, high = (int) tags - 1;
            while (low < high) {
                int middle = (low + high) / 2;
                if (sums[middle] > wanted) high = middle; else low = middle + 1;
            }
            order[i] = low * DAYS + (int) (bits & 0x7ff) % DAYS;
        }
        return order;
    }

    // ---- Measuring ------------------------------------------------------------------------------

    static class Measurement {
        final String table, work;
        long operations, data, disk, memory, sum, written = written();
        double cpu = cpu(), wall = System.nanoTime() / 1e9;

        Measurement(String table, String work) { this.table = table; this.work = work; }

        static double cpu() { return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime() / 1e9; }

        static long written() {
            try {
                for (String line : java.nio.file.Files.readAllLines(java.nio.file.Path.of("/proc/self/io")))
                    if (line.startsWith("wchar: ")) return Long.parseLong(line.substring(7));
            } catch (java.io.IOException e) { }
            return 0;
        }

        void end() {
            cpu = cpu() - cpu;
            wall = System.nanoTime() / 1e9 - wall;
            System.out.printf("{\"table\": \"%s\", \"work\": \"%s\", \"operations\": %d, \"data_bytes\": %d, \"cpu_s\": %.6f, \"wall_s\": %.6f, \"disk_bytes\": %d, "
                + "\"written_bytes\": %d, \"memory_bytes\": %d, \"sum\": %d}%n", table, work, operations, data, cpu, wall, disk, written() - written, memory, sum);
            System.out.flush();
        }
    }

    // ---- One table ------------------------------------------------------------------------------

    static class Store {
        final ColumnFamilyStore cfs;
        final TableMetadata metadata;
        final ColumnMetadata v, n, mentions;

        Store(String name) {
            cfs = Keyspace.open("bench").getColumnFamilyStore(name);
            cfs.disableAutoCompaction();
            metadata = cfs.metadata();
            v = column("v"); n = column("n"); mentions = column("mentions");
        }

        ColumnMetadata column(String name) { return metadata.getColumn(ColumnIdentifier.getInterned(name, false)); }

        boolean isCounter() { return mentions != null; }

        Mutation mutation(ByteBuffer key, Row row) {
            // A builder collects what the header of an SSTable needs to know; singleRowUpdate() would not.
            PartitionUpdate.Builder update = new PartitionUpdate.Builder(metadata, key, metadata.regularAndStaticColumns(), 1);
            update.add(row);
            return new Mutation(update.build());
        }

        void insert(Event e, long timestamp) {
            Row.Builder row = BTreeRow.unsortedBuilder();
            row.newRow(Clustering.make(e.c));
            row.addPrimaryKeyLivenessInfo(LivenessInfo.create(timestamp, NOW));
            row.addCell(BufferCell.live(v, timestamp, e.v));
            row.addCell(BufferCell.live(n, timestamp, e.n));
            mutation(e.k, row.build()).applyUnsafe();
        }

        void count(Place p, long timestamp) {
            Row.Builder row = BTreeRow.unsortedBuilder();
            row.newRow(Clustering.make(p.day));
            row.addCell(BufferCell.live(mentions, timestamp, CounterContext.instance().createUpdate(1)));
            new CounterMutation(mutation(p.tag, row.build()), ConsistencyLevel.ONE).applyCounterMutation();
        }

        long sum(Row row) {
            return isCounter() ? CounterContext.instance().total(row.getCell(mentions)) : Int32Type.instance.compose(row.getCell(n).buffer());
        }

        void read(ByteBuffer key, ByteBuffer clustering, Measurement m) {
            DecoratedKey k = metadata.partitioner.decorateKey(key);
            SinglePartitionReadCommand command = clustering != null
                ? SinglePartitionReadCommand.create(metadata, NOW, k, ColumnFilter.all(metadata), new ClusteringIndexNamesFilter(FBUtilitiesSet.of(Clustering.make(clustering), metadata), false))
                : SinglePartitionReadCommand.create(metadata, NOW, ColumnFilter.all(metadata), RowFilter.none(), DataLimits.cqlLimits(SLICE_ROWS), k, new ClusteringIndexSliceFilter(Slices.ALL, false));
            m.operations++;
            try (ReadExecutionController controller = command.executionController(); UnfilteredPartitionIterator found = command.executeLocally(controller)) {
                while (found.hasNext()) try (UnfilteredRowIterator partition = found.next()) {
                    while (partition.hasNext()) m.sum += sum((Row) partition.next());
                }
            }
        }

        void flush() { cfs.forceBlockingFlush(ColumnFamilyStore.FlushReason.UNIT_TESTS); }

        long disk() {
            long size = 0;
            for (SSTableReader r : cfs.getLiveSSTables()) for (Component c : r.getComponents()) size += r.descriptor.fileFor(c).length();
            return size;
        }

        long memory() {
            Memtable.MemoryUsage usage = Memtable.getMemoryUsage(cfs.getTracker().getView().getCurrentMemtable());
            return usage.ownsOnHeap + usage.ownsOffHeap;
        }

        void scan(Measurement m) {
            for (SSTableReader r : cfs.getLiveSSTables()) try (ISSTableScanner s = r.getScanner()) {
                while (s.hasNext()) try (UnfilteredRowIterator p = s.next()) {
                    while (p.hasNext()) { m.sum += sum((Row) p.next()); m.operations++; }
                }
            }
        }

        void flushAndScan(String table, long operations, long data) {
            Measurement m = new Measurement(table, "flush");
            flush();
            m.operations = operations; m.data = data; m.disk = disk();
            m.end();
            for (String work : List.of("scan", "cached scan")) {
                m = new Measurement(table, work);
                scan(m);
                m.data = data;
                m.end();
            }
        }

        void compact(String table, long operations, long data) {
            Measurement m = new Measurement(table, "compaction");
            CompactionManager.instance.performMaximal(cfs, false);
            m.operations = operations; m.data = data; m.disk = disk();
            m.end();
            m = new Measurement(table, "scan of compacted");
            scan(m);
            m.end();
        }

        void clear() { cfs.truncateBlocking(); }
    }

    static class FBUtilitiesSet {
        static NavigableSet<Clustering<?>> of(Clustering<?> clustering, TableMetadata metadata) {
            return org.apache.cassandra.utils.FBUtilities.singleton(clustering, metadata.comparator);
        }
    }

    // ---- The runs -------------------------------------------------------------------------------

    static void readEvents(Store store, Event[] events, String where, int reads) {
        Measurement m = new Measurement("events", where + " hit");
        for (int i = 0; i < reads; i++) { Event e = events[(int) below(i, rows)]; store.read(e.k, e.c, m); }
        m.end();
        Event[] missing = new Event[reads];
        for (int i = 0; i < reads; i++) { Event e = event(i); missing[i] = new Event(UTF8Type.instance.decompose(eventKey(i) + "x"), e.c, e.v, e.n); }
        m = new Measurement("events", where + " miss");
        for (int i = 0; i < reads; i++) store.read(missing[i].k, missing[i].c, m);
        m.end();
        m = new Measurement("events", where + " slice");
        for (int i = 0; i < reads; i++) store.read(events[(int) below(i, rows)].k, null, m);
        m.end();
    }

    static void runEvents(Store store, int reads) {
        Event[] events = new Event[(int) rows];
        for (int i = 0; i < rows; i++) events[i] = event(i);
        Measurement m = new Measurement("events", "insert");
        for (int i = 0; i < rows; i++) { store.insert(events[i], FIRST_TIMESTAMP_US + i); m.data += events[i].size(); }
        m.operations = rows; m.memory = store.memory();
        m.end();
        readEvents(store, events, "memtable", reads);
        store.flushAndScan("events", rows, m.data);
        readEvents(store, events, "sstable", reads);
        store.clear();
        long data = 0;
        for (int file = 0; file < FILES; file++) {
            for (int i = 0; i < rows; i++) { Event e = event(file * rows + i); store.insert(e, FIRST_TIMESTAMP_US + file * rows + i); data += e.size(); }
            store.flush();
        }
        store.compact("events", FILES * rows, data);
        store.clear();
    }

    static void readPlaces(Store store, Place[] places, long count, String where, int reads) {
        Measurement m = new Measurement("hashtags", where + " hit");
        for (int i = 0; i < reads; i++) { Place p = places[(int) below(i, count)]; store.read(p.tag, p.day, m); }
        m.end();
        m = new Measurement("hashtags", where + " slice");
        for (int i = 0; i < reads; i++) store.read(places[(int) below(i, count)].tag, null, m);
        m.end();
    }

    static void runHashtags(Store store, int reads) {
        int count = (int) (tags * DAYS), increments = count * INCREMENTS_OF_PLACE;
        Place[] places = new Place[count / 5 * 6];
        for (int i = 0; i < places.length; i++) places[i] = place(i);
        long data = 0;
        for (int i = 0; i < count; i++) { store.count(places[i], FIRST_TIMESTAMP_US + i); data += places[i].size(); }
        int[] order = increments(increments);
        Measurement m = new Measurement("hashtags", "increment");
        for (int i = 0; i < increments; i++) { Place p = places[order[i]]; store.count(p, FIRST_TIMESTAMP_US + i); m.data += p.size(); }
        m.operations = increments; m.memory = store.memory();
        m.end();
        readPlaces(store, places, count, "memtable", reads / 10);
        store.flushAndScan("hashtags", count, data);
        readPlaces(store, places, count, "sstable", reads);
        store.clear();
        long operations = 0;
        data = 0;
        for (int file = 0; file < FILES; file++) {
            for (int i = 0; i < places.length; i++) {
                if (i % 6 == file) continue;
                store.count(places[i], FIRST_TIMESTAMP_US + i);
                operations++;
                data += places[i].size();
            }
            store.flush();
        }
        store.compact("hashtags", operations, data);
        store.clear();
    }

    // What users are given to make SSTables from rows.
    static void runWriter(String directory, int round) throws Exception {
        java.io.File to = new java.io.File(directory, "written-" + round);
        to.mkdirs();
        Object[][] values = new Object[(int) rows][];
        for (int i = 0; i < rows; i++) {
            Event e = event(i);
            values[i] = new Object[] { UTF8Type.instance.compose(e.k), LongType.instance.compose(e.c), UTF8Type.instance.compose(e.v), i };
        }
        Measurement m = new Measurement("events", "writer");
        try (CQLSSTableWriter w = CQLSSTableWriter.builder().inDirectory(to.getPath()).forTable(EVENTS).using("INSERT INTO bench.events (k, c, v, n) VALUES (?, ?, ?, ?)")
                .withPartitioner(Murmur3Partitioner.instance).withBufferSizeInMiB(256).build()) {
            for (Object[] row : values) w.addRow(row);
        }
        m.operations = rows;
        for (java.io.File f : to.listFiles()) m.disk += f.length();
        m.end();
    }

    static TableMetadata table(String cql) {
        return CQLFragmentParser.parseAny(CqlParser::createTableStatement, cql, "CREATE TABLE").keyspace("bench").prepare(null).builder(Types.none()).partitioner(Murmur3Partitioner.instance).build();
    }

    public static void main(String[] a) throws Exception {
        rows = Long.parseLong(a[1]);
        int reads = Integer.parseInt(a[2]);
        partitions = Math.max(1, rows / 50);
        tags = Math.max(1, rows / DAYS);
        DatabaseDescriptor.daemonInitialization();
        DatabaseDescriptor.createAllDirectories();
        CommitLog.instance.start();
        Keyspace.setInitialized();
        SystemKeyspace.persistLocalMetadata();
        KeyspaceParams params = KeyspaceParams.create(false, Map.of("class", "SimpleStrategy", "replication_factor", "1"));
        Schema.instance.transform(SchemaTransformations.addKeyspace(KeyspaceMetadata.create("bench", params, Tables.of(table(EVENTS), table(HASHTAGS))), true));
        for (int round = 0; round < Integer.parseInt(a[3]); round++) {
            runEvents(new Store("events"), reads);
            runHashtags(new Store("hashtags"), reads);
            runWriter(a[0], round);
        }
        System.exit(0);
    }
}
