/*
 * zeromq.c - push source of ZeroMQ messages: PULL, or SUB with topics; bound or connected.
 *
 * A message of one part is a value. Of several, the first is the key (where a PUB socket puts the
 * topic), the last the value, and those between are the headers part1, part2, ...
 *
 * ZeroMQ cannot tell a sender what became of a message: what waits in queues or in no stored block
 * is lost with the process, and a PUB socket drops what a slow receiver does not take. Without a
 * credit nothing is read: queues fill up to `hwm`, and a PUSH socket's sender waits.
 *
 * Thread: run's. It sleeps in zmq_poll().
 */
#include "link.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <zmq.h>

#define PARTS_MAX    64  /* of one message */
#define FULL_MS      250 /* the inbox wakes us for a credit, nobody does for memory */
#define TURN_RECORDS 1000

enum { TYPE_PULL, TYPE_SUB };

struct source {
    struct zeromq_ends ends;
    struct leat_choice type;
    struct leat_texts topics;
    struct leat_size max_message;

    const struct leat_env *env;
    struct zeromq_link link;
    zmq_msg_t parts[PARTS_MAX];
    uint32_t parts_count;
    size_t bytes;  /* in them */
    bool whole;    /* the message is all there and waits for a credit */
    bool skipping; /* it has too many parts, or too many bytes in them */
    bool said;
    char *headers;
    size_t headers_room;
};

static const char *const types[] = {"pull", "sub", NULL};

#define ENDS(member) .name = #member, .offset = offsetof(struct source, ends.member)

/* clang-format off */
static const struct leat_opt options[] = {
    LEAT_OPT(struct source, type, .def = "pull", .choices = types, .help = "Kind of socket."),
    {ENDS(bind), .kind = LEAT_OPT_TEXT, .optional = true,
     .help = "Address where others connect to, such as tcp://127.0.0.1:5555; either this or `connect`."},
    {ENDS(connect), .kind = LEAT_OPT_TEXT, .optional = true, .help = "Address to connect to."},
    LEAT_OPT(struct source, topics, .optional = true,
             .help = "For sub: beginnings of the messages that are wanted; without it all are."),
    {ENDS(hwm), .kind = LEAT_OPT_INT, .def = "1000", .min = 1, .max = 1000000,
     .help = "Messages that may wait in leat for each sender; a PUSH socket's sender waits then, a PUB "
             "socket drops."},
    LEAT_OPT(struct source, max_message, .def = "16MiB", .min = 1024, .max = 1 << 30,
             .help = "Longest message. The sender of a longer part is disconnected; a message whose parts "
                     "are longer together is dropped."),
    {ENDS(curve), .kind = LEAT_OPT_GROUP, .group = zeromq_curve_options, .optional = true,
     .help = "Keys: only encrypted connections are made then."},
    {0},
};
/* clang-format on */

static enum leat_status check(const void *self, struct leat_error *err)
{
    const struct source *s = self;

    if (s->topics.count && s->type.index != TYPE_SUB)
        return leat_fail(err, LEAT_E_CONFIG, "topics: belong to `type: sub`");
    return zeromq_check(&s->ends, err);
}

static enum leat_status subscribe(struct source *s, struct leat_error *err)
{
    bool ok = s->topics.count || zmq_setsockopt(s->link.socket, ZMQ_SUBSCRIBE, "", 0) == 0;

    for (size_t i = 0; ok && i < s->topics.count; i++)
        ok = zmq_setsockopt(s->link.socket, ZMQ_SUBSCRIBE, s->topics.list[i],
                            strlen(s->topics.list[i])) == 0;
    return ok ? LEAT_OK : leat_fail(err, LEAT_E_IO, "ZeroMQ: %s", zmq_strerror(errno));
}

static enum leat_status zeromq_source_open(void *self, const struct leat_env *env,
                                           struct leat_error *err)
{
    struct source *s = self;
    bool sub = s->type.index == TYPE_SUB;
    int64_t most = s->max_message.bytes;

    s->env = env;
    s->parts_count = 0;
    s->bytes = 0;
    s->whole = s->skipping = s->said = false;
    if (check(s, err) != LEAT_OK)
        return err->status;
    if (zeromq_open(&s->link, &s->ends, sub ? ZMQ_SUB : ZMQ_PULL, err) != LEAT_OK)
        return err->status;
    if (zmq_setsockopt(s->link.socket, ZMQ_MAXMSGSIZE, &most, sizeof most) != 0)
        return leat_fail(err, LEAT_E_IO, "ZeroMQ: %s", zmq_strerror(errno));
    if (sub && subscribe(s, err) != LEAT_OK)
        return err->status;
    return zeromq_start(&s->link, &s->ends, err);
}

/* ---- messages */

static struct leat_slice part(struct source *s, uint32_t i)
{
    return (struct leat_slice){zmq_msg_data(&s->parts[i]), zmq_msg_size(&s->parts[i])};
}

static void forget(struct source *s)
{
    while (s->parts_count)
        zmq_msg_close(&s->parts[--s->parts_count]);
    s->whole = false;
    s->bytes = 0;
}

static char *put_text(char *into, const char *bytes, size_t len)
{
    uint32_t n = htole32((uint32_t)len);

    memcpy(into, &n, sizeof n);
    if (len)
        memcpy(into + sizeof n, bytes, len);
    return into + sizeof n + len;
}

/* The parts between the first and the last. */
static enum leat_status put_headers(struct source *s, struct leat_slice *headers,
                                    struct leat_error *err)
{
    uint32_t count = s->parts_count - 2, n = htole32(count);
    size_t need = sizeof n;
    char name[16];

    for (uint32_t i = 1; i <= count; i++)
        need += 8 + sizeof name + part(s, i).len;
    if (need > s->headers_room) {
        char *larger = leat_mem_alloc_raw(2 * need);
        if (!larger)
            return leat_fail(err, LEAT_E_NOMEM, "out of memory");
        leat_mem_free(s->headers);
        s->headers = larger;
        s->headers_room = 2 * need;
    }
    memcpy(s->headers, &n, sizeof n);
    char *at = s->headers + sizeof n;
    for (uint32_t i = 1; i <= count; i++) {
        int len = snprintf(name, sizeof name, "part%u", i);
        at = put_text(at, name, (size_t)len);
        at = put_text(at, part(s, i).ptr, part(s, i).len);
    }
    *headers = (struct leat_slice){s->headers, (size_t)(at - s->headers)};
    return LEAT_OK;
}

static enum leat_status append(struct source *s, struct leat_inbox *inbox, struct leat_error *err)
{
    size_t max = s->env->max_record_bytes > 0 ? (size_t)s->env->max_record_bytes : SIZE_MAX - 1;
    struct leat_row row = {.value = part(s, s->parts_count - 1), .time_ms = LEAT_NO_TIME};
    int64_t position;

    if (row.value.len > max)
        row.value.len = max + 1;
    if (s->parts_count > 1)
        row.key = part(s, 0);
    if (s->parts_count > 2 && put_headers(s, &row.headers, err) != LEAT_OK)
        return err->status;
    return leat_inbox_append(inbox, 0, &row, &position, err);
}

static void refuse(struct source *s)
{
    leat_bad_input(s->env);
    if (!s->said)
        leat_warn(s->env->log,
                  "a message with more than %d parts, or more than %" PRId64
                  " bytes in all of them, is dropped; so are further ones",
                  PARTS_MAX, s->max_message.bytes);
    s->said = true;
}

/* The next part, if one is there. */
static enum leat_status receive(struct source *s, bool *got, struct leat_error *err)
{
    zmq_msg_t message;

    zmq_msg_init(&message);
    *got = zmq_msg_recv(&message, s->link.socket, ZMQ_DONTWAIT) >= 0;
    if (!*got) {
        bool wait = errno == EAGAIN || errno == EINTR;
        zmq_msg_close(&message);
        return wait ? LEAT_OK : leat_fail(err, LEAT_E_IO, "ZeroMQ: %s", zmq_strerror(errno));
    }
    bool more = zmq_msg_more(&message);
    size_t size = zmq_msg_size(&message);
    bool too_much = s->parts_count == PARTS_MAX || size > (size_t)s->max_message.bytes - s->bytes;
    if (too_much || s->skipping) {
        if (!s->skipping)
            refuse(s);
        s->skipping = more;
        zmq_msg_close(&message);
        forget(s);
        return LEAT_OK;
    }
    s->bytes += size;
    zmq_msg_init(&s->parts[s->parts_count]);
    zmq_msg_move(&s->parts[s->parts_count++], &message);
    zmq_msg_close(&message);
    s->whole = !more;
    return LEAT_OK;
}

/* What is there, up to TURN_RECORDS parts. *full: a message waits for a credit. */
static enum leat_status take(struct source *s, struct leat_inbox *inbox, bool *full,
                             struct leat_error *err)
{
    bool got = true;

    *full = false;
    for (int i = 0; got && i < TURN_RECORDS; i++) {
        if (s->whole) {
            enum leat_status status = append(s, inbox, err);
            *full = status == LEAT_E_FULL;
            if (status != LEAT_OK)
                return *full ? LEAT_OK : status;
            forget(s);
        }
        if (receive(s, &got, err) != LEAT_OK)
            return err->status;
    }
    return LEAT_OK;
}

static enum leat_status wait_some(struct source *s, struct leat_inbox *inbox, bool full,
                                  struct leat_error *err)
{
    zmq_pollitem_t items[] = {
        {.fd = leat_inbox_fd(inbox), .events = ZMQ_POLLIN},
        {.socket = s->link.socket, .events = ZMQ_POLLIN},
    };

    if (zmq_poll(items, full ? 1 : 2, full ? FULL_MS : s->whole ? 0 : -1) < 0 && errno != EINTR)
        return leat_fail(err, LEAT_E_IO, "ZeroMQ: %s", zmq_strerror(errno));
    return LEAT_OK;
}

static enum leat_status zeromq_source_run(void *self, struct leat_inbox *inbox,
                                          struct leat_error *err)
{
    struct source *s = self;
    enum leat_status status = LEAT_OK;
    bool full = false;

    while (status == LEAT_OK && leat_inbox_turn(inbox)) {
        status = take(s, inbox, &full, err);
        if (status == LEAT_OK)
            status = wait_some(s, inbox, full, err);
    }
    forget(s);
    leat_mem_free(s->headers);
    s->headers = NULL;
    s->headers_room = 0;
    return status;
}

static enum leat_status zeromq_source_acked(void *self, uint32_t number, int64_t upto,
                                            struct leat_error *err)
{
    (void)self, (void)number, (void)upto, (void)err; /* the sender cannot be told */
    return LEAT_OK;
}

static void zeromq_source_close(void *self)
{
    struct source *s = self;

    zeromq_close(&s->link, 0);
}

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "zeromq",
    .summary = "receives ZeroMQ messages: PULL or SUB",
    .usual_format = "text",
    .keyed = true,
    .self_size = sizeof(struct source),
    .opts = options,
    .check = check,
    .push =
        &(const struct leat_push){
            .store = LEAT_STORE_DISK,
            .untold = true,
            .open = zeromq_source_open,
            .run = zeromq_source_run,
            .acked = zeromq_source_acked,
            .close = zeromq_source_close,
        },
};

LEAT_MODULE(module);
