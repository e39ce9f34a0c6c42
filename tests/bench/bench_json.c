/*
 * bench_json.c - prints what reading and writing JSON costs, in nanoseconds per record.
 *
 * Records have 200 bytes and ten fields, three of which are wanted, a different text each. Beside
 * it stands a memchr pass over the same bytes: what merely looking at them costs. Run it by hand.
 */
#include "data/json.h"
#include "data/value_ops.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define RECORDS 1000
#define ROUNDS  2000

static struct leat_arena arena;
static struct leat_slice texts[RECORDS];

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void make_texts(const char *name, const char *separator)
{
    for (int i = 0; i < RECORDS; i++) {
        char text[400];
        const char *s = separator;
        int n =
            snprintf(text, sizeof text,
                     "{\"id\":%s%d,%s\"ts\":%s%lld,%s\"%s\":%s\"user-%05d\",%s\"session\":%s"
                     "\"8f14e45fceea167a5a36dedd4bea2543\",%s\"country\":%s\"DE\",%s\"device\":%s"
                     "\"mobile\",%s\"amount\":%s%d.%02d,%s\"ok\":%s%s,%s\"tags\":%s[\"a\",\"b\"],%s"
                     "\"ref\":%s\"https://example.com/x\"}",
                     s, 100000 + i * 7919 % 900000, s, s, 1700000000000LL + i * 13, s, name, s,
                     i * 31 % 100000, s, s, s, s, s, s, s, s, i % 500, i % 100, s, s,
                     i % 3 ? "true" : "false", s, s, s, s);
        texts[i] = leat_arena_copy(&arena, (struct leat_slice){text, (size_t)n});
    }
}

static double pass_memchr(void)
{
    double start = now_ns();
    size_t found = 0;

    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < RECORDS; i++)
            found += memchr(texts[i].ptr, '\n', texts[i].len) != NULL;
    if (found)
        abort();
    return (now_ns() - start) / RECORDS / ROUNDS;
}

static double pass_read(const struct leat_json_plan *plan, bool learn)
{
    static struct leat_value cells[4][RECORDS];
    struct leat_value *columns[] = {cells[0], cells[1], cells[2], cells[3]};
    struct leat_value why;
    double start = now_ns();

    for (int round = 0; round < ROUNDS; round++) {
        struct leat_arena scratch = {0};
        struct leat_json_order *order = learn ? leat_json_order_new(plan, &scratch) : NULL;
        for (uint32_t i = 0; i < RECORDS; i++)
            if (!leat_json_read(plan, order, texts[i], &scratch, columns, i, &why))
                abort();
        leat_arena_reset(&scratch);
    }
    return (now_ns() - start) / RECORDS / ROUNDS;
}

static double pass_write(struct leat_value v)
{
    struct leat_arena scratch = {0};
    struct leat_bytes bytes = {.arena = &scratch};
    struct leat_value why;
    double start = now_ns();

    for (int i = 0; i < RECORDS * ROUNDS; i++) {
        bytes.len = 0;
        if (!leat_json_write(v, &bytes, &why))
            abort();
    }
    double each = (now_ns() - start) / RECORDS / ROUNDS;
    leat_arena_reset(&scratch);
    return each;
}

static void compare(const char *what, const char *name, const char *separator)
{
    const struct leat_slice user[] = {leat_slice_str(name)}, country[] = {LEAT_LIT("country")},
                            amount[] = {LEAT_LIT("amount")};
    const struct leat_path three[] = {{user, 1, 0}, {country, 1, 1}, {amount, 1, 2}};
    const struct leat_path whole[] = {{NULL, 0, 3}};
    const struct leat_json_plan *fields = leat_json_plan_new(three, 3, &arena);
    const struct leat_json_plan *record = leat_json_plan_new(whole, 1, &arena);

    make_texts(name, separator);
    printf("%s (%zu bytes)\n", what, texts[0].len);
    for (int i = 0; i < 3; i++)
        printf("  memchr %6.1f  three fields %6.1f  without learning %6.1f  whole %6.1f\n",
               pass_memchr(), pass_read(fields, true), pass_read(fields, false),
               pass_read(record, true));
}

int main(void)
{
    compare("plain", "user", "");
    compare("with blanks", "user", " ");
    compare("a name beyond ASCII", "us\xc3\xa9r", "");
    make_texts("user", "");
    struct leat_value v = leat_json_parse(texts[17], &arena);
    struct leat_value average =
        leat_json_parse(LEAT_LIT("{\"city\":\"Paris\",\"avg\":8.571428571428571}"), &arena);
    printf("write ten fields %6.1f, two with a long double %6.1f\n", pass_write(v),
           pass_write(average));
    leat_arena_reset(&arena);
    return EXIT_SUCCESS;
}
