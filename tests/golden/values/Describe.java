import org.apache.cassandra.config.DatabaseDescriptor; import org.apache.cassandra.schema.*; import org.apache.cassandra.db.marshal.*; import org.apache.cassandra.db.virtual.*; import org.apache.cassandra.dht.*; import org.apache.cassandra.cql3.ColumnIdentifier; import java.util.*;
import java.nio.ByteBuffer; import com.google.common.collect.*;
public class Describe {
  static void p(String n, TableMetadata t){ for (boolean i : new boolean[]{false,true}) { System.out.println("== "+n+" internals="+i); System.out.println(t.toCqlString(i, i, false)); } }
  public static void main(String[] a) throws Exception {
    DatabaseDescriptor.toolInitialization();
    TableId id=TableId.fromString("5a1c395e-b41f-11e5-9f22-ba0be0483c18");
    p("single", TableMetadata.builder("ks","t",id).partitioner(Murmur3Partitioner.instance).addPartitionKeyColumn("k",Int32Type.instance).addRegularColumn("v",UTF8Type.instance).addRegularColumn("A b",ListType.getInstance(Int32Type.instance,true)).build());
    p("keyonly", TableMetadata.builder("ks","t",id).partitioner(Murmur3Partitioner.instance).addPartitionKeyColumn("k",Int32Type.instance).build());
    p("composite", TableMetadata.builder("Ks","select",id).partitioner(Murmur3Partitioner.instance).addPartitionKeyColumn("k",Int32Type.instance).addPartitionKeyColumn("K2",Int32Type.instance).addClusteringColumn("c",Int32Type.instance).addClusteringColumn("from",ReversedType.getInstance(UTF8Type.instance)).addStaticColumn("s",SetType.getInstance(UTF8Type.instance,false)).addRegularColumn("v",UTF8Type.instance).comment("it's").build());
    TableMetadata.Builder b=TableMetadata.builder("ks","t",id).partitioner(Murmur3Partitioner.instance).addPartitionKeyColumn("k",Int32Type.instance).addClusteringColumn("c",Int32Type.instance).addRegularColumn("v",UTF8Type.instance).addRegularColumn("z",UTF8Type.instance);
    b.recordColumnDrop(ColumnMetadata.regularColumn("ks","t","zz",Int32Type.instance),1234567890123456L); b.recordColumnDrop(ColumnMetadata.staticColumn("ks","t","Aa",ListType.getInstance(Int32Type.instance,true)),5L); b.recordColumnDrop(ColumnMetadata.regularColumn("ks","t","v",UTF8Type.instance),7L);
    p("dropped", b.build());
    p("dropped1", TableMetadata.builder("ks","t",id).partitioner(Murmur3Partitioner.instance).addPartitionKeyColumn("k",Int32Type.instance).recordColumnDrop(ColumnMetadata.regularColumn("ks","t","zz",Int32Type.instance),1234567890123456L).build());
    p("counter", TableMetadata.builder("ks","t",id).isCounter(true).partitioner(Murmur3Partitioner.instance).addPartitionKeyColumn("k",Int32Type.instance).addRegularColumn("v",CounterColumnType.instance).build());
    TableParams tp=TableParams.builder().bloomFilterFpChance(0.00001+0.0009).crcCheckChance(0.5).caching(CachingParams.CACHE_EVERYTHING).compression(CompressionParams.noCompression()).compaction(CompactionParams.lcs(ImmutableMap.of("sstable_size_in_mb","100"))).extensions(ImmutableMap.of("ext",ByteBuffer.wrap(new byte[]{1,(byte)0xff}),"b'c",ByteBuffer.wrap(new byte[]{}))).cdc(true).speculativeRetry(org.apache.cassandra.service.reads.SpeculativeRetryPolicy.fromString("50ms")).defaultTimeToLive(5).build();
    p("params", TableMetadata.builder("ks","t",id).partitioner(Murmur3Partitioner.instance).addPartitionKeyColumn("k",Int32Type.instance).params(tp).build());
    try { TableParams t2=TableParams.builder().bloomFilterFpChance(0.0001).gcGraceSeconds(0).build(); p("params2", TableMetadata.builder("ks","t",id).kind(TableMetadata.Kind.REGULAR).partitioner(Murmur3Partitioner.instance).addPartitionKeyColumn("k",Int32Type.instance).params(t2).build()); } catch(Throwable e){ e.printStackTrace(System.out);}
    p("virtual", TableMetadata.builder("system_views","vt",id).kind(TableMetadata.Kind.VIRTUAL).partitioner(new LocalPartitioner(Int32Type.instance)).addPartitionKeyColumn("k",Int32Type.instance).addClusteringColumn("c",ReversedType.getInstance(Int32Type.instance)).addRegularColumn("v",UTF8Type.instance).comment("cm").build());
    p("virtual1", TableMetadata.builder("system_views","vt",id).kind(TableMetadata.Kind.VIRTUAL).partitioner(new LocalPartitioner(Int32Type.instance)).addPartitionKeyColumn("k",Int32Type.instance).addRegularColumn("v",UTF8Type.instance).comment("cm").build());
    System.out.println(KeyspaceMetadata.virtual("system_views",org.apache.cassandra.schema.Tables.none()).toCqlString(false,false));
    System.out.println(KeyspaceMetadata.create("Ks",KeyspaceParams.nts("dc2",3,"DC1",2)).toCqlString(false,false));
    System.out.println(KeyspaceMetadata.create("ks",KeyspaceParams.local()).toCqlString(false,false));
    System.exit(0);
  }
}
