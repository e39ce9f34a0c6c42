/*
 * fuzz_kafka_marker.c - feeds bytes to the readers of positions' metadata and partitions' names.
 *
 * What they accept must come back through its own text.
 */
#include "kafka/marker.h"

#include <assert.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct leat_slice text = {(const char *)data, size};
    struct leat_decided d = {0};
    char again[LEAT_KAFKA_TOPIC_MAX + 16], topic[LEAT_KAFKA_TOPIC_MAX + 1];
    int32_t number;

    leat_kafka_marker_read(text, &d);
    if (d.by == LEAT_DECIDED_OURS)
        leat_kafka_marker_text(again, d.epoch, d.slot, d.n);
    else if (d.by == LEAT_DECIDED_AT_LEAST_ONCE)
        leat_kafka_marker_text_at_least_once(again, d.slot, d.n);
    assert(d.by == LEAT_DECIDED_FOREIGN || leat_slice_eq(leat_slice_str(again), text));
    if (leat_kafka_partition_read(text, topic, &number)) {
        snprintf(again, sizeof again, "%s/%d", topic, (int)number);
        assert(leat_slice_eq(leat_slice_str(again), text));
    }
    return 0;
}
