// Cassandra's own classes look at SSTables that Helenus wrote.
//
//   TableCheck TABLES OUTPUT    for each line NAME, column_index_size of TABLES/tables.tsv, and each SSTable N of TABLES/NAME:
//       TABLES/NAME.N.cassandra.text   what its reader finds, in the form of the golden vectors
//       TABLES/NAME.N.json             what sstabledump prints of it (not if the third field is "huge")
//       OUTPUT/NAME/nb-N-big-*         the same partitions written by Cassandra's own writer, with the same header
//     and on the output a line: NAME N partitions P unfiltereds U differences D keys K data B
//     A line whose third field is "merge of OTHER" is of a table whose SSTable is all of OTHER's, merged: then Cassandra merges those.
//       D: partitions that read another way backwards, or by their key, than in a scan; K: what its HyperLogLog says;
//       B: "same" when the two have the same data behind their compression.
//
//   TableCheck import PORT KEYSPACE TABLE DIRECTORY...  as `nodetool import --copy-data --extended-verify`, several in one go
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.zip.CRC32;

import org.apache.cassandra.config.DatabaseDescriptor;
import org.apache.cassandra.db.ClusteringPrefix;
import org.apache.cassandra.db.DecoratedKey;
import org.apache.cassandra.db.DeletionTime;
import org.apache.cassandra.db.LivenessInfo;
import org.apache.cassandra.db.Slices;
import org.apache.cassandra.db.filter.ColumnFilter;
import org.apache.cassandra.db.partitions.UnfilteredPartitionIterator;
import org.apache.cassandra.db.partitions.UnfilteredPartitionIterators;
import org.apache.cassandra.db.rows.Cell;
import org.apache.cassandra.db.rows.ColumnData;
import org.apache.cassandra.db.rows.ComplexColumnData;
import org.apache.cassandra.db.rows.RangeTombstoneMarker;
import org.apache.cassandra.db.rows.Row;
import org.apache.cassandra.db.rows.Unfiltered;
import org.apache.cassandra.db.rows.UnfilteredRowIterator;
import org.apache.cassandra.io.sstable.Descriptor;
import org.apache.cassandra.io.sstable.ISSTableScanner;
import org.apache.cassandra.io.sstable.SSTableReadsListener;
import org.apache.cassandra.io.sstable.SSTableTxnWriter;
import org.apache.cassandra.io.sstable.SequenceBasedSSTableId;
import org.apache.cassandra.io.sstable.format.CompressionInfoComponent;
import org.apache.cassandra.io.sstable.format.SSTableReader;
import org.apache.cassandra.io.sstable.format.StatsComponent;
import org.apache.cassandra.io.sstable.metadata.MetadataType;
import org.apache.cassandra.io.sstable.metadata.ValidationMetadata;
import org.apache.cassandra.io.util.File;
import org.apache.cassandra.io.util.RandomAccessReader;
import org.apache.cassandra.schema.ColumnMetadata;
import org.apache.cassandra.schema.CompressionParams;
import org.apache.cassandra.schema.TableMetadata;
import org.apache.cassandra.schema.TableMetadataRef;
import org.apache.cassandra.tools.JsonTransformer;
import org.apache.cassandra.tools.NodeProbe;
import org.apache.cassandra.tools.Util;
import org.apache.cassandra.utils.ByteBufferUtil;

public class TableCheck
{
    static String hex(ByteBuffer bytes)
    {
        return ByteBufferUtil.bytesToHex(bytes);
    }

    static String deletion(DeletionTime deletion)
    {
        return deletion.isLive() ? "live" : deletion.markedForDeleteAt() + "/" + deletion.localDeletionTime();
    }

    static String values(ClusteringPrefix<?> prefix)
    {
        StringBuilder text = new StringBuilder("[");
        ByteBuffer[] values = prefix.getBufferArray();
        for (int i = 0; i < prefix.size(); i++)
            text.append(i > 0 ? "," : "").append(values[i] == null ? "null" : hex(values[i]));
        return text.append("]").toString();
    }

    static void cell(StringBuilder text, Cell<?> cell)
    {
        text.append("    ").append(hex(cell.column().name.bytes));
        if (cell.column().isComplex())
            text.append("@").append(hex(cell.path().get(0)));
        text.append(" ts=").append(cell.timestamp());
        if (cell.ttl() != Cell.NO_TTL)
            text.append(" ttl=").append(cell.ttl());
        if (cell.localDeletionTime() != Cell.NO_DELETION_TIME)
            text.append(" ldt=").append(cell.localDeletionTime());
        ByteBuffer value = cell.buffer();
        if (value.remaining() > 64)
        {
            CRC32 crc = new CRC32();
            crc.update(value.duplicate());
            text.append(" v=#").append(value.remaining()).append(":").append(Long.toHexString(crc.getValue()));
        }
        else
        {
            text.append(" v=").append(hex(value));
        }
        text.append("\n");
    }

    static String row(Row row, boolean isStatic)
    {
        StringBuilder text = new StringBuilder(isStatic ? "S " : "R ");
        text.append(isStatic ? "[]" : values(row.clustering())).append(" live=");
        LivenessInfo liveness = row.primaryKeyLivenessInfo();
        text.append(liveness.isEmpty() ? "none" : Long.toString(liveness.timestamp()));
        if (!liveness.isEmpty() && liveness.ttl() != LivenessInfo.NO_TTL)
            text.append("/").append(liveness.ttl()).append("/").append(liveness.localExpirationTime());
        text.append(" del=").append(deletion(row.deletion().time())).append("\n");
        for (ColumnData data : row)
        {
            if (data.column().isComplex())
            {
                ComplexColumnData complex = (ComplexColumnData) data;
                text.append("   C ").append(hex(data.column().name.bytes)).append(" ")
                    .append(deletion(complex.complexDeletion())).append("\n");
                for (Cell<?> cell : complex)
                    cell(text, cell);
            }
            else
            {
                cell(text, (Cell<?>) data);
            }
        }
        return text.toString();
    }

    static String marker(RangeTombstoneMarker marker)
    {
        StringBuilder text = new StringBuilder("M ");
        text.append(marker.clustering().kind().ordinal()).append(" ").append(values(marker.clustering()));
        if (marker.isClose(false))
            text.append(" close=").append(deletion(marker.closeDeletionTime(false)));
        if (marker.isOpen(false))
            text.append(" open=").append(deletion(marker.openDeletionTime(false)));
        return text.append("\n").toString();
    }

    // Each row and marker; where directions are compared without markers, which are cut at other places.
    static List<String> texts(TableMetadata table, UnfilteredRowIterator partition, boolean withMarkers)
    {
        List<String> texts = new ArrayList<>();
        ClusteringPrefix<?> last = null;
        while (partition.hasNext())
        {
            Unfiltered unfiltered = partition.next();
            unfiltered.validateData(table);
            if (last != null && withMarkers && table.comparator.compare(last, unfiltered.clustering()) >= 0)
                throw new IllegalStateException("not in order: " + values(last) + ", " + values(unfiltered.clustering()));
            last = unfiltered.clustering();
            if (unfiltered.isRow())
                texts.add(row((Row) unfiltered, false));
            else if (withMarkers)
                texts.add(marker((RangeTombstoneMarker) unfiltered));
        }
        return texts;
    }

    static List<String> read(SSTableReader reader, TableMetadata table, DecoratedKey key, boolean reversed)
    {
        try (UnfilteredRowIterator partition = reader.rowIterator(key, Slices.ALL, ColumnFilter.all(table), reversed,
                                                                  SSTableReadsListener.NOOP_LISTENER))
        {
            return texts(table, partition, false);
        }
    }

    // The table as the files tell it.
    static TableMetadata metadata(Descriptor descriptor) throws Exception
    {
        TableMetadata.Builder builder = Util.metadataFromSSTable(descriptor).unbuild();
        ValidationMetadata validation = (ValidationMetadata)
            StatsComponent.load(descriptor, MetadataType.VALIDATION).metadata.get(MetadataType.VALIDATION);
        builder.bloomFilterFpChance(validation.bloomFilterFPChance);
        File info = new File(descriptor.directory, "nb-" + descriptor.id + "-big-CompressionInfo.db");
        CompressionParams compression = CompressionParams.noCompression();
        if (info.exists())
            compression = CompressionInfoComponent.load(descriptor).parameters;
        builder.compression(compression);
        // The first number of Summary.db is the table's min_index_interval.
        byte[] summary = Files.readAllBytes(Paths.get(descriptor.directory.toString(), "nb-" + descriptor.id + "-big-Summary.db"));
        builder.minIndexInterval(ByteBuffer.wrap(summary).getInt());
        return builder.build();
    }

    // `reader` has what all `sources` have.
    static String writeAgain(SSTableReader reader, List<SSTableReader> sources, TableMetadataRef ref, Path to, long partitions)
        throws Exception
    {
        Files.createDirectories(to);
        Descriptor descriptor = new Descriptor(new File(to), "ks", "t", reader.descriptor.id);
        try (SSTableTxnWriter writer = SSTableTxnWriter.create(ref, descriptor, partitions, 0, null, false, reader.header,
                                                               Collections.emptyList(), null);
             UnfilteredPartitionIterator merged = UnfilteredPartitionIterators.merge(scanners(sources), null))
        {
            while (merged.hasNext())
            {
                try (UnfilteredRowIterator partition = merged.next())
                {
                    writer.append(partition);
                }
            }
            writer.finish(false);
        }
        SSTableReader theirs = SSTableReader.open(null, descriptor, null, ref, true, true);
        String difference = compareData(reader, theirs);
        theirs.selfRef().release();
        return difference;
    }

    static List<UnfilteredPartitionIterator> scanners(List<SSTableReader> sources)
    {
        List<UnfilteredPartitionIterator> scanners = new ArrayList<>();
        for (SSTableReader source : sources)
            scanners.add(source.getScanner());
        return scanners;
    }

    // Of what is stored compressed; compressors of other versions may give other bytes.
    static String compareData(SSTableReader ours, SSTableReader theirs)
    {
        if (ours.uncompressedLength() != theirs.uncompressedLength())
            return "of " + ours.uncompressedLength() + " and " + theirs.uncompressedLength() + " bytes";
        try (RandomAccessReader a = ours.openDataReader(); RandomAccessReader b = theirs.openDataReader())
        {
            byte[] left = new byte[4096], right = new byte[4096];
            for (long at = 0; at < ours.uncompressedLength(); at += left.length)
            {
                int size = (int) Math.min(left.length, ours.uncompressedLength() - at);
                a.readFully(left, 0, size);
                b.readFully(right, 0, size);
                int difference = Arrays.mismatch(left, 0, size, right, 0, size);
                if (difference >= 0)
                    return "differs at " + (at + difference);
            }
        }
        catch (IOException e)
        {
            return e.toString();
        }
        return "same";
    }

    static Path dataFile(Path tables, String name, int generation)
    {
        return tables.resolve(name).resolve("nb-" + generation + "-big-Data.db");
    }

    // With all columns that any of them has.
    static List<SSTableReader> openAll(Path tables, String name, TableMetadata table) throws Exception
    {
        List<Descriptor> descriptors = new ArrayList<>();
        TableMetadata.Builder builder = table.unbuild();
        for (int i = 1; Files.exists(dataFile(tables, name, i)); i++)
        {
            Descriptor descriptor = Descriptor.fromFile(new File(dataFile(tables, name, i)));
            descriptors.add(descriptor);
            for (ColumnMetadata column : Util.metadataFromSSTable(descriptor).regularAndStaticColumns())
                if (builder.getColumn(column.name) == null)
                    builder.addColumn(column);
        }
        TableMetadataRef ref = TableMetadataRef.forOfflineTools(builder.build());
        List<SSTableReader> readers = new ArrayList<>();
        for (Descriptor descriptor : descriptors)
            readers.add(SSTableReader.open(null, descriptor, null, ref, true, true));
        return readers;
    }

    static void dump(SSTableReader reader, TableMetadata table, Path to) throws Exception
    {
        try (ISSTableScanner scan = reader.getScanner(); FileOutputStream json = new FileOutputStream(to.toFile()))
        {
            JsonTransformer.toJson(scan, Util.iterToStream(scan), false, table, json);
        }
    }

    static void check(Path tables, Path output, String name, int generation, String what) throws Exception
    {
        Descriptor descriptor = Descriptor.fromFile(new File(dataFile(tables, name, generation)));
        TableMetadata table = metadata(descriptor);
        TableMetadataRef ref = TableMetadataRef.forOfflineTools(table);
        SSTableReader reader = SSTableReader.open(null, descriptor, null, ref, true, true);
        long partitions = 0, unfiltereds = 0, differences = 0;
        try (ISSTableScanner scan = reader.getScanner();
             PrintStream text = new PrintStream(new FileOutputStream(tables.resolve(name + "." + generation + ".cassandra.text").toFile()),
                                                false, StandardCharsets.UTF_8))
        {
            while (scan.hasNext())
            {
                try (UnfilteredRowIterator partition = scan.next())
                {
                    DecoratedKey key = partition.partitionKey();
                    text.print("P " + hex(key.getKey()) + " " + deletion(partition.partitionLevelDeletion()) + "\n");
                    if (!partition.staticRow().isEmpty())
                        text.print(row(partition.staticRow(), true));
                    List<String> rows = new ArrayList<>();
                    for (String unfiltered : texts(table, partition, true))
                    {
                        text.print(unfiltered);
                        unfiltereds++;
                        if (unfiltered.startsWith("R"))
                            rows.add(unfiltered);
                    }
                    partitions++;
                    List<String> reversed = read(reader, table, key, true);
                    Collections.reverse(reversed);
                    if (!rows.equals(read(reader, table, key, false)) || !rows.equals(reversed))
                        differences++;
                }
            }
        }
        if (!what.equals("huge"))
            dump(reader, table, tables.resolve(name + "." + generation + ".json"));
        List<SSTableReader> sources = what.startsWith("merge of ")
            ? openAll(tables, what.substring("merge of ".length()), table) : Collections.singletonList(reader);
        String data = writeAgain(reader, sources, ref, output.resolve(name), partitions);
        System.out.println(name + " " + generation + " partitions " + partitions + " unfiltereds " + unfiltereds + " differences "
                           + differences + " keys " + SSTableReader.getApproximateKeyCount(Collections.singletonList(reader))
                           + " data " + data);
        reader.selfRef().release();
    }

    static void importAll(String[] arguments) throws Exception
    {
        boolean failed = false;
        try (NodeProbe probe = new NodeProbe("127.0.0.1", Integer.parseInt(arguments[1])))
        {
            for (int i = 3; i < arguments.length; i += 2)
            {
                try
                {
                    List<String> refused = probe.importNewSSTables(arguments[2], arguments[i],
                                                                   Collections.singleton(arguments[i + 1]),
                                                                   true, true, true, true, true, true, true, false, true);
                    if (!refused.isEmpty())
                        throw new IllegalStateException("refused, see the node's log");
                    System.out.println(arguments[i] + " imported");
                }
                catch (Throwable e)
                {
                    System.out.println(arguments[i] + " " + e);
                    failed = true;
                }
            }
        }
        System.exit(failed ? 1 : 0);
    }

    public static void main(String[] arguments) throws Exception
    {
        if (arguments[0].equals("import"))
            importAll(arguments);
        DatabaseDescriptor.toolInitialization();
        Path tables = Paths.get(arguments[0]), output = Paths.get(arguments[1]);
        boolean failed = false;
        for (String line : Files.readAllLines(tables.resolve("tables.tsv")))
        {
            String[] fields = line.split("\t");
            DatabaseDescriptor.setColumnIndexSizeInKiB(Integer.parseInt(fields[1]) / 1024);
            for (int generation = 1; Files.exists(dataFile(tables, fields[0], generation)); generation++)
            {
                try
                {
                    check(tables, output, fields[0], generation, fields[2]);
                }
                catch (Throwable e)
                {
                    System.out.println(fields[0] + " " + generation + " " + e);
                    e.printStackTrace();
                    failed = true;
                }
            }
        }
        System.exit(failed ? 1 : 0);
    }
}
