/*
 * metric.h - counters that one thread writes and any may read, all in one table.
 *
 * The tables give each its name, unit and meaning, ready for the status line, `leat docs` and a
 * metrics page. A reader sees each number whole, not all of one moment. There is a struct of them
 * per job, and one per source partition in a list that only grows. Only `bad_input` is written by
 * several: the threads of all sources and sinks, with leat_bad_input().
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
    X(bad_input, COUNTER,                                                                          \
      "frames, requests or messages that the protocol does not allow, refused")                    \
    X(late, COUNTER, "records whose windows were final")                                           \
    X(fetch_failures, COUNTER, "fetches that failed and were tried again")                         \
    X(scheduling_ms, GAUGE, "from the time of the last batch to when it began")                    \
    X(batch_ms, GAUGE, "how long the last batch ran")                                              \
    X(commit_ms, GAUGE, "from the end of the last batch's run to its commit")                      \
    X(delay_ms, GAUGE, "from the time of the last batch to its commit")                            \
    X(state_keys, GAUGE, "keys that are remembered")                                               \
    X(state_bytes, GAUGE, "memory of what is remembered")                                          \
    X(memory_blocks_bytes, GAUGE, "memory of blocks that were read and wait for their batch")      \
    X(memory_work_bytes, GAUGE, "memory of batches under way, state, tables and outputs")          \
    X(rate_limit, GAUGE, "records a second that batches take at most; 0: no limit")                \
    X(watermark_ms, GAUGE, "least watermark of the sources; 0: none")                              \
    X(lag, GAUGE, "records that are there and not read, where it is known; else 0")                \
    X(partitions, GAUGE, "source partitions that are read")                                        \
    X(waiting, GAUGE, "sources and sinks that wait for the other side")

/* Of one source partition, with the labels `source` and `partition`. */
#define LEAT_PART_METRICS(X)                                                                       \
    X(records, COUNTER, "records read")                                                            \
    X(bytes, COUNTER, "bytes of blocks read")                                                      \
    X(errors, COUNTER,                                                                             \
      "of its records, those that could not be decoded or evaluated up to the "                    \
      "first exchange")                                                                            \
    X(position, GAUGE, "the position of the next record that is in no batch yet")                  \
    X(lag, GAUGE, "records that are there and not read, where it is known; else 0")                \
    X(watermark_ms, GAUGE, "its own watermark; 0: none")                                           \
    X(finished, GAUGE, "1: it has been read to its end and nothing can follow")

enum leat_job_metric {
#define X(name, kind, help) LEAT_JOB_METRIC_##name,
    LEAT_JOB_METRICS(X)
#undef X
        LEAT_JOB_METRICS_COUNT
};

enum leat_part_metric {
#define X(name, kind, help) LEAT_PART_METRIC_##name,
    LEAT_PART_METRICS(X)
#undef X
        LEAT_PART_METRICS_COUNT
};

struct leat_metric_info {
    const char *name;
    enum leat_metric_kind kind;
    const char *help;
};
extern const struct leat_metric_info leat_job_metrics[LEAT_JOB_METRICS_COUNT];
extern const struct leat_metric_info leat_part_metrics[LEAT_PART_METRICS_COUNT];

struct leat_metrics {
    _Atomic int64_t values[LEAT_JOB_METRICS_COUNT];
};

/* In the order in which the partitions were found; one that is in the list stays as long as the
 * job. Texts end with a NUL. */
struct leat_part_metrics {
    _Atomic(struct leat_part_metrics *) next;
    const char *source, *partition; /* "orders", "orders/3" */
    _Atomic int64_t values[LEAT_PART_METRICS_COUNT];
};

struct leat_part_metrics_list {
    _Atomic(struct leat_part_metrics *) first;
    struct leat_part_metrics *last; /* the writer's */
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

static inline void leat_part_metric_set(struct leat_part_metrics *m, enum leat_part_metric at,
                                        int64_t value)
{
    atomic_store_explicit(&m->values[at], value, memory_order_relaxed);
}

/* Thread: the one that writes this metric. */
static inline void leat_part_metric_add(struct leat_part_metrics *m, enum leat_part_metric at,
                                        uint64_t more)
{
    int64_t now = atomic_load_explicit(&m->values[at], memory_order_relaxed);

    atomic_store_explicit(&m->values[at], now + (int64_t)more, memory_order_relaxed);
}

static inline int64_t leat_part_metric_get(const struct leat_part_metrics *m,
                                           enum leat_part_metric at)
{
    return atomic_load_explicit(&m->values[at], memory_order_relaxed);
}

/* `m` is complete but for its numbers. Thread: the writer. */
static inline void leat_part_metrics_append(struct leat_part_metrics_list *list,
                                            struct leat_part_metrics *m)
{
    if (list->last)
        atomic_store_explicit(&list->last->next, m, memory_order_release);
    else
        atomic_store_explicit(&list->first, m, memory_order_release);
    list->last = m;
}

/* NULL: there is none (yet). Thread: any. */
static inline const struct leat_part_metrics *
leat_part_metrics_first(const struct leat_part_metrics_list *list)
{
    return atomic_load_explicit(&list->first, memory_order_acquire);
}

static inline const struct leat_part_metrics *
leat_part_metrics_next(const struct leat_part_metrics *m)
{
    return atomic_load_explicit(&m->next, memory_order_acquire);
}

#endif
