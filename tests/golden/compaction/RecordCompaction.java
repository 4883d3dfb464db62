// Records what Apache Cassandra's own classes decide, as the vectors of this folder. See README.md.
package org.apache.cassandra.db.compaction;

import java.io.PrintStream;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.util.*;
import java.util.concurrent.TimeUnit;

import com.google.common.collect.HashMultimap;

import org.apache.cassandra.config.DatabaseDescriptor;
import org.apache.cassandra.db.BufferDecoratedKey;
import org.apache.cassandra.db.ColumnFamilyStore;
import org.apache.cassandra.db.DecoratedKey;
import org.apache.cassandra.db.Directories;
import org.apache.cassandra.db.Keyspace;
import org.apache.cassandra.db.lifecycle.Tracker;
import org.apache.cassandra.dht.AbstractBounds;
import org.apache.cassandra.dht.Bounds;
import org.apache.cassandra.dht.Murmur3Partitioner;
import org.apache.cassandra.dht.Range;
import org.apache.cassandra.dht.Token;
import org.apache.cassandra.exceptions.ConfigurationException;
import org.apache.cassandra.io.sstable.Descriptor;
import org.apache.cassandra.io.sstable.SSTable;
import org.apache.cassandra.io.sstable.SequenceBasedSSTableId;
import org.apache.cassandra.io.sstable.format.SSTableReader;
import org.apache.cassandra.io.sstable.format.big.BigTableReader;
import org.apache.cassandra.metrics.RestorableMeter;
import org.apache.cassandra.schema.CompactionParams;
import org.apache.cassandra.schema.TableMetadataRef;
import org.apache.cassandra.utils.ByteBufferUtil;
import org.apache.cassandra.utils.Pair;

public class RecordCompaction
{
    static sun.misc.Unsafe unsafe;

    static class FakeTable extends BigTableReader
    {
        int id;
        long size, first, last, minTimestamp, maxTimestamp, age;
        int level;
        boolean busy;

        FakeTable() { super(null, null); }
        public long onDiskLength() { return size; }
        public long getMinTimestamp() { return minTimestamp; }
        public long getMaxTimestamp() { return maxTimestamp; }
        public int getSSTableLevel() { return level; }
        public long getDataCreationTime() { return 1_700_000_000_000L - age * 1000; }
        public long bytesOnDisk() { return size; }
        public long logicalBytesOnDisk() { return size; }
        public boolean isMarkedSuspect() { return false; }
        public RestorableMeter getReadMeter() { return null; }
        public DecoratedKey getFirst() { return key(first); }
        public DecoratedKey getLast() { return key(last); }
        public AbstractBounds<Token> getBounds() { return new Bounds<>(getFirst().getToken(), getLast().getToken()); }
        public void mutateLevelAndReload(int newLevel) { level = newLevel; }
        public int hashCode() { return id; }
        public boolean equals(Object o) { return this == o; }
        public int compareTo(SSTableReader o) { return getFirst().compareTo(o.getFirst()); }
        public String toString() { return "t" + id; }
    }

    static DecoratedKey key(long token)
    {
        return new BufferDecoratedKey(new Murmur3Partitioner.LongToken(token), ByteBufferUtil.bytes(token));
    }

    static class FakeTracker extends Tracker
    {
        Set<SSTableReader> busy;
        FakeTracker(Set<SSTableReader> busy) { super(null, null, false); this.busy = busy; }
        public Set<SSTableReader> getCompacting() { return busy; }
        public Iterable<SSTableReader> getUncompacting(Iterable<SSTableReader> all)
        {
            List<SSTableReader> free = new ArrayList<>();
            for (SSTableReader t : all) if (!busy.contains(t)) free.add(t);
            return free;
        }
    }

    static class FakeStore extends ColumnFamilyStore
    {
        Tracker tracker;
        int least, most;
        FakeStore() { super(null, null, null, null, null, false, false, false); }
        public Tracker getTracker() { return tracker; }
        public String getKeyspaceName() { return "k"; }
        public String getTableName() { return "t"; }
        public int getMinimumCompactionThreshold() { return least; }
        public int getMaximumCompactionThreshold() { return most; }
    }

    // ---- Options --------------------------------------------------------------------------------

    static void options(PrintStream out)
    {
        String[] strategies = { "SizeTieredCompactionStrategy", "LeveledCompactionStrategy", "TimeWindowCompactionStrategy",
                                "UnifiedCompactionStrategy" };
        String[][] values = {
            { "enabled", "true", "false", "TRUE", "yes", "" },
            { "min_threshold", "2", "1", "0", "-1", "x", "33", "", "4.5", "99999999999", " 4" },
            { "max_threshold", "2", "1", "0", "32", "3", "abc", "-5", "" },
            { "tombstone_threshold", "0", "0.2", "-0.1", "abc", "1e3", "", "NaN", "0.5f", " 0.3 ", "-1e-9", "-12345.678", "0x1p3" },
            { "tombstone_compaction_interval", "0", "86400", "-1", "abc", "1.5", "", "9223372036854775808", "+5" },
            { "unchecked_tombstone_compaction", "true", "False", "no", "" },
            { "only_purge_repaired_tombstones", "true", "false", "no" },
            { "provide_overlapping_tombstones", "none", "row", "CELL", "Row", "column", "" },
            { "log_all", "true", "false", "1" },
            { "log", "all", "true" },
            { "min_sstable_size", "0", "1", "52428800", "-1", "1.5", "abc", "", "50MiB", "100MB", "0B", "1KiB" },
            { "bucket_low", "0.5", "0", "-1", "1.5", "abc", "2", "" , "NaN"},
            { "bucket_high", "1.5", "0.5", "0.4", "abc", "100", "1e10", "" },
            { "sstable_size_in_mb", "1", "160", "0", "-1", "abc", "1.5", "", "2147483648", "1000", "1048576", "2000000000" },
            { "fanout_size", "1", "10", "0", "-3", "abc", "", "100", "2147483647" },
            { "single_sstable_uplevel", "true", "false", "x" },
            { "compaction_window_unit", "MINUTES", "HOURS", "DAYS", "days", "SECONDS", "WEEKS", "" },
            { "compaction_window_size", "1", "7", "0", "-1", "abc", "", "1.5" },
            { "timestamp_resolution", "SECONDS", "MILLISECONDS", "MICROSECONDS", "NANOSECONDS", "MINUTES", "seconds", "" },
            { "expired_sstable_check_frequency_seconds", "0", "600", "-1", "abc", "" },
            { "unsafe_aggressive_sstable_expiration", "true", "false", "TRUE", "yes", "" },
            { "scaling_parameters", "T4", "L8", "N", "T4, L4", "T1", "2", "-8", "X4", "", "T", "L0" , "T4;L4"},
            { "target_sstable_size", "1GiB", "100MiB", "1MiB", "0", "abc", "", "1B", "-1GiB", "1048576B", "5GB" },
            { "base_shard_count", "4", "0", "-1", "abc", "1", "" },
            { "max_sstables_to_compact", "0", "32", "-1", "abc", "" },
            { "expired_sstable_check_frequency_seconds", "1" },
            { "unsafe_aggressive_sstable_expiration", "false" },
            { "overlap_inclusion_method", "NONE", "SINGLE", "TRANSITIVE", "none", "abc", "" },
            { "sstable_growth", "0", "0.5", "1", "-1", "2", "abc", "0.333", "50%", "" },
            { "flush_size_override", "0", "10MiB", "1MiB", "abc", "", "-1", "100B" },
            { "no_such_option", "1" } };
        List<Map<String, String>> all = new ArrayList<>();
        for (String s : strategies)
        {
            all.add(map("class", s));
            for (String[] v : values)
                for (int i = 1; i < v.length; i++)
                    all.add(map("class", s, v[0], v[i]));
            all.add(map("class", s, "min_threshold", "5", "max_threshold", "4"));
            all.add(map("class", s, "min_threshold", "33"));
            all.add(map("class", s, "max_threshold", "3"));
            all.add(map("class", s, "min_threshold", "4", "max_threshold", "0"));
            all.add(map("class", s, "min_threshold", "1", "max_threshold", "0"));
            all.add(map("class", s, "bucket_low", "1.5", "bucket_high", "1.5"));
            all.add(map("class", s, "bucket_low", "2.5", "bucket_high", "1.25"));
            all.add(map("class", s, "bucket_low", "x", "bucket_high", "y"));
            all.add(map("class", s, "a", "1", "b", "2"));
            all.add(map("class", s, "zz", "1", "b", "2", "min_threshold", "1"));
            all.add(map("class", s, "compaction_window_size", "0", "compaction_window_unit", "x"));
            all.add(map("class", s, "sstable_size_in_mb", "1000000", "fanout_size", "100000"));
            all.add(map("class", s, "enabled", "x", "log_all", "y", "unchecked_tombstone_compaction", "z"));
            all.add(map("class", s, "tombstone_threshold", "x", "min_sstable_size", "y"));
            all.add(map("class", s, "min_sstable_size", "2MiB", "target_sstable_size", "1MiB"));
            all.add(map("class", s, "enabled", "false", "min_threshold", "8", "max_threshold", "16", "tombstone_threshold", "0.75"));
        }
        all.add(map());
        all.add(map("min_threshold", "4"));
        for (String c : new String[] { "NoSuchStrategy", "org.apache.cassandra.db.compaction.SizeTieredCompactionStrategy", "java.lang.String",
                                       "org.apache.cassandra.db.compaction.AbstractCompactionStrategy", "", "com.example.Strategy",
                                       "sizetieredcompactionstrategy", "CompactionManager", "DateTieredCompactionStrategy" })
            all.add(map("class", c));
        for (Map<String, String> m : all)
        {
            StringBuilder line = new StringBuilder();
            for (Map.Entry<String, String> e : m.entrySet())
                line.append('\t').append(e.getKey()).append('\t').append(e.getValue());
            String result;
            try
            {
                CompactionParams params = CompactionParams.fromMap(m);
                params.validate();
                result = "ok";
            }
            catch (Throwable t)
            {
                result = t instanceof ConfigurationException ? t.getMessage() : t.getClass().getName() + ": " + t.getMessage();
            }
            out.println(result + line);
        }
    }

    static Map<String, String> map(String... kv)
    {
        Map<String, String> m = new LinkedHashMap<>();
        for (int i = 0; i < kv.length; i += 2) m.put(kv[i], kv[i + 1]);
        return m;
    }

    // ---- Strategies -----------------------------------------------------------------------------

    static FakeTable table(int id, Random r) throws Exception
    {
        FakeTable t = (FakeTable) unsafe.allocateInstance(FakeTable.class);
        t.id = id;
        Descriptor descriptor = (Descriptor) unsafe.allocateInstance(Descriptor.class);
        put(Descriptor.class, "id", descriptor, new SequenceBasedSSTableId(id));
        put(SSTable.class, "descriptor", t, descriptor);
        return t;
    }

    static void put(Class<?> type, String field, Object target, Object value) throws Exception
    {
        unsafe.putObject(target, unsafe.objectFieldOffset(type.getDeclaredField(field)), value);
    }

    static String ids(Collection<SSTableReader> tables)
    {
        List<Integer> ids = new ArrayList<>();
        for (SSTableReader t : tables) ids.add(((FakeTable) t).id);
        Collections.sort(ids);
        StringBuilder s = new StringBuilder();
        for (int i : ids) s.append(s.length() == 0 ? "" : ",").append(i);
        return s.length() == 0 ? "-" : s.toString();
    }

    static void print(PrintStream out, List<FakeTable> tables)
    {
        for (FakeTable t : tables)
            out.println("table " + t.id + " " + t.size + " " + t.first + " " + t.last + " " + t.minTimestamp + " " + t.maxTimestamp + " "
                        + t.level + " " + t.age + " " + (t.busy ? 1 : 0));
    }

    static void sizeTiered(PrintStream out, Random r, int n) throws Exception
    {
        int least = 2 + r.nextInt(5), most = least + r.nextInt(30);
        double low = r.nextInt(3) == 0 ? 0.25 : 0.5, high = r.nextInt(3) == 0 ? 2.0 : 1.5;
        long small = r.nextInt(3) == 0 ? 50L << 20 : r.nextInt(2) * 1000L;
        int count = r.nextInt(n) + 1;
        List<FakeTable> tables = new ArrayList<>();
        Set<Long> sizes = new HashSet<>();
        for (int i = 1; i <= count; i++)
        {
            FakeTable t = table(i, r);
            do t.size = (long) Math.exp(r.nextDouble() * 14 + 5); while (!sizes.add(t.size));
            t.first = r.nextInt(1000);
            t.last = t.first + r.nextInt(1000);
            t.maxTimestamp = r.nextInt(1000000);
            t.minTimestamp = t.maxTimestamp - r.nextInt(1000);
            t.age = r.nextInt(100000);
            tables.add(t);
        }
        out.println("size_tiered " + least + " " + most + " " + low + " " + high + " " + small);
        print(out, tables);
        List<Pair<SSTableReader, Long>> pairs = new ArrayList<>();
        for (FakeTable t : tables) pairs.add(Pair.create(t, t.size));
        List<List<SSTableReader>> buckets = SizeTieredCompactionStrategy.getBuckets(pairs, high, low, small);
        int pending = 0;
        for (List<SSTableReader> b : buckets)
            if (b.size() >= least) pending += Math.ceil((double) b.size() / most);
        out.println("pick 0 0 " + ids(SizeTieredCompactionStrategy.mostInterestingBucket(buckets, least, most)) + " " + pending);
    }

    static void timeWindow(PrintStream out, Random r, int n) throws Exception
    {
        int least = 2 + r.nextInt(5), most = least + r.nextInt(10);
        TimeUnit[] units = { TimeUnit.MINUTES, TimeUnit.HOURS, TimeUnit.DAYS };
        TimeUnit[] resolutions = { TimeUnit.SECONDS, TimeUnit.MILLISECONDS, TimeUnit.MICROSECONDS, TimeUnit.NANOSECONDS };
        TimeUnit unit = units[r.nextInt(3)], resolution = resolutions[r.nextInt(4)];
        int windows = 1 + r.nextInt(30);
        long span = unit.toSeconds(windows) * (1 + r.nextInt(8));
        List<FakeTable> tables = new ArrayList<>();
        Set<Long> sizes = new HashSet<>();
        int count = r.nextInt(n) + 1;
        for (int i = 1; i <= count; i++)
        {
            FakeTable t = table(i, r);
            do t.size = (long) Math.exp(r.nextDouble() * 6 + 12); while (!sizes.add(t.size));
            t.first = 0;
            t.last = 1000;
            t.maxTimestamp = resolution.convert(1_600_000_000_000L + (long) (r.nextDouble() * span * 1000), TimeUnit.MILLISECONDS);
            t.minTimestamp = t.maxTimestamp - 5;
            t.age = 1000 - i;
            tables.add(t);
        }
        Map<String, String> o = new HashMap<>();
        SizeTieredCompactionStrategyOptions sizeTiered = new SizeTieredCompactionStrategyOptions(o);
        out.println("time_window " + least + " " + most + " " + unit + " " + windows + " " + resolution);
        print(out, tables);
        List<SSTableReader> all = new ArrayList<>(tables);
        Pair<HashMultimap<Long, SSTableReader>, Long> buckets = TimeWindowCompactionStrategy.getBuckets(all, unit, windows, resolution);
        Collection<SSTableReader> pick = TimeWindowCompactionStrategy.newestBucket(buckets.left, least, most, sizeTiered, buckets.right).sstables;
        int pending = TimeWindowCompactionStrategy.newestBucket(buckets.left, least, most, sizeTiered, buckets.right).estimatedRemainingTasks;
        out.println("pick 0 0 " + ids(pick) + " " + pending);
    }

    static void leveled(PrintStream out, Random r, int n, boolean valid) throws Exception
    {
        int least = 4, most = 32;
        int fanout = r.nextInt(4) == 0 ? 2 + r.nextInt(10) : 10;
        int mib = 1;
        int l0 = r.nextInt(5) == 0 ? 30 + r.nextInt(40) : r.nextInt(8);
        List<FakeTable> tables = new ArrayList<>();
        long range = 1000000;
        int id = 1;
        Set<Long> sizes = new HashSet<>(), timestamps = new HashSet<>(), ages = new HashSet<>();
        for (int level = 0; level <= 4; level++)
        {
            int count = level == 0 ? l0 : r.nextInt(2) == 0 ? 0 : r.nextInt((int) Math.min(n, Math.pow(fanout, level) * 1.5) + 1);
            long[] cuts = new long[2 * count];
            Set<Long> used = new TreeSet<>();
            while (used.size() < 2 * count) used.add((long) r.nextInt((int) range));
            int at = 0;
            for (long c : used) cuts[at++] = c;
            for (int i = 0; i < count; i++)
            {
                FakeTable t = table(id++, r);
                t.level = level;
                do t.size = level == 0 ? (long) Math.exp(r.nextDouble() * 6 + 9) : (1 << 20) - r.nextInt(300000) + 100000; while (!sizes.add(t.size));
                t.first = cuts[2 * i];
                t.last = cuts[2 * i + 1];
                if (level == 0 || (!valid && r.nextInt(20) == 0))
                {
                    t.first = r.nextInt((int) range);
                    t.last = Math.min(range, t.first + r.nextInt(level == 0 && r.nextBoolean() ? (int) range : (int) range / 20));
                }
                do t.maxTimestamp = r.nextInt(1000000); while (!timestamps.add(t.maxTimestamp));
                t.minTimestamp = t.maxTimestamp - r.nextInt(1000);
                do t.age = r.nextInt(1000000); while (!ages.add(t.age));
                t.busy = r.nextInt(25) == 0;
                tables.add(t);
            }
        }
        if (tables.isEmpty()) return;
        out.println("leveled " + least + " " + most + " " + mib + " " + fanout);
        print(out, tables);
        Set<SSTableReader> busy = new HashSet<>();
        for (FakeTable t : tables) if (t.busy) busy.add(t);
        FakeStore store = (FakeStore) unsafe.allocateInstance(FakeStore.class);
        store.tracker = new FakeTracker(busy);
        store.least = least;
        store.most = most;
        LeveledManifest manifest = LeveledManifest.create(store, mib, fanout, new ArrayList<SSTableReader>(tables),
                                                          new SizeTieredCompactionStrategyOptions(new HashMap<>()));
        StringBuilder levels = new StringBuilder();
        for (FakeTable t : tables) levels.append(levels.length() == 0 ? "" : ",").append(t.level);
        LeveledManifest.CompactionCandidate pick = manifest.getCompactionCandidates();
        out.println("levels " + levels);
        if (pick == null)
            out.println("pick 0 0 - " + manifest.getEstimatedTasks());
        else
            out.println("pick " + pick.level + " " + (pick.maxSSTableBytes == Long.MAX_VALUE ? 0 : pick.maxSSTableBytes) + " "
                        + ids(pick.sstables) + " " + manifest.getEstimatedTasks());
    }

    public static void main(String[] args) throws Exception
    {
        Field f = sun.misc.Unsafe.class.getDeclaredField("theUnsafe");
        f.setAccessible(true);
        unsafe = (sun.misc.Unsafe) f.get(null);
        DatabaseDescriptor.toolInitialization();
        try (PrintStream out = new PrintStream(args[0] + "/options.tsv", "UTF-8")) { options(out); }
        try (PrintStream out = new PrintStream(args[0] + "/decisions.txt", "UTF-8"))
        {
            for (int i = 0; i < 100; i++) sizeTiered(out, new Random(i), i % 10 == 0 ? 60 : 12);
            for (int i = 0; i < 100; i++) timeWindow(out, new Random(1000 + i), i % 10 == 0 ? 40 : 10);
            for (int i = 0; i < 200; i++) leveled(out, new Random(2000 + i), i % 10 == 0 ? 40 : 10, i % 5 != 0);
        }
        System.exit(0);
    }
}
