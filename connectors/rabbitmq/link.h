/*
 * link.h - one connection to a RabbitMQ broker with one channel, for source and sink.
 *
 * librabbitmq encodes and decodes; the conversation is led here, frame by frame, because its own
 * helpers wait without end, queue what they did not ask for without a bound, and believe every
 * number that a broker says at the login. A frame is never longer than what was agreed, which
 * bounds how deep tables in it can be; what was agreed is bounded by the stack of the thread, on
 * which librabbitmq decodes tables by recursion.
 *
 * Thread: one; it may be another after a close.
 */
#ifndef LEAT_CONNECTORS_RABBITMQ_LINK_H
#define LEAT_CONNECTORS_RABBITMQ_LINK_H

#include "leat.h"

#include <amqp.h>

#define RABBIT_CHANNEL   1
#define RABBIT_NOT_FOUND 404

struct rabbit_tls {
    bool enable;
    const char *ca, *certificate, *key, *key_password;
    bool verify;
};

/* The first member of both modules' structs. */
struct rabbit_conf {
    const char *brokers, *vhost, *user, *password;
    struct rabbit_tls tls;
    bool insecure;
    struct leat_duration heartbeat, timeout;
};

extern const struct leat_opt rabbit_tls_options[];

/* clang-format off */
/* `type` has a member `struct rabbit_conf conf`. */
#define RABBIT_OPT_AT(type, member) .name = #member, .offset = offsetof(type, conf.member)
#define RABBIT_OPTIONS(type) \
    {RABBIT_OPT_AT(type, brokers), .kind = LEAT_OPT_TEXT, \
     .help = "Nodes of the broker, as \"host:port,host:port\", tried in turn; the port is 5672, " \
             "with TLS 5671, when it is not given."}, \
    {RABBIT_OPT_AT(type, vhost), .kind = LEAT_OPT_TEXT, .def = "/", .help = "Virtual host."}, \
    {RABBIT_OPT_AT(type, user), .kind = LEAT_OPT_TEXT, .def = "guest", .help = "Name of the user."}, \
    {RABBIT_OPT_AT(type, password), .kind = LEAT_OPT_TEXT, .optional = true, .secret = true, \
     .help = "Password of the user; for the user guest, guest."}, \
    {RABBIT_OPT_AT(type, tls), .kind = LEAT_OPT_GROUP, .group = rabbit_tls_options, \
     .help = "Talk to the broker over TLS."}, \
    {RABBIT_OPT_AT(type, insecure), .kind = LEAT_OPT_BOOL, .def = "false", \
     .help = "Send the password to another host although the connection is not encrypted."}, \
    {RABBIT_OPT_AT(type, heartbeat), .kind = LEAT_OPT_DURATION, .def = "10s", .min = 1000, \
     .max = 3600000, .help = "Either side that hears nothing for twice this long gives the " \
                             "connection up."}, \
    {RABBIT_OPT_AT(type, timeout), .kind = LEAT_OPT_DURATION, .def = "5s", .min = 100, \
     .max = 60000, .help = "How long the broker may take to answer."}
/* clang-format on */

struct rabbit_link {
    const struct rabbit_conf *conf;
    const struct leat_env *env;
    const char *job; /* shown in the broker's list of connections */
    bool writes;
    int wake_fd;                /* looked at while waiting for an answer; -1: none */
    bool (*keep_on)(void *arg); /* asked when it is readable, and now and then; may be NULL */
    void *arg;

    amqp_connection_state_t state; /* NULL: there is no connection */
    int fd;
    uint32_t turn; /* which of the brokers is tried next */
    char peer[288];
    uint32_t frame_max;            /* as agreed; 0: not yet */
    int64_t beat_ms, next_beat_ms; /* monotonic */
    unsigned refused;              /* the code of the last refusal */
    bool blocked;                  /* the broker takes no messages at the moment */
    bool unreadable;               /* the last frame was too long, or none that AMQP knows */
};

/* The options as a whole; touches nothing outside. Thread: any. */
LEAT_CHECKED enum leat_status rabbit_conf_check(const struct rabbit_conf *conf,
                                                struct leat_error *err);

/* Connect to the next of the brokers, log in, open the channel. LEAT_E_UNREACHABLE; LEAT_E_ABORTED:
 * keep_on() said no. Takes as long as `timeout` to connect, and again to log in. */
LEAT_CHECKED enum leat_status rabbit_link_open(struct rabbit_link *l, struct leat_error *err);

/* In good order: what was sent has been read by the broker; waits for that for a second at most.
 * Otherwise at once. A link that is not open is fine. */
void rabbit_link_close(struct rabbit_link *l, bool in_order);

/* Of a link on which no frame can be read any more, but written: pass over some of what has come.
 * False: it is over, LEAT_E_UNREACHABLE. */
bool rabbit_link_pass_over(struct rabbit_link *l, struct leat_error *err);

/* Of such a link: close it behind what was sent; waits for a second at most for the broker, who
 * could lose that otherwise. */
void rabbit_link_leave(struct rabbit_link *l);

/* Send a method of the channel and wait for its answer, which has to be the next frame; *answer
 * (may be NULL) is valid until rabbit_link_release(). LEAT_E_CONFIG: the broker says that the
 * request contradicts what it has; LEAT_E_UNREACHABLE: all else. */
LEAT_CHECKED enum leat_status rabbit_link_call(struct rabbit_link *l, amqp_method_number_t id,
                                               void *method, amqp_method_number_t wanted,
                                               void **answer, struct leat_error *err);

/* The next frame of the channel, waiting for at most wait_ms; *got false: there is none yet. Sends
 * heartbeats when they are due. LEAT_E_UNREACHABLE: the link is over, and why. */
LEAT_CHECKED enum leat_status rabbit_link_next(struct rabbit_link *l, int64_t wait_ms,
                                               amqp_frame_t *frame, bool *got,
                                               struct leat_error *err);

/* What decoded frames point to is no longer needed. */
void rabbit_link_release(struct rabbit_link *l);

/* Send a heartbeat if one is due, without looking at what has come: for who does not read now. */
LEAT_CHECKED enum leat_status rabbit_link_beat(struct rabbit_link *l, struct leat_error *err);

/* The broker says what AMQP does not allow, or not here: `what`. Counted as bad input;
 * LEAT_E_UNREACHABLE. */
enum leat_status rabbit_link_broken(const struct rabbit_link *l, struct leat_error *err,
                                    const char *what);

/* What a call of librabbitmq has returned below zero; always a failure. */
enum leat_status rabbit_link_failed(const struct rabbit_link *l, int code, struct leat_error *err);

static inline amqp_bytes_t rabbit_bytes(struct leat_slice s)
{
    return (amqp_bytes_t){.len = s.len, .bytes = (void *)(uintptr_t)s.ptr};
}

static inline struct leat_slice rabbit_slice(amqp_bytes_t b)
{
    return (struct leat_slice){b.bytes ? b.bytes : "", b.len};
}

#endif
