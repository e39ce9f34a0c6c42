/* Tests of engine/op/group*.c, pane*.c, session*.c: groups and windows against a naive oracle. */
#include "group_run.h"

#include "expr/zone.h"

#include <stdio.h>

#define ROWS_MAX 400

/* ---- a naive oracle: every window from all rows */

struct oracle {
    struct leat_group *group;
    struct group_row rows[ROWS_MAX];
    size_t count;
    int64_t watermark_ms;
    uint64_t batch, late;
    struct group_result *results;
    size_t results_count, results_room;
};

static uint64_t random_state;

static uint32_t pick(uint32_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 20) % n);
}

static void expect(struct oracle *o, const char *key, struct leat_window window,
                   const int64_t *values, size_t n)
{
    const struct leat_aggregator *agg = o->group->agg;
    struct group_result r = {
        .window = window, .time_ms = window.end_ms - 1, .batch = o->batch, .count = (int64_t)n};
    uint64_t order = 0;

    snprintf(r.key, sizeof r.key, "%s", key);
    for (size_t i = 0; i < n; i++) {
        order = order * 31 + (uint64_t)values[i];
        if (agg == &test_max)
            r.value = i == 0 || values[i] > r.value ? values[i] : r.value;
        else if (agg == &test_order || agg == &test_list)
            r.value = (int64_t)order;
        else
            r.value += values[i];
    }
    if (o->results_count == o->results_room) {
        o->results_room = o->results_room * 2 + 64;
        o->results = realloc(o->results, o->results_room * sizeof *o->results);
    }
    o->results[o->results_count++] = r;
}

static void fire(struct oracle *o, int64_t end_ms)
{
    int64_t start_ms = leat_grid_start(&o->group->grid, end_ms), values[8][ROWS_MAX];
    size_t counts[8] = {0};

    for (size_t i = 0; i < o->count; i++) {
        int k = o->rows[i].key[1] - '0';
        if (o->rows[i].time_ms >= start_ms && o->rows[i].time_ms < end_ms)
            values[k][counts[k]++] = o->rows[i].value;
    }
    for (int k = 0; k < 8; k++) {
        char key[] = {'k', (char)('0' + k), 0};
        if (counts[k])
            expect(o, key, (struct leat_window){start_ms, end_ms, true}, values[k], counts[k]);
    }
}

static int by_time(const void *x, const void *y)
{
    const struct group_row *a = x, *b = y;

    return (a->time_ms > b->time_ms) - (a->time_ms < b->time_ms);
}

/* Sessions of a key from all rows that are not yet in a fired one; fired rows are taken out. */
static void fire_sessions(struct oracle *o, int64_t until_ms)
{
    for (int k = 0; k < 8; k++) {
        struct group_row rows[ROWS_MAX];
        char key[24];
        size_t n = 0;
        snprintf(key, sizeof key, "k%d", k);
        for (size_t i = 0; i < o->count; i++)
            if (strcmp(o->rows[i].key, key) == 0)
                rows[n++] = o->rows[i];
        qsort(rows, n, sizeof *rows, by_time);
        for (size_t from = 0, to; from < n; from = to) {
            int64_t values[ROWS_MAX], end_ms;
            for (to = from; to == from ||
                            (to < n && rows[to].time_ms < rows[to - 1].time_ms + o->group->gap_ms);
                 to++)
                values[to - from] = rows[to].value;
            end_ms = rows[to - 1].time_ms + o->group->gap_ms;
            if (end_ms > until_ms)
                break;
            expect(o, key, (struct leat_window){rows[from].time_ms, end_ms, true}, values,
                   to - from);
            size_t kept = 0;
            for (size_t i = 0; i < o->count; i++)
                if (strcmp(o->rows[i].key, key) != 0 || o->rows[i].time_ms >= end_ms)
                    o->rows[kept++] = o->rows[i];
            o->count = kept;
        }
    }
}

static bool is_late(const struct oracle *o, int64_t time_ms)
{
    int64_t close_ms = leat_group_close_time(o->group, time_ms);

    return o->group->event_time && o->watermark_ms != LEAT_NO_TIME && close_ms != LEAT_NO_TIME &&
           close_ms <= o->watermark_ms;
}

static void oracle_batch(struct oracle *o, const struct group_row *rows, size_t count,
                         int64_t batch_time_ms, int64_t interval_ms, int64_t watermark_ms)
{
    int64_t until_ms = o->group->event_time ? watermark_ms : batch_time_ms;

    o->batch++;
    for (size_t i = 0; i < count; i++) {
        struct group_row row = rows[i];
        if (!o->group->event_time)
            row.time_ms = batch_time_ms - interval_ms;
        if (is_late(o, row.time_ms))
            o->late++;
        else if (leat_group_close_time(o->group, row.time_ms) != LEAT_NO_TIME)
            o->rows[o->count++] = row;
    }
    if (o->group->over == LEAT_OVER_SESSION) {
        fire_sessions(o, until_ms);
    } else if (until_ms != LEAT_NO_TIME) {
        /* From the first window that can hold anything: times begin at 0. */
        int64_t from_ms = o->watermark_ms == LEAT_NO_TIME ? -1 : o->watermark_ms;
        int64_t end_ms = leat_grid_end_before(&o->group->grid, from_ms);
        for (; end_ms <= until_ms; end_ms = leat_grid_next_end(&o->group->grid, end_ms))
            if (o->watermark_ms == LEAT_NO_TIME || end_ms > o->watermark_ms)
                fire(o, end_ms);
    }
    o->watermark_ms = until_ms;
}

/* ---- random windows over random rows */

static const struct leat_aggregator *const any_order[] = {&test_sum, &test_max, &test_sum_running};
static const struct leat_aggregator *const in_order[] = {&test_sum, &test_max, &test_sum_running,
                                                         &test_order, &test_list};

static size_t random_rows(struct group_row *rows, size_t most, int64_t from_ms, uint32_t spread,
                          bool ordered)
{
    static const char *const keys[] = {"k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7"};
    size_t n = pick((uint32_t)most + 1);
    uint32_t different = 1 + pick(8);

    for (size_t i = 0; i < n; i++)
        rows[i] = (struct group_row){keys[pick(different)], (int64_t)pick(1000) - 300,
                                     from_ms + pick(spread)};
    if (ordered)
        qsort(rows, n, sizeof *rows, by_time);
    return n;
}

static struct leat_group random_group(bool event_time)
{
    static const struct leat_zone *const no_zone = NULL;
    int64_t slide_ms = 1 + pick(40), size_ms = 1 + pick(200);
    struct leat_window_spec spec;

    if (pick(2))
        size_ms = slide_ms * (1 + pick(20));
    if (!event_time) {
        slide_ms *= 10;
        size_ms *= 10;
    }
    spec = (struct leat_window_spec){.size_ms = size_ms,
                                     .slide_ms = slide_ms,
                                     .offset_ms = event_time ? pick(50) : 0,
                                     .zone = no_zone};
    return (struct leat_group){.partial_size = TEST_PARTIAL_SIZE,
                               .over = LEAT_OVER_PANES,
                               .event_time = event_time,
                               .windows_out = true,
                               .keyed = true,
                               .grid = leat_grid_of(&spec, event_time),
                               .gap_ms = 1 + pick(30)};
}

static bool compare(struct group_run *run, struct oracle *o, uint64_t seed)
{
    group_results_sort(run->results, run->results_count);
    group_results_sort(o->results, o->results_count);
    if (group_results_equal(run->results, run->results_count, o->results, o->results_count) &&
        run->counts.late == o->late && run->late_rows == o->late)
        return true;
    printf("    seed %llu: %zu results, %zu expected; late %llu, expected %llu\n",
           (unsigned long long)seed, run->results_count, o->results_count,
           (unsigned long long)run->counts.late, (unsigned long long)o->late);
    for (size_t i = 0; i < run->results_count || i < o->results_count; i++) {
        if (i < run->results_count && i < o->results_count &&
            group_results_equal(&run->results[i], 1, &o->results[i], 1))
            continue;
        group_results_print(&run->results[i], i < run->results_count);
        group_results_print(&o->results[i], i < o->results_count);
        break;
    }
    CU_FAIL("results differ from the oracle's");
    return false;
}

static struct group_run *like(const struct group_run *run)
{
    struct group_run *to = calloc(1, sizeof *to);

    to->group = run->group;
    to->batch.interval_ms = run->batch.interval_ms;
    group_run_open(to);
    return to;
}

/* As after a restart: `to` has got the state, and now goes on. */
static void take_over(struct group_run *run, struct group_run *to)
{
    to->results = run->results;
    to->results_count = run->results_count;
    to->results_room = run->results_room;
    to->counts = run->counts;
    to->late_rows = run->late_rows;
    run->results = NULL;
    group_run_close(run);
    free(run);
}

static bool random_run(uint64_t seed, bool event_time, enum leat_over over, bool late)
{
    struct group_run *run = calloc(1, sizeof *run);
    struct oracle *o = calloc(1, sizeof *o);
    struct leat_error err;
    int64_t now_ms = 0, watermark_ms = LEAT_NO_TIME, interval_ms = 10;

    random_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    run->group = random_group(event_time);
    run->group.over = over;
    run->group.agg = late ? any_order[pick(3)] : in_order[pick(over == LEAT_OVER_SESSION ? 2 : 5)];
    run->batch.interval_ms = interval_ms;
    o->group = &run->group;
    o->watermark_ms = LEAT_NO_TIME;
    group_run_open(run);
    struct group_run *shadow = like(run);
    for (uint32_t batches = 1 + pick(14); batches > 0; batches--) {
        struct group_row rows[20];
        int64_t back_ms = late ? pick(60) : 0;
        uint32_t spread = 1 + pick(pick(8) ? 60 : 1000);
        int64_t from_ms = now_ms > back_ms ? now_ms - back_ms : 0;
        size_t n = random_rows(rows, 18, from_ms, spread, !late);
        unsigned tasks = late ? 1 + pick(4) : 1;
        now_ms = from_ms + spread > now_ms ? from_ms + spread : now_ms;
        if (event_time && pick(4))
            watermark_ms = watermark_ms > now_ms - 20 ? watermark_ms : now_ms - (late ? 20 : 0);
        int64_t batch_time_ms = event_time ? now_ms : (now_ms / 10 + 1) * 10;
        if (!event_time)
            now_ms = batch_time_ms;
        OK(group_run_batch(run, rows, n, tasks, batch_time_ms, watermark_ms, &err));
        oracle_batch(o, rows, n, batch_time_ms, interval_ms, watermark_ms);
        group_run_copy(run, shadow, true); /* what the batch changed */
        if (pick(8) == 0) {
            take_over(run, shadow);
            o->group = &(run = shadow)->group;
            shadow = like(run);
            group_run_copy(run, shadow, false); /* all there is */
        }
    }
    bool ok = compare(run, o, seed);
    group_run_close(shadow);
    free(shadow);
    group_run_close(run);
    free(o->results);
    free(o);
    free(run);
    return ok;
}

static void sweep(bool event_time, enum leat_over over, bool late)
{
    for (uint64_t seed = 1; seed <= 2000; seed++)
        if (!random_run(seed, event_time, over, late))
            return;
}

static void event_time_windows_are_those_of_the_oracle(void)
{
    sweep(true, LEAT_OVER_PANES, false);
}

static void late_rows_count_where_a_window_is_open(void)
{
    sweep(true, LEAT_OVER_PANES, true);
}

static void batch_time_windows_are_those_of_the_oracle(void)
{
    sweep(false, LEAT_OVER_PANES, true);
}

static void sessions_are_those_of_the_oracle(void)
{
    sweep(true, LEAT_OVER_SESSION, false);
    sweep(false, LEAT_OVER_SESSION, false);
}

static void close_run(struct group_run *run)
{
    group_run_close(run);
    free(run);
}

static struct group_run *open_staying(void)
{
    struct group_run *run = calloc(1, sizeof *run);
    const struct leat_window_spec spec = {
        .kind = LEAT_WINDOW_SLIDING, .size_ms = 100, .slide_ms = 100};

    run->group = (struct leat_group){.agg = &test_sum_stays,
                                     .partial_size = TEST_PARTIAL_SIZE,
                                     .over = LEAT_OVER_PANES,
                                     .windows_out = true,
                                     .keyed = true,
                                     .grid = leat_grid_of(&spec, false)};
    run->batch.interval_ms = 100;
    group_run_open(run);
    return run;
}

static void a_key_that_speaks_on_and_one_that_no_longer_does_are_told(void)
{
    const struct group_row row = {.key = "k1", .value = 5};
    struct group_run *run = open_staying(), *next = open_staying();
    struct leat_error err;

    OK(group_run_batch(run, &row, 1, 1, 100, 100, &err));
    group_run_copy(run, next, true);
    OK(group_run_batch(next, &row, 0, 1, 200, 200, &err));
    CU_ASSERT_EQUAL(next->results_count, 1);
    close_run(next);

    /* Its pane comes and goes within a batch, and this time it is forgotten. */
    next = open_staying();
    group_run_copy(run, next, false);
    test_stays_no_longer = true;
    OK(group_run_batch(run, &row, 1, 1, 200, 200, &err));
    group_run_copy(run, next, true);
    group_run_clear(run);
    OK(group_run_batch(run, &row, 0, 1, 300, 300, &err));
    OK(group_run_batch(next, &row, 0, 1, 300, 300, &err));
    test_stays_no_longer = false;
    CU_ASSERT_EQUAL(run->results_count, 0);
    CU_ASSERT_EQUAL(next->results_count, 0);
    for (unsigned q = 0; q < GROUP_PARTS; q++) {
        uint64_t keys, bytes;
        leat_group_state.measure(&run->group, run->memory[q], &keys, &bytes);
        CU_ASSERT_EQUAL(keys, 0);
        leat_group_state.measure(&next->group, next->memory[q], &keys, &bytes);
        CU_ASSERT_EQUAL(keys, 0);
    }
    close_run(run);
    close_run(next);
}

static void what_always_speaks_goes_on_though_nothing_ever_came(void)
{
    struct group_run *run = open_staying(), *next = open_staying();
    const struct group_row row = {.key = NULL};
    struct leat_error err;

    run->group.always = next->group.always = true;
    run->group.keyed = next->group.keyed = false;
    OK(group_run_batch(run, &row, 0, 1, 100, 100, &err));
    group_run_copy(run, next, true);
    OK(group_run_batch(next, &row, 0, 1, 200, 200, &err));
    CU_ASSERT_EQUAL(next->results_count, 1);
    close_run(run);
    close_run(next);
}

/* ---- what is left of a key, in event time */

static struct group_run *open_leaving(void)
{
    struct group_run *run = calloc(1, sizeof *run);

    run->group = (struct leat_group){.agg = &test_sum_stays,
                                     .partial_size = TEST_PARTIAL_SIZE,
                                     .over = LEAT_OVER_PANES,
                                     .event_time = true,
                                     .keyed = true,
                                     .grid = {300, 100, 0, NULL}};
    group_run_open(run);
    return run;
}

/* The results of the key "a": "100:5 ...", ends of windows and values. */
static const char *of_a(struct group_run *run)
{
    static char text[400];

    group_results_sort(run->results, run->results_count);
    text[0] = 0;
    for (size_t i = 0; i < run->results_count; i++)
        if (strcmp(run->results[i].key, "a") == 0)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%lld:%lld",
                     text[0] ? " " : "", (long long)run->results[i].time_ms + 1,
                     (long long)run->results[i].value);
    return text;
}

/* W goes from batch to batch so far, to there. A shadow, unless NULL, reads what each changes. */
static void go_on(struct group_run *run, int64_t to_ms, int64_t step_ms, struct group_run *shadow)
{
    static const struct group_row none;
    struct leat_error err;

    while (run->watermark_ms < to_ms) {
        int64_t next_ms = run->watermark_ms + step_ms;
        OK(group_run_batch(run, &none, 0, 1, next_ms, next_ms < to_ms ? next_ms : to_ms, &err));
        if (shadow)
            group_run_copy(run, shadow, true);
    }
}

static void a_key_with_nothing_left_speaks_once_whoever_else_is_there(void)
{
    static const struct group_row rows[] = {{"a", 5, 50},  {"b", 1, 50},  {"c", 1, 150},
                                            {"d", 1, 250}, {"e", 1, 450}, {"f", 1, 550},
                                            {"g", 1, 650}, {"h", 1, 750}, {"i", 1, 1050}},
                                  again = {"a", 7, 2050};
    static const int64_t steps[] = {100, 70, 250, 5000};
    struct leat_error err;

    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        for (size_t count = 1; count <= sizeof rows / sizeof *rows; count++) {
            struct group_run *run = open_leaving();
            OK(group_run_batch(run, rows, count, 1, 1, 1, &err));
            go_on(run, 2000, steps[i], NULL);
            OK(group_run_batch(run, &again, 1, 1, 2001, 2001, &err));
            go_on(run, 3000, steps[i], NULL);
            CU_ASSERT_STRING_EQUAL(of_a(run),
                                   "100:5 200:5 300:5 400:0 2100:7 2200:7 2300:7 2400:0");
            close_run(run);
        }
}

static void what_is_left_is_told_once_also_over_a_restart(void)
{
    static const struct group_row rows[] = {{"a", 5, 50}, {"b", 1, 350}};
    struct leat_error err;

    for (int64_t at_ms = 100; at_ms <= 500; at_ms += 100)
        for (int delta = 0; delta < 2; delta++) {
            struct group_run *run = open_leaving(), *next = open_leaving();
            OK(group_run_batch(run, rows, 2, 1, 1, 1, &err));
            group_run_copy(run, next, true);
            go_on(run, at_ms, 100, next);
            if (!delta) {
                close_run(next);
                next = open_leaving();
                group_run_copy(run, next, false);
            }
            size_t before = strlen(of_a(run));
            go_on(next, 1000, 100, NULL);
            go_on(run, 1000, 100, NULL);
            const char *all = "100:5 200:5 300:5 400:0";
            CU_ASSERT_STRING_EQUAL(of_a(run), all);
            CU_ASSERT_STRING_EQUAL(of_a(next), all[before] ? all + before + (before > 0) : "");
            close_run(run);
            close_run(next);
        }
}

/* ---- batches */

static struct group_run *open_batches(const struct leat_aggregator *agg)
{
    struct group_run *run = calloc(1, sizeof *run);

    run->group = (struct leat_group){
        .agg = agg, .partial_size = TEST_PARTIAL_SIZE, .over = LEAT_OVER_BATCH, .keyed = true};
    run->batch.interval_ms = 1000;
    group_run_open(run);
    return run;
}

static void a_batch_gives_one_result_per_key(void)
{
    struct group_run *run = open_batches(&test_sum);
    struct leat_error err;
    const struct group_row rows[] = {{"a", 1, 0}, {"b", 2, 0}, {"a", 3, 0}, {NULL, 9, 0}};

    OK(group_run_batch(run, rows, 4, 2, 5000, 0, &err));
    group_results_sort(run->results, run->results_count);
    CU_ASSERT_EQUAL_FATAL(run->results_count, 3);
    CU_ASSERT_STRING_EQUAL(run->results[0].key, "a");
    CU_ASSERT_EQUAL(run->results[0].value, 4);
    CU_ASSERT_EQUAL(run->results[0].time_ms, 4999);
    CU_ASSERT_STRING_EQUAL(run->results[2].key, "null");
    group_run_clear(run);
    OK(group_run_batch(run, rows, 1, 1, 6000, 0, &err));
    CU_ASSERT_EQUAL(run->results_count, 1);
    CU_ASSERT_EQUAL(run->results[0].value, 1);
    close_run(run);
}

static void behind_a_window_each_window_has_its_own_result(void)
{
    struct group_run *run = calloc(1, sizeof *run);
    struct leat_error err;
    const struct group_row rows[] = {{"a", 1, 10}, {"a", 2, 20}, {"a", 4, 110}, {"b", 8, 110}};

    run->group = (struct leat_group){.agg = &test_sum,
                                     .partial_size = TEST_PARTIAL_SIZE,
                                     .over = LEAT_OVER_BATCH,
                                     .keyed = true,
                                     .windowed_in = true,
                                     .windows_out = true};
    group_run_open(run);
    OK(group_run_batch(run, rows, 4, 2, 5000, 0, &err));
    group_results_sort(run->results, run->results_count);
    CU_ASSERT_EQUAL_FATAL(run->results_count, 3);
    CU_ASSERT_EQUAL(run->results[0].value, 3);
    CU_ASSERT_EQUAL(run->results[0].window.end_ms, 100);
    CU_ASSERT_EQUAL(run->results[0].time_ms, 99);
    CU_ASSERT_EQUAL(run->results[1].value, 4);
    CU_ASSERT_EQUAL(run->results[1].window.end_ms, 200);
    close_run(run);
}

static void lack_of_memory_is_reported(void)
{
    struct leat_error err;
    const struct group_row rows[] = {{"a", 1, 10}, {"b", 2, 20}, {"a", 4, 110}};

    LEAT_OOM_SWEEP {
        struct group_run *run = calloc(1, sizeof *run);
        bool open = true;
        run->group = (struct leat_group){.agg = &test_list,
                                         .partial_size = TEST_PARTIAL_SIZE,
                                         .over = LEAT_OVER_PANES,
                                         .event_time = true,
                                         .keyed = true,
                                         .grid = {100, 10, 0, NULL}};
        run->combine = NULL;
        group_run_open_plain(run, &open);
        enum leat_status status =
            open ? group_run_batch(run, rows, 3, 1, 1000, 500, &err) : LEAT_E_NOMEM;
        CU_ASSERT_EQUAL(status, leat_oom_hit() ? LEAT_E_NOMEM : LEAT_OK);
        close_run(run);
    }
}

LEAT_TESTS("group", T(a_batch_gives_one_result_per_key),
           T(behind_a_window_each_window_has_its_own_result),
           T(event_time_windows_are_those_of_the_oracle), T(late_rows_count_where_a_window_is_open),
           T(batch_time_windows_are_those_of_the_oracle), T(sessions_are_those_of_the_oracle),
           T(a_key_that_speaks_on_and_one_that_no_longer_does_are_told),
           T(what_always_speaks_goes_on_though_nothing_ever_came),
           T(a_key_with_nothing_left_speaks_once_whoever_else_is_there),
           T(what_is_left_is_told_once_also_over_a_restart), T(lack_of_memory_is_reported))
