/* job_format.c - formats that ask another service: until it has answered, nothing is read. */
#include "run/job_thread.h"

static bool asks(const struct leat_module *format, const void *self)
{
    return format && format->format->asks && format->format->asks(self);
}

enum leat_status leat_job_formats_ready(const struct leat_job_thread *job, struct leat_error *err)
{
    for (uint32_t i = 0; i < job->plan->sinks_count; i++) {
        const struct leat_plan_sink *s = &job->plan->sinks[i];
        if (asks(s->format, s->format_self) &&
            s->format->format->ready(s->format_self, NULL, err) != LEAT_OK)
            return leat_error_prefix(err, "sink '%.*s'", LEAT_FMT(s->name));
    }
    return LEAT_OK;
}

/* The chunk is made once per source, for those whose format asks. */
static enum leat_status make_rows(struct leat_job_source *s, struct leat_error *err)
{
    struct leat_arena *arena = &s->job->arena;

    if (s->rows)
        return LEAT_OK;
    s->rows = leat_arena_alloc(arena, sizeof *s->rows);
    if (!s->rows)
        return leat_arena_failed(arena, err);
    return leat_chunk_init(s->rows, arena, LEAT_COL_PATHS, err);
}

enum leat_status leat_job_rows_ready(struct leat_job_source *s, const struct leat_block *b,
                                     struct leat_error *err)
{
    const struct leat_module *format = s->plan->format;
    struct leat_cursor cursor = {0};

    if (!asks(format, s->plan->format_self))
        return LEAT_OK;
    if (make_rows(s, err) != LEAT_OK)
        return err->status;
    for (;;) {
        if (b->coding->next(&cursor, b, s->rows, err) != LEAT_OK)
            return err->status;
        if (s->rows->rows == 0)
            return LEAT_OK;
        if (format->format->ready(s->plan->format_self, s->rows, err) != LEAT_OK)
            return err->status;
    }
}
