/*
 * receiver_store.c - custom receivers, the program's side: made, stored into, told to stop.
 */
#include "receiver.h"

#include "data/value_ops.h"

#include <stdio.h>
#include <string.h>

/* ---- builders */

static bool init_sync(struct leat_receiver *r)
{
    if (pthread_mutex_init(&r->lock, NULL) != 0)
        return false;
    if (pthread_cond_init(&r->changed, NULL) == 0)
        return true;
    pthread_mutex_destroy(&r->lock);
    return false;
}

static void check(struct leat_context *ctx, const char *where, const char *what,
                  const struct leat_receiver_functions *f)
{
    if (!f || !f->on_start || !f->on_stop)
        stream_mistake(ctx, where, LEAT_E_MISUSE, "%s: without an on_start and an on_stop", what);
    else if (f->store && strcmp(f->store, "commit") != 0 && strcmp(f->store, "disk") != 0)
        stream_mistake(ctx, where, LEAT_E_CONFIG,
                       "%s: store is 'commit' or 'disk', and not '%.40s'", what, f->store);
}

/* Lock: held. NULL: it was noted. */
static struct leat_receiver *make(struct leat_context *ctx, const char *where,
                                  const struct leat_receiver_functions *f, void *arg, bool pairs)
{
    struct leat_receiver *r = stream_alloc(ctx, sizeof *r);

    if (!r || ctx->error.status != LEAT_OK)
        return NULL;
    *r = (struct leat_receiver){
        .next = ctx->receivers, .ctx = ctx, .functions = *f, .arg = arg, .pairs = pairs};
    r->functions.store = f->store && strcmp(f->store, "disk") == 0 ? "disk" : "commit";
    r->filling = &r->piles[0];
    for (int i = 0; i < 2; i++)
        r->piles[i].bytes.arena = &r->piles[i].arena;
    if (!init_sync(r)) {
        stream_mistake(ctx, where, LEAT_E_NOMEM, "out of memory");
        return NULL;
    }
    ctx->receivers = r;
    return r;
}

static struct leat_stream *receiver_stream(struct leat_context *ctx,
                                           const struct leat_receiver_functions *functions,
                                           void *arg, bool pairs, const char *where,
                                           const char *what)
{
    if (!ctx)
        return NULL;
    pthread_mutex_lock(&ctx->lock);
    struct leat_stream *in = stream_add(ctx, where, what), *s = stream_add(ctx, where, what);
    check(ctx, where, what, functions);
    struct leat_node *module_node = stream_map(ctx, where),
                     *of = stream_text(ctx, where, "receiver");
    struct leat_receiver *r = make(ctx, where, functions, arg, pairs);
    if (r) {
        of->handed = r;
        stream_put(module_node, "of", of);
        in->source = stream_map(ctx, where);
        stream_put(in->source, "receiver", module_node);
        stream_put(in->source, "store", stream_text(ctx, where, r->functions.store));
        in->receiver = s->receiver = r;
        stream_unpack(s, in, pairs, where);
    }
    pthread_mutex_unlock(&ctx->lock);
    return s;
}

struct leat_stream *leat_receiver_stream_at(struct leat_context *ctx,
                                            const struct leat_receiver_functions *functions,
                                            void *arg, const char *where)
{
    return receiver_stream(ctx, functions, arg, false, where, "leat_receiver_stream");
}

struct leat_stream *leat_receiver_pair_stream_at(struct leat_context *ctx,
                                                 const struct leat_receiver_functions *functions,
                                                 void *arg, const char *where)
{
    return receiver_stream(ctx, functions, arg, true, where, "leat_receiver_pair_stream");
}

/* ---- storing */

/* Values or pairs, the other is NULL. `packed`: all of them, encoded, those that are to come. */
struct elements {
    const struct leat_value *values;
    const struct leat_pair *pairs;
    size_t count;
    struct leat_slice packed;
};

static enum leat_status check_elements(const struct leat_receiver *r, const struct elements *e,
                                       struct leat_error *err)
{
    if (!r || r->pairs == !e->pairs)
        return leat_fail(err, LEAT_E_MISUSE, "this is no receiver %s",
                         e->pairs ? "of pairs" : "of values");
    return stream_check_elements(e->values, e->pairs, e->count, err);
}

/* Lock: held. */
static bool takes(const struct leat_receiver *r)
{
    return r->phase == RECEIVER_ON && r->running && !r->want_stop && !r->want_restart;
}

static enum leat_status refused(struct leat_error *err)
{
    return leat_fail(err, LEAT_E_ABORTED, "the receiver is not started, or stops");
}

static void encode(const struct elements *e, size_t i, struct leat_bytes *into)
{
    if (e->values) {
        leat_value_encode(e->values[i], into);
        return;
    }
    const struct leat_value two[2] = {e->pairs[i].key, e->pairs[i].value};
    leat_value_encode((struct leat_value){.tag = LEAT_LIST, .len = 2, .as.items = two}, into);
}

/* With its length in front; or nothing of it. */
static enum leat_status put_framed(const struct elements *e, size_t i, struct leat_bytes *b,
                                   struct leat_error *err)
{
    size_t before = b->len;

    leat_bytes_put_u32(b, 0);
    encode(e, i, b);
    size_t len = b->len - before - sizeof(uint32_t);
    if (b->failed) {
        b->len = before;
        b->failed = false;
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    }
    if (len > RECEIVER_MOST_BYTES) {
        b->len = before;
        return leat_fail(err, LEAT_E_DATA, "a value of more than %zu KiB",
                         RECEIVER_MOST_BYTES >> 10);
    }
    struct leat_bytes head = {.ptr = b->ptr + before, .room = sizeof(uint32_t)};
    leat_bytes_put_u32(&head, (uint32_t)len);
    return LEAT_OK;
}

/* Lock: held. One more on the pile, which has room. */
static enum leat_status add(struct leat_receiver *r, struct elements *e, size_t i,
                            struct leat_error *err)
{
    struct leat_bytes *b = &r->filling->bytes;
    bool was_empty = b->len == 0;
    struct leat_slice one;

    if (e->packed.ptr) {
        (void)leat_take_slice(&e->packed, &one);
        if (!leat_bytes_reserve(b, one.len + sizeof(uint32_t))) {
            b->failed = false;
            return leat_fail(err, LEAT_E_NOMEM, "out of memory");
        }
        leat_bytes_put_slice(b, one);
    } else if (put_framed(e, i, b, err) != LEAT_OK) {
        return err->status;
    }
    r->stored++;
    if (was_empty)
        receiver_wake(r);
    return LEAT_OK;
}

/* Lock: held. */
static enum leat_status add_all(struct leat_receiver *r, struct elements *e, struct leat_error *err)
{
    for (size_t i = 0; i < e->count; i++) {
        while (r->running && r->filling->bytes.len >= RECEIVER_PILE_BYTES) {
            if (stream_is_within())
                return leat_fail(err, LEAT_E_FULL,
                                 "no room, and a function of the context cannot "
                                 "wait for it");
            pthread_cond_wait(&r->changed, &r->lock);
        }
        if (!r->running)
            return refused(err);
        if (add(r, e, i, err) != LEAT_OK)
            return err->status;
    }
    return LEAT_OK;
}

static enum leat_status store(struct leat_receiver *r, struct elements *e, bool until_safe,
                              int64_t *number, struct leat_error *err)
{
    if (check_elements(r, e, err) != LEAT_OK)
        return err->status;
    pthread_mutex_lock(&r->lock);
    if (!takes(r)) {
        pthread_mutex_unlock(&r->lock);
        return refused(err);
    }
    r->within++;
    enum leat_status status = add_all(r, e, err);
    int64_t upto = r->stored;
    if (status == LEAT_OK && number)
        *number = upto - 1;
    while (until_safe && status == LEAT_OK && r->safe < upto) {
        if (!r->running)
            status = leat_fail(err, LEAT_E_ABORTED,
                               "the receiver stops, and nobody knows whether "
                               "what was stored is safe");
        else
            pthread_cond_wait(&r->changed, &r->lock);
    }
    if (--r->within == 0 && r->phase == RECEIVER_STOPPING) {
        receiver_wake(r);
        pthread_cond_broadcast(&r->changed);
    }
    pthread_mutex_unlock(&r->lock);
    return status;
}

enum leat_status leat_receiver_store(struct leat_receiver *r, struct leat_value value,
                                     int64_t *number, struct leat_error *err)
{
    return store(r, &(struct elements){.values = &value, .count = 1}, false, number, err);
}

enum leat_status leat_receiver_store_pair(struct leat_receiver *r, struct leat_pair pair,
                                          int64_t *number, struct leat_error *err)
{
    return store(r, &(struct elements){.pairs = &pair, .count = 1}, false, number, err);
}

/* Encoded first and without the lock, so that nothing is taken of a block that cannot be. */
static enum leat_status store_block(struct leat_receiver *r, struct elements *e,
                                    struct leat_error *err)
{
    struct leat_arena arena = {0};
    struct leat_bytes bytes = {.arena = &arena};
    enum leat_status status = LEAT_OK;

    if (stream_is_within())
        return leat_fail(err, LEAT_E_MISUSE,
                         "a function of the context cannot wait for what it "
                         "stores; leat_receiver_store() does not");
    if (check_elements(r, e, err) != LEAT_OK)
        return err->status;
    for (size_t i = 0; i < e->count && status == LEAT_OK; i++)
        status = put_framed(e, i, &bytes, err);
    e->packed = leat_bytes_slice(&bytes);
    if (status == LEAT_OK)
        status = store(r, e, true, NULL, err);
    leat_arena_reset(&arena);
    return status;
}

enum leat_status leat_receiver_store_block(struct leat_receiver *r, const struct leat_value *values,
                                           size_t count, struct leat_error *err)
{
    static const struct leat_value none;

    if (!values && count)
        return leat_fail(err, LEAT_E_MISUSE, "%zu values, but none are given", count);
    return store_block(r, &(struct elements){.values = values ? values : &none, .count = count},
                       err);
}

enum leat_status leat_receiver_store_pair_block(struct leat_receiver *r,
                                                const struct leat_pair *pairs, size_t count,
                                                struct leat_error *err)
{
    static const struct leat_pair none;

    if (!pairs && count)
        return leat_fail(err, LEAT_E_MISUSE, "%zu pairs, but none are given", count);
    return store_block(r, &(struct elements){.pairs = pairs ? pairs : &none, .count = count}, err);
}

/* ---- asking */

/* Lock: held. */
static void tell(struct leat_receiver *r, const char *what, const char *why)
{
    if (r->env)
        leat_warn(r->env->log, "%s%s%.300s", what, why ? ": " : "", why ? why : "");
}

void leat_receiver_report_error(struct leat_receiver *r, const char *why)
{
    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    if (r->env)
        stream_tell(r->ctx, LEAT_WATCH_FAILED, r->name, why);
    tell(r, "the receiver reports an error", why);
    pthread_mutex_unlock(&r->lock);
}

void leat_receiver_restart(struct leat_receiver *r, const char *why, int64_t delay_ms)
{
    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    if (r->phase == RECEIVER_ON && !r->want_stop && !r->want_restart) {
        tell(r, "the receiver is started again", why);
        stream_tell(r->ctx, LEAT_WATCH_FAILED, r->name, why);
        r->want_restart = true;
        r->delay_ms = delay_ms > 0 ? delay_ms : 0;
        receiver_wake(r);
    }
    pthread_mutex_unlock(&r->lock);
}

void leat_receiver_stop(struct leat_receiver *r, const char *why)
{
    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    if (!r->want_stop) {
        tell(r, "the receiver stops", why);
        r->want_stop = true;
        snprintf(r->why, sizeof r->why, "%s", why ? why : "");
        receiver_wake(r);
    }
    pthread_mutex_unlock(&r->lock);
}

bool leat_receiver_is_stopped(struct leat_receiver *r)
{
    if (!r)
        return true;
    pthread_mutex_lock(&r->lock);
    bool stopped = !takes(r);
    pthread_mutex_unlock(&r->lock);
    return stopped;
}

/* ---- for the context */

void stream_receiver_wanted(struct leat_receiver *r)
{
    r->reads = true;
}

void stream_receiver_named(struct leat_receiver *r, const char *name, const char *source)
{
    r->name = name;
    r->source = source;
}

struct leat_receiver *stream_receiver_of(const struct leat_context *ctx, const char *source)
{
    struct leat_receiver *r = ctx->receivers;

    while (r && (!r->reads || strcmp(r->source, source) != 0))
        r = r->next;
    return r;
}

enum leat_status stream_receivers_check(const struct leat_context *ctx, struct leat_error *err)
{
    for (const struct leat_receiver *r = ctx->receivers; r && !ctx->keeps; r = r->next)
        if (strcmp(r->functions.store, "disk") == 0)
            return leat_fail(err, LEAT_E_CONFIG,
                             "a receiver that stores on disk needs a directory that lasts: add "
                             "leat_checkpoint()");
    return LEAT_OK;
}

void stream_receivers_end(struct leat_context *ctx)
{
    for (struct leat_receiver *r = ctx->receivers; r; r = r->next) {
        pthread_mutex_lock(&r->lock);
        r->want_stop = true;
        receiver_wake(r);
        pthread_mutex_unlock(&r->lock);
    }
}

bool stream_receivers_are_drained(const struct leat_context *ctx)
{
    for (struct leat_receiver *r = ctx->receivers; r; r = r->next) {
        pthread_mutex_lock(&r->lock);
        bool drained = !r->reads || r->is_drained ||
                       (!r->running && r->phase == RECEIVER_OFF && receiver_is_worked_off(r));
        pthread_mutex_unlock(&r->lock);
        if (!drained)
            return false;
    }
    return true;
}

void stream_receivers_free(struct leat_context *ctx)
{
    for (struct leat_receiver *r = ctx->receivers; r; r = r->next) {
        for (int i = 0; i < 2; i++)
            leat_arena_reset(&r->piles[i].arena);
        pthread_cond_destroy(&r->changed);
        pthread_mutex_destroy(&r->lock);
    }
}
