#include "peer.h"

#include <stdio.h>

#define ANSWER_BYTES 1024
#define UNSENT_MAX   ((size_t)4096)

void flume_peer_init(struct flume_peer *p, struct flume_shared *s, int fd)
{
    memset(p, 0, sizeof *p);
    flume_channel_init(&p->channel, fd, &s->security);
    p->frames = (struct flume_frames){.max_bytes = s->max_frame, .room = &s->room};
}

void flume_peer_fini(struct flume_peer *p)
{
    flume_channel_fini(&p->channel);
    flume_frames_fini(&p->frames);
}

bool flume_peer_readable(const struct flume_peer *p)
{
    return p->waiting_count < FLUME_CALLS_MAX && flume_channel_unsent(&p->channel) <= UNSENT_MAX;
}

static enum flume_peer_state wrong(struct flume_peer *p, const char *why)
{
    snprintf(p->why, sizeof p->why, "%.199s", why);
    return FLUME_PEER_WRONG;
}

/* ---- answers */

static char *put(char *into, const char *bytes, size_t len)
{
    memcpy(into, bytes, len);
    return into + len;
}

/* What the hello is answered with, if there was one. */
static char *put_match(char *into, enum flume_hello_answer match)
{
    if (match == FLUME_MATCH_NONE_SENT)
        return into;
    *into++ = match == FLUME_MATCH_BOTH ? 0 : match == FLUME_MATCH_CLIENT ? 2 : 4;
    if (match == FLUME_MATCH_BOTH)
        return put(into, "\0\0\0", 3);
    *into++ = 2;
    into += avro_put_long(into, (int64_t)flume_protocol.len);
    into = put(into, flume_protocol.ptr, flume_protocol.len);
    *into++ = 2;
    into = put(into, flume_protocol_hash, FLUME_HASH_BYTES);
    *into++ = 0;
    return into;
}

/* `body` behind the hello's answer, as one frame. */
static enum flume_peer_state answer(struct flume_peer *p, const struct flume_answer *to,
                                    struct leat_slice body)
{
    char bytes[ANSWER_BYTES], *at = put_match(bytes + FLUME_FRAME_HEAD, to->match);

    if (body.len)
        at = put(at, body.ptr, body.len);
    size_t len = (size_t)(at - bytes);
    flume_frame_head(bytes, to->serial, len - FLUME_FRAME_HEAD);
    if (flume_channel_write(&p->channel, bytes, len) && flume_channel_flush(&p->channel))
        return FLUME_PEER_OPEN;
    wrong(p, p->channel.why);
    return p->channel.no_memory ? FLUME_PEER_ERROR : FLUME_PEER_WRONG;
}

static enum flume_peer_state answer_ok(struct flume_peer *p, const struct flume_answer *to)
{
    return answer(p, to, LEAT_LIT("\0\0\0")); /* no meta, no error, OK */
}

static enum flume_peer_state answer_error(struct flume_peer *p, const struct flume_shared *s,
                                          const char *why)
{
    char body[256] = {0, 1, 0}; /* no meta, an error, a text */
    size_t len = strlen(why);
    char *at = body + 3 + avro_put_long(body + 3, (int64_t)len);

    at = put(at, why, len);
    leat_bad_input(s->env);
    return answer(p, &p->call, (struct leat_slice){body, (size_t)(at - body)});
}

bool flume_peer_acked(struct flume_peer *p, int64_t upto)
{
    uint32_t done = 0;
    bool ok = true;

    while (ok && done < p->waiting_count && p->waiting[done].end <= upto)
        ok = answer_ok(p, &p->waiting[done++]) == FLUME_PEER_OPEN;
    p->waiting_count -= done;
    memmove(p->waiting, p->waiting + done, p->waiting_count * sizeof *p->waiting);
    if (done)
        p->more = true; /* it may be read again */
    return ok;
}

/* ---- hellos */

static bool is_known(struct flume_shared *s, const char *hash)
{
    char found[FLUME_HASH_BYTES];

    if (memcmp(hash, flume_protocol_hash, FLUME_HASH_BYTES) == 0)
        return true;
    for (uint32_t i = 0; i < s->known_count; i++)
        if (memcmp(s->known[i], hash, FLUME_HASH_BYTES) == 0) {
            memcpy(found, hash, FLUME_HASH_BYTES);
            memmove(s->known[1], s->known[0], (size_t)i * FLUME_HASH_BYTES);
            memcpy(s->known[0], found, FLUME_HASH_BYTES);
            return true;
        }
    return false;
}

static void learn(struct flume_shared *s, const char *hash)
{
    if (s->known_count < FLUME_HASHES)
        s->known_count++;
    memmove(s->known[1], s->known[0], (size_t)(s->known_count - 1) * FLUME_HASH_BYTES);
    memcpy(s->known[0], hash, FLUME_HASH_BYTES);
}

static enum flume_peer_state take_hello(struct flume_peer *p, struct flume_shared *s,
                                        struct leat_slice *call, struct leat_error *err)
{
    struct flume_hello hello;

    if (!flume_take_hello(call, &hello))
        return wrong(p, "it does not begin as an Avro client does");
    bool known = is_known(s, hello.client_hash.ptr);
    if (!known && hello.protocol.ptr) {
        if (flume_protocol_check(hello.protocol, err) != LEAT_OK)
            return err->status == LEAT_E_NOMEM ? FLUME_PEER_ERROR : wrong(p, err->text);
        learn(s, hello.client_hash.ptr);
        known = true;
    }
    bool ours = memcmp(hello.server_hash.ptr, flume_protocol_hash, FLUME_HASH_BYTES) == 0;
    p->call.match = !known ? FLUME_MATCH_NONE : ours ? FLUME_MATCH_BOTH : FLUME_MATCH_CLIENT;
    p->established = known;
    return FLUME_PEER_OPEN;
}

/* ---- calls */

/* Walk over all events: nothing is stored of a call that is damaged. */
static enum flume_peer_state begin_events(struct flume_peer *p, const struct flume_shared *s,
                                          struct flume_events events)
{
    struct flume_events walk = events;
    struct flume_event event;
    enum flume_step step;
    const char *why;
    bool any = false;

    while ((step = flume_events_next(&walk, &event, &why)) == FLUME_STEP_EVENT)
        any = true;
    if (step == FLUME_STEP_WRONG)
        return answer_error(p, s, why);
    p->events = events;
    p->appending = any;
    return any ? FLUME_PEER_OPEN : answer_ok(p, &p->call);
}

static enum flume_peer_state begin_call(struct flume_peer *p, struct flume_shared *s,
                                        struct leat_error *err)
{
    struct leat_slice call = {p->frames.payload, p->frames.used}, name;

    p->call = (struct flume_answer){.serial = p->frames.serial};
    if (!p->established) {
        enum flume_peer_state state = take_hello(p, s, &call, err);
        if (state != FLUME_PEER_OPEN)
            return state;
        if (!p->established)
            return answer(p, &p->call, (struct leat_slice){0});
    }
    if (!flume_take_name(&call, &name))
        return wrong(p, "a call of it is damaged");
    if (name.len == 0 && p->call.match != FLUME_MATCH_NONE_SENT)
        return answer(p, &p->call, (struct leat_slice){0});
    if (leat_slice_eq(name, LEAT_LIT("append")))
        return begin_events(p, s, flume_events_of(call, false, s->max_headers));
    if (leat_slice_eq(name, LEAT_LIT("appendBatch")))
        return begin_events(p, s, flume_events_of(call, true, s->max_headers));
    return answer_error(p, s, "there are append and appendBatch");
}

static bool reserve_headers(struct flume_shared *s, size_t need)
{
    if (need <= s->headers_room)
        return true;
    char *larger = leat_mem_alloc_raw(2 * need);
    if (!larger)
        return false;
    leat_mem_free(s->headers);
    s->headers = larger;
    s->headers_room = 2 * need;
    return true;
}

static enum leat_status append(struct flume_shared *s, const struct flume_event *event,
                               int64_t *position, struct leat_error *err)
{
    struct leat_row row = {.value = event->body, .time_ms = LEAT_NO_TIME};
    size_t max = s->env->max_record_bytes > 0 ? (size_t)s->env->max_record_bytes : SIZE_MAX - 1;
    size_t size = flume_headers_size(event);

    if (row.value.len > max)
        row.value.len = max + 1;
    if (!reserve_headers(s, size))
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    flume_put_headers(event, s->headers);
    if (size)
        row.headers = (struct leat_slice){s->headers, size};
    return leat_inbox_append(s->inbox, 0, &row, position, err);
}

static enum flume_peer_state append_events(struct flume_peer *p, struct flume_shared *s,
                                           struct leat_error *err)
{
    struct flume_events before = p->events;
    struct flume_event event;
    const char *why;
    int64_t position;

    while (flume_events_next(&p->events, &event, &why) == FLUME_STEP_EVENT) {
        if (append(s, &event, &position, err) != LEAT_OK) {
            p->events = before;
            s->full = err->status == LEAT_E_FULL;
            return s->full ? FLUME_PEER_OPEN : FLUME_PEER_ERROR;
        }
        before = p->events;
        p->call.end = position + 1;
    }
    p->waiting[p->waiting_count++] = p->call;
    p->appending = false;
    return FLUME_PEER_OPEN;
}

/* ---- reading */

/* One piece. *go: there may be another. */
static enum flume_peer_state read_piece(struct flume_peer *p, bool *go, struct leat_error *err)
{
    char *into;
    size_t len;

    *go = false;
    p->starved = false;
    if (flume_frames_want(&p->frames, &into, &len, err) != LEAT_OK) {
        p->starved = err->status == LEAT_E_FULL;
        return p->starved ? FLUME_PEER_OPEN : FLUME_PEER_ERROR;
    }
    ssize_t n = flume_channel_read(&p->channel, into, len);
    if (p->channel.no_memory) {
        leat_fail(err, LEAT_E_NOMEM, "out of memory");
        return FLUME_PEER_ERROR;
    }
    if (n == 0)
        return FLUME_PEER_ENDED;
    if (n == FLUME_FAILED)
        return wrong(p, p->channel.why);
    if (n == FLUME_AGAIN)
        return FLUME_PEER_OPEN;
    *go = true;
    return flume_frames_took(&p->frames, (size_t)n, err) == LEAT_OK ? FLUME_PEER_OPEN
                                                                    : wrong(p, err->text);
}

/* What is whole, or half taken. */
static enum flume_peer_state work(struct flume_peer *p, struct flume_shared *s,
                                  struct leat_error *err)
{
    enum flume_peer_state state = FLUME_PEER_OPEN;

    if (!p->appending)
        state = begin_call(p, s, err);
    if (state == FLUME_PEER_OPEN && p->appending)
        state = append_events(p, s, err);
    if (state == FLUME_PEER_OPEN && !p->appending)
        flume_frames_next(&p->frames);
    if (state == FLUME_PEER_ERROR && p->channel.no_memory)
        leat_fail(err, LEAT_E_NOMEM, "out of memory");
    return state;
}

enum flume_peer_state flume_peer_serve(struct flume_peer *p, struct flume_shared *s,
                                       struct leat_error *err)
{
    enum flume_peer_state state = FLUME_PEER_OPEN;
    bool go = true;

    flume_channel_turn(&p->channel);
    p->more = false;
    while (state == FLUME_PEER_OPEN && go && !s->full && flume_peer_readable(p)) {
        if (flume_frames_whole(&p->frames))
            state = work(p, s, err);
        else
            state = read_piece(p, &go, err);
    }
    p->more = go || p->channel.more || p->starved;
    if (state == FLUME_PEER_OPEN && !flume_channel_flush(&p->channel))
        return wrong(p, p->channel.why);
    return state;
}
