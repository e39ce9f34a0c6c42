/*
 * meta_results.c - results are the same for any number of threads, any cutting of blocks and, with
 * event time and no late records, any cutting of batches.
 *
 * From a seed: 2,000 pipelines with inputs, each run once plainly and then in other ways; outputs
 * are compared as multisets of rows, doubles within 1e-9. LEAT_SEED and LEAT_CASES repeat or
 * prolong a run; a failure prints the seed of its case and the pipeline.
 */
#include "random_pipeline.h"

#include "data/json.h"
#include "leat_test.h"
#include "pipeline.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

struct lines {
    struct leat_arena arena;
    const char **list;
    size_t count, room;
};

/* ---- rows in a form that compares */

/* Twice the row: without its doubles, for sorting, and with each of them behind a '#'. */
struct forms {
    char bare[1 << 17], full[1 << 17];
    size_t bare_len, full_len;
};

LEAT_PRINTF(2, 3) static void say(struct forms *f, const char *fmt, ...)
{
    char text[1 << 16];
    va_list args;

    va_start(args, fmt);
    int len = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    CU_ASSERT_FATAL(f->full_len + (size_t)len < sizeof f->full);
    memcpy(f->bare + f->bare_len, text, (size_t)len);
    memcpy(f->full + f->full_len, text, (size_t)len);
    f->bare_len += (size_t)len;
    f->full_len += (size_t)len;
}

static void say_double(struct forms *f, double d)
{
    f->full_len +=
        (size_t)snprintf(f->full + f->full_len, sizeof f->full - f->full_len, "#%.17g ", d);
}

static void canonical(struct leat_value v, struct forms *f)
{
    switch ((int)v.tag) {
    case LEAT_DOUBLE:
        say_double(f, v.as.d);
        return;
    case LEAT_LIST:
    case LEAT_MAP:
        say(f, v.tag == LEAT_LIST ? "[" : "{");
        for (uint32_t i = 0; i < (v.tag == LEAT_MAP ? 2 : 1) * v.len; i++)
            canonical(v.as.items[i], f);
        say(f, v.tag == LEAT_LIST ? "]" : "}");
        return;
    case LEAT_INT:
        say(f, "%lld ", (long long)v.as.i);
        return;
    case LEAT_STRING:
        say(f, "'%.*s' ", LEAT_FMT(leat_value_text(v)));
        return;
    case LEAT_BOOL:
        say(f, "%s ", v.as.b ? "true" : "false");
        return;
    default:
        say(f, "%s ", leat_tag_name((enum leat_tag)v.tag));
    }
}

static void add_line(struct lines *l, struct leat_slice key, struct leat_slice value)
{
    static struct forms f;

    f.bare_len = f.full_len = 0;
    if (l->count == l->room) {
        size_t room = l->room ? l->room * 2 : 256;
        const char **list = leat_arena_array(&l->arena, room, sizeof *list);
        if (l->count)
            memcpy(list, l->list, l->count * sizeof *list);
        l->list = list;
        l->room = room;
    }
    say(&f, "%.*s: ", LEAT_FMT(key));
    canonical(value.ptr ? leat_json_parse(value, &l->arena) : (struct leat_value){0}, &f);
    char *line = leat_arena_alloc(&l->arena, f.bare_len + f.full_len + 2);
    memcpy(line, f.bare, f.bare_len);
    line[f.bare_len] = '\1';
    memcpy(line + f.bare_len + 1, f.full, f.full_len);
    line[f.bare_len + 1 + f.full_len] = '\0';
    l->list[l->count++] = line;
}

/* Equal but for doubles, and those within 1e-9 of each other. */
static bool same_line(const char *a, const char *b)
{
    while (*a && *a == *b) {
        if (*a != '#') {
            a++, b++;
            continue;
        }
        char *end_a, *end_b;
        double x = strtod(a + 1, &end_a), y = strtod(b + 1, &end_b);
        if (!(fabs(x - y) <= 1e-9 * fmax(1, fmax(fabs(x), fabs(y)))) && !(x != x && y != y))
            return false;
        a = end_a;
        b = end_b;
    }
    return *a == *b;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* ---- ways to run */

struct way {
    uint32_t threads;
    uint32_t batches; /* how many; 0: cut anywhere */
    bool cut_blocks;
};

static void collect(struct pipeline *p, struct lines *into)
{
    const struct leat_sealed_list *list = leat_driver_output(p->driver, 0);

    for (const struct leat_sealed *s = list->first; s; s = s->next)
        for (uint32_t i = 0; i < s->chunk.selected; i++)
            add_line(into, s->chunk.keys[s->chunk.selection[i]],
                     s->chunk.values[s->chunk.selection[i]]);
}

/* Rows go into blocks of a few each, so that chunks and tasks begin and end elsewhere. */
static void feed(struct pipeline *p, const struct random_row *r, struct dice *d, bool cut)
{
    char partition[16];

    snprintf(partition, sizeof partition, "t/%u", r->part);
    pipeline_row(p, "in", partition, r->key, r->value, 1000);
    if (cut && dice_percent(d, 10))
        pipeline_cut(p, "in", partition);
}

static bool run(const struct random_pipeline *rp, struct way way, struct dice *d,
                struct lines *into)
{
    static struct pipeline p;
    uint32_t size = way.batches ? rp->rows_count / way.batches + 1 : 0;
    int64_t now_ms = 10000;
    bool ok = true;

    pipeline_open(&p, rp->yaml, way.threads);
    for (uint32_t i = 0; i < rp->parts; i++) {
        char partition[16];
        snprintf(partition, sizeof partition, "t/%u", i);
        pipeline_part(&p, "in", partition);
    }
    for (uint32_t i = 0; i < rp->rows_count && ok; i++) {
        feed(&p, &rp->rows[i], d, way.cut_blocks);
        if (size ? (i + 1) % size == 0 : dice_percent(d, 3)) {
            ok = pipeline_batch(&p, now_ms += 1000, false);
            if (ok)
                collect(&p, into);
        }
    }
    ok = ok && pipeline_batch(&p, now_ms += 1000, true);
    if (ok)
        collect(&p, into);
    else
        printf("failed: %s\n", p.error.text);
    pipeline_close(&p);
    if (into->count)
        qsort(into->list, into->count, sizeof *into->list, by_text);
    return ok;
}

static bool same(const struct lines *a, const struct lines *b)
{
    size_t i = 0;

    while (i < a->count && i < b->count && same_line(a->list[i], b->list[i]))
        i++;
    if (i == a->count && i == b->count)
        return true;
    printf("%zu rows and %zu rows; the first that differ:\n  %s\n  %s\n", a->count, b->count,
           i < a->count ? strchr(a->list[i], '\1') + 1 : "nothing",
           i < b->count ? strchr(b->list[i], '\1') + 1 : "nothing");
    return false;
}

static bool check_case(uint64_t seed)
{
    static struct random_row rows[RANDOM_ROWS_MAX];
    static const struct way ways[] = {{2, 4, true}, {8, 4, true}, {1, 4, true}};
    struct dice d = {seed};
    struct random_pipeline rp = {.rows = rows};
    struct lines plain = {0};
    bool ok;

    random_pipeline(&d, &rp);
    ok = run(&rp, (struct way){1, 4, false}, &d, &plain);
    for (size_t w = 0; ok && w < sizeof ways / sizeof *ways + rp.event_time; w++) {
        struct lines other = {0};
        struct way way = w < sizeof ways / sizeof *ways ? ways[w] : (struct way){1, 0, true};
        ok = run(&rp, way, &d, &other) && same(&plain, &other);
        if (!ok)
            printf("threads %u, %s\n", way.threads, way.batches ? "same batches" : "other batches");
        leat_arena_reset(&other.arena);
    }
    leat_arena_reset(&plain.arena);
    if (!ok)
        printf("seed %llu, %u rows in %u partitions:\n%s\n", (unsigned long long)seed,
               rp.rows_count, rp.parts, rp.yaml);
    return ok;
}

static void results_do_not_depend_on_threads_blocks_and_batches(void)
{
    const char *seed_text = getenv("LEAT_SEED"), *cases_text = getenv("LEAT_CASES");
    uint64_t seed = seed_text ? strtoull(seed_text, NULL, 10) : (uint64_t)time(NULL);
    unsigned long cases = cases_text ? strtoul(cases_text, NULL, 10) : seed_text ? 1 : 2000;
    unsigned failed = 0;

    printf("seed %llu, %lu cases\n", (unsigned long long)seed, cases);
    for (unsigned long i = 0; i < cases && failed < 5; i++)
        failed += !check_case(seed + i * 1000003);
    CU_ASSERT_EQUAL(failed, 0);
}

LEAT_TESTS("meta_results", T(results_do_not_depend_on_threads_blocks_and_batches))
