/* Tests connectors/mqtt: the contract of all push sources against a small broker of the test, then
 * what is read from a broker and what is remembered about messages. */
#include "../../connectors/mqtt/session.h"
#include "instance.h"
#include "leat_test.h"
#include "peer_server.h"
#include "source_contract.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static struct leat_error err;

/* ---- the contract, against a broker that sends without end */

static bool answer(int fd, const char *bytes, size_t len)
{
    char in[4096];

    return recv(fd, in, sizeof in, 0) > 0 && send(fd, bytes, len, MSG_NOSIGNAL) > 0;
}

static void serve(int fd)
{
    static const char connack[] = {0x20, 3, 0, 0, 0}, suback[] = {(char)0x90, 4, 0, 1, 0, 1};
    char publish[] = "\x32\x0c\0\3a/b\0\1\0text";

    if (!answer(fd, connack, sizeof connack) || !answer(fd, suback, sizeof suback))
        return;
    for (unsigned id = 1;; id = id % 60000 + 1) {
        publish[7] = (char)(id >> 8);
        publish[8] = (char)id;
        if (send(fd, publish, sizeof publish - 1, MSG_NOSIGNAL) <= 0)
            return;
    }
}

static char url[64];
static const char *const contract_settings[] = {url, "topics=a/#", NULL};
static const struct source_case source = {.name = "mqtt", .good = contract_settings};

LEAT_PUSH_CONTRACT(source)

/* ---- reading */

#define BYTES(text) ((struct leat_slice){text, sizeof(text) - 1})

static struct mqtt_packet packet;
static size_t taken, skip;
static const char *why;

static enum mqtt_read read5(struct leat_slice bytes)
{
    return mqtt_read(bytes, MQTT_5, 16, &packet, &taken, &skip, &why);
}

static enum mqtt_read read3(struct leat_slice bytes)
{
    return mqtt_read(bytes, MQTT_3_1_1, 16, &packet, &taken, &skip, &why);
}

static void a_message_is_read_with_all_its_parts(void)
{
    struct leat_slice name, value;
    struct leat_slice bytes = BYTES("\x3d\x17\0\3a/b\1\2\x0a\x26\0\2hi\0\3youtext!\xd0\0");

    CU_ASSERT_EQUAL_FATAL(read5(bytes), MQTT_READ_PACKET);
    CU_ASSERT_EQUAL(packet.type, MQTT_PUBLISH);
    CU_ASSERT(packet.dup && packet.retain && packet.qos == 2 && packet.id == 0x102);
    CU_ASSERT(leat_slice_eq(packet.topic, LEAT_LIT("a/b")));
    CU_ASSERT(leat_slice_eq(packet.payload, LEAT_LIT("text!")));
    CU_ASSERT_EQUAL(packet.user_properties, 1);
    CU_ASSERT(mqtt_take_user_property(&packet.properties, &name, &value));
    CU_ASSERT(leat_slice_eq(name, LEAT_LIT("hi")) && leat_slice_eq(value, LEAT_LIT("you")));
    CU_ASSERT_FALSE(mqtt_take_user_property(&packet.properties, &name, &value));
    CU_ASSERT_EQUAL(taken, bytes.len - 2);
}

static void a_packet_is_not_read_before_its_last_byte_is_there(void)
{
    struct leat_slice bytes = BYTES("\x32\x0b\0\3a/b\0\1text");

    for (size_t len = 0; len < bytes.len; len++)
        CU_ASSERT_EQUAL(read3((struct leat_slice){bytes.ptr, len}), MQTT_READ_MORE);
    CU_ASSERT_EQUAL(read3(bytes), MQTT_READ_PACKET);
}

static void a_payload_that_is_too_long_is_cut_and_its_rest_passed_over(void)
{
    static char big[400000] = "\x30\xf0\xff\x17\0\1a"; /* a remaining length of 393,200 */
    struct leat_slice bytes = {big, 5};

    memset(big + 7, 'x', sizeof big - 7);
    CU_ASSERT_EQUAL(read3(bytes), MQTT_READ_MORE);
    CU_ASSERT(taken < 200000);
    bytes.len = taken;
    CU_ASSERT_EQUAL_FATAL(read3(bytes), MQTT_READ_PACKET);
    CU_ASSERT(packet.cut && packet.payload.len == 16 && packet.payload.ptr[15] == 'x');
    CU_ASSERT_EQUAL(taken + skip, 4 + 393200);
}

/* One line each: what a broker must not send. */
static void what_the_protocol_forbids_is_refused(void)
{
    static const struct {
        struct leat_slice bytes;
        bool in_3;
    } bad[] = {
        {{"\x30\xff\xff\xff\xff", 5}, true},      /* a length of more than 4 bytes */
        {{"\x30\x80\x00", 3}, true},              /* one that could be shorter */
        {{"\x36\x07\0\1a\0\1xx", 9}, true},       /* QoS 3 */
        {{"\x38\x04\0\1ax", 6}, true},            /* a repetition with QoS 0 */
        {{"\x32\x05\0\1a\0\0", 7}, true},         /* packet id 0 */
        {{"\x30\x03\0\0x", 5}, true},             /* no topic */
        {{"\x30\x04\0\1+x", 6}, true},            /* a filter as topic */
        {{"\x30\x05\0\2a\0x", 7}, true},          /* NUL in a topic */
        {{"\x30\x05\0\2\xc3\x28x", 7}, true},     /* no UTF-8 */
        {{"\x30\x06\0\3\xed\xa0\x80x", 8}, true}, /* a surrogate */
        {{"\x30\x04\0\x09"
          "ax",
          6},
         true},                                      /* a topic behind the end */
        {{"\x20\x80\x80\x10", 4}, true},             /* 256 KiB that are no message */
        {{"\x20\x02\x02\0", 4}, true},               /* unknown flags of CONNACK */
        {{"\x20\x02\x01\x05", 4}, true},             /* refused, with a session */
        {{"\x21\x02\0\0", 4}, true},                 /* reserved flags */
        {{"\x60\x02\0\1", 4}, true},                 /* PUBREL without its flags */
        {{"\xd0\x01x", 3}, true},                    /* PINGRESP with something in it */
        {{"\x10\0", 2}, true},                       /* CONNECT from a broker */
        {{"\x90\x02\0\1", 4}, true},                 /* SUBACK without an answer */
        {{"\x90\x04\0\1\1\1", 6}, true},             /* with two */
        {{"\xe0\0", 2}, true},                       /* DISCONNECT, in 3.1.1 */
        {{"\x30\x05\0\1a\5x", 7}, false},            /* properties behind the end */
        {{"\x30\x05\0\1a\1\x7f", 7}, false},         /* an unknown property */
        {{"\x30\x07\0\1a\3\x23\0\1", 9}, false},     /* a topic alias */
        {{"\x30\x08\0\1a\4\1\1\1\1", 10}, false},    /* a property that stands there twice */
        {{"\x30\x07\0\1a\3\x13\0\5", 9}, false},     /* one of another packet */
        {{"\x30\x09\0\1a\5\x26\0\1a\0", 11}, false}, /* half a user property */
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (read5(bad[i].bytes) != MQTT_READ_BAD && !(bad[i].in_3 && bad[i].bytes.ptr[0] == '\xe0'))
            CU_FAIL("was taken");
        if (bad[i].in_3)
            CU_ASSERT_EQUAL(read3(bad[i].bytes), MQTT_READ_BAD);
    }
}

static void filters_are_checked_as_the_protocol_asks(void)
{
    static const char *const good[] = {"a", "#", "+", "a/+/b", "a/#", "/", "$share/g/a/#", "ä/b"};
    static const char *const bad[] = {"",         "a#",        "a+/b",       "#/a", "a/#/b",
                                      "$share/g", "$share//a", "$share/+/a", "\xff"};

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        CU_ASSERT(mqtt_is_filter(leat_slice_str(good[i]), &why));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CU_ASSERT_FALSE(mqtt_is_filter(leat_slice_str(bad[i]), &why));
}

/* ---- remembering */

static struct leat_budget budget = {.cap = SIZE_MAX};

static struct mqtt_packet message(uint8_t qos, uint16_t id, const char *text, bool dup)
{
    return (struct mqtt_packet){.type = MQTT_PUBLISH,
                                .qos = qos,
                                .id = id,
                                .dup = dup,
                                .topic = LEAT_LIT("t"),
                                .payload = leat_slice_str(text)};
}

static enum mqtt_arrival arrive(struct mqtt_session *s, uint8_t qos, uint16_t id, const char *text,
                                bool dup, int64_t position)
{
    struct mqtt_packet p = message(qos, id, text, dup);
    enum mqtt_arrival arrival = mqtt_session_arrive(s, &p);

    if (arrival == MQTT_NEW)
        mqtt_session_enter(s, &p, position);
    return arrival;
}

/* "A5 R7 ": PUBACK of 5, PUBREC of 7. */
static const char *due(struct mqtt_session *s)
{
    static char text[256];
    enum mqtt_type type;
    uint16_t id;

    text[0] = '\0';
    while (mqtt_session_take_due(s, &type, &id)) {
        size_t len = strlen(text);
        snprintf(text + len, sizeof text - len, "%c%d ", type == MQTT_PUBACK ? 'A' : 'R', id);
    }
    return text;
}

static void acknowledgements_come_in_order_and_not_before_all_is_safe(void)
{
    struct mqtt_session s;

    OK(mqtt_session_init(&s, 4, &budget, &err));
    mqtt_session_connected(&s, false);
    CU_ASSERT_EQUAL(arrive(&s, 1, 5, "a", false, 0), MQTT_NEW);
    CU_ASSERT_EQUAL(arrive(&s, 2, 7, "b", false, 1), MQTT_NEW);
    CU_ASSERT_EQUAL(arrive(&s, 1, 3, "c", false, 3), MQTT_NEW);
    CU_ASSERT_STRING_EQUAL(due(&s), "");
    mqtt_session_safe(&s, 2);
    CU_ASSERT_STRING_EQUAL(due(&s), "A5 R7 ");
    CU_ASSERT_EQUAL(arrive(&s, 1, 5, "d", false, 4), MQTT_NEW); /* the id is free again */
    mqtt_session_safe(&s, 9);
    CU_ASSERT_STRING_EQUAL(due(&s), "A3 A5 ");
    mqtt_session_fini(&s);
    CU_ASSERT_EQUAL(atomic_load(&budget.used), 0);
}

static void more_than_the_window_is_not_taken(void)
{
    struct mqtt_session s;

    OK(mqtt_session_init(&s, 2, &budget, &err));
    for (int64_t i = 0; i < 1000; i += 2) {
        CU_ASSERT_EQUAL(arrive(&s, 1, 1, "a", false, i), MQTT_NEW);
        CU_ASSERT_EQUAL(arrive(&s, 1, 2, "b", false, i + 1), MQTT_NEW);
        CU_ASSERT_EQUAL(arrive(&s, 1, 3, "c", false, i + 2), MQTT_FULL);
        mqtt_session_safe(&s, i + 2);
        CU_ASSERT_STRING_EQUAL(due(&s), "A1 A2 ");
    }
    mqtt_session_fini(&s);
}

static void what_comes_again_over_a_new_connection_is_known(void)
{
    struct mqtt_session s;

    OK(mqtt_session_init(&s, 8, &budget, &err));
    arrive(&s, 1, 1, "a", false, 0);
    arrive(&s, 2, 2, "b", false, 1);
    arrive(&s, 1, 3, "c", false, 2);
    mqtt_session_connected(&s, true);
    CU_ASSERT_EQUAL(arrive(&s, 1, 1, "a", true, 9), MQTT_KNOWN);
    mqtt_session_safe(&s, 3);
    CU_ASSERT_STRING_EQUAL(due(&s), "A1 "); /* 2 and 3 were not seen on this connection */
    CU_ASSERT_EQUAL(arrive(&s, 2, 2, "b", false, 9), MQTT_SAFE);
    CU_ASSERT_EQUAL(arrive(&s, 1, 3, "c", true, 9), MQTT_SAFE);
    CU_ASSERT(mqtt_session_release(&s, 2));
    CU_ASSERT_FALSE(mqtt_session_release(&s, 2));
    CU_ASSERT_EQUAL(arrive(&s, 2, 2, "b", false, 10), MQTT_NEW);
    mqtt_session_fini(&s);
}

/* Such as after a crash of the broker, which had saved less than it had sent. */
static void another_message_under_a_known_id_is_not_taken_for_the_first(void)
{
    struct mqtt_session s;

    OK(mqtt_session_init(&s, 8, &budget, &err));
    arrive(&s, 1, 1, "a", false, 0);
    arrive(&s, 2, 2, "b", false, 1);
    mqtt_session_connected(&s, true);
    CU_ASSERT_EQUAL(arrive(&s, 1, 1, "other", true, 2), MQTT_NEW);
    CU_ASSERT_EQUAL(arrive(&s, 2, 2, "other", true, 3), MQTT_NEW);
    mqtt_session_safe(&s, 2);
    CU_ASSERT_STRING_EQUAL(due(&s), ""); /* the others are not safe yet */
    mqtt_session_safe(&s, 4);
    CU_ASSERT_STRING_EQUAL(due(&s), "A1 R2 ");
    mqtt_session_fini(&s);
}

static void a_new_session_owes_nothing_of_the_old(void)
{
    struct mqtt_session s;

    OK(mqtt_session_init(&s, 8, &budget, &err));
    arrive(&s, 1, 1, "a", false, 0);
    mqtt_session_connected(&s, false);
    CU_ASSERT_EQUAL(arrive(&s, 1, 1, "a", true, 1), MQTT_NEW);
    mqtt_session_safe(&s, 1);
    CU_ASSERT_STRING_EQUAL(due(&s), "");
    mqtt_session_safe(&s, 2);
    CU_ASSERT_STRING_EQUAL(due(&s), "A1 ");
    mqtt_session_fini(&s);
}

/* ---- options */

static void wrong_settings_are_refused(void)
{
    static const char *const bad[][4] = {
        {"url=localhost:1883", "topics=a", NULL},
        {"url=mqtt://", "topics=a", NULL},
        {"url=mqtt://a:0", "topics=a", NULL},
        {"url=mqtt://a:1/b", "topics=a", NULL},
        {"url=mqtt://[::1", "topics=a", NULL},
        {"url=mqtt://a", "topics=a/#/b", NULL},
        {"url=mqtt://a", "topics=a", "client_id=", NULL},
        {"url=mqtt://a", "topics=a", "auth.password=x", NULL},
        {"url=mqtt://a", "topics=a", "tls.ca=x", NULL},
        {"url=mqtts://a", "topics=a", "tls.cert=x", NULL},
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct instance in;
        instance_init(&in, "mqtt", bad[i]);
        CU_ASSERT_EQUAL(in.module->check(in.self, &err), LEAT_E_CONFIG);
        CU_ASSERT_EQUAL(in.module->push->open(in.self, &in.env, &err), LEAT_E_CONFIG);
        in.module->push->close(in.self);
        instance_fini(&in);
    }
}

int main(void)
{
    struct peer_server peer;

    peer_server_start(&peer, serve);
    snprintf(url, sizeof url, "url=mqtt://127.0.0.1:%d", peer.port);
    int result = leat_test_main(
        "mqtt", (CU_TestInfo[]){LEAT_PUSH_CONTRACT_TESTS, T(a_message_is_read_with_all_its_parts),
                                T(a_packet_is_not_read_before_its_last_byte_is_there),
                                T(a_payload_that_is_too_long_is_cut_and_its_rest_passed_over),
                                T(what_the_protocol_forbids_is_refused),
                                T(filters_are_checked_as_the_protocol_asks),
                                T(acknowledgements_come_in_order_and_not_before_all_is_safe),
                                T(more_than_the_window_is_not_taken),
                                T(what_comes_again_over_a_new_connection_is_known),
                                T(another_message_under_a_known_id_is_not_taken_for_the_first),
                                T(a_new_session_owes_nothing_of_the_old),
                                T(wrong_settings_are_refused), CU_TEST_INFO_NULL});
    peer_server_stop(&peer);
    return result;
}
