/* Tests connectors/flume: the contract of all push sources, then Flume's calls and protocols byte
 * by byte. */
#include "../../connectors/flume/protocol.h"
#include "flume_agent.h"
#include "leat_test.h"
#include "source_contract.h"

#include <openssl/evp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static struct leat_error err;

/* ---- the contract, against a client that sends without end */

static int contract_port;

static void *send_for_ever(void *arg)
{
    const bool *ended = arg;
    char got[4096];

    while (!__atomic_load_n(ended, __ATOMIC_ACQUIRE)) {
        int fd = agent_dial(contract_port);
        struct agent_call first = {.len = 0};
        agent_put_hello(&first, flume_protocol_hash, flume_protocol_hash, (struct leat_slice){0});
        struct agent_call c = {.len = 0};
        agent_put_name(&c, "appendBatch");
        agent_put(&c, "\x0a", 1); /* 5 */
        for (const char *line = "first\0second\0\0fourth line\0fifth\0\0", *at = line;
             at - line < 32; at += strlen(at) + 1)
            agent_put_event(&c, NULL, NULL, at);
        agent_put(&c, "\0", 1);
        agent_put(&first, c.bytes, c.len);
        struct agent_call frames[2] = {agent_frame(1, &first), agent_frame(2, &c)};
        ssize_t n = fd < 0 ? -1 : 1;
        for (int i = 0; n > 0; i = 1) {
            n = send(fd, frames[i].bytes, frames[i].len, MSG_NOSIGNAL);
            while (recv(fd, got, sizeof got, MSG_DONTWAIT) > 0)
                ;
        }
        if (fd >= 0)
            close(fd);
        poll(NULL, 0, 1);
    }
    return NULL;
}

static char contract_setting[64];
static const char *const contract_settings[] = {contract_setting, NULL};
static const struct source_case source = {.name = "flume", .good = contract_settings};

LEAT_PUSH_CONTRACT(source)

/* ---- calls */

static void a_call_is_answered_when_it_is_safe_and_not_before(void)
{
    struct push_rig r;
    char text[256];

    rig_start(&r, NULL, NULL, 4);
    int fd = agent_dial(r.port);
    agent_say_call(fd, agent_first_append(1, "hello"));
    struct leat_block *b = rig_take(&r, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "|host=n1;hello");
    agent_say_call(fd, agent_next_append(2, "again"));
    struct leat_block *second = rig_take(&r, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "|again");
    CU_ASSERT(agent_is_silent(fd));
    leat_inbox_ack(&r.inbox, b);
    agent_expect(fd, OK_FIRST("\1"));
    CU_ASSERT(agent_is_silent(fd));
    leat_inbox_ack(&r.inbox, second);
    agent_expect(fd, OK_NEXT("\2"));
    close(fd);
    push_rig_stop(&r);
}

/* More calls at once than may wait for an answer: no batch has to come for the rest to be stored.
 */
static void with_a_store_no_call_waits_for_a_batch(void)
{
    enum { CALLS = 64 };
    static const char body[] =
        "long enough that what is sent at once is not all read at once, when 16 calls have been";
    struct push_rig r;
    int64_t rows = 0;

    rig_start_stored(&r, 4);
    int fd = agent_dial(r.port);
    struct pollfd p = {.fd = r.job.wake_fd, .events = POLLIN};
    uint64_t ignored;
    struct agent_call all = agent_first_append(1, body), next = agent_next_append(1, body);
    for (int i = 1; i < CALLS; i++)
        agent_put(&all, next.bytes, next.len);
    agent_say_call(fd, all);
    while (rows < CALLS) {
        CU_ASSERT_EQUAL_FATAL(poll(&p, 1, AGENT_WAIT_MS), 1);
        CU_ASSERT_EQUAL(read(p.fd, &ignored, sizeof ignored), (ssize_t)sizeof ignored);
        for (struct leat_block *b; (b = (struct leat_block *)leat_queue_try(&r.job));) {
            rows += b->to - b->from;
            leat_inbox_ack(&r.inbox, b);
        }
    }
    agent_expect(fd, OK_FIRST("\1"));
    for (int i = 1; i < CALLS; i++)
        agent_expect(fd, OK_NEXT("\1"));
    close(fd);
    push_rig_stop(&r);
}

static void many_in_one_call_are_answered_once(void)
{
    struct agent_call c = {.len = 0};
    struct push_rig r;

    rig_start(&r, NULL, NULL, 4);
    int fd = agent_dial(r.port);
    agent_put_hello(&c, flume_protocol_hash, flume_protocol_hash, (struct leat_slice){0});
    agent_put_name(&c, "appendBatch");
    agent_put(&c, "\3\x7e", 2); /* a block of -2, with its length */
    c.len--;
    size_t length_at = c.len++;
    agent_put_event(&c, NULL, NULL, "a");
    agent_put_event(&c, NULL, NULL, "b");
    c.bytes[length_at] = (char)((c.len - length_at - 1) * 2);
    agent_put(&c, "\2", 1);
    agent_put_event(&c, NULL, NULL, "0123456789012345678901234567890123456789");
    agent_put(&c, "\0", 1);
    agent_say_call(fd, agent_frame(1, &c));
    rig_take_and_ack(&r, "|a|b|012345678901234567890123456789012"); /* cut behind max_record */
    agent_expect(fd, OK_FIRST("\1"));
    CU_ASSERT(agent_is_silent(fd));
    close(fd);
    push_rig_stop(&r);
}

static void an_empty_batch_is_answered_at_once(void)
{
    struct agent_call c = {.len = 0};
    struct push_rig r;

    rig_start(&r, NULL, NULL, 4);
    int fd = agent_dial(r.port);
    agent_put_hello(&c, flume_protocol_hash, flume_protocol_hash, (struct leat_slice){0});
    agent_put_name(&c, "appendBatch");
    agent_put(&c, "\0", 1);
    agent_say_call(fd, agent_frame(1, &c));
    agent_expect(fd, OK_FIRST("\1"));
    close(fd);
    push_rig_stop(&r);
}

/* A call that is damaged in its middle stores nothing, is answered with an error, and the next one
 * is served. */
static void of_a_damaged_batch_nothing_is_stored(void)
{
    struct agent_call c = {.len = 0};
    struct push_rig r;
    char answer[15];

    rig_start(&r, "max_headers=1", NULL, 4);
    int fd = agent_dial(r.port);
    agent_say_call(fd, agent_first_append(1, "x"));
    rig_take_and_ack(&r, "|host=n1;x");
    agent_expect(fd, OK_FIRST("\1"));
    agent_put_name(&c, "appendBatch");
    agent_put(&c, "\4", 1);
    agent_put_event(&c, NULL, NULL, "good");
    agent_put(&c, "\4", 1); /* two headers; one is allowed */
    agent_put_text(&c, LEAT_LIT("a"));
    agent_put_text(&c, LEAT_LIT("b"));
    agent_put_text(&c, LEAT_LIT("c"));
    agent_put_text(&c, LEAT_LIT("d"));
    agent_put(&c, "\0\0\0", 3);
    agent_say_call(fd, agent_frame(7, &c));
    CU_ASSERT_EQUAL(recv(fd, answer, sizeof answer, MSG_WAITALL), (ssize_t)sizeof answer);
    CU_ASSERT_EQUAL(memcmp(answer + 12, "\0\1\0", 3), 0);
    CU_ASSERT_EQUAL(answer[3], 7);
    struct agent_call unknown = {.len = 0};
    agent_put_name(&unknown, "delete");
    agent_say_call(fd, agent_frame(8, &unknown));
    agent_say_call(fd, agent_next_append(9, "y"));
    rig_take_and_ack(&r, "|y"); /* and not "good" */
    close(fd);
    push_rig_stop(&r);
}

static void without_a_credit_a_call_waits_half_way_and_nothing_is_lost(void)
{
    struct agent_call c = {.len = 0};
    struct push_rig r;
    int rows = 0;

    rig_start(&r, NULL, NULL, 2);
    int fd = agent_dial(r.port), other = agent_dial(r.port);
    agent_put_hello(&c, flume_protocol_hash, flume_protocol_hash, (struct leat_slice){0});
    agent_put_name(&c, "appendBatch");
    c.len += avro_put_long(c.bytes + c.len, 1000);
    for (int i = 0; i < 1000; i++)
        agent_put_event(&c, NULL, NULL, "12345");
    agent_put(&c, "\0", 1);
    agent_say_call(fd, agent_frame(1, &c));
    agent_say_call(other, agent_first_append(1, "last"));
    while (rows < 1001) { /* blocks have room for about 140 */
        char text[8192];
        struct leat_block *b = rig_take(&r, text, sizeof text);
        CU_ASSERT_EQUAL(b->from, rows);
        rows += (int)b->rows_hint;
        if (rows < 1000)
            CU_ASSERT(agent_is_silent(fd));
        leat_inbox_ack(&r.inbox, b);
    }
    agent_expect(fd, OK_FIRST("\1"));
    agent_expect(other, OK_FIRST("\1"));
    close(fd);
    close(other);
    push_rig_stop(&r);
}

/* ---- protocols of clients */

static void the_sum_of_our_protocol_is_right(void)
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    CU_ASSERT_EQUAL(EVP_Digest(flume_protocol.ptr, flume_protocol.len, sum, &len, EVP_md5(), NULL),
                    1);
    CU_ASSERT_EQUAL(len, FLUME_HASH_BYTES);
    CU_ASSERT_EQUAL(memcmp(sum, flume_protocol_hash, FLUME_HASH_BYTES), 0);
}

/* NONE with our text; the call again with its text; BOTH. From then on its sum is known: CLIENT. */
static void a_client_of_another_release_is_asked_for_its_protocol(void)
{
    static const char theirs[] = "0123456789abcdef";
    struct agent_call c = {.len = 0}, none = {.len = 0};
    struct push_rig r;

    rig_start(&r, NULL, NULL, 4);
    int fd = agent_dial(r.port);
    agent_put_hello(&c, theirs, theirs, (struct leat_slice){0});
    size_t hello = c.len;
    agent_put_name(&c, "append");
    agent_put_event(&c, NULL, NULL, "one");
    agent_say_call(fd, agent_frame(1, &c));
    agent_put(&none, "\0\0\0\1\0\0\0\1\0\0\2\x2b\4\2", 14); /* 555 bytes */
    agent_put_text(&none, flume_protocol);
    agent_put(&none, "\2", 1);
    agent_put(&none, flume_protocol_hash, FLUME_HASH_BYTES);
    agent_put(&none, "\0", 1);
    none.bytes[10] = (char)((none.len - 12) >> 8);
    none.bytes[11] = (char)(none.len - 12);
    agent_expect(fd, none.bytes, none.len);

    struct agent_call again = {.len = 0};
    agent_put_hello(&again, theirs, flume_protocol_hash, flume_protocol);
    agent_put(&again, c.bytes + hello, c.len - hello);
    agent_say_call(fd, agent_frame(2, &again));
    rig_take_and_ack(&r, "|one");
    agent_expect(fd, OK_FIRST("\2"));
    close(fd);

    fd = agent_dial(r.port);
    agent_say_call(fd, agent_frame(1, &c));
    rig_take_and_ack(&r, "|one");
    none.bytes[12] = 2; /* CLIENT, and the answer behind it */
    agent_put(&none, "\0\0\0", 3);
    none.bytes[10] = (char)((none.len - 12) >> 8);
    none.bytes[11] = (char)(none.len - 12);
    agent_expect(fd, none.bytes, none.len);
    close(fd);
    push_rig_stop(&r);
}

static void protocols_that_are_not_flumes_are_told_from_those_that_are(void)
{
    static const struct {
        const char *from, *to;
        bool good;
    } cases[] = {
        {"\"values\":\"string\"",
         "\"values\":{\"type\":\"string\",\"avro.java.string\":\"String\"}", true},
        {"\"name\":\"body\"", "\"doc\":\"text\",\"name\":\"body\"", true},
        {"\"items\":\"AvroFlumeEvent\"",
         "\"items\":\"org.apache.flume.source.avro.AvroFlumeEvent\"", true},
        {"\"type\":\"bytes\"", "\"type\":\"string\"", false},
        {"\"values\":\"string\"", "\"values\":\"bytes\"", false},
        {"\"type\":\"array\"", "\"type\":\"map\"", false},
        {"\"symbols\":[\"OK\"", "\"symbols\":[\"NO\"", false},
        {"\"messages\"", "\"other\"", false},
        {"{\"name\":\"body\"", "{\"name\":\"x\",\"type\":\"int\"},{\"name\":\"body\"", false},
        {"{\"protocol\"", "[\"protocol\"", false},
    };

    OK(flume_protocol_check(flume_protocol, &err));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024];
        const char *at = strstr(flume_protocol.ptr, cases[i].from);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - flume_protocol.ptr), flume_protocol.ptr,
                 cases[i].to, at + strlen(cases[i].from));
        enum leat_status status = flume_protocol_check(leat_slice_str(text), &err);
        CU_ASSERT_EQUAL(status, cases[i].good ? LEAT_OK : LEAT_E_DATA);
    }
    LEAT_OOM_SWEEP {
        enum leat_status status = flume_protocol_check(flume_protocol, &err);
        CU_ASSERT_EQUAL(status, leat_oom_hit() ? LEAT_E_NOMEM : LEAT_OK);
    }
}

static void wrong_settings_are_refused(void)
{
    static const char *const bad[][4] = {
        {"listen=nocolon", NULL},
        {"listen=127.0.0.1:0", NULL},
        {"listen=unix:/tmp/flume", NULL},
        {"listen=unix:4141", NULL},
        {"listen=127.0.0.1:9999", "buffers=1MiB", "max_frame=2MiB", NULL},
        {"listen=127.0.0.1:9999", "tls.cert=/nowhere/a.pem", "tls.key=/nowhere/b.pem", NULL},
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct instance in;
        instance_init(&in, "flume", bad[i]);
        CU_ASSERT_EQUAL(in.module->push->open(in.self, &in.env, &err), LEAT_E_CONFIG);
        in.module->push->close(in.self);
        instance_fini(&in);
    }
}

int main(void)
{
    pthread_t client;
    bool ended = false;

    contract_port = agent_free_port();
    snprintf(contract_setting, sizeof contract_setting, "listen=127.0.0.1:%d", contract_port);
    pthread_create(&client, NULL, send_for_ever, &ended);
    int result = leat_test_main(
        "flume",
        (CU_TestInfo[]){
            LEAT_PUSH_CONTRACT_TESTS, T(a_call_is_answered_when_it_is_safe_and_not_before),
            T(with_a_store_no_call_waits_for_a_batch), T(many_in_one_call_are_answered_once),
            T(an_empty_batch_is_answered_at_once), T(of_a_damaged_batch_nothing_is_stored),
            T(without_a_credit_a_call_waits_half_way_and_nothing_is_lost),
            T(the_sum_of_our_protocol_is_right),
            T(a_client_of_another_release_is_asked_for_its_protocol),
            T(protocols_that_are_not_flumes_are_told_from_those_that_are),
            T(wrong_settings_are_refused), CU_TEST_INFO_NULL});
    __atomic_store_n(&ended, true, __ATOMIC_RELEASE);
    pthread_join(client, NULL);
    return result;
}
