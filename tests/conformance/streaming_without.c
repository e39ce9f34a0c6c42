/*
 * streaming_without.c - cases of which leat has no counterpart: it is one process that starts no
 * others, has no web page, and no kinds of datasets or switches of logs. They are skipped, each by
 * name and with the reason; docs/spark-differences.md says the same.
 */
#include "streaming.h"

static const struct {
    const char *function, *reason;
} functions[] = {
    {"rescheduleReceiver", "leat has no executors: all receivers are threads of one process"},
    {"scheduleReceivers", "leat has no executors: all receivers are threads of one process"},
    {"requestExecutors", "leat has no executors that it could ask for or let go"},
    {"dynAllocValid", "leat has no executors that it could ask for or let go"},
    {"blockDataset", "leat has no kinds of datasets: a batch reads rows from where they are"},
    {"walDefaults", "leat has no switches for how its logs are written"},
    {"progressCells", "leat has no web page"},
};

const char *has_no_counterpart(json_t *c)
{
    const char *kind = text_at(c, "kind"), *function = text_at(c, "function");

    if (kind && strcmp(kind, "text") == 0 && json_is_object(json_object_get(c, "texts")))
        return "leat has no web page"; /* words that a page has; `text` is what is printed */
    for (size_t i = 0; kind && function && i < sizeof functions / sizeof *functions; i++)
        if (strcmp(kind, "vector") == 0 && strcmp(functions[i].function, function) == 0)
            return functions[i].reason;
    return NULL;
}
