/*
 * fuzz_time_text.c - feeds bytes to the readers of times, durations and offsets.
 *
 * What they accept must come back through its own text.
 */
#include "data/time_text.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct leat_slice text = {(const char *)data, size};
    char into[LEAT_TIME_TEXT_BYTES];
    int32_t offset;

    struct leat_value t = leat_timestamp_parse(text);
    if (t.tag == LEAT_TIMESTAMP) {
        struct leat_slice again = {into, leat_timestamp_text(t, into)};
        struct leat_value back = leat_timestamp_parse(again);
        assert(back.tag == LEAT_TIMESTAMP && back.as.i == t.as.i && back.len == t.len);
    }
    struct leat_value d = leat_duration_parse(text);
    if (d.tag == LEAT_DURATION) {
        struct leat_slice again = {into, leat_duration_text(d, into)};
        struct leat_value back = leat_duration_parse(again);
        assert(back.tag == LEAT_DURATION && back.as.i == d.as.i && back.len == d.len);
    }
    if (leat_offset_parse(text, &offset))
        assert(offset > -86400 && offset < 86400);
    return 0;
}
