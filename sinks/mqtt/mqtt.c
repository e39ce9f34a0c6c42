/*
 * mqtt.c - sink that publishes records to an MQTT broker, with QoS 1.
 *
 * A broker takes part in no transaction, so messages are an outbox: prepare() writes them into the
 * batch's log record, commit() publishes them when the batch counts, in order, many under way at
 * once, until every one is acknowledged. After a crash recover() publishes those of the last record
 * again, unless the job was stopped in good order: at least once. With version 5 each carries the
 * user property `leat-id`, the same at every repetition, so that a subscriber can tell.
 *
 * An attempt that fails ends the client; the next one has a new client and publishes what was not
 * acknowledged. A message that the broker says it will never take: `refused` says what then. Left
 * out: QoS 0 and 2, headers as user properties, wills, websockets.
 *
 * Thread: the sink's. The library's own thread only sets marks of messages and counts.
 */
#include "messages.h"

#include <MQTTAsync.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define WINDOW       500
#define WINDOW_BYTES ((size_t)8 * 1024 * 1024)
#define KEEP_ALIVE_S 30

struct mqtt_auth {
    const char *user, *password;
};

struct mqtt_tls {
    const char *ca, *cert, *key;
};

struct mqtt_sink {
    const char *url;
    struct leat_template topic;
    bool retain;
    struct leat_choice version;
    const char *client_id;
    struct leat_duration timeout;
    struct mqtt_auth auth;
    struct mqtt_tls tls;
    bool insecure;
    struct leat_choice refused;

    const struct leat_env *env;
    struct mqtt_messages messages;
    struct mqtt_message *oldest; /* not known to be through */
    MQTTAsync client;
    int wake; /* eventfd: something has changed */
    atomic_int connected;
    atomic_bool lost;
    uint32_t sent;
    atomic_uint settled; /* of these: acknowledged or refused */
    char why[160];       /* of a connection that was refused; written before `connected` */
    size_t packet_max;   /* as the broker has said (version 5), 0: nothing; as `why` is written */
};

enum { VERSION_3_1_1, VERSION_5 };
enum { REFUSED_FAIL, REFUSED_DROP };
enum { CONNECT_WAITS, CONNECT_DONE, CONNECT_FAILED };

static const char *const versions[] = {"3.1.1", "5", NULL};
static const char *const refusals[] = {"fail", "drop", NULL};

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
    LEAT_OPT(struct mqtt_sink, url,
             .help = "The broker: mqtt://host:1883, or mqtts://host:8883 for TLS."),
    LEAT_OPT(struct mqtt_sink, topic, .help = "Topic to publish to; may be a template."),
    LEAT_OPT(struct mqtt_sink, retain, .def = "false",
             .help = "The broker keeps the last message of each topic for later subscribers."),
    LEAT_OPT(struct mqtt_sink, version, .def = "5", .choices = versions, .help = "Of the protocol."),
    LEAT_OPT(struct mqtt_sink, client_id, .optional = true, .help = "Else the broker gives one."),
    LEAT_OPT(struct mqtt_sink, timeout, .def = "5s", .min = 100, .max = 300000,
             .help = "How long a connection or an acknowledgement may take; a stop may have to wait "
                     "for it."),
    LEAT_OPT_GROUPED(struct mqtt_sink, auth, auth_options, .optional = true, .help = "Who leat is."),
    LEAT_OPT_GROUPED(struct mqtt_sink, tls, tls_options, .optional = true, .help = "Certificates."),
    LEAT_OPT(struct mqtt_sink, insecure, .def = "false",
             .help = "Send the password over mqtt://, where everybody on the way can read it."),
    LEAT_OPT(struct mqtt_sink, refused, .def = "fail", .choices = refusals,
             .help = "A message that the broker will never take (version 5 tells): fail stops the "
                     "job, drop goes on and says so."),
    {0},
};
/* clang-format on */

static bool is_secure(const struct mqtt_sink *s)
{
    return strncmp(s->url, "mqtts://", 8) == 0;
}

static enum leat_status check(const void *self, struct leat_error *err)
{
    const struct mqtt_sink *s = self;
    const char *host = s->url + 7 + is_secure(s);

    if ((!is_secure(s) && strncmp(s->url, "mqtt://", 7) != 0) || !host[0] ||
        host[strcspn(host, "/?#@ ")] || strlen(host) > 300)
        return leat_fail(err, LEAT_E_CONFIG,
                         "url: '%.100s' is no address such as mqtt://host:1883 or "
                         "mqtts://host:8883 (user and password go into `auth`)",
                         s->url);
    if (mqtt_check_topic(s->topic.node->text, err) != LEAT_OK)
        return err->status;
    if (s->auth.password && !s->auth.user)
        return leat_fail(err, LEAT_E_CONFIG, "auth: a 'password' needs a 'user'");
    if (s->auth.password && !is_secure(s) && !s->insecure)
        return leat_fail(err, LEAT_E_CONFIG,
                         "auth: the password would go over mqtt:// in the clear: use mqtts://, or "
                         "say 'insecure: true'");
    if (!s->tls.cert != !s->tls.key)
        return leat_fail(err, LEAT_E_CONFIG, "tls: 'cert' and 'key' belong together");
    if (!is_secure(s) && (s->tls.ca || s->tls.cert))
        return leat_fail(err, LEAT_E_CONFIG, "tls: the url begins with mqtt://; write mqtts://");
    return LEAT_OK;
}

/* ---- on the library's thread */

static void wake(struct mqtt_sink *s)
{
    eventfd_write(s->wake, 1);
}

static void on_connected(struct mqtt_sink *s, int result, const char *why)
{
    snprintf(s->why, sizeof s->why, "%s", why ? why : "no connection");
    atomic_store(&s->connected, result);
    wake(s);
}

static void connect_ok(void *arg, MQTTAsync_successData *data)
{
    (void)data;
    on_connected(arg, CONNECT_DONE, NULL);
}

static void connect_ok5(void *arg, MQTTAsync_successData5 *data)
{
    struct mqtt_sink *s = arg;

    if (MQTTProperties_hasProperty(&data->properties, MQTTPROPERTY_CODE_MAXIMUM_PACKET_SIZE))
        s->packet_max = (uint32_t)MQTTProperties_getNumericValue(
            &data->properties, MQTTPROPERTY_CODE_MAXIMUM_PACKET_SIZE);
    on_connected(arg, CONNECT_DONE, NULL);
}

static void connect_bad(void *arg, MQTTAsync_failureData *data)
{
    static const char *const refusals_3[] = {"the protocol's version is refused",
                                             "the client id is refused", "server unavailable",
                                             "wrong user name or password", "not authorized"};
    int code = data ? data->code : 0;

    on_connected(arg, CONNECT_FAILED,
                 code >= 1 && code <= 5 ? refusals_3[code - 1]
                 : data                 ? data->message
                                        : NULL);
}

/* The library leaves the broker's reason in either of two places. */
static void connect_bad5(void *arg, MQTTAsync_failureData5 *data)
{
    int reason = data ? (int)data->reasonCode : 0;

    if (data && reason < MQTTREASONCODE_UNSPECIFIED_ERROR)
        reason = data->code;
    bool refused = reason >= MQTTREASONCODE_UNSPECIFIED_ERROR;
    on_connected(arg, CONNECT_FAILED,
                 refused ? MQTTReasonCode_toString((enum MQTTReasonCodes)reason)
                 : data  ? data->message
                         : NULL);
}

static void connection_lost(void *arg, char *cause)
{
    struct mqtt_sink *s = arg;

    (void)cause;
    atomic_store(&s->lost, true);
    wake(s);
}

static void settle(struct mqtt_message *m, enum mqtt_message_state state, int reason)
{
    struct mqtt_sink *s = m->owner;

    atomic_store(&m->reason, reason);
    atomic_store(&m->state, (int)state);
    atomic_fetch_add(&s->settled, 1);
    wake(s);
}

static void sent_ok(void *arg, MQTTAsync_successData *data)
{
    (void)data;
    settle(arg, MQTT_DONE, 0);
}

static void sent_ok5(void *arg, MQTTAsync_successData5 *data)
{
    bool taken = data->reasonCode < MQTTREASONCODE_UNSPECIFIED_ERROR;

    settle(arg, taken ? MQTT_DONE : MQTT_REFUSED, (int)data->reasonCode);
}

static void attempt_failed(struct mqtt_message *m)
{
    struct mqtt_sink *s = m->owner;

    atomic_store(&s->lost, true);
    wake(s);
}

static void sent_bad(void *arg, MQTTAsync_failureData *data)
{
    (void)data;
    attempt_failed(arg);
}

static void sent_bad5(void *arg, MQTTAsync_failureData5 *data)
{
    if (data && data->reasonCode >= MQTTREASONCODE_UNSPECIFIED_ERROR)
        settle(arg, MQTT_REFUSED, (int)data->reasonCode);
    else
        attempt_failed(arg);
}

/* Not subscribed to anything; it is taken and forgotten. */
static int message_came(void *arg, char *topic, int len, MQTTAsync_message *message)
{
    (void)arg, (void)len;
    MQTTAsync_freeMessage(&message);
    MQTTAsync_free(topic);
    return 1;
}

/* ---- the connection */

static void drop_client(struct mqtt_sink *s)
{
    if (s->client)
        MQTTAsync_destroy(&s->client);
    s->client = NULL;
}

/* Until done() or the time is over. */
static bool wait_until(struct mqtt_sink *s, bool (*done)(struct mqtt_sink *s), int64_t until_ms)
{
    while (!done(s)) {
        struct pollfd p = {.fd = s->wake, .events = POLLIN};
        int64_t left = until_ms - leat_clock_monotonic_ms(s->env->clock);
        eventfd_t ignored;
        if (left <= 0 || poll(&p, 1, (int)left) < 0)
            return done(s);
        eventfd_read(s->wake, &ignored);
    }
    return true;
}

static bool is_answered(struct mqtt_sink *s)
{
    return atomic_load(&s->connected) != CONNECT_WAITS;
}

static enum leat_status create(struct mqtt_sink *s, struct leat_error *err)
{
    MQTTAsync_createOptions create = MQTTAsync_createOptions_initializer5;
    char uri[320];

    create.maxBufferedMessages = 2 * WINDOW; /* those that wait for the library's thread */
    if (s->version.index == VERSION_3_1_1)
        create.MQTTVersion = MQTTVERSION_3_1_1;
    snprintf(uri, sizeof uri, "%s://%s", is_secure(s) ? "ssl" : "tcp", s->url + 7 + is_secure(s));
    int rc = MQTTAsync_createWithOptions(&s->client, uri, s->client_id ? s->client_id : "",
                                         MQTTCLIENT_PERSISTENCE_NONE, NULL, &create);
    if (rc == MQTTASYNC_SUCCESS)
        rc = MQTTAsync_setCallbacks(s->client, s, connection_lost, message_came, NULL);
    return rc == MQTTASYNC_SUCCESS ? LEAT_OK
                                   : leat_fail(err, LEAT_E_NOMEM, "cannot make an MQTT client: %s",
                                               MQTTAsync_strerror(rc));
}

static int start_connect(struct mqtt_sink *s)
{
    MQTTAsync_connectOptions five = MQTTAsync_connectOptions_initializer5,
                             three = MQTTAsync_connectOptions_initializer;
    MQTTAsync_SSLOptions ssl = MQTTAsync_SSLOptions_initializer;
    bool is_5 = s->version.index == VERSION_5;
    MQTTAsync_connectOptions c = is_5 ? five : three;

    ssl.trustStore = s->tls.ca;
    ssl.keyStore = s->tls.cert;
    ssl.privateKey = s->tls.key;
    ssl.enableServerCertAuth = 1;
    ssl.verify = 1;
    ssl.sslVersion = MQTT_SSL_VERSION_TLS_1_2;
    c.keepAliveInterval = KEEP_ALIVE_S;
    c.connectTimeout = (int)((s->timeout.ms + 999) / 1000);
    c.username = s->auth.user;
    c.password = s->auth.password;
    c.ssl = is_secure(s) ? &ssl : NULL;
    c.context = s;
    if (is_5) {
        c.onSuccess5 = connect_ok5;
        c.onFailure5 = connect_bad5;
    } else {
        c.MQTTVersion = MQTTVERSION_3_1_1;
        c.onSuccess = connect_ok;
        c.onFailure = connect_bad;
    }
    return MQTTAsync_connect(s->client, &c);
}

static enum leat_status connect_broker(struct mqtt_sink *s, struct leat_error *err)
{
    int64_t until = leat_clock_monotonic_ms(s->env->clock) + s->timeout.ms;

    if (s->client && !atomic_load(&s->lost) && MQTTAsync_isConnected(s->client))
        return LEAT_OK;
    drop_client(s);
    atomic_store(&s->connected, CONNECT_WAITS);
    atomic_store(&s->lost, false);
    s->packet_max = 0;
    if (create(s, err) != LEAT_OK)
        return err->status;
    int rc = start_connect(s);
    if (rc != MQTTASYNC_SUCCESS)
        return leat_fail(err, LEAT_E_UNREACHABLE, "'%s': %s", s->url, MQTTAsync_strerror(rc));
    if (!wait_until(s, is_answered, until))
        return leat_fail(err, LEAT_E_UNREACHABLE, "'%s' does not answer", s->url);
    if (atomic_load(&s->connected) == CONNECT_DONE)
        return LEAT_OK;
    return leat_fail(err, LEAT_E_UNREACHABLE, "'%s': %s", s->url, s->why);
}

/* ---- messages */

static size_t varint_len(size_t v)
{
    return v < 128 ? 1 : v < 16384 ? 2 : v < 2097152 ? 3 : 4;
}

/* Of a PUBLISH of version 5, with one user property. */
static size_t packet_len(const struct mqtt_message *m, const MQTTProperty *p)
{
    size_t properties = 1 + 2 + (size_t)p->value.data.len + 2 + (size_t)p->value.value.len;
    size_t body = 2 + m->topic.len + 2 + varint_len(properties) + properties + m->payload.len;

    return 1 + varint_len(body) + body;
}

/* A message that is longer than the broker takes is not sent: it would end the connection. */
static enum leat_status publish(struct mqtt_sink *s, uint64_t n, struct mqtt_message *m,
                                struct leat_error *err)
{
    MQTTAsync_message out = MQTTAsync_message_initializer;
    MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
    char id[160];
    MQTTProperty property = {.identifier = MQTTPROPERTY_CODE_USER_PROPERTY};

    out.payload = (void *)(uintptr_t)m->payload.ptr;
    out.payloadlen = (int)m->payload.len;
    out.qos = 1;
    out.retained = s->retain;
    response.context = m;
    if (s->version.index == VERSION_5) {
        int len = snprintf(id, sizeof id, "%.100s-%08x-%" PRIu64 "-%u", s->env->job, s->env->epoch,
                           n, m->number);
        property.value.data = (MQTTLenString){.data = (char[]){"leat-id"}, .len = 7};
        property.value.value = (MQTTLenString){.data = id, .len = len};
        if (s->packet_max && packet_len(m, &property) > s->packet_max) {
            settle(m, MQTT_REFUSED, MQTTREASONCODE_PACKET_TOO_LARGE);
            return LEAT_OK;
        }
        if (MQTTProperties_add(&out.properties, &property) != 0)
            return leat_fail(err, LEAT_E_NOMEM, "no memory for a message");
        response.onSuccess5 = sent_ok5;
        response.onFailure5 = sent_bad5;
    } else {
        response.onSuccess = sent_ok;
        response.onFailure = sent_bad;
    }
    int rc = MQTTAsync_sendMessage(s->client, m->topic.ptr, &out, &response);
    MQTTProperties_free(&out.properties);
    return rc == MQTTASYNC_SUCCESS
               ? LEAT_OK
               : leat_fail(err, LEAT_E_UNREACHABLE, "'%s': %s", s->url, MQTTAsync_strerror(rc));
}

static bool reason_passes(int reason)
{
    return reason != MQTTREASONCODE_NOT_AUTHORIZED && reason != MQTTREASONCODE_TOPIC_NAME_INVALID &&
           reason != MQTTREASONCODE_PAYLOAD_FORMAT_INVALID &&
           reason != MQTTREASONCODE_PACKET_TOO_LARGE;
}

static enum leat_status look_at(struct mqtt_sink *s, struct mqtt_message *m, struct leat_error *err)
{
    int reason = atomic_load(&m->reason);
    const char *text = MQTTReasonCode_toString((enum MQTTReasonCodes)reason);

    if (atomic_load(&m->state) == MQTT_DONE)
        return LEAT_OK;
    if (reason_passes(reason)) {
        atomic_store(&m->state, MQTT_UNSENT);
        return leat_fail(err, LEAT_E_UNREACHABLE, "'%s' does not take a message: %s", s->url, text);
    }
    if (s->refused.index == REFUSED_FAIL)
        return leat_fail(err, LEAT_E_DATA,
                         "'%s' will never take a message to '%.100s' ('refused: drop' passes over "
                         "it): %s",
                         s->url, m->topic.ptr, text);
    leat_warn(s->env->log, "'%s' refuses a message to '%.100s', which is dropped: %s", s->url,
              m->topic.ptr, text);
    atomic_store(&m->state, MQTT_DONE);
    return LEAT_OK;
}

static bool is_over(struct mqtt_sink *s)
{
    return atomic_load(&s->settled) == s->sent || atomic_load(&s->lost);
}

/* Publish what is not through of the next WINDOW messages, and wait for all of them. */
static enum leat_status publish_some(struct mqtt_sink *s, uint64_t n, struct leat_error *err)
{
    struct mqtt_message *m = s->oldest;
    size_t bytes = 0;

    s->sent = 0;
    atomic_store(&s->settled, 0);
    for (; m && s->sent < WINDOW && bytes < WINDOW_BYTES; m = m->item.next) {
        if (atomic_load(&m->state) != MQTT_UNSENT)
            continue;
        if (publish(s, n, m, err) != LEAT_OK)
            return err->status;
        s->sent++;
        bytes += m->payload.len;
    }
    int64_t until = leat_clock_monotonic_ms(s->env->clock) + s->timeout.ms;
    bool over = wait_until(s, is_over, until);
    if (atomic_load(&s->settled) < s->sent)
        return leat_fail(err, LEAT_E_UNREACHABLE, "'%s' %s", s->url,
                         over ? "closed the connection" : "does not acknowledge");
    for (; s->oldest != m; s->oldest = s->oldest->item.next)
        if (look_at(s, s->oldest, err) != LEAT_OK)
            return err->status;
    return LEAT_OK;
}

/* From where the last call got to. */
static enum leat_status publish_all(struct mqtt_sink *s, uint64_t n, struct leat_error *err)
{
    enum leat_status status = LEAT_OK;

    while (s->oldest && status == LEAT_OK) {
        status = connect_broker(s, err);
        if (status == LEAT_OK)
            status = publish_some(s, n, err);
    }
    if (status != LEAT_OK)
        drop_client(s); /* so that no message of this attempt is settled later */
    return status;
}

/* ---- the sink */

static enum leat_status mqtt_open(void *self, const struct leat_env *env, struct leat_error *err)
{
    struct mqtt_sink *s = self;

    if (check(self, err) != LEAT_OK)
        return err->status;
    s->env = env;
    s->messages = (struct mqtt_messages){.owner = s, .box.arena.budget = env->budget};
    s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return s->wake >= 0 ? LEAT_OK : leat_fail(err, LEAT_E_IO, "eventfd: %s", strerror(errno));
}

static enum leat_status mqtt_recover(void *self, uint64_t n, struct leat_slice section,
                                     struct leat_error *err)
{
    struct mqtt_sink *s = self;

    if (n == 0 || section.len == 0 || n <= s->env->finished)
        return LEAT_OK;
    if (mqtt_messages_read(&s->messages, section, err) != LEAT_OK)
        return err->status;
    s->oldest = s->messages.box.first;
    enum leat_status status = publish_all(s, n, err);
    leat_outbox_clear(&s->messages.box); /* they borrow from the section */
    s->oldest = NULL;
    return status;
}

static enum leat_status mqtt_write(void *self, uint64_t n, const struct leat_chunk *chunk,
                                   struct leat_error *err)
{
    struct mqtt_sink *s = self;

    (void)n;
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint16_t row = chunk->selection[i];
        struct leat_slice topic = chunk->routes[row].ptr ? chunk->routes[row] : s->topic.node->text;
        if (mqtt_messages_add(&s->messages, topic, chunk->values[row], err) != LEAT_OK)
            return err->status;
    }
    return LEAT_OK;
}

static enum leat_status mqtt_prepare(void *self, uint64_t n, const struct leat_positions *positions,
                                     struct leat_bytes *section, struct leat_error *err)
{
    struct mqtt_sink *s = self;

    (void)n, (void)positions, (void)err;
    mqtt_messages_write(&s->messages, section);
    s->oldest = s->messages.box.first;
    return LEAT_OK;
}

static enum leat_status mqtt_commit(void *self, uint64_t n, struct leat_error *err)
{
    struct mqtt_sink *s = self;

    if (publish_all(s, n, err) != LEAT_OK)
        return err->status;
    leat_outbox_clear(&s->messages.box);
    return LEAT_OK;
}

static enum leat_status mqtt_abort(void *self, uint64_t n, struct leat_error *err)
{
    struct mqtt_sink *s = self;

    (void)n, (void)err; /* nothing was published */
    leat_outbox_clear(&s->messages.box);
    s->oldest = NULL;
    return LEAT_OK;
}

static void mqtt_close(void *self)
{
    struct mqtt_sink *s = self;

    drop_client(s);
    if (s->env && s->wake >= 0)
        close(s->wake);
    s->wake = -1;
    leat_outbox_free(&s->messages.box);
    s->oldest = NULL;
}

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "mqtt",
    .summary = "publishes records to an MQTT broker",
    .self_size = sizeof(struct mqtt_sink),
    .opts = options,
    .check = check,
    .sink =
        &(const struct leat_sink){
            .promise = LEAT_SINK_REPEATS,
            .open = mqtt_open,
            .recover = mqtt_recover,
            .write = mqtt_write,
            .prepare = mqtt_prepare,
            .commit = mqtt_commit,
            .abort = mqtt_abort,
            .close = mqtt_close,
        },
};

LEAT_MODULE(module);
