/*
 * group_combine.c - stage 1 of keyed operators: one partial result per key and pane of a task.
 *
 * Runs in the task before the exchange. Keys that are text or whole numbers are looked up as they
 * are; their canonical bytes are made once, with the entry. Rows go through in runs of 64: hash all
 * and ask for the slots, find the entries, then add the rows to their partial results in one call.
 * Nothing is allocated per row, only per new key.
 *
 * Thread: the worker of the task.
 */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "op/group_in.h"
#include "op/late.h"
#include "op/session.h"

#include <math.h>

#define RUN 64

/* What checks every byte that is read sees no page. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CAN_READ_16(p) false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) ||                         \
    __has_feature(thread_sanitizer)
#define CAN_READ_16(p) false
#endif
#endif
#ifndef CAN_READ_16
#define CAN_READ_16(p) (((uintptr_t)(p)&4095) <= 4096 - 16)
#endif

struct combine {
    struct leat_pool pool;
    struct leat_work work;
    struct leat_table table; /* time of the newest row, then the partial result */
    struct leat_windows windows;
    struct leat_sessions sessions;
    struct leat_bytes key; /* of a key that is neither text nor a number */

    /* Of the rows that came last. */
    bool pane_known, pane_inside, pane_late;
    bool one_pane; /* the chunk under way lies in it as a whole */
    int64_t pane_start_ms, pane_end_ms;
};

/* A text of up to 16 bytes, zeros behind it. */
struct words {
    uint64_t low, high;
};

/* Rows on their way to their partial results. */
struct run {
    uint32_t count;
    uint16_t rows[RUN];
    struct leat_value keys[RUN];
    struct words words[RUN]; /* of keys that are short texts */
    uint64_t hashes[RUN];
    int64_t tags[RUN];
    void *partials[RUN];
};

static void reset_scratch(void *arg)
{
    leat_arena_reset(arg);
}

static enum leat_status begin(const struct leat_group_in *in, struct combine *c,
                              struct leat_task *task, struct leat_error *err)
{
    const struct leat_group *g = in->group;

    c->work.task = task;
    if (c->pool.arena)
        return LEAT_OK;
    c->work.scratch = leat_arena_alloc(task->arena, sizeof *c->work.scratch);
    if (!c->work.scratch || !leat_arena_on_reset(task->arena, reset_scratch, c->work.scratch))
        return leat_arena_failed(task->arena, err);
    c->work.scratch->cap = task->arena->cap;
    c->pool.arena = c->key.arena = task->arena;
    c->work.pool = &c->pool;
    c->table.pool = &c->pool;
    c->table.value_size = sizeof(int64_t) + g->partial_size;
    leat_windows_init(&c->windows, &c->pool);
    leat_sessions_init(g, &c->sessions, &c->pool);
    return LEAT_OK;
}

/* ---- keys */

static bool is_plain(uint8_t tag)
{
    return tag < LEAT_LIST;
}

/* What cannot be a key becomes an error of its row. */
static enum leat_status check_keys(struct combine *c, struct leat_chunk *chunk, uint32_t column,
                                   struct leat_slice what, struct leat_error *err)
{
    struct leat_value *keys = chunk->columns[column];
    bool bad = false;

    for (uint32_t i = 0; i < chunk->selected; i++) {
        struct leat_value *v = &keys[chunk->selection[i]];
        if (is_plain(v->tag))
            continue;
        c->key.len = 0;
        bad = bad || v->tag == LEAT_ERROR;
        if (v->tag == LEAT_ERROR || leat_key_encode(*v, &c->key, err) == LEAT_OK)
            continue;
        if (err->status != LEAT_E_DATA)
            return err->status;
        *v = leat_value_fail(LEAT_V_TYPE, v->tag == LEAT_RECORD || v->tag == LEAT_MAP
                                              ? "a whole object cannot be a key; name fields"
                                              : "a value of this type cannot be a key");
        bad = true;
    }
    return bad ? leat_sweep_errors(c->work.task, chunk, column, what, err) : LEAT_OK;
}

/* The column with the keys of all selected rows; LEAT_NO_COLUMN: there is no key. */
static enum leat_status key_column(const struct leat_group_in *in, struct combine *c,
                                   struct leat_chunk *chunk, uint32_t *column,
                                   struct leat_error *err)
{
    *column = LEAT_NO_COLUMN;
    if (!in->group->keyed)
        return LEAT_OK;
    *column = in->key_column;
    if (in->key_value)
        *column = leat_assemble(in->key_value, chunk);
    else if (in->key_expr.program)
        *column = leat_expr_eval(&in->key_expr, c->work.task, chunk, in->eval_column);
    if (*column == LEAT_NO_COLUMN)
        return leat_arena_failed(chunk->arena, err);
    return check_keys(c, chunk, *column, in->key_text, err);
}

/* Numbers that are the same key become the same value; see data/key.h. */
static struct leat_value plain_key(struct leat_value v)
{
    if (v.tag == LEAT_UINT && v.as.u <= INT64_MAX)
        v.tag = LEAT_INT;
    if (v.tag == LEAT_DOUBLE && v.as.d == floor(v.as.d) && v.as.d >= -9223372036854775808.0 &&
        v.as.d < 9223372036854775808.0)
        v = leat_int((int64_t)v.as.d);
    return v;
}

/* Words of a language have all lengths, so a branch per length would be guessed wrong every other
 * time: 16 bytes are read, where they end in the same page, and what is too much is masked. */
static inline struct words words_of(const char *text, size_t len)
{
    static const unsigned char ones[32] = {255, 255, 255, 255, 255, 255, 255, 255,
                                           255, 255, 255, 255, 255, 255, 255, 255};
    struct words w = {0}, mask;

    if (!CAN_READ_16(text)) {
        if (len)
            memcpy(&w, text, len);
        return w;
    }
    memcpy(&w, text, sizeof w);
    memcpy(&mask, ones + 16 - len, sizeof mask);
    return (struct words){w.low & mask.low, w.high & mask.high};
}

static inline bool is_short(const struct leat_value *v)
{
    return v->tag == LEAT_STRING && v->len <= sizeof(struct words);
}

/* Both halves of a product that depends on every bit; the length tells zeros from nothing. */
static inline uint64_t hash_words(struct words w, uint32_t len)
{
    __uint128_t p = (__uint128_t)(w.low ^ UINT64_C(0xa0761d6478bd642f)) *
                    (w.high ^ len ^ UINT64_C(0xe7037ed1a0b428db));
    uint64_t mixed = (uint64_t)p ^ (uint64_t)(p >> 64);

    return (mixed ^ w.low) * UINT64_C(0x9e3779b97f4a7c15);
}

/* By what stands in the value; only for this table, so it may differ from leat_key_hash(). */
static enum leat_status hash_key(struct combine *c, struct leat_value *v, struct words *words,
                                 uint64_t *hash, struct leat_error *err)
{
    if (is_short(v)) {
        *words = words_of(v->as.text, v->len);
        *hash = hash_words(*words, v->len);
        return LEAT_OK;
    }
    *v = plain_key(*v);
    if (v->tag == LEAT_STRING) {
        *hash = XXH3_64bits(v->as.text, v->len);
    } else if (v->tag == LEAT_NULL) {
        *hash = 0;
    } else if (v->tag == LEAT_INT) {
        *hash = ((uint64_t)v->as.i ^ (uint64_t)v->as.i >> 32) * UINT64_C(0x9e3779b97f4a7c15);
        *hash ^= *hash >> 29;
        *hash *= UINT64_C(0xbf58476d1ce4e5b9);
    } else {
        c->key.len = 0;
        if (leat_key_encode(*v, &c->key, err) != LEAT_OK)
            return err->status;
        *hash = XXH3_64bits(c->key.ptr, c->key.len);
    }
    return LEAT_OK;
}

/* Key bytes: tag, u32 length, text; or tag, i64. */
static inline bool same_key(const struct leat_entry *e, const struct leat_value *v,
                            const struct words *words, const struct leat_bytes *other)
{
    const char *key = e->key.ptr;

    if (v->tag == LEAT_STRING) {
        if (key[0] != LEAT_STRING || e->key.len != (size_t)v->len + 5)
            return false;
        if (!is_short(v))
            return memcmp(key + 5, v->as.text, v->len) == 0;
        struct words w = words_of(key + 5, v->len);
        return ((w.low ^ words->low) | (w.high ^ words->high)) == 0;
    }
    if (v->tag == LEAT_INT)
        return key[0] == LEAT_INT && e->key.len == 9 && memcmp(key + 1, &v->as.i, 8) == 0;
    return v->tag == LEAT_NULL ? key[0] == LEAT_NULL
                               : leat_slice_eq(e->key, leat_bytes_slice(other));
}

static struct leat_entry *add_key(struct combine *c, const struct leat_value *v, uint64_t hash,
                                  int64_t tag, struct leat_error *err)
{
    struct leat_slice text = {0};

    if (v->tag == LEAT_STRING) {
        uint8_t head[5] = {LEAT_STRING, (uint8_t)v->len, (uint8_t)(v->len >> 8),
                           (uint8_t)(v->len >> 16), (uint8_t)(v->len >> 24)};
        text = leat_value_text(*v);
        return leat_table_add(&c->table, hash, tag, (struct leat_slice){(char *)head, 5}, text);
    }
    c->key.len = 0;
    if (leat_key_encode(*v, &c->key, err) != LEAT_OK)
        return NULL;
    return leat_table_add(&c->table, hash, tag, leat_bytes_slice(&c->key), text);
}

static struct leat_entry *find_key(const struct combine *c, const struct leat_value *v,
                                   const struct words *words, uint64_t hash, int64_t tag)
{
    const struct leat_table *t = &c->table;

    if (t->count == 0)
        return NULL;
    size_t mask = ((size_t)1 << t->bits) - 1;
    for (size_t i = leat_table_home(t, hash); t->slots[i].entry; i = (i + 1) & mask) {
        struct leat_entry *e = t->slots[i].entry;
        if (t->slots[i].hash == hash && e->tag == tag && same_key(e, v, words, &c->key))
            return e;
    }
    return NULL;
}

/* ---- time */

static int64_t time_of(const struct leat_group_in *in, const struct combine *c,
                       const struct leat_chunk *chunk, uint16_t row)
{
    const struct leat_batch *batch = c->work.task->batch;

    /* In batch time rows carry a time of their own only behind a window. */
    return in->own_time ? chunk->times_ms[row] : batch->time_ms - batch->interval_ms;
}

static void find_pane(const struct leat_group *g, struct combine *c, int64_t time_ms)
{
    int64_t late_ms = c->work.task->watermark_before_ms;

    if (c->pane_known && time_ms >= c->pane_start_ms && time_ms < c->pane_end_ms)
        return;
    c->pane_known = true;
    c->pane_inside = leat_grid_pane(&g->grid, time_ms, &c->pane_start_ms, &c->pane_end_ms);
    c->pane_late = g->event_time && c->pane_inside && late_ms != LEAT_NO_TIME &&
                   leat_grid_last_end(&g->grid, c->pane_start_ms) <= late_ms;
}

/* Mostly a chunk lies in one pane, which is asked for once. */
static bool lies_in_one_pane(const struct leat_group_in *in, struct combine *c,
                             const struct leat_chunk *chunk)
{
    bool inside = true;

    if (in->group->over != LEAT_OVER_PANES || chunk->selected == 0)
        return false;
    find_pane(in->group, c, time_of(in, c, chunk, chunk->selection[0]));
    if (!c->pane_inside || c->pane_late || !in->own_time)
        return c->pane_inside && !c->pane_late;
    uint64_t length = (uint64_t)c->pane_end_ms - (uint64_t)c->pane_start_ms;
    for (uint32_t i = 0; i < chunk->selected; i++)
        inside &=
            (uint64_t)chunk->times_ms[chunk->selection[i]] - (uint64_t)c->pane_start_ms < length;
    return inside;
}

/* Has everything that the row could be part of, or meet, come out? */
static bool is_late(const struct leat_group *g, struct combine *c, int64_t time_ms)
{
    int64_t before_ms = c->work.task->watermark_before_ms;

    if (g->over == LEAT_OVER_PANES) {
        find_pane(g, c, time_ms);
        return c->pane_late;
    }
    if (!g->event_time || before_ms == LEAT_NO_TIME)
        return false;
    return g->over == LEAT_OVER_SESSION ? time_ms + g->gap_ms <= before_ms
                                        : time_ms + g->within_ms < before_ms;
}

/* Take out rows that no window wants any more. */
static enum leat_status sift(const struct leat_group_in *in, struct combine *c,
                             struct leat_chunk *chunk, struct leat_error *err)
{
    const struct leat_group *g = in->group;
    struct leat_late late = {0};

    c->one_pane = lies_in_one_pane(in, c, chunk);
    if (c->one_pane || (g->over == LEAT_OVER_BATCH && !(g->beyond && g->beyond->late)))
        return LEAT_OK;
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint16_t row = chunk->selection[i];
        if (is_late(g, c, time_of(in, c, chunk, row)))
            late.rows[late.count++] = row;
        else if (g->over != LEAT_OVER_PANES || c->pane_inside)
            late.kept[late.kept_count++] = row;
    }
    return leat_late_out(&late, c->work.task, chunk, err);
}

/* ---- rows */

static enum leat_status tag_run(const struct leat_group_in *in, struct combine *c,
                                const struct leat_chunk *chunk, struct run *run,
                                struct leat_error *err)
{
    const struct leat_group *g = in->group;

    for (uint32_t i = 0; i < run->count; i++) {
        uint16_t row = run->rows[i];
        run->tags[i] = 0;
        if (g->over == LEAT_OVER_PANES) {
            if (!c->one_pane)
                find_pane(g, c, time_of(in, c, chunk, row));
            run->tags[i] = c->pane_start_ms;
        } else if (g->windowed_in) {
            const struct leat_window *window = leat_windows_at(&c->windows, &chunk->windows[row]);
            if (!window)
                return leat_arena_failed(c->pool.arena, err);
            run->tags[i] = leat_window_tag(window);
        }
    }
    return LEAT_OK;
}

static enum leat_status hash_run(struct combine *c, const struct leat_chunk *chunk, uint32_t column,
                                 struct run *run, struct leat_error *err)
{
    for (uint32_t i = 0; i < run->count; i++) {
        uint64_t hash = 0;
        run->keys[i] = (struct leat_value){0};
        if (column != LEAT_NO_COLUMN)
            run->keys[i] = chunk->columns[column][run->rows[i]];
        if (hash_key(c, &run->keys[i], &run->words[i], &hash, err) != LEAT_OK)
            return err->status;
        run->hashes[i] = leat_table_hash(hash, run->tags[i]);
        if (c->table.slots)
            __builtin_prefetch(&c->table.slots[leat_table_home(&c->table, run->hashes[i])]);
    }
    return LEAT_OK;
}

static void prefetch_entries(const struct combine *c, const struct run *run)
{
    for (uint32_t i = 0; c->table.slots && i < run->count; i++)
        __builtin_prefetch(c->table.slots[leat_table_home(&c->table, run->hashes[i])].entry);
}

static enum leat_status find_run(const struct leat_group_in *in, struct combine *c,
                                 const struct leat_chunk *chunk, struct run *run,
                                 struct leat_error *err)
{
    bool timed = in->group->over == LEAT_OVER_BATCH && in->group->event_time;

    for (uint32_t i = 0; i < run->count; i++) {
        const struct leat_value *v = &run->keys[i];
        if (v->tag != LEAT_STRING && v->tag != LEAT_INT && v->tag != LEAT_NULL) {
            c->key.len = 0;
            if (leat_key_encode(*v, &c->key, err) != LEAT_OK)
                return err->status;
        }
        struct leat_entry *e = find_key(c, v, &run->words[i], run->hashes[i], run->tags[i]);
        bool made = !e;
        if (!e)
            e = add_key(c, v, run->hashes[i], run->tags[i], err);
        if (!e)
            return leat_arena_failed(c->pool.arena, err);
        run->partials[i] = e->memory + 1;
        int64_t *time_ms = (int64_t *)e->memory;
        if (made || (timed && *time_ms < chunk->times_ms[run->rows[i]]))
            *time_ms = chunk->times_ms[run->rows[i]];
    }
    return LEAT_OK;
}

static enum leat_status add_rows(const struct leat_group_in *in, struct combine *c,
                                 struct leat_chunk *chunk, uint32_t column, struct leat_error *err)
{
    struct run run;

    for (uint32_t at = 0; at < chunk->selected; at += run.count) {
        run.count = chunk->selected - at < RUN ? chunk->selected - at : RUN;
        memcpy(run.rows, chunk->selection + at, run.count * sizeof *run.rows);
        if (tag_run(in, c, chunk, &run, err) != LEAT_OK ||
            hash_run(c, chunk, column, &run, err) != LEAT_OK)
            return err->status;
        prefetch_entries(c, &run);
        if (find_run(in, c, chunk, &run, err) != LEAT_OK ||
            in->group->agg->add(in, &c->work, chunk, run.rows, run.partials, run.count, err))
            return err->status;
    }
    return LEAT_OK;
}

/* One by one: a row may make two sessions one, and partial results move. */
static enum leat_status add_to_sessions(const struct leat_group_in *in, struct combine *c,
                                        const struct leat_chunk *chunk, uint32_t column,
                                        struct leat_error *err)
{
    const struct leat_group *g = in->group;

    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint16_t row = chunk->selection[i];
        int64_t time_ms = time_of(in, c, chunk, row);
        struct leat_slice key = LEAT_NO_KEY;
        if (column != LEAT_NO_COLUMN) {
            c->key.len = 0;
            if (leat_key_encode(chunk->columns[column][row], &c->key, err) != LEAT_OK)
                return err->status;
            key = leat_bytes_slice(&c->key);
        }
        void *partial;
        if (leat_sessions_at(g, &c->sessions, &c->work, key, time_ms, time_ms, &partial, err) ||
            g->agg->add(in, &c->work, chunk, &row, &partial, 1, err) != LEAT_OK)
            return err->status;
    }
    return LEAT_OK;
}

static enum leat_status combine_process(const void *plan, void *memory, struct leat_task *task,
                                        struct leat_chunk *chunk, struct leat_error *err)
{
    const struct leat_group_in *in = plan;
    const struct leat_aggregator *agg = in->group->agg;
    struct combine *c = memory;
    uint32_t column;

    if (begin(in, c, task, err) != LEAT_OK || sift(in, c, chunk, err) != LEAT_OK ||
        (agg->prepare && agg->prepare(in, &c->work, chunk, err) != LEAT_OK) ||
        key_column(in, c, chunk, &column, err) != LEAT_OK)
        return err->status;
    enum leat_status status = in->group->over == LEAT_OVER_SESSION
                                  ? add_to_sessions(in, c, chunk, column, err)
                                  : add_rows(in, c, chunk, column, err);
    c->work.order += chunk->rows;
    leat_work_tidy(&c->work);
    return status;
}

/* ---- on to the exchange */

/* Values are written one behind the other and become slices when nothing moves any more. */
static enum leat_status push(struct leat_task *task, struct leat_bytes *bytes,
                             struct leat_error *err)
{
    const char *at = bytes->ptr;

    if (bytes->failed)
        return leat_arena_failed(task->arena, err);
    for (uint32_t i = 0; i < task->out->rows; i++) {
        task->out->values[i].ptr = at;
        at += task->out->values[i].len;
    }
    bytes->len = 0;
    return leat_out_flush(task, err);
}

static enum leat_status send(const struct leat_group *g, struct leat_work *w,
                             struct leat_bytes *bytes, struct leat_slice key, int64_t time_ms,
                             size_t from, const void *partial, struct leat_error *err)
{
    struct leat_chunk *out = w->task->out;

    g->agg->encode(g, partial, bytes);
    leat_chunk_add(out, &(struct leat_row){
                            .key = key, .value = {NULL, bytes->len - from}, .time_ms = time_ms});
    return out->rows == LEAT_CHUNK_ROWS ? push(w->task, bytes, err) : LEAT_OK;
}

static enum leat_status send_table(const struct leat_group *g, struct combine *c,
                                   struct leat_bytes *bytes, struct leat_error *err)
{
    for (struct leat_entry *e = c->table.first; e; e = e->next) {
        size_t from = bytes->len;
        int64_t time_ms = g->over == LEAT_OVER_PANES ? e->tag : *(int64_t *)e->memory;
        if (g->over == LEAT_OVER_BATCH && g->windowed_in)
            leat_window_put(bytes, (const struct leat_window *)(intptr_t)e->tag);
        if (send(g, &c->work, bytes, e->key, time_ms, from, e->memory + 1, err) != LEAT_OK)
            return err->status;
    }
    return LEAT_OK;
}

static enum leat_status send_sessions(const struct leat_group *g, struct combine *c,
                                      struct leat_bytes *bytes, struct leat_error *err)
{
    for (struct leat_entry *e = c->sessions.keys.first; e; e = e->next)
        for (struct leat_session *s = leat_sessions_of(e); s; s = s->next) {
            size_t from = bytes->len;
            leat_bytes_put_u64(bytes, (uint64_t)s->last.at_ms);
            if (send(g, &c->work, bytes, e->key, s->first_ms, from, s->partial, err) != LEAT_OK)
                return err->status;
        }
    return LEAT_OK;
}

static enum leat_status combine_finish(const void *plan, void *memory, struct leat_task *task,
                                       struct leat_error *err)
{
    const struct leat_group_in *in = plan;
    const struct leat_group *g = in->group;
    struct combine *c = memory;
    struct leat_bytes bytes = {.arena = task->arena};

    if (!c->pool.arena)
        return LEAT_OK;
    c->work.task = task;
    leat_out_clear(task);
    enum leat_status status = g->over == LEAT_OVER_SESSION ? send_sessions(g, c, &bytes, err)
                                                           : send_table(g, c, &bytes, err);
    if (status == LEAT_OK)
        status = push(task, &bytes, err);
    leat_arena_reset(c->work.scratch);
    return status;
}

const struct leat_op leat_group_combiner = {
    .scope = LEAT_SCOPE_PARTITION,
    .task_size = sizeof(struct combine),
    .makes_rows = true,
    .process = combine_process,
    .finish = combine_finish,
};
