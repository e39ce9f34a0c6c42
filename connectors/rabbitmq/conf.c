#include "conf.h"

#include <stdio.h>

const struct leat_opt rabbit_tls_options[] = {
    LEAT_OPT(struct rabbit_tls, enable, .def = "false",
             .help = "Speak TLS; any other setting of tls implies it."),
    LEAT_OPT(struct rabbit_tls, ca, .optional = true,
             .help = "File with the certificates to trust (PEM); else those of the system."),
    LEAT_OPT(struct rabbit_tls, certificate, .optional = true,
             .help = "File with the client's certificate (PEM)."),
    LEAT_OPT(struct rabbit_tls, key, .optional = true,
             .help = "File with the client's private key (PEM)."),
    LEAT_OPT(struct rabbit_tls, key_password, .optional = true, .secret = true,
             .help = "Password of the private key."),
    LEAT_OPT(struct rabbit_tls, verify, .def = "true",
             .help = "Whether the broker's certificate and host name are checked."),
    {0},
};

bool rabbit_has_tls(const struct rabbit_tls *tls)
{
    return tls->enable || tls->ca || tls->certificate || tls->key || !tls->verify;
}

/* "host", "host:port", "[::1]:port". */
static bool read_broker(struct leat_slice text, int standard_port, struct rabbit_broker *b)
{
    const char *end = text.ptr + text.len, *colon = memrchr(text.ptr, ':', text.len);
    bool bracket = text.len && text.ptr[0] == '[';
    struct leat_slice host = text;

    b->port = standard_port;
    if (bracket) {
        const char *close = memchr(text.ptr, ']', text.len);
        if (!close || (close + 1 != end && close[1] != ':'))
            return false;
        host = (struct leat_slice){text.ptr + 1, (size_t)(close - text.ptr) - 1};
        colon = close + 1 == end ? NULL : close + 1;
    } else if (colon) {
        host.len = (size_t)(colon - text.ptr);
    }
    if (colon) {
        int64_t port;
        const char *why;
        if (!leat_parse_int((struct leat_slice){colon + 1, (size_t)(end - colon) - 1}, &port,
                            &why) ||
            port < 1 || port > 65535)
            return false;
        b->port = (int)port;
    }
    if (host.len == 0 || host.len >= sizeof b->host ||
        (!bracket && memchr(host.ptr, ':', host.len)))
        return false;
    snprintf(b->host, sizeof b->host, "%.*s", LEAT_FMT(host));
    return true;
}

bool rabbit_find_broker(const struct rabbit_conf *conf, uint32_t n, struct rabbit_broker *b,
                        struct leat_slice *text, uint32_t *count)
{
    const char *at = conf->brokers;
    uint32_t total = 1, number = 0;

    for (const char *c = at; *c; c++)
        total += *c == ',';
    *count = total;
    for (;; at = strchr(at, ',') + 1, number++)
        if (number == n % total) {
            while (*at == ' ')
                at++;
            *text = (struct leat_slice){at, strcspn(at, ", ")};
            return read_broker(*text, rabbit_has_tls(&conf->tls) ? 5671 : 5672, b);
        }
}

static bool is_here(const char *host)
{
    return strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
           strcmp(host, "::1") == 0;
}

const char *rabbit_password(const struct rabbit_conf *conf)
{
    if (conf->password)
        return conf->password;
    return strcmp(conf->user, "guest") == 0 ? "guest" : NULL;
}

enum leat_status rabbit_conf_check(const struct rabbit_conf *conf, struct leat_error *err)
{
    struct rabbit_broker b;
    struct leat_slice text;
    uint32_t count = 1;

    if (!rabbit_password(conf))
        return leat_fail(err, LEAT_E_CONFIG, "user: '%s' needs `password`", conf->user);
    if (strlen(conf->user) + strlen(rabbit_password(conf)) + 2 > RABBIT_SASL_BYTES)
        return leat_fail(err, LEAT_E_CONFIG, "user and password: longer than %d bytes together",
                         RABBIT_SASL_BYTES - 2);
    if (strlen(conf->vhost) > 255)
        return leat_fail(err, LEAT_E_CONFIG, "vhost: at most 255 bytes");
    if (!conf->tls.certificate != !conf->tls.key)
        return leat_fail(err, LEAT_E_CONFIG, "tls: `certificate` and `key` belong together");
    for (uint32_t i = 0; i < count; i++) {
        if (!rabbit_find_broker(conf, i, &b, &text, &count))
            return leat_fail(err, LEAT_E_CONFIG, "brokers: '%.*s' is not host:port",
                             LEAT_FMT(text));
        if (!rabbit_has_tls(&conf->tls) && !conf->insecure && !is_here(b.host))
            return leat_fail(err, LEAT_E_CONFIG,
                             "brokers: the password would go to '%s' in the clear: add "
                             "`tls: { enable: true }`, or `insecure: true` if that is meant",
                             b.host);
    }
    return LEAT_OK;
}
