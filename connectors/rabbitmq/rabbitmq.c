/*
 * rabbitmq.c - push source that consumes a queue of RabbitMQ.
 *
 * A message is acknowledged when what was promised for the source holds (acked()), several with one
 * answer and never one beyond those named; until then the broker keeps it, and gives it to somebody
 * else, marked as redelivered, when leat goes. So every message arrives at least once. At most
 * `prefetch` messages are under way. All of them are one partition, in the order of the queue.
 *
 * message.h says how a message becomes a row. One whose header cannot be read, because it is longer
 * than a frame that was agreed or is no AMQP, would come again and again and hold up its queue: it
 * is a row that is too long, so that `on_error` says what becomes of it. Behind it nothing on its
 * connection can be read; that stays until the row, and so all before it, is acknowledged.
 *
 * A broker that is away, or goes, is tried again, at first soon, then every RETRY_MAX_MS, spread a
 * little; so is a queue that is not there. What the old connection had not acknowledged comes again
 * on the new one.
 *
 * Delivery tags count from 1 on each connection and positions go on, one for each message: a
 * position is the tag plus `base`.
 *
 * Left out: several channels, priorities of consumers, the transactions of AMQP.
 * Thread: run's. It sleeps in poll(); connecting may take as long as `timeout`.
 */
#include "link.h"
#include "message.h"

#include <poll.h>
#include <stdio.h>

#define RETRY_MAX_MS  30000
#define FULL_MS       250 /* the inbox wakes us for a credit, nobody does for memory */
#define FRAMES_A_TURN 512
#define BODY_DEFAULT  ((size_t)1024 * 1024)
#define ARGUMENT_MAX  1024
#define ARGUMENTS_MAX 32

struct rabbit_declare {
    const char *type; /* NULL: not to be declared */
    bool durable, exclusive, auto_delete;
    struct leat_pairs arguments;
};

struct rabbit_bind {
    const char *exchange;
    struct leat_texts routing_keys;
};

struct source {
    struct rabbit_conf conf;
    const char *queue;
    struct rabbit_declare declare;
    struct rabbit_bind bind;
    int64_t prefetch;
    struct leat_duration retry;

    const struct leat_env *env;
    struct leat_inbox *inbox;
    struct rabbit_link link;
    bool stopping;
    bool full; /* no credit */
    bool said; /* that the broker is away */
    int64_t wait_ms, until_ms;
    uint32_t seed; /* of the spread of pauses */

    /* of this connection */
    int64_t since_ms;
    uint64_t last_tag;      /* delivered */
    int64_t base;           /* position of a message = base + its delivery tag ... */
    bool has_base;          /* ... once the first has been handed on */
    uint64_t acked_tag;     /* this and all before */
    uint64_t held_tag;      /* of a message that cannot be read: only written to; 0: none */
    struct leat_error lost; /* status LEAT_OK: nothing is known to be wrong with it */

    struct rabbit_message message; /* that is coming in */
};

static const struct leat_opt declare_options[] = {
    LEAT_OPT(struct rabbit_declare, type, .def = "classic", .help = "classic or quorum."),
    LEAT_OPT(struct rabbit_declare, durable, .def = "true",
             .help = "The queue outlives a restart of the broker."),
    LEAT_OPT(struct rabbit_declare, exclusive, .def = "false",
             .help = "The queue is for this connection only and goes with it."),
    LEAT_OPT(struct rabbit_declare, auto_delete, .def = "false",
             .help = "The queue goes with its last consumer."),
    LEAT_OPT(struct rabbit_declare, arguments, .optional = true,
             .help = "More arguments: { x-message-ttl: 60000 }."),
    {0},
};

static const struct leat_opt bind_options[] = {
    LEAT_OPT(struct rabbit_bind, exchange, .optional = true,
             .help = "Exchange that the queue is bound to; it has to be there."),
    LEAT_OPT(struct rabbit_bind, routing_keys, .optional = true,
             .help = "Keys of the bindings, a list; none is one binding with an empty key."),
    {0},
};

/* clang-format off */
static const struct leat_opt options[] = {
    RABBIT_OPTIONS(struct source),
    LEAT_OPT(struct source, queue, .help = "Queue to consume."),
    LEAT_OPT_GROUPED(struct source, declare, declare_options, .optional = true,
                     .help = "Make the queue if it is missing; leat stops when it is there and "
                             "differs. Without it leat waits for the queue."),
    LEAT_OPT_GROUPED(struct source, bind, bind_options, .optional = true,
                     .help = "Bind the queue to an exchange."),
    LEAT_OPT(struct source, prefetch, .def = "10000", .min = 1, .max = 65535,
             .help = "Messages under way at most: received and not yet acknowledged. It bounds how "
                     "many a batch can have."),
    LEAT_OPT(struct source, retry, .def = "100ms", .min = 1, .max = RETRY_MAX_MS,
             .help = "First pause before connecting again; it doubles up to 30 s."),
    {0},
};
/* clang-format on */

static enum leat_status check_arguments(const struct source *s, struct leat_error *err)
{
    const struct leat_pairs *given = &s->declare.arguments;

    if (given->count >= ARGUMENTS_MAX)
        return leat_fail(err, LEAT_E_CONFIG, "declare.arguments: at most %d", ARGUMENTS_MAX - 1);
    for (size_t i = 0; i < given->count; i++)
        if (given->list[i].name.len >= RABBIT_NAME_BYTES || given->list[i].value.len > ARGUMENT_MAX)
            return leat_fail(err, LEAT_E_CONFIG, "declare.arguments: '%.*s' is too long",
                             LEAT_FMT(given->list[i].name));
        else if (leat_slice_eq(given->list[i].name, LEAT_LIT("x-queue-type")))
            return leat_fail(err, LEAT_E_CONFIG, "declare.arguments: for x-queue-type use `type`");
    return LEAT_OK;
}

static enum leat_status check(const void *self, struct leat_error *err)
{
    const struct source *s = self;
    const struct rabbit_declare *d = &s->declare;

    if (s->queue[0] == '\0' || strlen(s->queue) >= RABBIT_NAME_BYTES)
        return leat_fail(err, LEAT_E_CONFIG, "queue: a name of at most 255 bytes");
    if (d->type && strcmp(d->type, "classic") != 0 && strcmp(d->type, "quorum") != 0)
        return leat_fail(err, LEAT_E_CONFIG, "declare.type: '%s' is neither classic nor quorum",
                         d->type);
    if (d->type && strcmp(d->type, "quorum") == 0 &&
        (!d->durable || d->exclusive || d->auto_delete))
        return leat_fail(err, LEAT_E_CONFIG,
                         "declare: a quorum queue is durable, not exclusive, not auto_delete");
    if (s->bind.routing_keys.count && !s->bind.exchange)
        return leat_fail(err, LEAT_E_CONFIG, "bind: `exchange` is missing");
    if (s->bind.exchange &&
        (s->bind.exchange[0] == '\0' || strlen(s->bind.exchange) >= RABBIT_NAME_BYTES))
        return leat_fail(err, LEAT_E_CONFIG, "bind.exchange: a name of at most 255 bytes");
    for (size_t i = 0; i < s->bind.routing_keys.count; i++)
        if (strlen(s->bind.routing_keys.list[i]) >= RABBIT_NAME_BYTES)
            return leat_fail(err, LEAT_E_CONFIG, "bind.routing_keys: at most 255 bytes each");
    if (check_arguments(s, err) != LEAT_OK)
        return err->status;
    return rabbit_conf_check(&s->conf, err);
}

static int64_t now_ms(const struct source *s)
{
    return leat_clock_monotonic_ms(s->env->clock);
}

/* Called by the link while it waits, too. */
static bool keep_on(void *arg)
{
    struct source *s = arg;

    s->stopping = s->stopping || !leat_inbox_turn(s->inbox);
    return !s->stopping;
}

static enum leat_status rabbit_open(void *self, const struct leat_env *env, struct leat_error *err)
{
    struct source *s = self;

    s->env = env;
    if (check(s, err) != LEAT_OK)
        return err->status;
    s->link = (struct rabbit_link){.conf = &s->conf,
                                   .env = env,
                                   .job = env->job,
                                   .keep_on = keep_on,
                                   .arg = s,
                                   .wake_fd = -1,
                                   .fd = -1};
    s->message.budget = env->budget;
    s->message.body_most =
        (env->max_record_bytes > 0 ? (size_t)env->max_record_bytes : BODY_DEFAULT) + 1;
    s->wait_ms = s->retry.ms;
    s->until_ms = 0;
    s->said = s->full = s->stopping = false;
    s->seed = (uint32_t)now_ms(s);
    return LEAT_OK;
}

/* ---- acknowledging */

/* Positions of an older connection come again on this one, or to somebody else. */
static enum leat_status rabbit_acked(void *self, uint32_t part, int64_t upto,
                                     struct leat_error *err)
{
    struct source *s = self;

    (void)part, (void)err;
    if (!s->link.state || !s->has_base || upto - 1 <= s->base)
        return LEAT_OK;
    uint64_t tag = (uint64_t)(upto - 1 - s->base);
    if (tag <= s->acked_tag)
        return LEAT_OK;
    s->acked_tag = tag;
    int code = amqp_basic_ack(s->link.state, RABBIT_CHANNEL, tag, 1);
    if (code != AMQP_STATUS_OK)
        rabbit_link_failed(&s->link, code, &s->lost);
    return LEAT_OK;
}

/* ---- a message */

static enum leat_status begin_message(struct source *s, const amqp_basic_deliver_t *d,
                                      struct leat_error *err)
{
    if (s->message.reading != RABBIT_BETWEEN)
        return rabbit_link_broken(&s->link, err, "a message begins within another");
    if (d->delivery_tag != s->last_tag + 1)
        return rabbit_link_broken(&s->link, err, "it does not count its messages one by one");
    s->last_tag = d->delivery_tag;
    rabbit_message_begin(&s->message, d);
    return LEAT_OK;
}

static enum leat_status take_header(struct source *s, const amqp_frame_t *f, struct leat_error *err)
{
    if (s->message.reading != RABBIT_HEADER || f->payload.properties.class_id != AMQP_BASIC_CLASS)
        return rabbit_link_broken(&s->link, err, "a header of no message");
    rabbit_message_header(&s->message, f->payload.properties.decoded,
                          f->payload.properties.body_size);
    return LEAT_OK;
}

static enum leat_status take_body(struct source *s, amqp_bytes_t piece, struct leat_error *err)
{
    if (s->message.reading != RABBIT_BODY || piece.len > s->message.body_left)
        return rabbit_link_broken(&s->link, err, "more of a message than was announced");
    return rabbit_message_body(&s->message, piece, err);
}

static enum leat_status take_frame(struct source *s, const amqp_frame_t *f, struct leat_error *err)
{
    if (f->frame_type == AMQP_FRAME_HEADER)
        return take_header(s, f, err);
    if (f->frame_type == AMQP_FRAME_BODY)
        return take_body(s, f->payload.body_fragment, err);
    if (f->payload.method.id == AMQP_BASIC_DELIVER_METHOD)
        return begin_message(s, f->payload.method.decoded, err);
    if (f->payload.method.id == AMQP_BASIC_CANCEL_METHOD)
        return leat_fail(
            err, LEAT_E_UNREACHABLE,
            "RabbitMQ at '%s' has ended the delivery: queue '%s' was deleted, or moves",
            s->link.peer, s->queue);
    return rabbit_link_broken(&s->link, err, "it says what was not asked");
}

/* Hand on a whole message. LEAT_E_FULL: later. */
static enum leat_status hand_on(struct source *s, struct leat_error *err)
{
    const struct leat_row row = rabbit_message_row(&s->message);
    int64_t position;
    enum leat_status status = leat_inbox_append(s->inbox, 0, &row, &position, err);

    s->full = status == LEAT_E_FULL;
    if (status != LEAT_OK)
        return status;
    if (!s->has_base)
        s->base = position - (int64_t)s->last_tag;
    s->has_base = true;
    s->message.reading = RABBIT_BETWEEN;
    return LEAT_OK;
}

/* ---- connecting */

static amqp_field_value_t argument(struct leat_slice text)
{
    amqp_field_value_t v = {.kind = AMQP_FIELD_KIND_UTF8};
    const char *why;
    int64_t number;

    v.value.bytes = rabbit_bytes(text);
    if (leat_slice_eq(text, LEAT_LIT("true")) || leat_slice_eq(text, LEAT_LIT("false"))) {
        v.kind = AMQP_FIELD_KIND_BOOLEAN;
        v.value.boolean = text.ptr[0] == 't';
    } else if (leat_parse_int(text, &number, &why)) {
        v.kind = AMQP_FIELD_KIND_I64;
        v.value.i64 = number;
    }
    return v;
}

static enum leat_status declare(struct source *s, struct leat_error *err)
{
    const struct rabbit_declare *d = &s->declare;
    amqp_table_entry_t arguments[ARGUMENTS_MAX];
    amqp_queue_declare_t m = {.queue = amqp_cstring_bytes(s->queue), .passive = !d->type};
    int count = 0;

    if (d->type && strcmp(d->type, "classic") != 0)
        arguments[count++] = (amqp_table_entry_t){amqp_cstring_bytes("x-queue-type"),
                                                  argument(leat_slice_str(d->type))};
    for (size_t i = 0; i < d->arguments.count; i++)
        arguments[count++] = (amqp_table_entry_t){rabbit_bytes(d->arguments.list[i].name),
                                                  argument(d->arguments.list[i].value)};
    if (d->type) {
        m.durable = d->durable;
        m.exclusive = d->exclusive;
        m.auto_delete = d->auto_delete;
        m.arguments = (amqp_table_t){count, arguments};
    }
    if (rabbit_link_call(&s->link, AMQP_QUEUE_DECLARE_METHOD, &m, AMQP_QUEUE_DECLARE_OK_METHOD,
                         NULL, err) == LEAT_OK)
        return LEAT_OK;
    if (!d->type && s->link.refused == RABBIT_NOT_FOUND)
        return leat_error_prefix(err, "`declare: {}` would make queue '%s'", s->queue);
    return err->status;
}

static enum leat_status bind_to(struct source *s, const char *routing_key, struct leat_error *err)
{
    amqp_queue_bind_t m = {.queue = amqp_cstring_bytes(s->queue),
                           .exchange = amqp_cstring_bytes(s->bind.exchange),
                           .routing_key = amqp_cstring_bytes(routing_key)};

    return rabbit_link_call(&s->link, AMQP_QUEUE_BIND_METHOD, &m, AMQP_QUEUE_BIND_OK_METHOD, NULL,
                            err);
}

static enum leat_status consume(struct source *s, struct leat_error *err)
{
    amqp_basic_qos_t qos = {.prefetch_count = (uint16_t)s->prefetch};
    amqp_basic_consume_t m = {.queue = amqp_cstring_bytes(s->queue)};

    if (rabbit_link_call(&s->link, AMQP_BASIC_QOS_METHOD, &qos, AMQP_BASIC_QOS_OK_METHOD, NULL,
                         err) != LEAT_OK)
        return err->status;
    return rabbit_link_call(&s->link, AMQP_BASIC_CONSUME_METHOD, &m, AMQP_BASIC_CONSUME_OK_METHOD,
                            NULL, err);
}

static enum leat_status set_up(struct source *s, struct leat_error *err)
{
    if (rabbit_link_open(&s->link, err) != LEAT_OK || declare(s, err) != LEAT_OK)
        return err->status;
    if (s->bind.exchange && s->bind.routing_keys.count == 0 && bind_to(s, "", err) != LEAT_OK)
        return err->status;
    for (size_t i = 0; s->bind.exchange && i < s->bind.routing_keys.count; i++)
        if (bind_to(s, s->bind.routing_keys.list[i], err) != LEAT_OK)
            return err->status;
    return consume(s, err);
}

/* What can pass: say it once, and try again after a pause. */
static enum leat_status lose(struct source *s, struct leat_error *err)
{
    int64_t lived_ms = now_ms(s) - s->since_ms;

    rabbit_link_close(&s->link, false);
    if (err->status == LEAT_E_ABORTED && s->stopping)
        return LEAT_OK;
    if (!leat_status_is_transient(err->status))
        return err->status;
    if (s->has_base || lived_ms > RETRY_MAX_MS) {
        s->wait_ms = s->retry.ms;
        s->said = false;
    }
    if (!s->said)
        leat_warn(s->env->log, "%s; trying again until it works", err->text);
    s->said = true;
    s->seed = s->seed * 1664525 + 1013904223;
    s->until_ms = now_ms(s) + s->wait_ms / 2 + (s->seed >> 8) % (s->wait_ms / 2 + 1);
    s->wait_ms = s->wait_ms < RETRY_MAX_MS / 2 ? 2 * s->wait_ms : RETRY_MAX_MS;
    s->has_base = false;
    return LEAT_OK;
}

static enum leat_status connect_some(struct source *s, struct leat_error *err)
{
    int64_t left = s->until_ms - now_ms(s);

    if (left > 0) {
        struct pollfd wake = {.fd = s->link.wake_fd, .events = POLLIN};
        poll(&wake, 1, (int)left);
        return LEAT_OK;
    }
    s->since_ms = now_ms(s);
    s->has_base = false;
    s->last_tag = s->acked_tag = s->held_tag = 0;
    s->message.reading = RABBIT_BETWEEN;
    s->lost.status = LEAT_OK;
    if (set_up(s, err) != LEAT_OK)
        return lose(s, err);
    s->since_ms = now_ms(s);
    leat_info(s->env->log, "consumes queue '%s' of '%s'", s->queue, s->link.peer);
    return LEAT_OK;
}

/* ---- the loop */

/* The header of a message is no frame that can be read. */
static enum leat_status hold(struct source *s, struct leat_error *err)
{
    char why[160];

    snprintf(
        why, sizeof why,
        "The header of this message of RabbitMQ cannot be read: it is longer than %u bytes, or "
        "not AMQP 0-9-1.",
        s->link.frame_max);
    if (rabbit_message_unreadable(&s->message, why, err) != LEAT_OK)
        return err->status;
    s->held_tag = s->last_tag;
    leat_warn(
        s->env->log,
        "queue '%s' has a message whose header is longer than %u bytes, or not AMQP 0-9-1: it "
        "counts as longer than `max_record`, and `on_error` says what becomes of it",
        s->queue, s->link.frame_max);
    return LEAT_OK;
}

/* It is safe: leave, and go on behind it on a new connection. Until then heartbeats go on. */
static enum leat_status hold_on(struct source *s, struct leat_error *err)
{
    struct pollfd fds[] = {{.fd = s->link.wake_fd, .events = POLLIN},
                           {.fd = s->link.fd, .events = POLLIN}};

    if (s->acked_tag >= s->held_tag) {
        rabbit_link_leave(&s->link);
        s->until_ms = 0;
        return LEAT_OK;
    }
    if (!rabbit_link_pass_over(&s->link, err) || rabbit_link_beat(&s->link, err) != LEAT_OK)
        return lose(s, err);
    poll(fds, 2, (int)(s->full && FULL_MS < s->link.beat_ms / 4 ? FULL_MS : s->link.beat_ms / 4));
    return LEAT_OK;
}

/* As many frames as there are, within limits; *more: there may be others. */
static enum leat_status receive(struct source *s, bool *more, struct leat_error *err)
{
    amqp_frame_t frame;
    bool got = true;

    for (int i = 0; i < FRAMES_A_TURN && got && s->message.reading != RABBIT_WHOLE; i++) {
        if (rabbit_link_next(&s->link, 0, &frame, &got, err) != LEAT_OK)
            return s->message.reading == RABBIT_HEADER && s->link.unreadable ? hold(s, err)
                                                                             : err->status;
        if (got && take_frame(s, &frame, err) != LEAT_OK)
            return err->status;
        if (got)
            rabbit_link_release(&s->link);
        if (s->message.reading == RABBIT_WHOLE && hand_on(s, err) != LEAT_OK &&
            err->status != LEAT_E_FULL)
            return err->status;
    }
    *more = got;
    return LEAT_OK;
}

static void wait_some(struct source *s)
{
    int64_t beat_ms = s->link.beat_ms / 4;
    struct pollfd fds[] = {{.fd = s->link.wake_fd, .events = POLLIN},
                           {.fd = s->full ? -1 : s->link.fd, .events = POLLIN}};

    poll(fds, 2, (int)(s->full && FULL_MS < beat_ms ? FULL_MS : beat_ms));
}

static enum leat_status turn(struct source *s, struct leat_error *err)
{
    bool more = false;

    if (!s->link.state)
        return connect_some(s, err);
    if (s->lost.status != LEAT_OK) {
        *err = s->lost;
        return lose(s, err);
    }
    if (s->message.reading == RABBIT_WHOLE && hand_on(s, err) != LEAT_OK &&
        err->status != LEAT_E_FULL)
        return err->status;
    if (s->held_tag)
        return hold_on(s, err);
    if (s->message.reading == RABBIT_WHOLE ? rabbit_link_beat(&s->link, err) != LEAT_OK
                                           : receive(s, &more, err) != LEAT_OK)
        return lose(s, err);
    if (!more)
        wait_some(s);
    return LEAT_OK;
}

static enum leat_status rabbit_run(void *self, struct leat_inbox *inbox, struct leat_error *err)
{
    struct source *s = self;

    s->inbox = inbox;
    s->link.wake_fd = leat_inbox_fd(inbox);
    enum leat_status status = rabbit_message_init(&s->message, err);
    while (status == LEAT_OK && keep_on(s))
        status = turn(s, err);
    if (s->link.state && s->held_tag)
        rabbit_link_leave(&s->link);
    rabbit_link_close(&s->link, status == LEAT_OK);
    rabbit_message_free(&s->message);
    return status;
}

static void rabbit_close(void *self)
{
    struct source *s = self;

    s->inbox = NULL; /* run has closed the link */
}

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "rabbitmq",
    .summary = "consumes a queue of RabbitMQ",
    .keyed = true,
    .self_size = sizeof(struct source),
    .opts = options,
    .check = check,
    .push =
        &(const struct leat_push){
            .store = LEAT_STORE_COMMIT,
            .open = rabbit_open,
            .run = rabbit_run,
            .acked = rabbit_acked,
            .close = rabbit_close,
        },
};

LEAT_MODULE(module);
