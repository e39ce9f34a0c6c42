/*
 * rabbitmq.c - sink that publishes to an exchange of RabbitMQ.
 *
 * A broker takes part in no transaction of ours, so messages are an outbox: prepare() writes them
 * into the batch's log record, commit() publishes them when the batch counts, in order, and waits
 * until the broker has confirmed every one. After a crash recover() publishes those of the last
 * record again, byte for byte and with the same message ids, unless the job was stopped in good
 * order: at least once, and a consumer that remembers ids sees each message once.
 *
 * A broker that is away, is full, or does not take a message (nack) is waited for; what it has not
 * confirmed is published again from the first such message on. Every message is mandatory: one that
 * reaches no queue comes back, and `unroutable` says what then.
 *
 * Left out: exchanges are not declared. Thread: the sink's.
 */
#include "../../connectors/rabbitmq/link.h"
#include "outbox.h"

#include <amqp_framing.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>

#define WINDOW        1000 /* messages published and not confirmed */
#define NAME_BYTES    256
#define HEADER_NAME   128 /* as AMQP has it */
#define HEADERS_MAX   128
#define HEADERS_BYTES ((size_t)100 << 10) /* they have to fit one frame */
#define OUR_HEADERS   "amqp-" /* what the source says about a message is no header of it */
#define WAIT_MS       100
#define PERSISTENT    2

struct sink {
    struct rabbit_conf conf;
    const char *exchange;
    struct leat_template routing_key;
    struct leat_expression_or_record headers; /* the planner's: rows come with them */
    const char *content_type;
    bool persistent;
    struct leat_choice unroutable;

    const struct leat_env *env;
    struct rabbit_link link;
    struct leat_slice constant; /* the routing key, where it is the same for all rows */
    struct rabbit_outbox out;
    uint32_t confirmed;    /* all before this number */
    uint32_t sent;         /* number of the next to be published */
    uint64_t tags;         /* delivery tags of this connection before ... */
    uint32_t first;        /* ... that of this message */
    uint8_t marks[WINDOW]; /* by number, of those that are neither before `confirmed` nor unsent */
    bool nacked;           /* one of them was */
    uint64_t skip;         /* bytes of a returned message that are still to come */
    bool skips_header;
    uint32_t returned; /* of this batch */
    char why[160];     /* of the last that came back */
};

static const char *const unroutables[] = {"fail", "drop", NULL};

enum { UNROUTABLE_FAIL, UNROUTABLE_DROP };
enum { MARK_OPEN, MARK_ACKED, MARK_NACKED };

/* clang-format off */
static const struct leat_opt options[] = {
    RABBIT_OPTIONS(struct sink),
    LEAT_OPT(struct sink, exchange, .def = "",
             .help = "Exchange to publish to; it has to be there. None: the broker's default, "
                     "where the routing key is the name of a queue."),
    LEAT_OPT(struct sink, routing_key, .help = "Routing key of the messages; may be a template."),
    LEAT_OPT(struct sink, headers, .optional = true,
             .help = "Headers to add or replace: { name: EXPR }."),
    LEAT_OPT(struct sink, content_type, .optional = true,
             .help = "Content type of the messages, such as application/json."),
    LEAT_OPT(struct sink, persistent, .def = "true",
             .help = "The broker keeps messages on disk, so that they outlive its restart."),
    LEAT_OPT(struct sink, unroutable, .def = "fail", .choices = unroutables,
             .help = "A message that reaches no queue: fail stops the job, drop goes on and says "
                     "so."),
    {0},
};
/* clang-format on */

static enum leat_status check(const void *self, struct leat_error *err)
{
    const struct sink *s = self;

    if (strlen(s->exchange) >= NAME_BYTES)
        return leat_fail(err, LEAT_E_CONFIG, "exchange: a name of at most 255 bytes");
    if (s->content_type && strlen(s->content_type) >= NAME_BYTES)
        return leat_fail(err, LEAT_E_CONFIG, "content_type: at most 255 bytes");
    return rabbit_conf_check(&s->conf, err);
}

static int64_t now_ms(const struct sink *s)
{
    return leat_clock_monotonic_ms(s->env->clock);
}

static enum leat_status away(const struct sink *s, struct leat_error *err, const char *why)
{
    return leat_fail(err, LEAT_E_UNREACHABLE, "RabbitMQ at '%s' %s", s->link.peer, why);
}

/* ---- what the broker says */

/* Of a message, or of all up to it: confirmed, or not taken. */
static enum leat_status take_answer(struct sink *s, uint64_t tag, bool multiple, uint8_t mark,
                                    struct leat_error *err)
{
    uint64_t last = s->tags + (s->sent - s->first);

    if (multiple && tag == 0)
        tag = last;
    if (tag > last)
        return away(s, err, "confirms what was not sent");
    if (tag <= s->tags) /* of a batch before */
        return LEAT_OK;
    uint32_t number = s->first + (uint32_t)(tag - s->tags) - 1;
    for (uint32_t n = multiple ? s->confirmed : number; n <= number; n++)
        if (n >= s->confirmed && s->marks[n % WINDOW] == MARK_OPEN)
            s->marks[n % WINDOW] = mark;
    s->nacked = s->nacked || mark == MARK_NACKED;
    while (s->confirmed < s->sent && s->marks[s->confirmed % WINDOW] == MARK_ACKED)
        s->marks[s->confirmed++ % WINDOW] = MARK_OPEN;
    return LEAT_OK;
}

static bool all_answered(const struct sink *s)
{
    for (uint32_t n = s->confirmed; n < s->sent; n++)
        if (s->marks[n % WINDOW] == MARK_OPEN)
            return false;
    return true;
}

static void take_return(struct sink *s, const amqp_basic_return_t *r)
{
    s->returned++;
    s->skips_header = true;
    snprintf(s->why, sizeof s->why, "routing key '%.*s': %u %.*s",
             (int)(r->routing_key.len < 64 ? r->routing_key.len : 64),
             (const char *)r->routing_key.bytes, r->reply_code,
             (int)(r->reply_text.len < 40 ? r->reply_text.len : 40),
             (const char *)r->reply_text.bytes);
}

static enum leat_status take_frame(struct sink *s, const amqp_frame_t *f, struct leat_error *err)
{
    if (f->frame_type == AMQP_FRAME_HEADER && s->skips_header) {
        s->skips_header = false;
        s->skip = f->payload.properties.body_size;
        return LEAT_OK;
    }
    if (f->frame_type == AMQP_FRAME_BODY && f->payload.body_fragment.len <= s->skip) {
        s->skip -= f->payload.body_fragment.len;
        return LEAT_OK;
    }
    if (f->frame_type == AMQP_FRAME_METHOD && f->payload.method.id == AMQP_BASIC_ACK_METHOD) {
        const amqp_basic_ack_t *ack = f->payload.method.decoded;
        return take_answer(s, ack->delivery_tag, ack->multiple, MARK_ACKED, err);
    }
    if (f->frame_type == AMQP_FRAME_METHOD && f->payload.method.id == AMQP_BASIC_NACK_METHOD) {
        const amqp_basic_nack_t *nack = f->payload.method.decoded;
        return take_answer(s, nack->delivery_tag, nack->multiple, MARK_NACKED, err);
    }
    if (f->frame_type == AMQP_FRAME_METHOD && f->payload.method.id == AMQP_BASIC_RETURN_METHOD) {
        take_return(s, f->payload.method.decoded);
        return LEAT_OK;
    }
    return away(s, err, "says what was not asked");
}

/* All that has come; waits for a first frame for at most wait_ms. */
static enum leat_status listen_to(struct sink *s, int64_t wait_ms, struct leat_error *err)
{
    amqp_frame_t frame;
    bool got = true;

    while (got) {
        if (rabbit_link_next(&s->link, wait_ms, &frame, &got, err) != LEAT_OK)
            return err->status;
        if (got && take_frame(s, &frame, err) != LEAT_OK)
            return err->status;
        rabbit_link_release(&s->link);
        wait_ms = 0;
    }
    if (s->returned && s->unroutable.index == UNROUTABLE_FAIL)
        return leat_fail(err, LEAT_E_DATA,
                         "a message to exchange '%s' reaches no queue ('unroutable: drop' passes "
                         "over it): %s",
                         s->exchange, s->why);
    return LEAT_OK;
}

/* ---- one message */

static bool is_ours(struct leat_slice name)
{
    return name.len >= strlen(OUR_HEADERS) &&
           memcmp(name.ptr, OUR_HEADERS, strlen(OUR_HEADERS)) == 0;
}

/* As a table, in `entries`; the count. */
static int read_headers(struct leat_slice from, amqp_table_entry_t entries[HEADERS_MAX])
{
    struct leat_slice name, value;
    uint32_t count;
    int made = 0;

    if (!leat_take_u32(&from, &count))
        return 0;
    while (count-- > 0 && made < HEADERS_MAX && leat_take_header(&from, &name, &value)) {
        if (is_ours(name) || name.len > HEADER_NAME)
            continue;
        entries[made].key = rabbit_bytes(name);
        entries[made].value.kind = value.ptr ? AMQP_FIELD_KIND_UTF8 : AMQP_FIELD_KIND_VOID;
        entries[made++].value.value.bytes = rabbit_bytes(value);
    }
    return made;
}

static enum leat_status publish(struct sink *s, uint64_t n, uint32_t number, struct leat_error *err)
{
    static const struct leat_slice none = {"null", 4};
    const struct rabbit_out *m = s->out.all[number];
    amqp_table_entry_t entries[HEADERS_MAX];
    char id[160];

    snprintf(id, sizeof id, "%.100s-%08x-%" PRIu64 "-%u", s->env->job, s->env->epoch, n, number);
    amqp_basic_properties_t p = {._flags =
                                     AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG,
                                 .message_id = amqp_cstring_bytes(id),
                                 .delivery_mode = s->persistent ? PERSISTENT : 1};
    if (s->content_type) {
        p._flags |= AMQP_BASIC_CONTENT_TYPE_FLAG;
        p.content_type = amqp_cstring_bytes(s->content_type);
    }
    if (m->time_ms != LEAT_NO_TIME && m->time_ms >= 0) {
        p._flags |= AMQP_BASIC_TIMESTAMP_FLAG;
        p.timestamp = (uint64_t)m->time_ms / 1000;
    }
    p.headers = (amqp_table_t){read_headers(m->headers, entries), entries};
    if (p.headers.num_entries)
        p._flags |= AMQP_BASIC_HEADERS_FLAG;
    int code = amqp_basic_publish(s->link.state, RABBIT_CHANNEL, amqp_cstring_bytes(s->exchange),
                                  rabbit_bytes(m->routing_key), 1, 0, &p,
                                  rabbit_bytes(m->value.ptr ? m->value : none));
    if (code == AMQP_STATUS_TABLE_TOO_BIG)
        return leat_fail(err, LEAT_E_DATA,
                         "the headers of message %s do not fit a frame of RabbitMQ at '%s'", id,
                         s->link.peer);
    return code == AMQP_STATUS_OK ? LEAT_OK : rabbit_link_failed(&s->link, code, err);
}

/* ---- all of them */

static enum leat_status connect_link(struct sink *s, struct leat_error *err)
{
    amqp_confirm_select_t confirm = {0};

    if (s->link.state)
        return LEAT_OK;
    if (rabbit_link_open(&s->link, err) != LEAT_OK)
        return err->status;
    if (rabbit_link_call(&s->link, AMQP_CONFIRM_SELECT_METHOD, &confirm,
                         AMQP_CONFIRM_SELECT_OK_METHOD, NULL, err) != LEAT_OK) {
        rabbit_link_close(&s->link, false);
        return err->status;
    }
    s->first = s->sent = s->confirmed;
    s->tags = 0;
    s->nacked = false;
    memset(s->marks, MARK_OPEN, sizeof s->marks);
    s->skip = 0;
    s->skips_header = false;
    return LEAT_OK;
}

static bool may_send(const struct sink *s)
{
    struct pollfd out = {.fd = s->link.fd, .events = POLLOUT};

    return s->sent < s->out.box.count && s->sent - s->confirmed < WINDOW && !s->link.blocked &&
           !s->nacked && poll(&out, 1, 0) == 1 && out.revents & POLLOUT;
}

/* From where the last call got to. */
static enum leat_status deliver(struct sink *s, uint64_t n, struct leat_error *err)
{
    int64_t until_ms = now_ms(s) + s->conf.timeout.ms;

    if (connect_link(s, err) != LEAT_OK)
        return err->status;
    while (s->confirmed < s->out.box.count) {
        uint32_t before = s->confirmed;
        while (may_send(s)) {
            if (publish(s, n, s->sent, err) != LEAT_OK)
                return err->status;
            s->sent++;
        }
        if (listen_to(s, WAIT_MS, err) != LEAT_OK)
            return err->status;
        if (s->nacked && all_answered(s))
            return away(s, err, "does not take a message (nack: a queue is full, or broken)");
        if (s->confirmed > before)
            until_ms = now_ms(s) + s->conf.timeout.ms;
        else if (now_ms(s) > until_ms)
            return away(s, err,
                        s->link.blocked ? "takes no messages: its memory or disk is full"
                                        : "does not confirm what was published");
    }
    return LEAT_OK;
}

/* A link that was found dead is replaced at once; one that is only blocked is kept. */
static enum leat_status deliver_all(struct sink *s, uint64_t n, struct leat_error *err)
{
    bool was_open = s->link.state;
    enum leat_status status = deliver(s, n, err);

    if (status != LEAT_OK && s->link.state && !s->link.blocked)
        rabbit_link_close(&s->link, false);
    if (status == LEAT_E_UNREACHABLE && was_open && !s->link.state) {
        status = deliver(s, n, err);
        if (status != LEAT_OK && !s->link.blocked)
            rabbit_link_close(&s->link, false);
    }
    if (status == LEAT_OK && s->returned)
        leat_warn(s->env->log, "%u messages to exchange '%s' reach no queue and are dropped: %s",
                  s->returned, s->exchange, s->why);
    return status;
}

/* From the first message on; an open link goes on counting. */
static void begin_delivery(struct sink *s)
{
    s->tags += s->sent - s->first;
    s->first = s->sent = s->confirmed = s->returned = 0;
    s->nacked = false;
    memset(s->marks, MARK_OPEN, sizeof s->marks);
}

/* ---- the sink */

static enum leat_status rabbit_open(void *self, const struct leat_env *env, struct leat_error *err)
{
    struct sink *s = self;

    if (check(self, err) != LEAT_OK)
        return err->status;
    s->env = env;
    s->constant = s->routing_key.node->text;
    s->out = (struct rabbit_outbox){.box.arena.budget = env->budget};
    s->link = (struct rabbit_link){
        .conf = &s->conf, .env = env, .job = env->job, .writes = true, .wake_fd = -1, .fd = -1};
    return LEAT_OK;
}

static enum leat_status rabbit_recover(void *self, uint64_t n, struct leat_slice section,
                                       struct leat_error *err)
{
    struct sink *s = self;

    if (n == 0 || section.len == 0 || n <= s->env->finished)
        return LEAT_OK;
    if (rabbit_outbox_read(&s->out, section, err) != LEAT_OK)
        return err->status;
    begin_delivery(s);
    enum leat_status status = deliver_all(s, n, err);
    if (status != LEAT_OK)
        rabbit_link_close(&s->link, false); /* the messages borrow from the section */
    begin_delivery(s);
    leat_outbox_clear(&s->out.box);
    return status;
}

/* What AMQP has no room for. */
static enum leat_status check_row(const struct rabbit_out *m, struct leat_error *err)
{
    struct leat_slice from = m->headers, name, value;
    uint32_t count = 0;

    if (m->routing_key.len >= NAME_BYTES)
        return leat_fail(err, LEAT_E_DATA, "the routing key '%.40s...' is longer than 255 bytes",
                         m->routing_key.ptr);
    if (m->headers.len > HEADERS_BYTES || (leat_take_u32(&from, &count) && count > HEADERS_MAX))
        return leat_fail(err, LEAT_E_DATA,
                         "a message with more than %d headers, or 100 KiB of them", HEADERS_MAX);
    while (count-- > 0 && leat_take_header(&from, &name, &value))
        if (name.len > HEADER_NAME)
            return leat_fail(err, LEAT_E_DATA, "header '%.40s...' has a name of more than %d bytes",
                             name.ptr, HEADER_NAME);
    return LEAT_OK;
}

static enum leat_status rabbit_write(void *self, uint64_t n, const struct leat_chunk *chunk,
                                     struct leat_error *err)
{
    struct sink *s = self;

    (void)n;
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint16_t row = chunk->selection[i];
        const struct rabbit_out m = {.routing_key =
                                         chunk->routes[row].ptr ? chunk->routes[row] : s->constant,
                                     .value = chunk->values[row],
                                     .headers = chunk->headers[row],
                                     .time_ms = chunk->times_ms[row]};
        if (check_row(&m, err) != LEAT_OK || rabbit_outbox_add(&s->out, &m, err) != LEAT_OK)
            return err->status;
    }
    return LEAT_OK;
}

static enum leat_status rabbit_prepare(void *self, uint64_t n,
                                       const struct leat_positions *positions,
                                       struct leat_bytes *section, struct leat_error *err)
{
    struct sink *s = self;

    (void)n, (void)positions;
    if (rabbit_outbox_end(&s->out, err) != LEAT_OK)
        return err->status;
    rabbit_outbox_write(&s->out, section);
    begin_delivery(s);
    return LEAT_OK;
}

static enum leat_status rabbit_commit(void *self, uint64_t n, struct leat_error *err)
{
    struct sink *s = self;

    if (s->out.box.count && deliver_all(s, n, err) != LEAT_OK)
        return err->status;
    begin_delivery(s);
    leat_outbox_clear(&s->out.box);
    return LEAT_OK;
}

static enum leat_status rabbit_abort(void *self, uint64_t n, struct leat_error *err)
{
    struct sink *s = self;

    (void)n, (void)err; /* nothing was sent */
    leat_outbox_clear(&s->out.box);
    return LEAT_OK;
}

/* Keeps an idle connection alive; one that has gone is made anew when it is needed. */
static enum leat_status rabbit_tick(void *self, int64_t tick_ms, struct leat_error *err)
{
    struct sink *s = self;
    struct leat_error lost;

    (void)tick_ms, (void)err;
    if (s->link.state && s->out.box.count == 0 && listen_to(s, 0, &lost) != LEAT_OK)
        rabbit_link_close(&s->link, false);
    return LEAT_OK;
}

static void rabbit_close(void *self)
{
    struct sink *s = self;

    if (!s->env)
        return;
    rabbit_link_close(&s->link, true);
    leat_outbox_free(&s->out.box);
}

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "rabbitmq",
    .summary = "publishes to an exchange of RabbitMQ",
    .self_size = sizeof(struct sink),
    .opts = options,
    .check = check,
    .sink =
        &(const struct leat_sink){
            .writes_headers = true,
            .promise = LEAT_SINK_REPEATS,
            .open = rabbit_open,
            .recover = rabbit_recover,
            .write = rabbit_write,
            .prepare = rabbit_prepare,
            .commit = rabbit_commit,
            .abort = rabbit_abort,
            .tick = rabbit_tick,
            .close = rabbit_close,
        },
};

LEAT_MODULE(module);
