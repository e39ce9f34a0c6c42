import java.nio.charset.StandardCharsets;
import java.util.*;
import org.apache.flume.Event;
import org.apache.flume.EventDeliveryException;
import org.apache.flume.api.RpcClient;
import org.apache.flume.api.RpcClientFactory;
import org.apache.flume.event.EventBuilder;

/**
 * Flume's own RPC client: Client HOST PORT FIRST COUNT BATCH [NAME=VALUE...], settings of the client.
 * Sends {"id":N} with the headers host and id, a batch until it is acknowledged, and prints
 * "acked N" for the last of each.
 */
public class Client {
    public static void main(String[] a) throws Exception {
        Properties p = new Properties();
        p.setProperty("client.type", "default");
        p.setProperty("hosts", "h1");
        p.setProperty("hosts.h1", a[0] + ":" + a[1]);
        p.setProperty("batch-size", a[4]);
        p.setProperty("connect-timeout", "5000");
        p.setProperty("request-timeout", "10000");
        for (int i = 5; i < a.length; i++) {
            String[] pair = a[i].split("=", 2);
            p.setProperty(pair[0], pair[1]);
        }
        int first = Integer.parseInt(a[2]), count = Integer.parseInt(a[3]), batch = Integer.parseInt(a[4]);
        RpcClient client = null;
        for (int at = first; at < first + count;) {
            int end = Math.min(at + batch, first + count);
            List<Event> events = new ArrayList<>();
            for (int i = at; i < end; i++)
                events.add(EventBuilder.withBody(("{\"id\":" + i + "}").getBytes(StandardCharsets.UTF_8),
                        Map.of("host", "n1", "id", "" + i)));
            try {
                if (client == null)
                    client = RpcClientFactory.getInstance(p);
                if (batch == 1)
                    client.append(events.get(0));
                else
                    client.appendBatch(events);
                System.out.println("acked " + (end - 1));
                System.out.flush();
                at = end;
            } catch (EventDeliveryException | org.apache.flume.FlumeException e) {
                System.out.println("failed " + e.getMessage());
                System.out.flush();
                if (client != null)
                    try { client.close(); } catch (Exception ignored) { }
                client = null;
                Thread.sleep(50);
            }
        }
        client.close();
        Runtime.getRuntime().halt(0); // its threads stay
    }
}
