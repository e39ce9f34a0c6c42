#include "kafka/conf.h"

#include <stdio.h>

#define TEXT_MAX 512

static const char *const mechanisms[] = {
    [LEAT_KAFKA_SASL_NONE] = "none",
    [LEAT_KAFKA_SASL_PLAIN] = "PLAIN",
    [LEAT_KAFKA_SASL_SCRAM_256] = "SCRAM-SHA-256",
    [LEAT_KAFKA_SASL_SCRAM_512] = "SCRAM-SHA-512",
    [LEAT_KAFKA_SASL_GSSAPI] = "GSSAPI",
    [LEAT_KAFKA_SASL_OAUTHBEARER] = "OAUTHBEARER",
    NULL,
};

const struct leat_opt leat_kafka_tls_options[] = {
    LEAT_OPT(struct leat_kafka_tls, enable, .def = "false",
             .help = "Speak TLS; any other setting of tls implies it."),
    LEAT_OPT(struct leat_kafka_tls, ca, .optional = true,
             .help = "File with the certificates to trust (PEM); else those of the system."),
    LEAT_OPT(struct leat_kafka_tls, certificate, .optional = true,
             .help = "File with the client's certificate (PEM)."),
    LEAT_OPT(struct leat_kafka_tls, key, .optional = true,
             .help = "File with the client's private key (PEM)."),
    LEAT_OPT(struct leat_kafka_tls, key_password, .optional = true, .secret = true,
             .help = "Password of the private key."),
    LEAT_OPT(struct leat_kafka_tls, verify, .def = "true",
             .help = "Whether the broker's certificate and host name are checked."),
    {0},
};

const struct leat_opt leat_kafka_sasl_options[] = {
    LEAT_OPT(struct leat_kafka_sasl, mechanism, .def = "none", .choices = mechanisms,
             .help = "How to log in."),
    LEAT_OPT(struct leat_kafka_sasl, username, .optional = true, .help = "Name of the user."),
    LEAT_OPT(struct leat_kafka_sasl, password, .optional = true, .secret = true,
             .help = "Password of the user."),
    LEAT_OPT(struct leat_kafka_sasl, insecure, .def = "false",
             .help = "Send the credentials although the connection is not encrypted."),
    {0},
};

/* What delivery rests on: not for `rdkafka:`. */
static const struct {
    const char *name, *instead;
} reserved[] = {
    {"bootstrap.servers", "use `brokers`"},
    {"metadata.broker.list", "use `brokers`"},
    {"group.id", "it follows from the pipeline's name"},
    {"group.instance.id", "leat assigns partitions itself"},
    {"enable.auto.commit", "positions are committed when every sink has the batch"},
    {"enable.auto.offset.store", "positions are committed when every sink has the batch"},
    {"auto.offset.reset", "use `start` and `on_lost`"},
    {"enable.partition.eof", "leat needs it"},
    {"transactional.id", "it follows from the pipeline's name"},
    {"enable.idempotence", "leat always writes idempotently"},
    {"acks", "leat always waits for all replicas"},
    {"request.required.acks", "leat always waits for all replicas"},
    {"delivery.report.only.error", "leat needs it"},
};

static bool has_tls(const struct leat_kafka_tls *tls)
{
    return tls->enable || tls->ca || tls->certificate || tls->key || !tls->verify;
}

static const char *protocol(const struct leat_kafka_conf *conf)
{
    bool sasl = conf->sasl.mechanism.index != LEAT_KAFKA_SASL_NONE;

    if (has_tls(&conf->tls))
        return sasl ? "sasl_ssl" : "ssl";
    return sasl ? "sasl_plaintext" : "plaintext";
}

static bool needs_password(int mechanism)
{
    return mechanism == LEAT_KAFKA_SASL_PLAIN || mechanism == LEAT_KAFKA_SASL_SCRAM_256 ||
           mechanism == LEAT_KAFKA_SASL_SCRAM_512;
}

static enum leat_status check_sasl(const struct leat_kafka_conf *conf, struct leat_error *err)
{
    const struct leat_kafka_sasl *s = &conf->sasl;
    int mechanism = s->mechanism.index;

    if (mechanism == LEAT_KAFKA_SASL_NONE && (s->username || s->password))
        return leat_fail(err, LEAT_E_CONFIG, "sasl: `mechanism` is missing, such as SCRAM-SHA-512");
    if (!needs_password(mechanism))
        return LEAT_OK;
    if (!s->username || !s->password)
        return leat_fail(err, LEAT_E_CONFIG, "sasl: %s needs `username` and `password`",
                         mechanisms[mechanism]);
    if (!has_tls(&conf->tls) && !s->insecure)
        return leat_fail(err, LEAT_E_CONFIG,
                         "sasl: the password would cross the network in the clear: add `tls: { "
                         "enable: true }`, or `insecure: true` to sasl if that is meant");
    return LEAT_OK;
}

static enum leat_status set(rd_kafka_conf_t *made, const char *name, const char *value,
                            struct leat_error *err)
{
    char text[TEXT_MAX];

    if (!value || rd_kafka_conf_set(made, name, value, text, sizeof text) == RD_KAFKA_CONF_OK)
        return LEAT_OK;
    return leat_fail(err, LEAT_E_CONFIG, "%s", text);
}

static enum leat_status set_list(rd_kafka_conf_t *made, const struct leat_kafka_property *list,
                                 struct leat_error *err)
{
    for (; list && list->name; list++)
        if (set(made, list->name, list->value, err) != LEAT_OK)
            return err->status;
    return LEAT_OK;
}

static enum leat_status set_options(rd_kafka_conf_t *made, const struct leat_kafka_conf *conf,
                                    struct leat_error *err)
{
    int mechanism = conf->sasl.mechanism.index;
    const struct leat_kafka_property list[] = {
        {"bootstrap.servers", conf->brokers},
        {"security.protocol", protocol(conf)},
        {"ssl.ca.location", conf->tls.ca},
        {"ssl.certificate.location", conf->tls.certificate},
        {"ssl.key.location", conf->tls.key},
        {"ssl.key.password", conf->tls.key_password},
        {"enable.ssl.certificate.verification", conf->tls.verify ? NULL : "false"},
        {"ssl.endpoint.identification.algorithm", conf->tls.verify ? NULL : "none"},
        {"sasl.mechanism", mechanism != LEAT_KAFKA_SASL_NONE ? mechanisms[mechanism] : NULL},
        {"sasl.username", conf->sasl.username},
        {"sasl.password", conf->sasl.password},
        {0},
    };

    return set_list(made, list, err);
}

static enum leat_status check_reserved(const char *name, struct leat_error *err)
{
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (strcmp(reserved[i].name, name) == 0)
            return leat_fail(err, LEAT_E_CONFIG, "rdkafka: '%s' is leat's: %s", name,
                             reserved[i].instead);
    return LEAT_OK;
}

static enum leat_status set_pair(rd_kafka_conf_t *made, const struct leat_setting *pair,
                                 struct leat_error *err)
{
    char name[TEXT_MAX], value[TEXT_MAX * 8];

    if (pair->name.len >= sizeof name || pair->value.len >= sizeof value)
        return leat_fail(err, LEAT_E_CONFIG, "rdkafka: '%.40s...' is too long", pair->name.ptr);
    snprintf(name, sizeof name, "%.*s", LEAT_FMT(pair->name));
    snprintf(value, sizeof value, "%.*s", LEAT_FMT(pair->value));
    if (check_reserved(name, err) != LEAT_OK)
        return err->status;
    if (set(made, name, value, err) == LEAT_OK)
        return LEAT_OK;
    if (pair->secret) /* librdkafka's text repeats the value */
        return leat_fail(err, LEAT_E_CONFIG, "rdkafka: '%s' does not take this value", name);
    return leat_error_prefix(err, "rdkafka: '%s'", name);
}

enum leat_status leat_kafka_conf_new(const struct leat_kafka_conf *conf,
                                     const struct leat_kafka_property *ours,
                                     const struct leat_kafka_property *fixed,
                                     rd_kafka_conf_t **made, struct leat_error *err)
{
    rd_kafka_conf_t *c = rd_kafka_conf_new();
    enum leat_status status = set_list(c, ours, err);

    if (status == LEAT_OK)
        status = set_options(c, conf, err);
    for (size_t i = 0; status == LEAT_OK && i < conf->rdkafka.count; i++)
        status = set_pair(c, &conf->rdkafka.list[i], err);
    if (status == LEAT_OK)
        status = set_list(c, fixed, err);
    if (status != LEAT_OK) {
        rd_kafka_conf_destroy(c);
        c = NULL;
    }
    *made = c;
    return status;
}

static bool has(const rd_kafka_conf_t *made, const char *name, const char *part)
{
    char text[TEXT_MAX] = "";
    size_t size = sizeof text;

    return rd_kafka_conf_get(made, name, text, &size) == RD_KAFKA_CONF_OK && strstr(text, part);
}

static enum leat_status no_token(rd_kafka_conf_t *made, struct leat_error *err)
{
    char text[TEXT_MAX];
    bool oidc = rd_kafka_conf_set(made, "sasl.oauthbearer.method", "oidc", text, sizeof text) ==
                RD_KAFKA_CONF_OK;

    if (oidc)
        return leat_fail(err, LEAT_E_CONFIG,
                         "sasl: OAUTHBEARER needs to know where tokens are from: `rdkafka: { "
                         "sasl.oauthbearer.method: oidc, sasl.oauthbearer.token.endpoint.url: URL, "
                         "... }`");
    return leat_fail(err, LEAT_E_CONFIG,
                     "sasl: OAUTHBEARER: librdkafka %s of this machine is not built to ask for "
                     "tokens (OIDC); it can make unsigned ones, for trying: `rdkafka: { "
                     "enable.sasl.oauthbearer.unsecure.jwt: true, sasl.oauthbearer.config: "
                     "principal=NAME }`",
                     rd_kafka_version_str());
}

/* What librdkafka's own settings say. Without it a client would not begin, or wait for ever. */
static enum leat_status check_passed_through(rd_kafka_conf_t *made, int mechanism,
                                             struct leat_error *err)
{
    char text[TEXT_MAX] = "";
    size_t size = sizeof text;

    if (mechanism == LEAT_KAFKA_SASL_GSSAPI &&
        has(made, "sasl.kerberos.kinit.cmd", "%{sasl.kerberos.keytab}") &&
        (rd_kafka_conf_get(made, "sasl.kerberos.keytab", text, &size) != RD_KAFKA_CONF_OK ||
         !*text))
        return leat_fail(err, LEAT_E_CONFIG,
                         "sasl: GSSAPI needs a key: `rdkafka: { sasl.kerberos.keytab: FILE, "
                         "sasl.kerberos.principal: NAME@REALM }`");
    if (mechanism == LEAT_KAFKA_SASL_OAUTHBEARER && !has(made, "sasl.oauthbearer.method", "oidc") &&
        !has(made, "enable.sasl.oauthbearer.unsecure.jwt", "true"))
        return no_token(made, err);
    return LEAT_OK;
}

enum leat_status leat_kafka_conf_check(const struct leat_kafka_conf *conf, struct leat_error *err)
{
    rd_kafka_conf_t *made;

    if (check_sasl(conf, err) != LEAT_OK)
        return err->status;
    if ((conf->tls.certificate != NULL) != (conf->tls.key != NULL))
        return leat_fail(err, LEAT_E_CONFIG, "tls: `certificate` and `key` belong together");
    if (leat_kafka_conf_new(conf, NULL, NULL, &made, err) != LEAT_OK)
        return err->status;
    enum leat_status status = check_passed_through(made, conf->sasl.mechanism.index, err);
    rd_kafka_conf_destroy(made);
    return status;
}
