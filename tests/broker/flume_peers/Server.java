import java.util.List;
import org.apache.flume.*;
import org.apache.flume.channel.*;
import org.apache.flume.conf.Configurables;
import org.apache.flume.source.AvroSource;

/** Flume's own Avro source: Server PORT [NAME=VALUE...]. Prints what comes, headers and body, until
 * its input ends. */
public class Server {
    public static void main(String[] a) throws Exception {
        MemoryChannel channel = new MemoryChannel();
        Context room = new Context();
        room.put("capacity", "100000");
        room.put("transactionCapacity", "10000");
        Configurables.configure(channel, room);
        channel.start();
        ChannelSelector selector = new ReplicatingChannelSelector();
        selector.setChannels(List.of(channel));
        AvroSource source = new AvroSource();
        source.setName("source");
        Context c = new Context();
        c.put("bind", "127.0.0.1");
        c.put("port", a[0]);
        for (int i = 1; i < a.length; i++) {
            String[] pair = a[i].split("=", 2);
            c.put(pair[0], pair[1]);
        }
        Configurables.configure(source, c);
        source.setChannelProcessor(new ChannelProcessor(selector));
        source.start();
        System.out.println("ready");
        System.out.flush();
        while (System.in.available() == 0) {
            Transaction t = channel.getTransaction();
            t.begin();
            Event e = channel.take(); // waits up to 3 s
            t.commit();
            t.close();
            if (e != null) {
                System.out.println(e.getHeaders().get("leat-id") + " " + e.getHeaders().get("host") + " " + new String(e.getBody()));
                System.out.flush();
            }
        }
        Runtime.getRuntime().halt(0); // stop() leaves threads
    }
}
