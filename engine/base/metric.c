#include "base/metric.h"

const struct leat_metric_info leat_job_metrics[LEAT_JOB_METRICS_COUNT] = {
#define X(name, kind, help) {#name, LEAT_METRIC_##kind, help},
    LEAT_JOB_METRICS(X)
#undef X
};

const struct leat_metric_info leat_part_metrics[LEAT_PART_METRICS_COUNT] = {
#define X(name, kind, help) {#name, LEAT_METRIC_##kind, help},
    LEAT_PART_METRICS(X)
#undef X
};
