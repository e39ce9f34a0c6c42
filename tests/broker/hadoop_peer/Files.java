import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.io.*;
import org.apache.hadoop.io.SequenceFile.CompressionType;
import org.apache.hadoop.io.SequenceFile.Metadata;
import org.apache.hadoop.io.compress.CompressionCodec;

/** Reads and writes SequenceFiles with Hadoop's own code, as asked for on standard input, a line each. */
public class Files {
    static final Configuration conf = new Configuration();

    static String shown(Writable w) {
        if (w instanceof BytesWritable b)
            return "hex:" + HexFormat.of().formatHex(b.copyBytes());
        if (w instanceof Text t)
            return "text:" + HexFormat.of().formatHex(t.copyBytes());
        return w.getClass().getSimpleName() + ":" + w;
    }

    /** read FILE: a line `key value` for each record, then `end CLASS CLASS COMPRESSION CODEC`. */
    static void read(String file) throws Exception {
        try (SequenceFile.Reader in = new SequenceFile.Reader(conf, SequenceFile.Reader.file(new Path(file)))) {
            Writable key = (Writable) in.getKeyClass().getDeclaredConstructor(new Class<?>[0]).newInstance();
            Writable value = (Writable) in.getValueClass().getDeclaredConstructor(new Class<?>[0]).newInstance();
            while (in.next(key, value))
                System.out.println(shown(key) + " " + shown(value));
            CompressionCodec codec = in.getCompressionCodec();
            System.out.println("end " + in.getKeyClass().getSimpleName() + " " + in.getValueClass().getSimpleName() + " "
                + in.getCompressionType() + " " + (codec == null ? "none" : codec.getClass().getSimpleName()));
        }
    }

    /** sync FILE FROM: the records behind the first marker from byte FROM on, as a split of a job reads them. */
    static void sync(String file, long from) throws Exception {
        try (SequenceFile.Reader in = new SequenceFile.Reader(conf, SequenceFile.Reader.file(new Path(file)))) {
            Text key = new Text(), value = new Text();
            long records = 0;
            in.sync(from);
            while (in.next(key, value))
                records++;
            System.out.println("end " + records);
        }
    }

    static Writable made(String kind, int n) {
        switch (kind) {
        case "Text": return new Text("text \u00e4 " + n + "x".repeat(n % 7 * 50));
        case "BytesWritable": return new BytesWritable(new byte[] {(byte) n, 10, 0, -1});
        case "IntWritable": return new IntWritable(-n);
        case "LongWritable": return new LongWritable(n * 10000000000L);
        case "FloatWritable": return new FloatWritable(n / 4f);
        case "DoubleWritable": return new DoubleWritable(n / 8.0);
        case "BooleanWritable": return new BooleanWritable(n % 2 == 0);
        default: return NullWritable.get();
        }
    }

    /** write FILE COUNT KEY VALUE COMPRESSION CODEC */
    static void write(String[] w) throws Exception {
        Metadata metadata = new Metadata();
        metadata.set(new Text("made"), new Text("by Hadoop"));
        CompressionType type = CompressionType.valueOf(w[5]);
        CompressionCodec codec = type == CompressionType.NONE ? null
            : (CompressionCodec) conf.getClassByName("org.apache.hadoop.io.compress." + w[6])
                .getDeclaredConstructor().newInstance();
        if (codec instanceof org.apache.hadoop.conf.Configurable c)
            c.setConf(conf);
        try (SequenceFile.Writer out = SequenceFile.createWriter(conf,
                SequenceFile.Writer.file(new Path(w[1])),
                SequenceFile.Writer.keyClass(made(w[3], 0).getClass()),
                SequenceFile.Writer.valueClass(made(w[4], 0).getClass()),
                SequenceFile.Writer.metadata(metadata),
                SequenceFile.Writer.compression(type, codec))) {
            for (int n = 0; n < Integer.parseInt(w[2]); n++)
                out.append(made(w[3], n), made(w[4], n));
        }
        System.out.println("end");
    }

    public static void main(String[] args) throws Exception {
        conf.setInt("io.seqfile.compress.blocksize", 4000);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = in.readLine()) != null;) {
            String[] w = line.split(" ");
            try {
                switch (w[0]) {
                case "read": read(w[1]); break;
                case "sync": sync(w[1], Long.parseLong(w[2])); break;
                default: write(w);
                }
            } catch (Exception e) {
                System.out.println("failed " + e);
            }
            System.out.flush();
        }
    }
}
