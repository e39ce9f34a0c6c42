/*
 * metrics.h - what a process counts, as the text that Prometheus reads (format 0.0.4).
 *
 * Names come from the tables of base/metric.h: `leat_` in front, `_total` behind a counter, and
 * milliseconds become seconds. Every number has the label `pipeline`, that of a source partition
 * `source` and `partition` as well. What must not be shown is not.
 */
#ifndef LEAT_HTTP_METRICS_H
#define LEAT_HTTP_METRICS_H

#include "base/bytes.h"
#include "run/job_set.h"

/* What is about the process, beside its pipelines. */
struct leat_process_metrics {
    const char *version;
    uint64_t reloads;
    uint32_t files_refused;
};

/* Thread: main. */
void leat_metrics_write(const struct leat_job_set *set, const struct leat_process_metrics *process,
                        struct leat_bytes *out);

/* The reference: every name, its type and what it is. */
void leat_metrics_write_docs(FILE *out);

#endif
