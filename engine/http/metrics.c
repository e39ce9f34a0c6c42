#include "http/metrics.h"

#include "base/hidden.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* name, kind, what it is; with the label `pipeline`, whether one of its jobs runs or not */
#define PIPELINE_METRICS(X)                                                                        \
    X(ready, GAUGE, "1: it has found its place, and its sinks and what it reads from answer")      \
    X(failed, GAUGE, "1: it has failed, and is tried again or stays so")                           \
    X(failures, COUNTER, "how often it has failed")                                                \
    X(starts, COUNTER, "how often it has begun: at the start, at reloads, after failures")

/* Of the process. */
#define PROCESS_METRICS(X)                                                                         \
    X(reloads, COUNTER, "how often the files were read again")                                     \
    X(files_refused, GAUGE, "files that were wrong when they were read last")                      \
    X(info, GAUGE, "always 1; the label `version` says which leat this is")

enum pipeline_metric {
#define X(name, kind, help) PIPELINE_##name,
    PIPELINE_METRICS(X)
#undef X
        PIPELINE_COUNT
};
enum process_metric {
#define X(name, kind, help) PROCESS_##name,
    PROCESS_METRICS(X)
#undef X
        PROCESS_COUNT
};

#define X(name, kind, help) {#name, LEAT_METRIC_##kind, help},
static const struct leat_metric_info pipeline_metrics[PIPELINE_COUNT] = {PIPELINE_METRICS(X)};
static const struct leat_metric_info process_metrics[PROCESS_COUNT] = {PROCESS_METRICS(X)};
#undef X

/* ---- names and numbers */

struct name {
    char text[96];
    bool is_seconds; /* and counted in ms */
};

static struct name name_of(const struct leat_metric_info *info, const char *prefix)
{
    size_t len = strlen(info->name);
    struct name n = {.is_seconds = len > 3 && strcmp(info->name + len - 3, "_ms") == 0};

    snprintf(n.text, sizeof n.text, "leat_%s%.*s%s%s", prefix, (int)(len - (n.is_seconds ? 3 : 0)),
             info->name, n.is_seconds ? "_seconds" : "",
             info->kind == LEAT_METRIC_COUNTER ? "_total" : "");
    return n;
}

static const char *type_of(const struct leat_metric_info *info)
{
    return info->kind == LEAT_METRIC_COUNTER ? "counter" : "gauge";
}

LEAT_PRINTF(2, 3) static void put(struct leat_bytes *out, const char *fmt, ...)
{
    char text[512];
    va_list args;

    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (n > 0)
        leat_bytes_put(out, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

static void put_head(struct leat_bytes *out, const struct leat_metric_info *info,
                     const struct name *name)
{
    put(out, "# HELP %s %s\n# TYPE %s %s\n", name->text, info->help, name->text, type_of(info));
}

static void put_label(struct leat_bytes *out, const char *name, struct leat_slice text)
{
    put(out, "%s=\"", name);
    for (size_t i = 0, hidden; i < text.len; i += hidden ? hidden : 1) {
        char c = text.ptr[i];
        hidden = leat_hidden_at(text, i);
        if (hidden)
            leat_bytes_put(out, LEAT_HIDDEN_SHOWN, strlen(LEAT_HIDDEN_SHOWN));
        else if (c == '\n')
            leat_bytes_put(out, "\\n", 2);
        else if (c == '"' || c == '\\')
            leat_bytes_put(out, (char[]){'\\', c}, 2);
        else
            leat_bytes_put(out, &c, 1);
    }
    leat_bytes_put(out, "\"", 1);
}

static void put_number(struct leat_bytes *out, const struct name *name, int64_t value)
{
    if (name->is_seconds)
        put(out, "%s%" PRId64 ".%03" PRId64 "\n", value < 0 ? "-" : "",
            (value < 0 ? -value : value) / 1000, (value < 0 ? -value : value) % 1000);
    else
        put(out, "%" PRId64 "\n", value);
}

/* ---- of pipelines and their jobs */

struct writing {
    struct leat_bytes *out;
    struct name name;
    uint32_t metric; /* in its table */
};

static void put_of_pipeline(struct writing *w, struct leat_slice pipeline, int64_t value)
{
    put(w->out, "%s{", w->name.text);
    put_label(w->out, "pipeline", pipeline);
    put(w->out, "} ");
    put_number(w->out, &w->name, value);
}

static void put_member(void *arg, const struct leat_member *m)
{
    struct writing *w = arg;
    int64_t value = 0;

    switch ((enum pipeline_metric)w->metric) {
    case PIPELINE_ready:
        value = m->state == LEAT_MEMBER_RUNNING;
        break;
    case PIPELINE_failed:
        value = m->state == LEAT_MEMBER_FAILED || m->state == LEAT_MEMBER_WAITING;
        break;
    case PIPELINE_failures:
        value = (int64_t)m->failures;
        break;
    case PIPELINE_starts:
        value = (int64_t)m->starts;
        break;
    case PIPELINE_COUNT:
        break;
    }
    put_of_pipeline(w, m->name, value);
}

static void put_job(void *arg, const struct leat_member *m)
{
    struct writing *w = arg;

    if (m->job)
        put_of_pipeline(
            w, m->name,
            leat_metric_get(leat_job_metrics_of(m->job), (enum leat_job_metric)w->metric));
}

static void put_parts(void *arg, const struct leat_member *m)
{
    const struct leat_part_metrics_list *list = m->job ? leat_job_part_metrics_of(m->job) : NULL;
    struct writing *w = arg;

    for (const struct leat_part_metrics *p = list ? leat_part_metrics_first(list) : NULL; p;
         p = leat_part_metrics_next(p)) {
        put(w->out, "%s{", w->name.text);
        put_label(w->out, "pipeline", m->name);
        put_label(w->out, ",source", leat_slice_str(p->source));
        put_label(w->out, ",partition", leat_slice_str(p->partition));
        put(w->out, "} ");
        put_number(w->out, &w->name, leat_part_metric_get(p, (enum leat_part_metric)w->metric));
    }
}

static void put_table(const struct leat_job_set *set, const struct leat_metric_info *table,
                      uint32_t count, const char *prefix,
                      void (*put_one)(void *arg, const struct leat_member *m),
                      struct leat_bytes *out)
{
    for (uint32_t i = 0; i < count; i++) {
        struct writing w = {.out = out, .name = name_of(&table[i], prefix), .metric = i};
        put_head(out, &table[i], &w.name);
        leat_job_set_each(set, put_one, &w);
    }
}

/* ---- of the process */

static void put_process(const struct leat_process_metrics *process, struct leat_bytes *out)
{
    const int64_t values[PROCESS_COUNT] = {[PROCESS_reloads] = (int64_t)process->reloads,
                                           [PROCESS_files_refused] = process->files_refused,
                                           [PROCESS_info] = 1};

    for (uint32_t i = 0; i < PROCESS_COUNT; i++) {
        struct name name = name_of(&process_metrics[i], "");
        put_head(out, &process_metrics[i], &name);
        put(out, "%s", name.text);
        if (i == PROCESS_info) {
            put(out, "{");
            put_label(out, "version", leat_slice_str(process->version));
            put(out, "}");
        }
        put(out, " ");
        put_number(out, &name, values[i]);
    }
}

void leat_metrics_write(const struct leat_job_set *set, const struct leat_process_metrics *process,
                        struct leat_bytes *out)
{
    put_process(process, out);
    put_table(set, pipeline_metrics, PIPELINE_COUNT, "pipeline_", put_member, out);
    put_table(set, leat_job_metrics, LEAT_JOB_METRICS_COUNT, "", put_job, out);
    put_table(set, leat_part_metrics, LEAT_PART_METRICS_COUNT, "partition_", put_parts, out);
}

/* ---- reference */

static void write_table(const char *title, const char *labels, const struct leat_metric_info *table,
                        uint32_t count, const char *prefix, FILE *out)
{
    fprintf(out, "## %s\n\n%s\n\n| name | type | what it is |\n|---|---|---|\n", title, labels);
    for (uint32_t i = 0; i < count; i++)
        fprintf(out, "| `%s` | %s | %s |\n", name_of(&table[i], prefix).text, type_of(&table[i]),
                table[i].help);
    fprintf(out, "\n");
}

void leat_metrics_write_docs(FILE *out)
{
    fprintf(out,
            "# Metrics\n\nWhat `/metrics` answers where a pipeline says `http: { listen: ... "
            "}`. Times are in seconds, sizes in bytes. A job that begins again begins at 0.\n\n");
    write_table("The process", "Without labels, but for the version.", process_metrics,
                PROCESS_COUNT, "", out);
    write_table("Pipelines", "Label `pipeline`.", pipeline_metrics, PIPELINE_COUNT, "pipeline_",
                out);
    write_table("Jobs", "Label `pipeline`; while it runs.", leat_job_metrics,
                LEAT_JOB_METRICS_COUNT, "", out);
    write_table("Source partitions", "Labels `pipeline`, `source` and `partition`.",
                leat_part_metrics, LEAT_PART_METRICS_COUNT, "partition_", out);
}
