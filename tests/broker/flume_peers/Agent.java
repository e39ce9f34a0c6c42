import java.util.HashMap;
import java.util.Map;
import org.apache.flume.agent.embedded.EmbeddedAgent;
import org.apache.flume.event.EventBuilder;

/** A whole Flume agent, memory channel and Avro sink: Agent HOST PORT COUNT [NAME=VALUE...]. It runs
 * until its input ends. */
public class Agent {
    public static void main(String[] a) throws Exception {
        Map<String, String> p = new HashMap<>();
        p.put("channel.type", "memory");
        p.put("channel.capacity", "100000");
        p.put("sinks", "s1");
        p.put("s1.type", "avro");
        p.put("s1.hostname", a[0]);
        p.put("s1.port", a[1]);
        p.put("s1.batch-size", "100");
        p.put("processor.type", "default");
        for (int i = 3; i < a.length; i++) {
            String[] pair = a[i].split("=", 2);
            p.put("s1." + pair[0], pair[1]);
        }
        EmbeddedAgent agent = new EmbeddedAgent("leat");
        agent.configure(p);
        agent.start();
        for (int i = 0; i < Integer.parseInt(a[2]); i++)
            agent.put(EventBuilder.withBody(("{\"id\":" + i + "}").getBytes(), Map.of("host", "a1", "id", "" + i)));
        System.out.println("put");
        System.out.flush();
        while (System.in.read() >= 0) { }
        Runtime.getRuntime().halt(0);
    }
}
