/*
 * conf.h - what a Kafka source and a Kafka sink have in common in a pipeline file.
 *
 * The members stand at the start of both modules' structs, and LEAT_KAFKA_OPTIONS() at the start of
 * both tables, so `connections:` can hold them once. leat_kafka_conf_new() turns them into
 * librdkafka's configuration: first what leat needs, then the user's `rdkafka:` pairs, which may
 * change everything but what delivery rests on.
 */
#ifndef LEAT_KAFKA_CONF_H
#define LEAT_KAFKA_CONF_H

#include "leat.h"

#include <librdkafka/rdkafka.h>

struct leat_kafka_tls {
    bool enable;
    const char *ca, *certificate, *key, *key_password;
    bool verify;
};

struct leat_kafka_sasl {
    struct leat_choice mechanism; /* enum leat_kafka_mechanism */
    const char *username, *password;
    bool insecure;
};

enum leat_kafka_mechanism {
    LEAT_KAFKA_SASL_NONE,
    LEAT_KAFKA_SASL_PLAIN,
    LEAT_KAFKA_SASL_SCRAM_256,
    LEAT_KAFKA_SASL_SCRAM_512,
    LEAT_KAFKA_SASL_GSSAPI,
    LEAT_KAFKA_SASL_OAUTHBEARER,
};

struct leat_kafka_conf {
    const char *brokers;
    struct leat_kafka_tls tls;
    struct leat_kafka_sasl sasl;
    struct leat_pairs rdkafka;
};

extern const struct leat_opt leat_kafka_tls_options[];
extern const struct leat_opt leat_kafka_sasl_options[];

/* clang-format off */
/* `type` has a member `struct leat_kafka_conf conf`. */
#define LEAT_KAFKA_OPT_AT(type, member) \
    .name = #member, .offset = offsetof(type, conf.member)
#define LEAT_KAFKA_OPTIONS(type) \
    {LEAT_KAFKA_OPT_AT(type, brokers), .kind = LEAT_OPT_TEXT, \
     .help = "Brokers to begin with, as \"host:port,host:port\"."}, \
    {LEAT_KAFKA_OPT_AT(type, tls), .kind = LEAT_OPT_GROUP, .group = leat_kafka_tls_options, \
     .help = "Talk to the brokers over TLS."}, \
    {LEAT_KAFKA_OPT_AT(type, sasl), .kind = LEAT_OPT_GROUP, .group = leat_kafka_sasl_options, \
     .help = "Log in at the brokers."}, \
    {LEAT_KAFKA_OPT_AT(type, rdkafka), .kind = LEAT_OPT_PAIRS, .optional = true, \
     .help = "Properties of librdkafka, passed through: { \"socket.keepalive.enable\": true }."}
/* clang-format on */

struct leat_kafka_property {
    const char *name, *value; /* name NULL: end of list */
};

/* Check the options as a whole, with librdkafka's own words for a property that it does not know.
 * Touches nothing outside. Thread: any. */
LEAT_CHECKED enum leat_status leat_kafka_conf_check(const struct leat_kafka_conf *conf,
                                                    struct leat_error *err);

/* *made: `ours` where the user may change it, the options, the `rdkafka` pairs, then `fixed`. The
 * caller gives it to rd_kafka_new() or destroys it. */
LEAT_CHECKED enum leat_status leat_kafka_conf_new(const struct leat_kafka_conf *conf,
                                                  const struct leat_kafka_property *ours,
                                                  const struct leat_kafka_property *fixed,
                                                  rd_kafka_conf_t **made, struct leat_error *err);

#endif
