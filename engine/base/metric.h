/*
 * metric.h - counters that one thread writes and any may read, all in one table.
 *
 * The table gives each its name, unit and meaning, ready for the status line, `leat docs` and a
 * metrics page. A reader sees each number whole, not all of one moment. Per source or sink there is
 * a struct of its own.
 */
#ifndef LEAT_BASE_METRIC_H
#define LEAT_BASE_METRIC_H

#include <stdatomic.h>
#include <stdint.h>

enum leat_metric_kind { LEAT_METRIC_COUNTER, LEAT_METRIC_GAUGE };

/* name, kind, what it is */
#define LEAT_JOB_METRICS(X)                                                                        \
    X(batches, COUNTER, "batches committed")                                                       \
    X(records_in, COUNTER, "records read")                                                         \
    X(records_out, COUNTER, "records handed to sinks")                                             \
    X(bytes_in, COUNTER, "bytes of blocks read")                                                   \
    X(bytes_out, COUNTER, "bytes handed to sinks")                                                 \
    X(errors, COUNTER, "records that could not be decoded or evaluated")                           \
    X(late, COUNTER, "records whose windows were final")                                           \
    X(fetch_failures, COUNTER, "fetches that failed and were tried again")                         \
    X(batch_ms, GAUGE, "how long the last batch ran")                                              \
    X(delay_ms, GAUGE, "from the time of the last batch to its commit")                            \
    X(state_keys, GAUGE, "keys that are remembered")                                               \
    X(state_bytes, GAUGE, "memory of what is remembered")                                          \
    X(memory_bytes, GAUGE, "of the budget, in use")                                                \
    X(watermark_ms, GAUGE, "least watermark of the sources; 0: none")                              \
    X(lag, GAUGE, "records that are there and not read, where it is known; else 0")                \
    X(partitions, GAUGE, "source partitions that are read")                                        \
    X(waiting, GAUGE, "sources and sinks that wait for the other side")

enum leat_job_metric {
#define X(name, kind, help) LEAT_JOB_METRIC_##name,
    LEAT_JOB_METRICS(X)
#undef X
        LEAT_JOB_METRICS_COUNT
};

struct leat_metric_info {
    const char *name;
    enum leat_metric_kind kind;
    const char *help;
};
extern const struct leat_metric_info leat_job_metrics[LEAT_JOB_METRICS_COUNT];

struct leat_metrics {
    _Atomic int64_t values[LEAT_JOB_METRICS_COUNT];
};

static inline void leat_metric_set(struct leat_metrics *m, enum leat_job_metric at, int64_t value)
{
    atomic_store_explicit(&m->values[at], value, memory_order_relaxed);
}

/* Thread: the one that writes this metric. */
static inline void leat_metric_add(struct leat_metrics *m, enum leat_job_metric at, uint64_t more)
{
    int64_t now = atomic_load_explicit(&m->values[at], memory_order_relaxed);

    atomic_store_explicit(&m->values[at], now + (int64_t)more, memory_order_relaxed);
}

static inline int64_t leat_metric_get(const struct leat_metrics *m, enum leat_job_metric at)
{
    return atomic_load_explicit(&m->values[at], memory_order_relaxed);
}

#endif
