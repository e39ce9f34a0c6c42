#include "kafka/marker.h"

#include <inttypes.h>
#include <stdio.h>

void leat_kafka_marker_text(char *text, uint32_t epoch, uint32_t slot, uint64_t n)
{
    snprintf(text, LEAT_KAFKA_MARKER_ROOM, "leat/%08" PRIx32 "/%" PRIu32 "/%" PRIu64, epoch, slot,
             n);
}

void leat_kafka_marker_text_at_least_once(char *text, uint32_t slot, uint64_t n)
{
    snprintf(text, LEAT_KAFKA_MARKER_ROOM, "leat/-/%" PRIu32 "/%" PRIu64, slot, n);
}

/* Digits of base 10 or 16 up to `max`; what is not in its one form fails later, as text. */
static bool read_number(struct leat_slice text, unsigned base, uint64_t max, uint64_t *number)
{
    uint64_t value = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                                                : base;
        if (digit >= base || value > (max - digit) / base)
            return false;
        value = value * base + digit;
    }
    *number = value;
    return text.len > 0;
}

void leat_kafka_marker_read(struct leat_slice text, struct leat_decided *d)
{
    struct leat_slice word[4], rest = text;
    uint64_t epoch = 0, slot, n;
    char again[LEAT_KAFKA_MARKER_ROOM];

    d->by = LEAT_DECIDED_FOREIGN;
    d->epoch = d->slot = 0;
    d->n = 0;
    for (int i = 0; i < 3; i++)
        if (!leat_slice_cut(rest, '/', &word[i], &rest))
            return;
    word[3] = rest;
    bool at_least_once = leat_slice_eq(word[1], LEAT_LIT("-"));
    if (!read_number(word[2], 10, UINT32_MAX, &slot) || !read_number(word[3], 10, UINT64_MAX, &n) ||
        (!at_least_once && !read_number(word[1], 16, UINT32_MAX, &epoch)))
        return;
    if (at_least_once)
        leat_kafka_marker_text_at_least_once(again, (uint32_t)slot, n);
    else
        leat_kafka_marker_text(again, (uint32_t)epoch, (uint32_t)slot, n);
    if (!leat_slice_eq(text, leat_slice_str(again)))
        return;
    d->by = at_least_once ? LEAT_DECIDED_AT_LEAST_ONCE : LEAT_DECIDED_OURS;
    d->epoch = (uint32_t)epoch;
    d->slot = (uint32_t)slot;
    d->n = n;
}

bool leat_kafka_partition_read(struct leat_slice name, char *topic, int32_t *number)
{
    const char *slash = name.len ? memrchr(name.ptr, '/', name.len) : NULL;
    size_t len = slash ? (size_t)(slash - name.ptr) : 0;
    uint64_t n;

    if (len == 0 || len > LEAT_KAFKA_TOPIC_MAX || memchr(name.ptr, 0, len) ||
        !read_number((struct leat_slice){slash + 1, name.len - len - 1}, 10, INT32_MAX, &n) ||
        (slash[1] == '0' && name.len - len > 2))
        return false;
    memcpy(topic, name.ptr, len);
    topic[len] = 0;
    *number = (int32_t)n;
    return true;
}
