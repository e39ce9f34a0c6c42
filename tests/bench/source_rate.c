/*
 * source_rate.c - what the Kafka source and sink cost by themselves: fetches all of a topic as the
 * engine would, and writes it to another topic if one is named.
 *
 *     source_rate BROKERS TOPIC [OUT]
 */
#include "bench.h"
#include "leat.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#define FETCH_BYTES (1u << 20)
#define PARTS_MAX   64

struct part {
    uint32_t id;
    int64_t next;
    bool is_done;
    struct leat_block *block;
    struct leat_error error;
};

static struct part parts[PARTS_MAX];
static uint32_t parts_count, open_count;
static sem_t answers;
static bool with_headers;

static void die(const char *what, const struct leat_error *err)
{
    fprintf(stderr, "%s: %s\n", what, err->text);
    exit(1);
}

static void add_part(void *arg, const struct leat_part *p)
{
    (void)arg;
    parts[parts_count++] = (struct part){.id = p->id, .next = p->first};
}

static void done(void *arg, const struct leat_fetch *fetch, struct leat_block *block,
                 const struct leat_error *err)
{
    struct part *p = arg;

    (void)fetch;
    p->error = *err;
    __atomic_store_n(&p->block, block, __ATOMIC_RELEASE);
    sem_post(&answers);
}

struct instance {
    const struct leat_module *module;
    void *self;
    struct leat_arena arena;
};

static void make(struct instance *i, const struct leat_module *m, const char *const *settings)
{
    struct leat_setting given[8] = {0};
    struct leat_error err;
    size_t n = 0;

    i->module = m;
    for (; settings[n]; n++)
        leat_slice_cut(leat_slice_str(settings[n]), '=', &given[n].name, &given[n].value);
    i->self = leat_arena_alloc(&i->arena, m->self_size);
    if (leat_opts_apply(m->opts, i->self, given, n, &i->arena, &err) != LEAT_OK)
        die("options", &err);
}

static void ask(struct instance *source, struct part *p)
{
    const struct leat_fetch fetch = {
        .part = p->id, .from = p->next, .max_bytes = FETCH_BYTES, .no_headers = !with_headers};

    source->module->pull->fetch(source->self, &fetch, done, p);
}

static void write_block(struct instance *sink, const struct leat_block *b, struct leat_chunk *chunk)
{
    struct leat_cursor cursor = {0};
    struct leat_error err;

    for (;;) {
        if (b->coding->next(&cursor, b, chunk, &err) != LEAT_OK)
            die("block", &err);
        if (!chunk->rows)
            return;
        if (sink->module->sink->write(sink->self, 1, chunk, &err) != LEAT_OK)
            die("write", &err);
    }
}

static void flush(struct instance *sink)
{
    struct leat_bytes section = {.arena = &sink->arena};
    struct leat_error err;

    if (sink->module->sink->prepare(sink->self, 1, &(struct leat_positions){0}, &section, &err) !=
        LEAT_OK)
        die("prepare", &err);
}

/* One answer per part in turn. With a sink a block is kept until it has been acknowledged. */
static uint64_t read_all(struct instance *source, struct instance *sink, struct leat_chunk *chunk)
{
    uint64_t rows = 0;

    open_count = parts_count;
    for (uint32_t i = 0; i < parts_count; i++)
        ask(source, &parts[i]);
    while (open_count) {
        sem_wait(&answers);
        for (uint32_t i = 0; i < parts_count; i++) {
            struct leat_block *b = __atomic_exchange_n(&parts[i].block, NULL, __ATOMIC_ACQ_REL);
            if (!b)
                continue;
            rows += b->rows_hint;
            parts[i].next = b->to;
            if (sink->module) {
                write_block(sink, b, chunk);
                flush(sink);
            }
            if (b->at_end)
                open_count--;
            else
                ask(source, &parts[i]);
            leat_block_unref(b);
        }
    }
    return rows;
}

int main(int argc, char **argv)
{
    static const struct leat_log log = {"bench", "source bench"};
    struct leat_budget budget = {.cap = (size_t)1 << 30};
    const struct leat_env env = {
        .job = "bench-rate", .fs = &leat_fs_posix, .budget = &budget, .log = &log};
    struct instance source = {0}, sink = {0};
    struct leat_error err;
    struct leat_arena arena = {0};
    struct leat_chunk chunk;
    char brokers[120], in[120], out[120];

    if (argc < 3)
        return 2;
    with_headers = argc > 3; /* a copy has to take them along */
    snprintf(brokers, sizeof brokers, "brokers=%s", argv[1]);
    snprintf(in, sizeof in, "topic=%s", argv[2]);
    sem_init(&answers, 0, 0);
    bench_start();
    make(&source, leat_module_find_source("kafka"),
         (const char *const[]){brokers, in, "start=earliest", NULL});
    if (source.module->pull->open(source.self, &env, &err) != LEAT_OK)
        die("open", &err);
    if (source.module->pull->partitions(source.self, add_part, NULL, &err) != LEAT_OK)
        die("partitions", &err);
    printf("{\"ready\": {");
    bench_print_cost(0);
    if (leat_chunk_init(&chunk, &arena, LEAT_COL_PATHS, &err) != LEAT_OK)
        die("chunk", &err);
    if (argc > 3) {
        snprintf(out, sizeof out, "topic=%s", argv[3]);
        make(&sink, leat_module_find_sink("kafka"),
             (const char *const[]){brokers, out, "create.partitions=4", NULL});
        if (sink.module->sink->open(sink.self, &env, &err) != LEAT_OK)
            die("open", &err);
    }
    uint64_t rows = read_all(&source, &sink, &chunk);
    source.module->pull->close(source.self);
    if (sink.module)
        sink.module->sink->close(sink.self);
    printf("}, ");
    bench_print_cost(rows);
    printf("}\n");
    return 0;
}
