/*
 * bench_avro.c - what reading an Avro record of ten fields costs, beside Avro-C's generic values.
 *
 *     bench_avro               nanoseconds per record of both, one after the other
 *     bench_avro leat N        N times 1,000 records, nothing printed: for those who count
 *     bench_avro avro-c N        instructions
 *
 * leat reads the three fields that are touched and checks the others; `whole` makes a value of all
 * ten, as Avro-C does.
 */
#include "leat.h"

#include <avro.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define RECORDS 1000
#define ROUNDS  200

static const char schema[] =
    "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"id\",\"type\":\"long\"},"
    "{\"name\":\"ts\",\"type\":\"long\"},{\"name\":\"user\",\"type\":\"string\"},"
    "{\"name\":\"session\",\"type\":\"string\"},{\"name\":\"country\",\"type\":\"string\"},"
    "{\"name\":\"device\",\"type\":\"string\"},{\"name\":\"amount\",\"type\":\"double\"},"
    "{\"name\":\"ok\",\"type\":\"boolean\"},{\"name\":\"n\",\"type\":\"int\"},"
    "{\"name\":\"ref\",\"type\":[\"null\",\"string\"]}]}";

static struct leat_arena arena, scratch;
static struct leat_error err;
static struct leat_slice records[RECORDS];
static const struct leat_module *module;

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void must(enum leat_status status)
{
    if (status == LEAT_OK)
        return;
    fprintf(stderr, "%s\n", err.text);
    exit(EXIT_FAILURE);
}

static void *new_format(const struct leat_path *paths, size_t count)
{
    const struct leat_setting setting = {LEAT_LIT("schema"), leat_slice_str(schema), false};
    void *self = leat_arena_alloc(&arena, module->self_size);

    must(leat_opts_apply(module->opts, self, &setting, 1, &arena, &err));
    must(module->format->load(self, LEAT_FORMAT_READS, &arena, &err));
    must(module->format->plan(self, paths, count, &arena, &err));
    return self;
}

/* Of 78 bytes, like those that the figures of the literature are about. */
static void make_records(struct leat_chunk *chunk, const void *format)
{
    leat_chunk_clear(chunk, 0);
    for (int i = 0; i < RECORDS; i++) {
        char text[400];
        int n = snprintf(text, sizeof text,
                         "{\"id\":%d,\"ts\":%lld,\"user\":\"user-%05d\",\"session\":"
                         "\"8f14e45fceea167a5a36dedd4bea2543\",\"country\":\"DE\",\"device\":"
                         "\"mobile\",\"amount\":%d.25,\"ok\":true,\"n\":%d,\"ref\":\"x%d\"}",
                         100000 + i, 1700000000000LL + i * 13, i, i % 500, i % 60, i % 10);
        leat_chunk_add(chunk, &(struct leat_row){.value = LEAT_LIT(""), .position = i});
        struct leat_slice json = leat_arena_copy(&arena, (struct leat_slice){text, (size_t)n});
        chunk->columns[LEAT_COL_PATHS][i] = leat_json_parse(json, &arena);
    }
    must(module->format->encode(format, chunk, LEAT_COL_PATHS, &err));
    for (int i = 0; i < RECORDS; i++)
        records[i] = leat_arena_copy(&arena, chunk->values[i]);
}

static double pass_leat(struct leat_chunk *chunk, const void *format, long rounds)
{
    leat_chunk_clear(chunk, 0);
    for (int i = 0; i < RECORDS; i++)
        leat_chunk_add(chunk, &(struct leat_row){.value = records[i], .position = i});
    double start = now_ns();
    for (long round = 0; round < rounds; round++) {
        must(module->format->decode(format, chunk, &err));
        if (chunk->columns[LEAT_COL_THIS][RECORDS - 1].tag != LEAT_NULL)
            abort();
        leat_arena_rewind(&scratch, (struct leat_arena_mark){0});
    }
    return (now_ns() - start) / RECORDS / (double)(rounds ? rounds : 1);
}

static double pass_avro_c(long rounds)
{
    avro_schema_t parsed;
    avro_value_t value;

    if (avro_schema_from_json_length(schema, sizeof schema - 1, &parsed) != 0)
        abort();
    avro_value_iface_t *iface = avro_generic_class_from_schema(parsed);
    avro_generic_value_new(iface, &value);
    avro_reader_t reader = avro_reader_memory(records[0].ptr, (int64_t)records[0].len);
    double start = now_ns();
    for (long round = 0; round < rounds; round++)
        for (int i = 0; i < RECORDS; i++) {
            avro_reader_memory_set_source(reader, records[i].ptr, (int64_t)records[i].len);
            avro_value_reset(&value);
            if (avro_value_read(reader, &value) != 0)
                abort();
        }
    double each = (now_ns() - start) / RECORDS / (double)(rounds ? rounds : 1);
    avro_reader_free(reader);
    avro_value_decref(&value);
    avro_value_iface_decref(iface);
    avro_schema_decref(parsed);
    return each;
}

int main(int argc, char **argv)
{
    static const struct leat_slice user[] = {{"user", 4}}, amount[] = {{"amount", 6}},
                                   country[] = {{"country", 7}};
    static const struct leat_path three[] = {{user, 1, LEAT_COL_PATHS},
                                             {amount, 1, LEAT_COL_PATHS + 1},
                                             {country, 1, LEAT_COL_PATHS + 2}},
                                  whole[] = {{NULL, 0, LEAT_COL_PATHS}};
    struct leat_chunk chunk;

    module = leat_module_find("avro");
    void *fields = new_format(three, 3), *record = new_format(whole, 1);
    must(leat_chunk_init(&chunk, &arena, LEAT_COL_PATHS + 3, &err));
    make_records(&chunk, record);
    chunk.arena = &scratch;
    if (argc == 3 && strcmp(argv[1], "leat") == 0) {
        pass_leat(&chunk, fields, atol(argv[2]));
    } else if (argc == 3) {
        pass_avro_c(atol(argv[2]));
    } else {
        printf("ten fields, %zu bytes\n", records[0].len);
        for (int i = 0; i < 3; i++)
            printf("  three fields %6.1f  whole %6.1f  avro-c %6.1f\n",
                   pass_leat(&chunk, fields, ROUNDS), pass_leat(&chunk, record, ROUNDS),
                   pass_avro_c(ROUNDS));
    }
    leat_arena_reset(&scratch);
    leat_arena_reset(&arena);
    return EXIT_SUCCESS;
}
