#include "pipeline.h"

#include "config/interpolate.h"
#include "config/message.h"
#include "leat_test.h"

#include <inttypes.h>
#include <stdio.h>

static bool load(struct pipeline *p, const char *yaml)
{
    const struct config_outside outside = {.files_may_miss = true};

    *p = (struct pipeline){.arena.cap = 64 << 20};
    p->diags.arena = &p->arena;
    config_file_parse("test.yaml", leat_slice_str(yaml), &p->file, &p->arena, &p->diags);
    if (!p->file.root)
        return false;
    config_interpolate(p->file.root, &outside, &p->arena, &p->diags);
    leat_spec_read(p->file.root, &p->spec, &p->arena, &p->diags);
    p->plan = leat_plan_build(&p->spec, &p->diags);
    return p->plan && p->diags.errors == 0;
}

void pipeline_open(struct pipeline *p, const char *yaml, uint32_t threads)
{
    struct leat_error err = {0};

    if (!load(p, yaml)) {
        config_message_print(&p->file, &p->diags, stdout);
        printf("%s\n", yaml);
        CU_FAIL_FATAL("the pipeline is wrong");
    }
    OK(leat_driver_new(p->plan, threads, (size_t)p->spec.memory.bytes, &p->driver, &err));
    for (uint32_t i = 0; i < p->plan->tables_count && i < 8; i++)
        OK(leat_lookup_load(&p->plan->tables[i], 0, &p->tables[i], &err));
    leat_driver_set_tables(p->driver, (const struct leat_lookup_table *const *)p->tables);
}

void pipeline_check(const char *yaml, char *messages, size_t room)
{
    struct pipeline p;
    FILE *out = fmemopen(messages, room, "w");

    load(&p, yaml);
    config_message_print(&p.file, &p.diags, out);
    fclose(out);
    leat_plan_free(p.plan);
    leat_arena_reset(&p.arena);
}

void pipeline_close(struct pipeline *p)
{
    leat_driver_free(p->driver);
    for (size_t i = 0; i < 8; i++)
        leat_lookup_free(p->tables[i]);
    leat_plan_free(p->plan);
    leat_arena_reset(&p->arena);
}

static uint32_t source_number(const struct pipeline *p, const char *name)
{
    for (uint32_t i = 0; i < p->plan->sources_count; i++)
        if (leat_slice_eq(p->plan->sources[i].name, leat_slice_str(name)))
            return i;
    CU_FAIL_FATAL("no such source");
    return 0;
}

static uint32_t part_number(struct pipeline *p, uint32_t source, const char *name, int64_t now_ms)
{
    struct leat_error err = {0};
    uint32_t i = 0;

    while (i < p->parts_count &&
           (p->parts[i].source != source || strcmp(p->parts[i].name, name) != 0))
        i++;
    if (i < p->parts_count)
        return p->parts[i].id;
    CU_ASSERT_FATAL(i < 64);
    p->parts_count++;
    p->parts[i].source = source;
    snprintf(p->parts[i].name, sizeof p->parts[i].name, "%s", name);
    OK(leat_driver_part(p->driver, source, leat_slice_str(p->parts[i].name), now_ms,
                        &p->parts[i].id, &err));
    return p->parts[i].id;
}

void pipeline_row(struct pipeline *p, const char *source, const char *partition, const char *key,
                  const char *value, int64_t time_ms)
{
    struct leat_error err = {0};
    uint32_t number = source_number(p, source);
    struct leat_row row = {
        .key = leat_slice_str(key), .value = leat_slice_str(value), .time_ms = time_ms};

    OK(leat_driver_row(p->driver, number, part_number(p, number, partition, 0), &row, &err));
}

void pipeline_part(struct pipeline *p, const char *source, const char *partition)
{
    part_number(p, source_number(p, source), partition, 0);
}

void pipeline_at_end(struct pipeline *p, const char *source, const char *partition)
{
    uint32_t number = source_number(p, source);

    leat_driver_at_end(p->driver, number, part_number(p, number, partition, 0), true);
}

void pipeline_cut(struct pipeline *p, const char *source, const char *partition)
{
    uint32_t number = source_number(p, source);

    leat_driver_cut_block(p->driver, number, part_number(p, number, partition, 0));
}

bool pipeline_batch(struct pipeline *p, int64_t time_ms, bool close)
{
    bool ran;

    return leat_driver_batch(p->driver, time_ms, time_ms, close, &ran, &p->error) == LEAT_OK;
}

const char *pipeline_output(struct pipeline *p, const char *sink, unsigned show, char *into,
                            size_t room)
{
    uint32_t number = 0;
    size_t at = 0;

    while (number < p->plan->sinks_count &&
           !leat_slice_eq(p->plan->sinks[number].name, leat_slice_str(sink)))
        number++;
    CU_ASSERT_FATAL(number < p->plan->sinks_count);
    into[0] = '\0';
    const struct leat_sealed_list *list = leat_driver_output(p->driver, number);
    for (const struct leat_sealed *s = list->first; s; s = s->next)
        for (uint32_t i = 0; i < s->chunk.selected; i++) {
            uint16_t row = s->chunk.selection[i];
            if ((show & PIPELINE_KEYS) && at < room)
                at += (size_t)snprintf(into + at, room - at, "%.*s|", LEAT_FMT(s->chunk.keys[row]));
            if (at < room)
                at +=
                    (size_t)snprintf(into + at, room - at, "%.*s", LEAT_FMT(s->chunk.values[row]));
            if ((show & PIPELINE_TIMES) && at < room)
                at += (size_t)snprintf(into + at, room - at, "|%" PRId64, s->chunk.times_ms[row]);
            if (at < room)
                at += (size_t)snprintf(into + at, room - at, "\n");
        }
    return into;
}
