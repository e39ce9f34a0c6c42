#include "run/job_status.h"

#include "base/hidden.h"
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

static int64_t most(struct leat_job_thread *const *jobs, size_t count, enum leat_job_metric metric)
{
    int64_t most = 0;

    for (size_t i = 0; i < count; i++) {
        int64_t one = leat_metric_get(leat_job_metrics_of(jobs[i]), metric);
        most = one > most ? one : most;
    }
    return most;
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

/* Of several partitions the one that is furthest behind. */
static void put_furthest(char *into, size_t room, struct leat_job_thread *const *jobs, size_t count)
{
    const struct leat_part_metrics *furthest = NULL;
    int64_t most = 0;
    uint32_t parts = 0;

    for (size_t i = 0; i < count; i++) {
        const struct leat_part_metrics_list *list = leat_job_part_metrics_of(jobs[i]);
        for (const struct leat_part_metrics *m = leat_part_metrics_first(list); m;
             m = leat_part_metrics_next(m), parts++) {
            int64_t lag = leat_part_metric_get(m, LEAT_PART_METRIC_lag);
            furthest = lag > most ? m : furthest;
            most = lag > most ? lag : most;
        }
    }
    into[0] = 0;
    if (!furthest || parts < 2)
        return;
    bool is_said = strncmp(furthest->partition, furthest->source, strlen(furthest->source)) == 0;
    snprintf(into, room, " (%" PRId64 " in %.40s%s%.60s)", most, is_said ? "" : furthest->source,
             is_said ? "" : " ", furthest->partition);
}

void leat_job_status_show(struct leat_job_status *s, FILE *out, struct leat_job_thread *const *jobs,
                          size_t count, int64_t now_ms)
{
    int64_t passed_ms = now_ms - s->shown_ms;
    char mark[64], furthest[144], line[360];

    if (s->shown_ms && passed_ms < (out ? EVERY_MS : LOG_EVERY_MS))
        return;
    int64_t records = sum(jobs, count, LEAT_JOB_METRIC_records_in);
    int64_t more = records > s->records ? records - s->records : 0; /* a job may have gone */
    int64_t rate = s->shown_ms ? more * 1000 / passed_ms : 0;
    int64_t waiting = sum(jobs, count, LEAT_JOB_METRIC_waiting);
    put_watermark(mark, sizeof mark, least_watermark(jobs, count));
    put_furthest(furthest, sizeof furthest, jobs, count);
    int n = snprintf(
        line, sizeof line,
        "batch %" PRId64 "  %" PRId64 " records/s  lag %" PRId64 "%s%s  processing %" PRId64
        "ms  %" PRId64 " keys  %" PRId64 " MiB  %" PRId64 " errors  %" PRId64 " late%s",
        sum(jobs, count, LEAT_JOB_METRIC_batches), rate, sum(jobs, count, LEAT_JOB_METRIC_lag),
        furthest, mark, most(jobs, count, LEAT_JOB_METRIC_batch_ms),
        sum(jobs, count, LEAT_JOB_METRIC_state_keys),
        (sum(jobs, count, LEAT_JOB_METRIC_memory_blocks_bytes) +
         sum(jobs, count, LEAT_JOB_METRIC_memory_work_bytes)) >>
            20,
        sum(jobs, count, LEAT_JOB_METRIC_errors), sum(jobs, count, LEAT_JOB_METRIC_late),
        waiting ? "  waiting" : "");
    n = n < (int)sizeof line ? n : (int)sizeof line - 1;
    if (out) {
        fputc('\r', out);
        leat_hidden_write((struct leat_slice){line, (size_t)n}, out);
        fprintf(out, "%*s", s->width > n ? s->width - n : 0, "");
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
