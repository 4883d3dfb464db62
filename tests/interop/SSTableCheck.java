// Cassandra's own classes look at SSTables and a transaction log that Helenus wrote.
//
//   SSTableCheck read TABLE_DIRECTORY "CREATE TABLE ..."   scan, point reads, reversed reads agree
//   SSTableCheck log FILE                                  prints whether the log is whole, committed
//   SSTableCheck recover DIRECTORY                         finishes the transactions of each of its directories
package org.apache.cassandra.db.lifecycle;

import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

import org.apache.cassandra.config.DatabaseDescriptor;
import org.apache.cassandra.cql3.CQLFragmentParser;
import org.apache.cassandra.cql3.CqlParser;
import org.apache.cassandra.db.DecoratedKey;
import org.apache.cassandra.db.Slices;
import org.apache.cassandra.db.filter.ColumnFilter;
import org.apache.cassandra.db.rows.Unfiltered;
import org.apache.cassandra.db.rows.UnfilteredRowIterator;
import org.apache.cassandra.dht.Murmur3Partitioner;
import org.apache.cassandra.io.sstable.Descriptor;
import org.apache.cassandra.io.sstable.ISSTableScanner;
import org.apache.cassandra.io.sstable.SSTableReadsListener;
import org.apache.cassandra.io.sstable.format.SSTableReader;
import org.apache.cassandra.io.util.File;
import org.apache.cassandra.schema.TableMetadata;
import org.apache.cassandra.schema.TableMetadataRef;
import org.apache.cassandra.schema.Types;

public class SSTableCheck
{
    static TableMetadata table;

    // Markers are left out where directions are compared: they are cut at other places.
    static List<String> texts(UnfilteredRowIterator partition)
    {
        List<String> texts = new ArrayList<>();
        while (partition.hasNext())
        {
            Unfiltered unfiltered = partition.next();
            unfiltered.validateData(table);
            // A scan and a point read print a clustering of no columns differently.
            if (unfiltered.isRow())
                texts.add(unfiltered.toString(table, true, true).replace(": EMPTY |", ":  |"));
        }
        return texts;
    }

    static List<String> read(SSTableReader reader, DecoratedKey key, boolean reversed)
    {
        try (UnfilteredRowIterator partition = reader.rowIterator(key, Slices.ALL, ColumnFilter.all(table), reversed,
                                                                  SSTableReadsListener.NOOP_LISTENER))
        {
            return texts(partition);
        }
    }

    static void readAll(String directory, String createTable) throws Exception
    {
        table = CQLFragmentParser.parseAny(CqlParser::createTableStatement, createTable, "CREATE TABLE")
                                 .keyspace("helenus").prepare(null).builder(Types.none())
                                 .partitioner(Murmur3Partitioner.instance).build();
        Descriptor descriptor = null;
        for (File file : new File(Paths.get(directory)).tryList())
            if (file.name().endsWith("Data.db"))
                descriptor = Descriptor.fromFile(file);
        SSTableReader reader = SSTableReader.open(null, descriptor, null, TableMetadataRef.forOfflineTools(table), true, true);
        long partitions = 0, rows = 0, differences = 0;
        try (ISSTableScanner scan = reader.getScanner())
        {
            while (scan.hasNext())
            {
                try (UnfilteredRowIterator partition = scan.next())
                {
                    DecoratedKey key = partition.partitionKey();
                    List<String> scanned = texts(partition);
                    partitions++;
                    rows += scanned.size();
                    List<String> reversed = read(reader, key, true);
                    Collections.reverse(reversed);
                    if (!scanned.equals(read(reader, key, false)) || !scanned.equals(reversed))
                        differences++;
                }
            }
        }
        System.out.println("partitions " + partitions + " rows " + rows + " differences " + differences
                           + " keys by HyperLogLog " + SSTableReader.getApproximateKeyCount(Collections.singletonList(reader)));
    }

    public static void main(String[] arguments) throws Exception
    {
        DatabaseDescriptor.toolInitialization();
        if (arguments[0].equals("read"))
        {
            readAll(arguments[1], arguments[2]);
        }
        else if (arguments[0].equals("recover"))
        {
            for (File directory : new File(Paths.get(arguments[1])).tryList())
                System.out.println(directory.name() + " "
                                   + LogTransaction.removeUnfinishedLeftovers(Collections.singletonList(directory)));
        }
        else
        {
            try (LogFile log = LogFile.make(new File(Paths.get(arguments[1]))))
            {
                System.out.println("whole " + log.verify() + " committed " + log.committed());
            }
        }
        System.exit(0);
    }
}
