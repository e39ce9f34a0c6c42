#include "run/job_status.h"

#include "base/log.h"
#include "data/time_text.h"

#include <inttypes.h>

#define EVERY_MS     1000
#define LOG_EVERY_MS 30000 /* where there is no terminal: a log line, if there were records */

static const struct leat_log progress = {"leat", "progress"};

static int64_t sum(struct leat_job_thread *const *jobs, size_t count, enum leat_job_metric metric)
{
    int64_t all = 0;

    for (size_t i = 0; i < count; i++)
        all += leat_metric_get(leat_job_metrics_of(jobs[i]), metric);
    return all;
}

static int64_t least_watermark(struct leat_job_thread *const *jobs, size_t count)
{
    int64_t least = 0;

    for (size_t i = 0; i < count; i++) {
        int64_t at_ms = leat_metric_get(leat_job_metrics_of(jobs[i]), LEAT_JOB_METRIC_watermark_ms);
        if (at_ms && (!least || at_ms < least))
            least = at_ms;
    }
    return least;
}

static void put_watermark(char *into, size_t room, int64_t at_ms)
{
    int64_t seconds = at_ms / 1000 - (at_ms % 1000 < 0);
    struct leat_value time = {.tag = LEAT_TIMESTAMP, .as.i = seconds};
    char text[LEAT_TIME_TEXT_BYTES];

    into[0] = 0;
    if (at_ms)
        snprintf(into, room, "  watermark %.*s", (int)leat_timestamp_text(time, text), text);
}

void leat_job_status_show(struct leat_job_status *s, FILE *out, struct leat_job_thread *const *jobs,
                          size_t count, int64_t now_ms)
{
    int64_t passed_ms = now_ms - s->shown_ms;
    char mark[64], line[256];

    if (s->shown_ms && passed_ms < (out ? EVERY_MS : LOG_EVERY_MS))
        return;
    int64_t records = sum(jobs, count, LEAT_JOB_METRIC_records_in);
    int64_t rate = s->shown_ms ? (records - s->records) * 1000 / passed_ms : 0;
    int64_t waiting = sum(jobs, count, LEAT_JOB_METRIC_waiting);
    put_watermark(mark, sizeof mark, least_watermark(jobs, count));
    int n = snprintf(line, sizeof line,
                     "batch %" PRId64 "  %" PRId64 " records/s  lag %" PRId64 "%s  %" PRId64
                     " keys  %" PRId64 " MiB  %" PRId64 " errors  %" PRId64 " late%s",
                     sum(jobs, count, LEAT_JOB_METRIC_batches), rate,
                     sum(jobs, count, LEAT_JOB_METRIC_lag), mark,
                     sum(jobs, count, LEAT_JOB_METRIC_state_keys),
                     sum(jobs, count, LEAT_JOB_METRIC_memory_bytes) >> 20,
                     sum(jobs, count, LEAT_JOB_METRIC_errors),
                     sum(jobs, count, LEAT_JOB_METRIC_late), waiting ? "  waiting" : "");
    if (out) {
        fprintf(out, "\r%-*s", s->width, line);
        fflush(out);
    } else if (s->shown_ms && records != s->records) {
        leat_info(&progress, "%s", line);
    }
    s->width = n;
    s->shown_ms = now_ms;
    s->records = records;
}

void leat_job_status_end(struct leat_job_status *s, FILE *out)
{
    if (s->shown_ms && out)
        fprintf(out, "\n");
    s->shown_ms = 0;
}
