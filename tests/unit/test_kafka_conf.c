#include "kafka/conf.h"

#include "leat_test.h"

#include <stdio.h>

static struct leat_error err;

struct holder {
    struct leat_kafka_conf conf;
};

static const struct leat_opt options[] = {LEAT_KAFKA_OPTIONS(struct holder), {0}};

static enum leat_status read_conf(struct holder *h, struct leat_arena *arena,
                                  const char *const *settings)
{
    struct leat_setting given[8] = {0};
    size_t n = 0;

    *h = (struct holder){0};
    for (; settings[n]; n++)
        leat_slice_cut(leat_slice_str(settings[n]), '=', &given[n].name, &given[n].value);
    OK(leat_opts_apply(options, h, given, n, arena, &err));
    return leat_kafka_conf_check(&h->conf, &err);
}

static void check_refused(const char *const *settings, const char *text)
{
    struct leat_arena arena = {0};
    struct holder h;

    CU_ASSERT_EQUAL(read_conf(&h, &arena, settings), LEAT_E_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, text));
    leat_arena_reset(&arena);
}

static void get(const struct holder *h, const char *name, char *value, size_t room)
{
    rd_kafka_conf_t *made;

    OK(leat_kafka_conf_new(&h->conf, NULL, NULL, &made, &err));
    CU_ASSERT_EQUAL(rd_kafka_conf_get(made, name, value, &room), RD_KAFKA_CONF_OK);
    rd_kafka_conf_destroy(made);
}

static void brokers_alone_are_enough(void)
{
    struct leat_arena arena = {0};
    struct holder h;
    char value[80];

    OK(read_conf(&h, &arena, (const char *const[]){"brokers=a:1,b:2", NULL}));
    get(&h, "bootstrap.servers", value, sizeof value);
    CU_ASSERT_STRING_EQUAL(value, "a:1,b:2");
    get(&h, "security.protocol", value, sizeof value);
    CU_ASSERT_STRING_EQUAL(value, "plaintext");
    leat_arena_reset(&arena);
}

static void tls_and_sasl_choose_the_protocol(void)
{
    struct leat_arena arena = {0};
    struct holder h;
    char value[80];

    OK(read_conf(&h, &arena,
                 (const char *const[]){"brokers=a:1", "tls.enable=true",
                                       "sasl.mechanism=SCRAM-SHA-512", "sasl.username=ann",
                                       "sasl.password=secret", NULL}));
    get(&h, "security.protocol", value, sizeof value);
    CU_ASSERT_STRING_EQUAL(value, "sasl_ssl");
    get(&h, "sasl.mechanism", value, sizeof value);
    CU_ASSERT_STRING_EQUAL(value, "SCRAM-SHA-512");
    leat_arena_reset(&arena);
}

static void a_password_in_the_clear_must_be_meant(void)
{
    struct leat_arena arena = {0};
    struct holder h;

    check_refused((const char *const[]){"brokers=a:1", "sasl.mechanism=PLAIN", "sasl.username=ann",
                                        "sasl.password=secret", NULL},
                  "insecure: true");
    OK(read_conf(&h, &arena,
                 (const char *const[]){"brokers=a:1", "sasl.mechanism=PLAIN", "sasl.username=ann",
                                       "sasl.password=secret", "sasl.insecure=true", NULL}));
    leat_arena_reset(&arena);
}

static void half_a_login_is_refused(void)
{
    check_refused((const char *const[]){"brokers=a:1", "sasl.username=ann", NULL}, "mechanism");
    check_refused((const char *const[]){"brokers=a:1", "sasl.mechanism=PLAIN", NULL}, "username");
    check_refused((const char *const[]){"brokers=a:1", "tls.certificate=/x.pem", NULL}, "together");
}

static void check_pair(const char *name, const char *value, bool secret, const char *text)
{
    const struct leat_setting pair = {leat_slice_str(name), leat_slice_str(value), secret};
    struct holder h = {.conf = {.brokers = "a:1", .tls.verify = true, .rdkafka = {&pair, 1}}};

    if (!text) {
        OK(leat_kafka_conf_check(&h.conf, &err));
        return;
    }
    CU_ASSERT_EQUAL(leat_kafka_conf_check(&h.conf, &err), LEAT_E_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, text));
    CU_ASSERT(!secret || !strstr(err.text, value));
}

static void what_librdkafka_knows_is_passed_through(void)
{
    check_pair("socket.keepalive.enable", "true", false, NULL);
    check_pair("socket.keepalive.enabled", "true", false, "No such configuration property");
    check_pair("fetch.wait.max.ms", "never", false, "fetch.wait.max.ms");
    check_pair("security.protocol", "s3cr3t", true, "does not take this value");
}

static void what_delivery_rests_on_is_leats(void)
{
    check_pair("enable.auto.commit", "true", false, "is leat's");
    check_pair("group.id", "mine", false, "is leat's");
}

static void a_mechanism_whose_settings_are_librdkafkas_says_which_are_missing(void)
{
    check_refused((const char *const[]){"brokers=a:1", "sasl.mechanism=GSSAPI", NULL},
                  "sasl.kerberos.keytab: FILE");
    check_refused((const char *const[]){"brokers=a:1", "sasl.mechanism=OAUTHBEARER", NULL},
                  "sasl: OAUTHBEARER");

    struct leat_arena arena = {0};
    struct holder h;
    char value[80];

    OK(read_conf(&h, &arena,
                 (const char *const[]){"brokers=a:1", "sasl.mechanism=GSSAPI",
                                       "rdkafka.sasl.kerberos.keytab=/k", NULL}));
    get(&h, "sasl.kerberos.keytab", value, sizeof value);
    CU_ASSERT_STRING_EQUAL(value, "/k");
    OK(read_conf(&h, &arena,
                 (const char *const[]){"brokers=a:1", "sasl.mechanism=GSSAPI",
                                       "rdkafka.sasl.kerberos.kinit.cmd=true", NULL}));
    OK(read_conf(&h, &arena,
                 (const char *const[]){"brokers=a:1", "sasl.mechanism=OAUTHBEARER",
                                       "rdkafka.enable.sasl.oauthbearer.unsecure.jwt=true", NULL}));
    leat_arena_reset(&arena);
}

LEAT_TESTS("kafka_conf", T(a_mechanism_whose_settings_are_librdkafkas_says_which_are_missing),
           T(brokers_alone_are_enough), T(tls_and_sasl_choose_the_protocol),
           T(a_password_in_the_clear_must_be_meant), T(half_a_login_is_refused),
           T(what_librdkafka_knows_is_passed_through), T(what_delivery_rests_on_is_leats))
