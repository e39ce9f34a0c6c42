/*
 * zeromq.c - sink that sends records as ZeroMQ messages: PUSH, or PUB with topics.
 *
 * A message is the value; with `topic` it has two parts, the topic first, where a SUB socket looks.
 * A batch is handed to libzmq in its commit. Nobody says what arrived, so this is at most once:
 * what a receiver had not read when it or leat died is lost. While a receiver is slower than leat,
 * or a PUSH socket has none, a commit waits: nothing is dropped because a queue is full. What a PUB
 * socket sends before somebody subscribed goes nowhere; that is its nature.
 *
 * Thread: the sink's. A commit waits for `timeout`; then the engine tries again, and it goes on
 * where it stood.
 */
#include "../../connectors/zeromq/link.h"

#include <errno.h>
#include <zmq.h>

#define ARENA_KEEP ((size_t)4 * 1024 * 1024)
#define LINGER_MS  2000 /* at a stop: for what libzmq has not sent yet */

enum { TYPE_PUSH, TYPE_PUB };

struct sink {
    struct zeromq_ends ends;
    struct leat_choice type;
    struct leat_template topic;
    struct leat_duration timeout;

    struct zeromq_link link;
    struct leat_arena arena;
    struct leat_bytes messages; /* of a batch: topic and value of each, behind their lengths */
    struct leat_slice rest;     /* not yet sent */
    bool topic_sent;            /* the first part of the next one */
};

static const char *const types[] = {"push", "pub", NULL};

#define ENDS(member) .name = #member, .offset = offsetof(struct sink, ends.member)

/* clang-format off */
static const struct leat_opt options[] = {
    LEAT_OPT(struct sink, type, .def = "push", .choices = types, .help = "Kind of socket."),
    {ENDS(bind), .kind = LEAT_OPT_TEXT, .optional = true,
     .help = "Address where others connect to, such as tcp://127.0.0.1:5555; either this or `connect`."},
    {ENDS(connect), .kind = LEAT_OPT_TEXT, .optional = true, .help = "Address to connect to."},
    LEAT_OPT(struct sink, topic, .optional = true,
             .help = "A first part before the value; may be a template."),
    {ENDS(hwm), .kind = LEAT_OPT_INT, .def = "1000", .min = 1, .max = 1000000,
     .help = "Messages that may wait in leat for each receiver; then it is waited for."},
    LEAT_OPT(struct sink, timeout, .def = "5s", .min = 100, .max = 300000,
             .help = "How long it is waited for a receiver before that is said; then again. A stop may "
                     "have to wait for it."),
    {ENDS(curve), .kind = LEAT_OPT_GROUP, .group = zeromq_curve_options, .optional = true,
     .help = "Keys: only encrypted connections are made then."},
    {0},
};
/* clang-format on */

static enum leat_status check(const void *self, struct leat_error *err)
{
    return zeromq_check(&((const struct sink *)self)->ends, err);
}

static void forget(struct sink *s)
{
    leat_arena_recycle(&s->arena, ARENA_KEEP);
    s->messages = (struct leat_bytes){.arena = &s->arena};
    s->rest = (struct leat_slice){0};
}

static enum leat_status sink_open(void *self, const struct leat_env *env, struct leat_error *err)
{
    struct sink *s = self;
    bool pub = s->type.index == TYPE_PUB;

    if (check(s, err) != LEAT_OK)
        return err->status;
    s->arena.budget = env->budget;
    s->topic_sent = false;
    forget(s);
    if (zeromq_open(&s->link, &s->ends, pub ? ZMQ_PUB : ZMQ_PUSH, err) != LEAT_OK)
        return err->status;
    /* A full queue is waited for, by both kinds; a queue is only for who is connected. */
    if (!zeromq_set_int(&s->link, ZMQ_SNDTIMEO, (int)s->timeout.ms) ||
        !(pub ? zeromq_set_int(&s->link, ZMQ_XPUB_NODROP, 1)
              : zeromq_set_int(&s->link, ZMQ_IMMEDIATE, 1)))
        return leat_fail(err, LEAT_E_IO, "ZeroMQ: %s", zmq_strerror(errno));
    return zeromq_start(&s->link, &s->ends, err);
}

static enum leat_status sink_recover(void *self, uint64_t n, struct leat_slice section,
                                     struct leat_error *err)
{
    (void)self, (void)n, (void)section, (void)err; /* what was not sent is lost */
    return LEAT_OK;
}

static enum leat_status sink_write(void *self, uint64_t n, const struct leat_chunk *chunk,
                                   struct leat_error *err)
{
    struct sink *s = self;
    struct leat_slice constant = {0};

    (void)n;
    if (s->topic.node)
        constant = s->topic.node->text;
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint16_t row = chunk->selection[i];
        struct leat_slice topic = chunk->routes[row].ptr ? chunk->routes[row] : constant;
        leat_bytes_put_slice(&s->messages, topic);
        leat_bytes_put_slice(&s->messages, chunk->values[row]);
    }
    return s->messages.failed ? leat_arena_failed(&s->arena, err) : LEAT_OK;
}

static enum leat_status sink_prepare(void *self, uint64_t n, const struct leat_positions *positions,
                                     struct leat_bytes *section, struct leat_error *err)
{
    struct sink *s = self;

    (void)n, (void)positions, (void)section, (void)err;
    s->rest = leat_bytes_slice(&s->messages);
    return LEAT_OK;
}

static enum leat_status send_part(struct sink *s, struct leat_slice bytes, bool more,
                                  struct leat_error *err)
{
    const char *end = s->ends.bind ? s->ends.bind : s->ends.connect;

    if (zmq_send(s->link.socket, bytes.len ? bytes.ptr : "", bytes.len, more ? ZMQ_SNDMORE : 0) >=
        0)
        return LEAT_OK;
    if (errno == EAGAIN || errno == EINTR)
        return leat_fail(err, LEAT_E_UNREACHABLE, "nobody takes messages at '%s'", end);
    return leat_fail(err, errno == ENOMEM ? LEAT_E_NOMEM : LEAT_E_IO, "'%s': %s", end,
                     zmq_strerror(errno));
}

static enum leat_status sink_commit(void *self, uint64_t n, struct leat_error *err)
{
    struct sink *s = self;
    struct leat_slice topic, value;

    (void)n;
    for (struct leat_slice rest = s->rest; rest.len;) {
        if (!leat_take_slice(&rest, &topic) || !leat_take_slice(&rest, &value))
            return leat_fail(err, LEAT_E_CORRUPT, "a message that was kept is damaged");
        if (s->topic.node && !s->topic_sent && send_part(s, topic, true, err) != LEAT_OK)
            return err->status;
        s->topic_sent = s->topic.node != NULL;
        if (send_part(s, value, false, err) != LEAT_OK)
            return err->status;
        s->topic_sent = false;
        s->rest = rest;
    }
    forget(s);
    return LEAT_OK;
}

static enum leat_status sink_abort(void *self, uint64_t n, struct leat_error *err)
{
    (void)n, (void)err; /* nothing was sent */
    forget(self);
    return LEAT_OK;
}

static void sink_close(void *self)
{
    struct sink *s = self;

    zeromq_close(&s->link, LINGER_MS);
    leat_arena_reset(&s->arena);
}

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "zeromq",
    .summary = "sends ZeroMQ messages: PUSH or PUB",
    .self_size = sizeof(struct sink),
    .opts = options,
    .check = check,
    .sink =
        &(const struct leat_sink){
            .promise = LEAT_SINK_FORGETS,
            .open = sink_open,
            .recover = sink_recover,
            .write = sink_write,
            .prepare = sink_prepare,
            .commit = sink_commit,
            .abort = sink_abort,
            .close = sink_close,
        },
};

LEAT_MODULE(module);
