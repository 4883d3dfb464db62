import java.io.*; import java.nio.ByteBuffer; import java.nio.charset.StandardCharsets;
import org.apache.cassandra.db.marshal.*; import org.apache.cassandra.utils.ByteBufferUtil; import org.apache.cassandra.transport.ProtocolVersion;
import org.apache.cassandra.config.DatabaseDescriptor;
public class Values {
  static String esc(String s){ return s==null?"<null>":s.replace("\\","\\\\").replace("\n","\\n").replace("\t","\\t").replace("\0","\\0"); }
  interface F { String get() throws Exception; }
  static String t(F f){ try { return esc(f.get()); } catch(Throwable e){ return "!"+e.getClass().getSimpleName()+": "+esc(e.getMessage()); } }
  static String unesc(String s){ return s.replace("\\n","\n").replace("\\t","\t").replace("\\0","\0"); }
  public static void main(String[] a) throws Exception {
    DatabaseDescriptor.clientInitialization();
    BufferedReader r=new BufferedReader(new InputStreamReader(new FileInputStream(a[0]),StandardCharsets.UTF_8));
    PrintStream o=new PrintStream(new FileOutputStream(a[1]),false,"UTF-8");
    for(String line;(line=r.readLine())!=null;){
      if(line.isEmpty()||line.startsWith("#")) { o.println(line); continue; }
      String[] p=line.split("\t",-1);
      final AbstractType<?> ty; try { ty=TypeParser.parse(p[1]); } catch(Throwable e){ o.println(line+"\t!"+e.getClass().getSimpleName()+": "+esc(e.getMessage())); continue; }
      if(p[0].equals("F")) o.println(line+"\t"+t(()->ByteBufferUtil.bytesToHex(ty.fromString(unesc(p[2])))));
      else if(p[0].equals("V")) { ByteBuffer b=ByteBufferUtil.hexToBytes(p[2]);
        o.println(line+"\t"+t(()->{ty.validate(b.duplicate());return "ok";})+"\t"+t(()->ty.getString(b.duplicate()))+"\t"+t(()->ty.asCQL3Type().toCQLLiteral(b.duplicate()))+"\t"+t(()->ty.toJSONString(b.duplicate(),ProtocolVersion.V5))+"\t"+t(()->((org.apache.cassandra.serializers.TypeSerializer)ty.getSerializer()).toCQLLiteralNoQuote(b.duplicate()))); }
      else if(p[0].equals("C")) { ByteBuffer b=ByteBufferUtil.hexToBytes(p[2]), c=ByteBufferUtil.hexToBytes(p[3]);
        o.println(line+"\t"+t(()->""+Integer.signum(ty.compare(b,c)))); }
      else if(p[0].equals("T")) o.println(line+"\t"+t(()->ty.toString())+"\t"+t(()->ty.asCQL3Type().toString())+"\t"+t(()->""+ty.valueLengthIfFixed())+"\t"+ty.isMultiCell());
    }
    o.close(); System.exit(0);
  }
}
