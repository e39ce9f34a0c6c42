#include "group_run.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>

uint64_t test_merges;

/* ---- aggregators over an int */

struct partial {
    int64_t count, sum, max;
    uint64_t order, power; /* hash of the values in order; 31^count */
};

struct list { /* test_list, in the place of a partial */
    int64_t count;
    int64_t *items;
    uint64_t room;
};

_Static_assert(sizeof(struct partial) == TEST_PARTIAL_SIZE, "as the header says");

static enum leat_status add(const struct leat_group_in *in, struct leat_work *w,
                            const struct leat_chunk *chunk, const uint16_t *rows,
                            void *const *partials, uint32_t count, struct leat_error *err)
{
    (void)in, (void)w, (void)err;
    for (uint32_t i = 0; i < count; i++) {
        struct partial *p = partials[i];
        int64_t v = chunk->columns[LEAT_COL_THIS][rows[i]].as.i;
        p->max = p->count == 0 || v > p->max ? v : p->max;
        p->power = p->count == 0 ? 31 : p->power * 31;
        p->order = p->order * 31 + (uint64_t)v;
        p->sum += v;
        p->count++;
    }
    return LEAT_OK;
}

static enum leat_status merge(const struct leat_group *g, struct leat_work *w, void *into,
                              const void *from, struct leat_error *err)
{
    struct partial *a = into;
    const struct partial *b = from;

    (void)g, (void)w, (void)err;
    test_merges++;
    if (b->count == 0)
        return LEAT_OK;
    if (a->count == 0) {
        *a = *b;
        return LEAT_OK;
    }
    a->max = b->max > a->max ? b->max : a->max;
    a->order = a->order * b->power + b->order;
    a->power *= b->power;
    a->sum += b->sum;
    a->count += b->count;
    return LEAT_OK;
}

static enum leat_status inverse(const struct leat_group *g, struct leat_work *w, void *into,
                                const void *from, struct leat_error *err)
{
    struct partial *a = into;
    const struct partial *b = from;

    (void)g, (void)w, (void)err;
    test_merges++;
    a->sum -= b->sum;
    a->count -= b->count;
    return LEAT_OK;
}

static void encode(const struct leat_group *g, const void *partial, struct leat_bytes *into)
{
    (void)g;
    leat_bytes_put(into, partial, sizeof(struct partial));
}

static enum leat_status decode(const struct leat_group *g, struct leat_work *w,
                               struct leat_slice *from, void *partial, struct leat_error *err)
{
    (void)g, (void)w;
    return leat_take(from, partial, sizeof(struct partial))
               ? LEAT_OK
               : leat_fail(err, LEAT_E_CORRUPT, "short partial result");
}

static enum leat_status put_row(const struct leat_group *g, struct leat_work *w,
                                const struct leat_result *r, int64_t value, int64_t count,
                                struct leat_error *err)
{
    uint32_t row;

    test_merges++;
    if (leat_group_row(g, w, r, &row, err) != LEAT_OK)
        return err->status;
    w->task->out->columns[LEAT_COL_THIS][row] = leat_int(value);
    w->task->out->positions[row] = count;
    return LEAT_OK;
}

#define EMIT(name, member)                                                                         \
    static enum leat_status emit_##name(const struct leat_group *g, struct leat_work *w,           \
                                        const struct leat_result *r, const void *partial,          \
                                        struct leat_error *err)                                    \
    {                                                                                              \
        const struct partial *p = partial;                                                         \
        return put_row(g, w, r, (int64_t)p->member, p->count, err);                                \
    }

EMIT(sum, sum)
EMIT(max, max)
EMIT(order, order)

bool test_stays_no_longer;

static bool stays(const struct leat_group *g, struct leat_work *w, struct leat_slice key,
                  const void *partial)
{
    (void)g, (void)w, (void)key, (void)partial;
    return !test_stays_no_longer;
}

#define SAME .add = add, .merge = merge, .encode = encode, .decode = decode
const struct leat_aggregator test_sum = {.keep = LEAT_KEEP_MERGED, .emit = emit_sum, SAME};
const struct leat_aggregator test_max = {.keep = LEAT_KEEP_MERGED, .emit = emit_max, SAME};
const struct leat_aggregator test_order = {.keep = LEAT_KEEP_MERGED, .emit = emit_order, SAME};
const struct leat_aggregator test_sum_running = {
    .keep = LEAT_KEEP_RUNNING, .drifts = true, .emit = emit_sum, .inverse = inverse, SAME};
const struct leat_aggregator test_sum_stays = {
    .keep = LEAT_KEEP_RUNNING, .emit = emit_sum, .inverse = inverse, .stays = stays, SAME};

/* A list owns memory; its result is a hash of its items. */
static enum leat_status list_put(struct leat_work *w, struct list *l, int64_t v,
                                 struct leat_error *err)
{
    if ((uint64_t)l->count == l->room) {
        uint64_t room = l->room ? l->room * 2 : 4;
        int64_t *items = leat_pool_alloc(w->pool, room * sizeof *items);
        if (!items)
            return leat_arena_failed(w->pool->arena, err);
        if (l->count)
            memcpy(items, l->items, (size_t)l->count * sizeof *items);
        leat_pool_free(w->pool, l->items, l->room * sizeof *items);
        l->items = items;
        l->room = room;
    }
    l->items[l->count++] = v;
    return LEAT_OK;
}

static enum leat_status list_add(const struct leat_group_in *in, struct leat_work *w,
                                 const struct leat_chunk *chunk, const uint16_t *rows,
                                 void *const *partials, uint32_t count, struct leat_error *err)
{
    (void)in;
    for (uint32_t i = 0; i < count; i++)
        if (list_put(w, partials[i], chunk->columns[LEAT_COL_THIS][rows[i]].as.i, err) != LEAT_OK)
            return err->status;
    return LEAT_OK;
}

static enum leat_status list_merge(const struct leat_group *g, struct leat_work *w, void *into,
                                   const void *from, struct leat_error *err)
{
    const struct list *l = from;

    (void)g;
    for (int64_t i = 0; i < l->count; i++)
        if (list_put(w, into, l->items[i], err) != LEAT_OK)
            return err->status;
    return LEAT_OK;
}

static void list_release(const struct leat_group *g, struct leat_work *w, void *partial)
{
    struct list *l = partial;

    (void)g;
    leat_pool_free(w->pool, l->items, l->room * sizeof *l->items);
    *l = (struct list){0};
}

static void list_encode(const struct leat_group *g, const void *partial, struct leat_bytes *into)
{
    const struct list *l = partial;

    (void)g;
    leat_bytes_put_u64(into, (uint64_t)l->count);
    for (int64_t i = 0; i < l->count; i++)
        leat_bytes_put_u64(into, (uint64_t)l->items[i]);
}

static enum leat_status list_decode(const struct leat_group *g, struct leat_work *w,
                                    struct leat_slice *from, void *partial, struct leat_error *err)
{
    uint64_t count, v;

    (void)g;
    if (!leat_take_u64(from, &count))
        return leat_fail(err, LEAT_E_CORRUPT, "short list");
    for (; count > 0; count--)
        if (!leat_take_u64(from, &v))
            return leat_fail(err, LEAT_E_CORRUPT, "short list");
        else if (list_put(w, partial, (int64_t)v, err) != LEAT_OK)
            return err->status;
    return LEAT_OK;
}

static enum leat_status list_emit(const struct leat_group *g, struct leat_work *w,
                                  const struct leat_result *r, const void *partial,
                                  struct leat_error *err)
{
    const struct list *l = partial;
    uint64_t hash = 0;

    for (int64_t i = 0; i < l->count; i++)
        hash = hash * 31 + (uint64_t)l->items[i];
    return put_row(g, w, r, (int64_t)hash, l->count, err);
}

const struct leat_aggregator test_list = {
    .keep = LEAT_KEEP_PANES,
    .add = list_add,
    .merge = list_merge,
    .release = list_release,
    .encode = list_encode,
    .decode = list_decode,
    .emit = list_emit,
};

/* ---- what crosses the exchange */

struct leat_frame {
    struct leat_frame *next;
    struct leat_row row;
    char bytes[];
};

static void keep_frame(struct group_run *run, const struct leat_chunk *c, uint16_t i)
{
    size_t len = c->keys[i].len + c->values[i].len;
    struct leat_frame *f = malloc(sizeof *f + len);

    memcpy(f->bytes, c->keys[i].ptr, c->keys[i].len);
    if (c->values[i].len)
        memcpy(f->bytes + c->keys[i].len, c->values[i].ptr, c->values[i].len);
    f->next = NULL;
    f->row = (struct leat_row){.key = {f->bytes, c->keys[i].len},
                               .value = {f->bytes + c->keys[i].len, c->values[i].len},
                               .time_ms = c->times_ms[i]};
    *run->frames_last = f;
    run->frames_last = &f->next;
}

static void keep_result(struct group_run *run, const struct leat_chunk *c, uint16_t i)
{
    struct group_result *r;

    if (run->results_count == run->results_room) {
        run->results_room = run->results_room * 2 + 64;
        run->results = realloc(run->results, run->results_room * sizeof *run->results);
    }
    r = &run->results[run->results_count++];
    *r = (struct group_result){.time_ms = c->times_ms[i],
                               .value = c->columns[LEAT_COL_THIS][i].as.i,
                               .count = c->positions[i],
                               .batch = run->batch.n};
    if (c->windows && run->group.windows_out)
        r->window = c->windows[i];
    struct leat_value key = c->columns[LEAT_COL_KEY][i];
    if (key.tag == LEAT_STRING)
        snprintf(r->key, sizeof r->key, "%.*s", LEAT_FMT(leat_value_text(key)));
    else if (key.tag == LEAT_INT)
        snprintf(r->key, sizeof r->key, "%" PRId64, key.as.i);
    else
        snprintf(r->key, sizeof r->key, "%s", leat_tag_name(key.tag));
}

static enum leat_status push(struct leat_next *next, struct leat_chunk *chunk,
                             struct leat_error *err)
{
    struct group_run *run =
        (struct group_run *)(void *)((char *)next - offsetof(struct group_run, next));

    (void)err;
    for (uint32_t i = 0; i < chunk->selected; i++)
        if (run->collecting)
            keep_result(run, chunk, chunk->selection[i]);
        else
            keep_frame(run, chunk, chunk->selection[i]);
    leat_arena_reset(&run->out_arena);
    return LEAT_OK;
}

static enum leat_status push_late(struct leat_next *next, struct leat_chunk *chunk,
                                  struct leat_error *err)
{
    struct group_run *run =
        (struct group_run *)(void *)((char *)next - offsetof(struct group_run, late));

    (void)err;
    run->late_rows += chunk->selected;
    return LEAT_OK;
}

void group_run_open_plain(struct group_run *run, bool *ok)
{
    struct leat_error err;

    run->watermark_ms = LEAT_NO_TIME;
    run->in.group = &run->group;
    run->in.own_time = run->group.event_time || run->group.windowed_in;
    run->in.key_text = LEAT_LIT("key");
    run->in.key_column = LEAT_COL_KEY;
    run->next.push = push;
    run->late.push = push_late;
    run->frames_last = &run->frames;
    run->combine = calloc(1, leat_group_combiner.task_size);
    *ok = leat_chunk_init(&run->chunk, &run->chunk_arena, LEAT_COL_PATHS, &err) == LEAT_OK &&
          leat_chunk_init(&run->cross, &run->chunk_arena, LEAT_COL_PATHS, &err) == LEAT_OK &&
          leat_chunk_init(&run->out, &run->chunk_arena, LEAT_COL_PATHS, &err) == LEAT_OK &&
          leat_chunk_add_windows(&run->out, &err) == LEAT_OK &&
          leat_chunk_add_windows(&run->chunk, &err) == LEAT_OK;
    run->out.arena = &run->out_arena;
    for (unsigned q = 0; q < GROUP_PARTS; q++) {
        run->memory[q] = calloc(1, leat_group_state.size);
        *ok = *ok &&
              leat_group_state.open(&run->group, run->memory[q], &run->state[q], &err) == LEAT_OK;
    }
}

void group_run_open(struct group_run *run)
{
    bool ok;

    group_run_open_plain(run, &ok);
    CU_ASSERT_TRUE_FATAL(ok);
}

void group_run_close(struct group_run *run)
{
    group_run_clear(run);
    free(run->results);
    free(run->combine);
    for (unsigned q = 0; q < GROUP_PARTS; q++) {
        leat_arena_reset(&run->state[q]);
        free(run->memory[q]);
    }
    leat_arena_reset(&run->chunk_arena);
    leat_arena_reset(&run->out_arena);
    leat_arena_reset(&run->task);
}

void group_run_clear(struct group_run *run)
{
    run->results_count = 0;
}

static struct leat_task task_of(struct group_run *run, int64_t watermark_ms, unsigned part)
{
    return (struct leat_task){
        .batch = &run->batch,
        .watermark_before_ms = run->watermark_ms,
        .watermark_ms = watermark_ms,
        .part = part,
        .arena = &run->task,
        .next = &run->next,
        .late = &run->late,
        .out = &run->out,
        .counts = &run->counts,
    };
}

static enum leat_status stage_one(struct group_run *run, const struct group_row *rows, size_t count,
                                  struct leat_error *err)
{
    struct leat_task task = task_of(run, run->watermark_ms, 0);
    struct leat_chunk *c = &run->chunk;

    memset(run->combine, 0, leat_group_combiner.task_size);
    for (size_t at = 0; at < count;) {
        leat_chunk_clear(c, 0);
        for (; at < count && c->rows < LEAT_CHUNK_ROWS; at++) {
            uint32_t row = c->rows;
            leat_chunk_add(c, &(struct leat_row){.time_ms = rows[at].time_ms});
            c->columns[LEAT_COL_KEY][row] = leat_string(leat_slice_str(rows[at].key));
            c->columns[LEAT_COL_THIS][row] = leat_int(rows[at].value);
            if (run->group.windowed_in)
                c->windows[row] = (struct leat_window){rows[at].time_ms / 100 * 100,
                                                       rows[at].time_ms / 100 * 100 + 100, true};
        }
        if (leat_group_combiner.process(&run->in, run->combine, &task, c, err) != LEAT_OK)
            return err->status;
    }
    return leat_group_combiner.finish(&run->in, run->combine, &task, err);
}

static enum leat_status stage_two(struct group_run *run, unsigned q, int64_t watermark_ms,
                                  struct leat_error *err)
{
    struct leat_task task = task_of(run, watermark_ms, q);
    struct leat_chunk *c = &run->cross;

    leat_chunk_clear(c, q);
    for (struct leat_frame *f = run->frames; f; f = f->next) {
        if (leat_key_partition(leat_key_hash(f->row.key), GROUP_PARTS) != q)
            continue;
        leat_chunk_add(c, &f->row);
        if (c->rows < LEAT_CHUNK_ROWS)
            continue;
        if (leat_group_process(&run->group, run->memory[q], &task, c, err) != LEAT_OK)
            return err->status;
        leat_chunk_clear(c, q);
    }
    if (c->rows && leat_group_process(&run->group, run->memory[q], &task, c, err) != LEAT_OK)
        return err->status;
    return leat_group_finish(&run->group, run->memory[q], &task, err);
}

enum leat_status group_run_batch(struct group_run *run, const struct group_row *rows, size_t count,
                                 unsigned tasks, int64_t batch_time_ms, int64_t watermark_ms,
                                 struct leat_error *err)
{
    enum leat_status status = LEAT_OK;

    run->batch.n++;
    run->batch.time_ms = batch_time_ms;
    run->collecting = false;
    for (unsigned t = 0; t < tasks && status == LEAT_OK; t++) {
        size_t from = count * t / tasks, to = count * (t + 1) / tasks;
        status = stage_one(run, rows + from, to - from, err);
    }
    run->collecting = true;
    for (unsigned q = 0; q < GROUP_PARTS && status == LEAT_OK; q++)
        status = stage_two(run, q, watermark_ms, err);
    for (struct leat_frame *next; run->frames; run->frames = next) {
        next = run->frames->next;
        free(run->frames);
    }
    run->frames_last = &run->frames;
    leat_arena_reset(&run->task);
    leat_arena_reset(&run->out_arena);
    run->watermark_ms = watermark_ms;
    return status;
}

void group_run_copy(struct group_run *from, struct group_run *to, bool delta)
{
    struct leat_arena arena = {0};
    struct leat_error err;

    for (unsigned q = 0; q < GROUP_PARTS; q++) {
        struct leat_bytes bytes = {.arena = &arena};
        if (delta)
            OK(leat_group_state.append(&from->group, from->memory[q], &bytes, &err));
        else
            OK(leat_group_state.snapshot(&from->group, from->memory[q], &bytes, &err));
        OK(leat_group_state.read(&to->group, to->memory[q], leat_bytes_slice(&bytes), &err));
        /* Absolute: reading it once more does no harm. */
        if (delta)
            OK(leat_group_state.read(&to->group, to->memory[q], leat_bytes_slice(&bytes), &err));
    }
    to->watermark_ms = from->watermark_ms;
    to->batch.n = from->batch.n;
    leat_arena_reset(&arena);
}

/* ---- results */

static int compare(const void *x, const void *y)
{
    const struct group_result *a = x, *b = y;
    int key = strcmp(a->key, b->key);

#define BY(member)                                                                                 \
    if (a->member != b->member)                                                                    \
    return a->member < b->member ? -1 : 1
    BY(batch);
    BY(window.end_ms);
    BY(window.start_ms);
    if (key)
        return key;
    BY(window.final);
    BY(time_ms);
    BY(value);
    BY(count);
    return 0;
}

void group_results_sort(struct group_result *list, size_t count)
{
    if (count)
        qsort(list, count, sizeof *list, compare);
}

bool group_results_equal(const struct group_result *a, size_t na, const struct group_result *b,
                         size_t nb)
{
    if (na != nb)
        return false;
    for (size_t i = 0; i < na; i++)
        if (compare(&a[i], &b[i]) != 0)
            return false;
    return true;
}

void group_results_print(const struct group_result *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        printf("    batch %" PRIu64 " %s [%" PRId64 ",%" PRId64 ")%s value %" PRId64 " of %" PRId64
               " at %" PRId64 "\n",
               list[i].batch, list[i].key, list[i].window.start_ms, list[i].window.end_ms,
               list[i].window.final ? "" : " early", list[i].value, list[i].count, list[i].time_ms);
}
