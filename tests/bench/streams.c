/*
 * streams.c - what state and windows cost a program of the C library, batch by batch.
 *
 *     bench_streams state KEYS TOUCHED none|mapped|updated|table
 *     bench_streams window SLIDES inverse|plain
 *
 * `state`: KEYS keys come, then MEASURED batches touch TOUCHED of them, all over the place.
 * `mapped` calls a function with what comes, `updated` with every key in every batch; `none` is the
 * same stream without state, and `table` no stream at all, but a hash table by hand: the baselines.
 *
 * `window`: of WINDOW_KEYS keys NEW_KEYS come in each slide of a window of so many slides, which
 * is over their own time. What is measured begins when the window has been full once.
 *
 * All batches are pushed before the start, and each takes one push. Prints one line of JSON: CPU
 * milliseconds of a batch. Run by tests/bench/streams.
 */
#include "leat_stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MEASURED    100
#define FILL        100000 /* keys of a batch before those */
#define SETTLE      20     /* batches between */
#define WINDOW_KEYS 100000
#define NEW_KEYS    10000

struct run {
    struct leat_context *ctx;
    int64_t keys, pushed; /* rows, of all batches */
    int64_t first, seen;  /* batches: measured are those from `first` on */
    double before_ms, cpu_ms[MEASURED];
};

static struct leat_error err;

static void must(enum leat_status status)
{
    if (status == LEAT_OK)
        return;
    fprintf(stderr, "%s\n", err.text);
    exit(1);
}

static double cpu_now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* A batch is over. */
static bool note(struct run *r)
{
    double now_ms = cpu_now_ms();

    if (r->seen >= r->first)
        r->cpu_ms[r->seen - r->first] = now_ms - r->before_ms;
    r->before_ms = now_ms;
    return ++r->seen < r->first + MEASURED;
}

static enum leat_status over(const struct leat_rdd *rdd, void *arg, struct leat_error *e)
{
    struct run *r = arg;

    (void)rdd;
    if (r->seen == r->first + MEASURED)
        return LEAT_OK;
    return note(r) ? LEAT_OK : leat_stop(r->ctx, false, e);
}

static int by_size(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static void print(struct run *r)
{
    double sum = 0;

    for (int i = 0; i < MEASURED; i++)
        sum += r->cpu_ms[i];
    qsort(r->cpu_ms, MEASURED, sizeof *r->cpu_ms, by_size);
    printf("{\"mean_ms\": %.4f, \"median_ms\": %.4f, \"worst_ms\": %.4f}\n", sum / MEASURED,
           r->cpu_ms[MEASURED / 2], r->cpu_ms[MEASURED - 1]);
}

/* ---- streams */

/* Numbers, which go on from batch to batch. */
static void push(struct run *r, struct leat_stream *queue, int64_t count)
{
    struct leat_value *values = calloc((size_t)count, sizeof *values);

    if (!values)
        exit(1);
    for (int64_t i = 0; i < count; i++)
        values[i] = leat_int(r->pushed + i);
    must(leat_queue_push(queue, values, (size_t)count, &err));
    free(values);
    r->pushed += count;
}

static int64_t key_of(int64_t i, int64_t keys)
{
    return i < keys ? i : i * 7919 % keys;
}

static struct leat_pair pair(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    const struct run *r = arg;

    (void)call;
    return (struct leat_pair){leat_int(key_of(in->value.as.i, r->keys)), leat_int(1)};
}

static struct leat_value never(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)call, (void)in, (void)arg;
    return leat_bool(false);
}

static struct leat_value mapped(struct leat_call *call, struct leat_value key,
                                const struct leat_value *value, struct leat_key_state *state,
                                void *arg)
{
    struct leat_value before = leat_key_state_get(state);

    (void)call, (void)key, (void)arg;
    leat_key_state_update(state,
                          leat_int(value->as.i + (before.tag == LEAT_INT ? before.as.i : 0)));
    return (struct leat_value){0};
}

static struct leat_value updated(struct leat_call *call, struct leat_value key,
                                 struct leat_value values, struct leat_value state, void *arg)
{
    (void)call, (void)key, (void)arg;
    return leat_int(values.len + (state.tag == LEAT_INT ? state.as.i : 0));
}

static struct leat_value add(struct leat_call *call, struct leat_value a, struct leat_value b,
                             void *arg)
{
    (void)call, (void)arg;
    return leat_int(a.as.i + b.as.i);
}

static struct leat_value take_away(struct leat_call *call, struct leat_value a, struct leat_value b,
                                   void *arg)
{
    (void)call, (void)arg;
    return leat_int(a.as.i - b.as.i);
}

static struct leat_value larger(struct leat_call *call, struct leat_value a, struct leat_value b,
                                void *arg)
{
    (void)call, (void)arg;
    return a.as.i > b.as.i ? a : b;
}

/* NEW_KEYS of them are a second. */
static struct leat_value when(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)call, (void)arg;
    return leat_int(in->value.as.i * 1000 / NEW_KEYS);
}

static struct leat_stream *begin(struct run *r)
{
    r->ctx = leat_context_new("streams", 1);
    leat_set(r->ctx, "threads", "1");
    leat_set(r->ctx, "memory", "12GiB");
    return leat_queue_stream(r->ctx, true);
}

static void run(struct run *r, struct leat_stream *s)
{
    leat_foreach_rdd(leat_filter(s, never, NULL), over, r);
    must(leat_start(r->ctx, &err));
    must(leat_await_termination(r->ctx, &err));
    leat_context_free(r->ctx);
    print(r);
}

static void state(struct run *r, int64_t touched, const char *how)
{
    struct leat_stream *queue = begin(r), *s = leat_map_to_pair(queue, pair, r);

    for (int64_t left = r->keys; left > 0; left -= FILL, r->first++)
        push(r, queue, left < FILL ? left : FILL);
    for (int i = 0; i < SETTLE + MEASURED; i++)
        push(r, queue, touched);
    r->first += SETTLE;
    if (!strcmp(how, "mapped"))
        s = leat_map_with_state(s, &(struct leat_state_spec){.fn = mapped});
    else if (!strcmp(how, "updated"))
        s = leat_update_state_by_key(s, updated, NULL);
    run(r, s);
}

static void window(struct run *r, int64_t slides, bool has_inverse)
{
    struct leat_stream *queue = begin(r), *s = leat_event_time(queue, when, NULL, 0, 0);

    r->keys = WINDOW_KEYS;
    r->first = slides + SETTLE;
    for (int64_t i = 0; i < r->first + MEASURED; i++)
        push(r, queue, NEW_KEYS);
    s = leat_map_to_pair(s, pair, r);
    run(r,
        leat_reduce_by_key_and_window(s, has_inverse ? add : larger, has_inverse ? take_away : NULL,
                                      NULL, NULL, slides * 1000, 1000));
}

/* ---- by hand */

struct entry {
    int64_t key, sum; /* key + 1; 0: free */
};

static uint64_t hash_of(int64_t key)
{
    uint64_t h = (uint64_t)key * 0x9E3779B97F4A7C15u;

    return h ^ h >> 32;
}

/* Linear probing, at most half full; nothing grows, times out, is written or can go wrong. */
static void table(struct run *r, int64_t touched)
{
    uint64_t room = 16;

    while (room < 2 * (uint64_t)r->keys)
        room *= 2;
    struct entry *list = calloc(room, sizeof *list);
    if (!list)
        exit(1);
    r->first = (r->keys + touched - 1) / touched + SETTLE;
    do {
        for (int64_t i = 0; i < touched; i++, r->pushed++) {
            int64_t key = key_of(r->pushed, r->keys);
            uint64_t at = hash_of(key) & (room - 1);
            while (list[at].key && list[at].key != key + 1)
                at = (at + 1) & (room - 1);
            list[at].key = key + 1;
            list[at].sum++;
        }
    } while (note(r));
    print(r);
    free(list);
}

int main(int argc, char **argv)
{
    static struct run r;

    if (argc == 5 && !strcmp(argv[1], "state") && atoll(argv[2]) > 0 && atoll(argv[3]) > 0) {
        r.keys = atoll(argv[2]);
        if (!strcmp(argv[4], "table"))
            table(&r, atoll(argv[3]));
        else
            state(&r, atoll(argv[3]), argv[4]);
        return 0;
    }
    if (argc == 4 && !strcmp(argv[1], "window") && atoll(argv[2]) > 0) {
        window(&r, atoll(argv[2]), !strcmp(argv[3], "inverse"));
        return 0;
    }
    fprintf(stderr, "usage: bench_streams state KEYS TOUCHED none|mapped|updated|table\n"
                    "       bench_streams window SLIDES inverse|plain\n");
    return 2;
}
