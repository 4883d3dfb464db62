// Prints tests/golden/vectors/hll_texts.tsv: javac and java with Cassandra's class path.
import com.clearspring.analytics.stream.cardinality.HyperLogLogPlus;
import java.nio.ByteBuffer;
import java.util.zip.CRC32;
import org.apache.cassandra.utils.MurmurHash;

public class Hll
{
    public static void main(String[] arguments) throws Exception
    {
        System.out.println("# prefix\tn (the keys are the texts <prefix>0 ... <prefix><n-1>, hashed with murmur2_64 seed 0)\t"
                           + "cardinality()\tlen=<bytes> crc32=<hex> of the serialised HyperLogLogPlus(13,25)");
        for (char prefix = 'a'; prefix <= 'z'; prefix++)
        {
            HyperLogLogPlus log = new HyperLogLogPlus(13, 25);
            int count = 1500 + (prefix - 'a') * 230;
            for (int i = 0; i < count; i++)
            {
                ByteBuffer key = ByteBuffer.wrap((prefix + "" + i).getBytes());
                log.offerHashed(MurmurHash.hash2_64(key, key.position(), key.remaining(), 0));
            }
            byte[] bytes = log.getBytes();
            CRC32 crc = new CRC32();
            crc.update(bytes);
            System.out.printf("%c\t%d\t%d\tlen=%d crc32=%08x%n", prefix, count, log.cardinality(), bytes.length, crc.getValue());
        }
    }
}
