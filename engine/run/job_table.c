/*
 * job_table.c - reference tables of a running job.
 *
 * A table is there before the first batch. A file is loaded, and a failure ends the job; with
 * `reload` it is looked at before a batch begins, at most that often, and read again when it has
 * changed; one that cannot be read then is said once, and the rows stay as they were. A topic is
 * read to its end, and followed from then on (table_topic.c). Nothing points into a table between
 * batches. Thread: job.
 */
#include "run/job_thread.h"

#include <sys/stat.h>

/* Has the file changed since it was read? Also notes how it looks now. */
static bool has_changed(struct leat_job_table *t, const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return true; /* reading it says why */
    int64_t changed_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    bool changed = changed_ns != t->changed_ns || (int64_t)st.st_size != t->file_bytes;
    t->changed_ns = changed_ns;
    t->file_bytes = (int64_t)st.st_size;
    return changed;
}

/* The new rows are there before the old ones go, so both must fit for a moment. */
static enum leat_status load(struct leat_job_thread *job, uint32_t i, struct leat_error *err)
{
    struct leat_job_table *t = &job->tables[i];
    struct leat_lookup_table *rows;
    size_t used = atomic_load(&job->work.used);
    size_t left = used < job->work.cap ? job->work.cap - used : 1;

    if (leat_lookup_load(&job->plan->tables[i], left, &rows, err) != LEAT_OK)
        return err->status;
    if (!leat_budget_take(&job->work, leat_lookup_bytes(rows))) {
        leat_lookup_free(rows);
        return leat_fail(err, LEAT_E_FULL, "table '%.*s': no memory for it",
                         LEAT_FMT(job->plan->tables[i].name));
    }
    if (t->rows)
        leat_budget_give(&job->work, leat_lookup_bytes(t->rows));
    leat_lookup_free(t->rows);
    t->rows = rows;
    job->table_rows[i] = rows;
    return LEAT_OK;
}

static enum leat_status init_topic(struct leat_job_thread *job, uint32_t i, struct leat_error *err)
{
    struct leat_job_table *t = &job->tables[i];
    bool skip_bad = job->plan->on_error != LEAT_ON_ERROR_FAIL;

    t->look_ms = LEAT_JOB_NEVER;
    if (leat_table_topic_init(&t->topic, &job->plan->tables[i], &job->env, &job->in, &job->work,
                              &job->arena, skip_bad, err) != LEAT_OK)
        return err->status;
    t->topic.env.budget = &job->blocks;
    job->table_rows[i] = t->topic.rows;
    return LEAT_OK;
}

enum leat_status leat_job_topics_turn(struct leat_job_thread *job, struct leat_error *err)
{
    for (uint32_t i = 0; i < job->plan->tables_count; i++)
        if (job->plan->tables[i].topic && !job->step.stopping &&
            leat_table_topic_turn(&job->tables[i].topic, job->now_ms, err) != LEAT_OK)
            return err->status;
    return LEAT_OK;
}

int64_t leat_job_topics_wake_ms(const struct leat_job_thread *job)
{
    int64_t wake_ms = LEAT_JOB_NEVER;

    for (uint32_t i = 0; i < job->plan->tables_count; i++) {
        int64_t at_ms = job->plan->tables[i].topic ? leat_table_topic_wake_ms(&job->tables[i].topic)
                                                   : LEAT_JOB_NEVER;
        wake_ms = at_ms < wake_ms ? at_ms : wake_ms;
    }
    return wake_ms;
}

bool leat_job_topics_are_read(const struct leat_job_thread *job)
{
    for (uint32_t i = 0; i < job->plan->tables_count; i++)
        if (job->plan->tables[i].topic && !leat_table_topic_is_read(&job->tables[i].topic))
            return false;
    return true;
}

enum leat_status leat_job_tables_init(struct leat_job_thread *job, struct leat_error *err)
{
    uint32_t n = job->plan->tables_count;

    job->tables = leat_arena_array(&job->arena, n, sizeof *job->tables);
    job->table_rows = leat_arena_array(&job->arena, n, sizeof(struct leat_lookup_table *));
    if (!job->tables || !job->table_rows)
        return leat_arena_failed(&job->arena, err);
    for (uint32_t i = 0; i < n; i++) {
        int64_t reload_ms = job->plan->tables[i].reload_ms;
        if (job->plan->tables[i].topic) {
            if (init_topic(job, i, err) != LEAT_OK)
                return err->status;
            continue;
        }
        has_changed(&job->tables[i], job->plan->tables[i].path);
        job->tables[i].look_ms = reload_ms ? job->now_ms + reload_ms : LEAT_JOB_NEVER;
        if (load(job, i, err) != LEAT_OK)
            return err->status;
    }
    leat_flow_set_tables(job->flow, job->table_rows);
    return LEAT_OK;
}

static void read_again(struct leat_job_thread *job, uint32_t i)
{
    struct leat_job_table *t = &job->tables[i];
    struct leat_error err;

    if (load(job, i, &err) != LEAT_OK) {
        if (!t->said)
            leat_warn(&job->lines, "%s; its rows stay as they were", err.text);
        t->said = true;
        t->changed_ns = 0; /* look again */
        return;
    }
    leat_info(&job->lines, "table '%.*s' was read again: %zu rows",
              LEAT_FMT(job->plan->tables[i].name), leat_lookup_rows(t->rows));
    t->said = false;
}

void leat_job_tables_turn(struct leat_job_thread *job)
{
    for (uint32_t i = 0; i < job->plan->tables_count; i++) {
        struct leat_job_table *t = &job->tables[i];
        if (job->now_ms < t->look_ms)
            continue;
        t->look_ms = job->now_ms + job->plan->tables[i].reload_ms;
        if (has_changed(t, job->plan->tables[i].path))
            read_again(job, i);
    }
}

void leat_job_tables_fini(struct leat_job_thread *job)
{
    for (uint32_t i = 0; job->tables && i < job->plan->tables_count; i++) {
        leat_table_topic_fini(&job->tables[i].topic);
        if (job->tables[i].rows)
            leat_budget_give(&job->work, leat_lookup_bytes(job->tables[i].rows));
        leat_lookup_free(job->tables[i].rows);
    }
}
