/*
 * mqtt.c - push source of the messages of an MQTT broker, version 3.1.1 or 5.
 *
 * A row's key is the topic, its value the payload (none when that is empty, which is how MQTT takes
 * a retained message back), its headers the user properties. A message of QoS 1 or 2 is
 * acknowledged when its row is as safe as `store:` asks, many at a time and in their order; until
 * then the broker keeps it, and sends it again when leat was killed: at least once. Within a run a
 * connection that is lost costs no duplicate: see session.h. QoS 0 is lost with the process.
 *
 * The client is our own because libraries acknowledge before they know that anything is stored, or
 * one message at a time. Left out: topic aliases, subscription ids, enhanced authentication, wills,
 * websockets. Without a credit nothing is read, and the broker keeps what it has.
 *
 * Thread: run's. It sleeps in poll(); only looking up a host name may take longer.
 */
#include "client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>

#define RECORD_DEFAULT ((size_t)1024 * 1024)
#define CLIENT_ID_MAX  200
#define CREDENTIAL_MAX 16384
#define FILTERS_MAX    1000

struct mqtt_auth {
    const char *user, *password;
};

struct mqtt {
    const char *url;
    struct leat_texts topics;
    int64_t qos;
    struct leat_choice version;
    const char *client_id;
    struct leat_duration session_expiry, keep_alive, retry;
    int64_t inflight;
    struct mqtt_auth auth;
    struct mqtt_tls tls;
    bool insecure;

    const struct leat_env *env;
    char own_id[CLIENT_ID_MAX + 32];
    struct mqtt_client client;
};

static const char *const versions[] = {"3.1.1", "5", NULL};

/* clang-format off */
static const struct leat_opt auth_options[] = {
    LEAT_OPT(struct mqtt_auth, user, .optional = true, .help = "User name."),
    LEAT_OPT(struct mqtt_auth, password, .optional = true, .secret = true, .help = "Its password."),
    {0},
};

static const struct leat_opt tls_options[] = {
    LEAT_OPT(struct mqtt_tls, ca, .optional = true,
             .help = "File with the certificates that are trusted; else the system's."),
    LEAT_OPT(struct mqtt_tls, cert, .optional = true, .help = "File with leat's own certificate."),
    LEAT_OPT(struct mqtt_tls, key, .optional = true, .help = "File with its key."),
    {0},
};

static const struct leat_opt options[] = {
    LEAT_OPT(struct mqtt, url, .help = "The broker: mqtt://host:1883, or mqtts://host:8883 for TLS."),
    LEAT_OPT(struct mqtt, topics,
             .help = "Topic filters: plant/+/temperature, alarms/#, $share/group/filter."),
    LEAT_OPT(struct mqtt, qos, .def = "1", .min = 0, .max = 2,
             .help = "0: what is under way is lost with the process; 1 and 2: it comes again."),
    LEAT_OPT(struct mqtt, version, .def = "5", .choices = versions, .help = "Of the protocol."),
    LEAT_OPT(struct mqtt, client_id, .optional = true,
             .help = "Under which the broker keeps the session; else leat-NAME. Two sources on one "
                     "broker need one each."),
    LEAT_OPT(struct mqtt, session_expiry, .def = "7d", .min = 0, .max = INT64_C(4000000000) * 1000,
             .help = "How long the broker keeps messages while leat is away; 0s: not at all. "
                     "Version 3.1.1 knows for ever and not at all."),
    LEAT_OPT(struct mqtt, keep_alive, .def = "30s", .min = 1000, .max = 65535000,
             .help = "A broker that says nothing for one and a half of it is connected anew."),
    LEAT_OPT(struct mqtt, inflight, .def = "65535", .min = 1, .max = 65535,
             .help = "Messages of QoS 1 and 2 that may wait for their acknowledgement (MQTT 5: "
                     "receive maximum)."),
    LEAT_OPT(struct mqtt, retry, .def = "100ms", .min = 1, .max = 10000,
             .help = "First pause before connecting again; it doubles up to 10 s."),
    LEAT_OPT_GROUPED(struct mqtt, auth, auth_options, .optional = true, .help = "Who leat is."),
    LEAT_OPT_GROUPED(struct mqtt, tls, tls_options, .optional = true, .help = "Certificates."),
    LEAT_OPT(struct mqtt, insecure, .def = "false",
             .help = "Send the password over mqtt://, where everybody on the way can read it."),
    {0},
};
/* clang-format on */

static enum leat_status check_topics(const struct mqtt *m, struct leat_error *err)
{
    const char *why;

    if (m->topics.count == 0 || m->topics.count > FILTERS_MAX)
        return leat_fail(err, LEAT_E_CONFIG,
                         "topics: needs 1 to %d filters, such as plant/+/temperature", FILTERS_MAX);
    for (size_t i = 0; i < m->topics.count; i++)
        if (!mqtt_is_filter(leat_slice_str(m->topics.list[i]), &why))
            return leat_fail(err, LEAT_E_CONFIG, "topics: '%.100s' %s", m->topics.list[i], why);
    return LEAT_OK;
}

static bool is_credential(const char *text)
{
    return !text || (mqtt_is_text(leat_slice_str(text)) && strlen(text) <= CREDENTIAL_MAX);
}

static enum leat_status check(const void *self, struct leat_error *err)
{
    const struct mqtt *m = self;
    struct mqtt_address address;
    struct leat_slice id = leat_slice_str(m->client_id);

    if (mqtt_parse_url(m->url, &address, err) != LEAT_OK || check_topics(m, err) != LEAT_OK)
        return err->status;
    if (m->client_id && (id.len == 0 || id.len > CLIENT_ID_MAX || !mqtt_is_text(id)))
        return leat_fail(err, LEAT_E_CONFIG, "client_id: needs 1 to %d bytes of text",
                         CLIENT_ID_MAX);
    if (m->auth.password && !m->auth.user)
        return leat_fail(err, LEAT_E_CONFIG, "auth: a 'password' needs a 'user'");
    if (!is_credential(m->auth.user) || !is_credential(m->auth.password))
        return leat_fail(err, LEAT_E_CONFIG, "auth: at most 16 KiB of text each");
    if (m->auth.password && !address.secure && !m->insecure)
        return leat_fail(err, LEAT_E_CONFIG,
                         "auth: the password would go over mqtt:// in the clear: use mqtts://, or "
                         "say 'insecure: true'");
    if (!m->tls.cert != !m->tls.key)
        return leat_fail(err, LEAT_E_CONFIG, "tls: 'cert' and 'key' belong together");
    if (!address.secure && (m->tls.ca || m->tls.cert))
        return leat_fail(err, LEAT_E_CONFIG, "tls: the url begins with mqtt://; write mqtts://");
    return LEAT_OK;
}

static void set_client(struct mqtt *m)
{
    struct mqtt_client *c = &m->client;
    int64_t record = m->env->max_record_bytes;

    if (m->client_id)
        snprintf(m->own_id, sizeof m->own_id, "%s", m->client_id);
    else
        snprintf(m->own_id, sizeof m->own_id, "leat-%.200s", m->env->job);
    *c = (struct mqtt_client){
        .env = m->env,
        .url = m->url,
        .version = (enum mqtt_version)m->version.index,
        .connect = {.client_id = m->own_id,
                    .user = m->auth.user,
                    .password = m->auth.password,
                    .keep_alive_s = (uint16_t)(m->keep_alive.ms / 1000),
                    .session_expiry_s = (uint32_t)((m->session_expiry.ms + 999) / 1000),
                    .receive_max = (uint16_t)m->inflight,
                    .clean = m->session_expiry.ms == 0},
        .filters = m->topics.list,
        .filters_count = m->topics.count,
        .qos = (uint8_t)m->qos,
        .retry_ms = m->retry.ms,
        .payload_max = (record > 0 ? (size_t)record : RECORD_DEFAULT) + 1,
        .scratch = {.budget = m->env->budget},
    };
}

static enum leat_status mqtt_open(void *self, const struct leat_env *env, struct leat_error *err)
{
    struct mqtt *m = self;
    struct mqtt_address address;

    m->env = env;
    if (check(m, err) != LEAT_OK || mqtt_parse_url(m->url, &address, err) != LEAT_OK)
        return err->status;
    set_client(m);
    return mqtt_wire_init(&m->client.wire, &address, &m->tls, err);
}

/* Wait for the job or the broker; *ready: what the broker's side has. */
static enum leat_status wait_for_either(struct mqtt *m, int inbox_fd, short *ready,
                                        struct leat_error *err)
{
    struct mqtt_client *c = &m->client;
    bool has_wire = c->wire.state != WIRE_CLOSED;
    struct pollfd polls[2] = {
        {.fd = inbox_fd, .events = POLLIN},
        {.fd = c->wire.fd, .events = has_wire ? mqtt_wire_events(&c->wire, !c->full) : 0},
    };

    *ready = 0;
    if (!polls[1].events)
        polls[1].fd = -1; /* else its end would wake us again and again */
    if (poll(polls, 2, mqtt_client_timeout_ms(c)) < 0)
        return errno == EINTR ? LEAT_OK : leat_fail(err, LEAT_E_IO, "poll: %s", strerror(errno));
    *ready = polls[1].revents;
    return LEAT_OK;
}

static enum leat_status mqtt_run(void *self, struct leat_inbox *inbox, struct leat_error *err)
{
    struct mqtt *m = self;
    struct mqtt_client *c = &m->client;
    enum leat_status status = mqtt_wire_alloc(&c->wire, m->env->budget, err);
    short ready = 0;

    if (status == LEAT_OK)
        status = mqtt_session_init(&c->session, (uint32_t)m->inflight, m->env->budget, err);
    mqtt_client_start(c);
    while (status == LEAT_OK && leat_inbox_turn(inbox)) {
        status = mqtt_client_turn(c, inbox, ready, err);
        if (status == LEAT_OK)
            status = wait_for_either(m, leat_inbox_fd(inbox), &ready, err);
    }
    mqtt_client_end(c);
    mqtt_session_fini(&c->session);
    return status;
}

static enum leat_status mqtt_acked(void *self, uint32_t part, int64_t upto, struct leat_error *err)
{
    struct mqtt *m = self;

    (void)part, (void)err;
    mqtt_session_safe(&m->client.session, upto);
    return LEAT_OK;
}

static void mqtt_close(void *self)
{
    struct mqtt *m = self;

    if (!m->env)
        return;
    mqtt_wire_fini(&m->client.wire);
    leat_arena_reset(&m->client.scratch);
}

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "mqtt",
    .summary = "receives the messages of an MQTT broker",
    .keyed = true,
    .self_size = sizeof(struct mqtt),
    .opts = options,
    .check = check,
    .push = &(const struct leat_push){.store = LEAT_STORE_DISK,
                                      .open = mqtt_open,
                                      .run = mqtt_run,
                                      .acked = mqtt_acked,
                                      .close = mqtt_close},
};

LEAT_MODULE(module);
