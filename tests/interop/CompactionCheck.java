// Cassandra's own CompactionTask on SSTables that Helenus wrote.
//
//   CompactionCheck TABLES GC_BEFORE    for each line NAME, column_index_size of TABLES/tables.tsv with a NAME.cql all SSTables of
//       TABLES/NAME become those of TABLES/NAME.cassandra; the first line of the output is the host's id, then comes one for each table: NAME, its SSTables
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;

import org.apache.cassandra.config.DatabaseDescriptor;
import org.apache.cassandra.cql3.QueryProcessor;
import org.apache.cassandra.db.ColumnFamilyStore;
import org.apache.cassandra.db.Keyspace;
import org.apache.cassandra.db.SystemKeyspace;
import org.apache.cassandra.db.commitlog.CommitLog;
import org.apache.cassandra.db.compaction.ActiveCompactionsTracker;
import org.apache.cassandra.db.compaction.CompactionTask;
import org.apache.cassandra.db.compaction.OperationType;
import org.apache.cassandra.db.lifecycle.LifecycleTransaction;
import org.apache.cassandra.io.sstable.Descriptor;
import org.apache.cassandra.io.sstable.format.SSTableReader;
import org.apache.cassandra.io.util.File;
import org.apache.cassandra.schema.KeyspaceMetadata;
import org.apache.cassandra.schema.KeyspaceParams;
import org.apache.cassandra.schema.Schema;
import org.apache.cassandra.schema.SchemaTransformation;
import org.apache.cassandra.schema.SchemaTransformations;
import org.apache.cassandra.service.ClientState;
import org.apache.cassandra.service.StorageService;

public class CompactionCheck
{
    static final String KEYSPACE = "interop";

    static void create(String cql)
    {
        for (String statement : cql.split(";\\s*\\n"))
            if (!statement.isBlank())
                Schema.instance.transform((SchemaTransformation) QueryProcessor.parseStatement(statement, ClientState.forInternalCalls(KEYSPACE)));
    }

    static void compact(Path tables, String name, long gcBefore) throws Exception
    {
        create(Files.readString(tables.resolve(name + ".cql")));
        ColumnFamilyStore table = Keyspace.open(KEYSPACE).getColumnFamilyStore(name);
        table.disableAutoCompaction();
        File directory = table.getDirectories().getDirectoryForNewSSTables();
        List<Path> files;
        try (Stream<Path> listed = Files.list(tables.resolve(name)))
        {
            files = listed.collect(Collectors.toList());
        }
        for (Path file : files)
            // It numbers its own from 1 on.
            Files.copy(file, directory.toPath().resolve(file.getFileName().toString().replace("nb-", "nb-100")));
        for (File file : directory.tryList())
            if (file.name().endsWith("-Data.db"))
                table.addSSTable(SSTableReader.open(table, Descriptor.fromFile(file), table.metadata));
        Collection<SSTableReader> inputs = table.getLiveSSTables();
        LifecycleTransaction transaction = table.getTracker().tryModify(inputs, OperationType.COMPACTION);
        new CompactionTask(table, transaction, gcBefore).execute(ActiveCompactionsTracker.NOOP);
        Path output = Files.createDirectory(tables.resolve(name + ".cassandra"));
        StringBuilder written = new StringBuilder(name);
        for (SSTableReader reader : table.getLiveSSTables())
        {
            written.append(" ").append(reader.descriptor.id);
            try (Stream<Path> listed = Files.list(directory.toPath()))
            {
                for (Path file : listed.collect(Collectors.toList()))
                    if (file.getFileName().toString().startsWith("nb-" + reader.descriptor.id + "-"))
                        Files.copy(file, output.resolve(file.getFileName().toString().replace("nb-" + reader.descriptor.id + "-", "nb-100-")));
            }
        }
        System.out.println(written);
    }

    public static void main(String[] arguments) throws Exception
    {
        Path tables = Paths.get(arguments[0]);
        DatabaseDescriptor.daemonInitialization();
        DatabaseDescriptor.createAllDirectories();
        CommitLog.instance.start();
        Keyspace.setInitialized();
        SystemKeyspace.persistLocalMetadata();
        KeyspaceParams params = KeyspaceParams.create(false, Map.of("class", "SimpleStrategy", "replication_factor", "1"));
        Schema.instance.transform(SchemaTransformations.addKeyspace(KeyspaceMetadata.create(KEYSPACE, params), true));
        System.out.println("host " + StorageService.instance.getLocalHostUUID() + " " + SystemKeyspace.getLocalHostId());
        for (String line : Files.readAllLines(tables.resolve("tables.tsv")))
        {
            String[] fields = line.split("\t");
            if (!Files.exists(tables.resolve(fields[0] + ".cql")))
                continue;
            int size = Integer.parseInt(fields[1]);
            DatabaseDescriptor.setColumnIndexSizeInKiB(size == 0 ? 64 : size / 1024);
            try
            {
                compact(tables, fields[0], Long.parseLong(arguments[1]));
            }
            catch (Throwable fault)
            {
                System.out.println(fields[0] + " FAULT " + fault);
                fault.printStackTrace();
            }
        }
        System.exit(0);
    }
}
