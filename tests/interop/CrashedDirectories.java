// What a real Cassandra makes of directories that a crash left: it finishes their transactions, opens what is there, merges it
// and prints the live rows.
//
//   CrashedDirectories PARENT "CREATE TABLE ..."     each directory X of it: rows of X/data/*/t-* to PARENT/X.theirs
package org.apache.cassandra.db.lifecycle;

import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.Stream;

import org.apache.cassandra.config.DatabaseDescriptor;
import org.apache.cassandra.cql3.CQLFragmentParser;
import org.apache.cassandra.cql3.CqlParser;
import org.apache.cassandra.db.marshal.Int32Type;
import org.apache.cassandra.db.marshal.UTF8Type;
import org.apache.cassandra.db.partitions.PartitionIterator;
import org.apache.cassandra.db.partitions.UnfilteredPartitionIterator;
import org.apache.cassandra.db.partitions.UnfilteredPartitionIterators;
import org.apache.cassandra.db.rows.Cell;
import org.apache.cassandra.db.rows.Row;
import org.apache.cassandra.db.rows.RowIterator;
import org.apache.cassandra.dht.Murmur3Partitioner;
import org.apache.cassandra.io.sstable.Descriptor;
import org.apache.cassandra.io.sstable.format.SSTableReader;
import org.apache.cassandra.io.util.File;
import org.apache.cassandra.schema.TableMetadata;
import org.apache.cassandra.schema.TableMetadataRef;
import org.apache.cassandra.schema.Types;

public class CrashedDirectories
{
    static TableMetadata table;
    static final int NOW = 1000;

    static void print(RowIterator partition, PrintStream out)
    {
        int key = Int32Type.instance.compose(partition.partitionKey().getKey());
        while (partition.hasNext())
        {
            Row row = partition.next();
            Cell<?> cell = row.getCell(table.getColumn(UTF8Type.instance.decompose("v")));
            int clustering = Int32Type.instance.compose(row.clustering().bufferAt(0));
            out.println(key + " " + clustering + " " + (cell == null ? "" : UTF8Type.instance.compose(cell.buffer())));
        }
    }

    static void read(Path directory, PrintStream out) throws Exception
    {
        List<UnfilteredPartitionIterator> scans = new ArrayList<>();
        List<SSTableReader> readers = new ArrayList<>();
        for (File file : new File(directory).tryList())
        {
            if (!file.name().endsWith("-Data.db"))
                continue;
            SSTableReader reader = SSTableReader.open(null, Descriptor.fromFile(file), null, TableMetadataRef.forOfflineTools(table), true, true);
            readers.add(reader);
            scans.add(reader.getScanner());
        }
        if (scans.isEmpty())
            return;
        try (PartitionIterator rows = UnfilteredPartitionIterators.filter(
                 UnfilteredPartitionIterators.merge(scans, UnfilteredPartitionIterators.MergeListener.NOOP), NOW))
        {
            while (rows.hasNext())
            {
                try (RowIterator partition = rows.next())
                {
                    print(partition, out);
                }
            }
        }
        for (SSTableReader reader : readers)
            reader.selfRef().release();
    }

    static void look(Path root) throws Exception
    {
        Path directory;
        try (Stream<Path> found = Files.find(root.resolve("data"), 2, (path, what) -> path.getFileName().toString().startsWith("t-")))
        {
            directory = found.findFirst().get();
        }
        try (PrintStream out = new PrintStream(root + ".theirs"))
        {
            if (!LogTransaction.removeUnfinishedLeftovers(Collections.singletonList(new File(directory))))
                out.println("refused");
            read(directory, out);
        }
        catch (Throwable e)
        {
            System.out.println(root.getFileName() + ": " + e);
            e.printStackTrace(System.out);
        }
    }

    public static void main(String[] arguments) throws Exception
    {
        DatabaseDescriptor.toolInitialization();
        table = CQLFragmentParser.parseAny(CqlParser::createTableStatement, arguments[1], "CREATE TABLE")
                                 .keyspace("ks").prepare(null).builder(Types.none())
                                 .partitioner(Murmur3Partitioner.instance).build();
        try (Stream<Path> roots = Files.list(Paths.get(arguments[0])))
        {
            for (Path root : (Iterable<Path>) roots.filter(Files::isDirectory).sorted()::iterator)
                look(root);
        }
        System.exit(0);
    }
}
