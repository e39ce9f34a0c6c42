#include "avro.h"

#include <endian.h>

bool avro_take_long(struct leat_slice *from, int64_t *v)
{
    uint64_t bits = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (from->len == 0)
            return false;
        uint8_t byte = (uint8_t)*from->ptr++;
        from->len--;
        if (shift == 63 && byte > 1)
            return false;
        bits |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *v = (int64_t)(bits >> 1) ^ -(int64_t)(bits & 1);
            return true;
        }
    }
    return false;
}

static bool take_fixed(struct leat_slice *from, size_t len, struct leat_slice *bytes)
{
    if (len > from->len)
        return false;
    *bytes = (struct leat_slice){from->ptr, len};
    from->ptr += len;
    from->len -= len;
    return true;
}

bool avro_take_bytes(struct leat_slice *from, struct leat_slice *bytes)
{
    int64_t len;

    return avro_take_long(from, &len) && len >= 0 && (uint64_t)len <= from->len &&
           take_fixed(from, (size_t)len, bytes);
}

bool avro_take_block(struct leat_slice *from, size_t least, int64_t *count)
{
    int64_t bytes;

    if (!avro_take_long(from, count) || *count == INT64_MIN)
        return false;
    if (*count < 0) { /* its length follows, for who passes over it */
        *count = -*count;
        if (!avro_take_long(from, &bytes) || bytes < 0 || (uint64_t)bytes > from->len)
            return false;
    }
    return (uint64_t)*count <= from->len / least;
}

size_t avro_put_long(char *into, int64_t v)
{
    uint64_t bits = ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
    size_t len = 0;

    for (; bits > 0x7f; bits >>= 7)
        into[len++] = (char)((bits & 0x7f) | 0x80);
    into[len++] = (char)bits;
    return len;
}

/* A map whose values are text or bytes; *entries and *bytes may be NULL. */
static bool pass_map(struct leat_slice *from, int64_t max, uint32_t *entries, size_t *bytes)
{
    struct leat_slice name, value;
    int64_t count, seen = 0;
    size_t sum = 0;

    do {
        if (!avro_take_block(from, 2, &count) || count > max - seen)
            return false;
        seen += count;
        for (int64_t i = 0; i < count; i++) {
            if (!avro_take_bytes(from, &name) || !avro_take_bytes(from, &value))
                return false;
            sum += name.len + value.len;
        }
    } while (count);
    if (entries)
        *entries = (uint32_t)seen;
    if (bytes)
        *bytes = sum;
    return true;
}

/* ---- calls */

/* union { null, X }: *is whether X follows. */
static bool take_optional(struct leat_slice *from, bool *is)
{
    int64_t branch;

    if (!avro_take_long(from, &branch) || (branch != 0 && branch != 1))
        return false;
    *is = branch == 1;
    return true;
}

bool flume_take_hello(struct leat_slice *from, struct flume_hello *hello)
{
    bool is;

    *hello = (struct flume_hello){0};
    if (!take_fixed(from, FLUME_HASH_BYTES, &hello->client_hash) || !take_optional(from, &is) ||
        (is && !avro_take_bytes(from, &hello->protocol)) ||
        !take_fixed(from, FLUME_HASH_BYTES, &hello->server_hash) || !take_optional(from, &is))
        return false;
    return !is || pass_map(from, INT64_MAX, NULL, NULL);
}

bool flume_take_name(struct leat_slice *from, struct leat_slice *name)
{
    return pass_map(from, INT64_MAX, NULL, NULL) && avro_take_bytes(from, name);
}

bool flume_take_match(struct leat_slice *from, struct flume_match *match)
{
    bool is;

    *match = (struct flume_match){0};
    if (!avro_take_long(from, &match->match) || match->match < 0 || match->match > FLUME_NONE ||
        !take_optional(from, &is) || (is && !avro_take_bytes(from, &match->text)) ||
        !take_optional(from, &is) || (is && !take_fixed(from, FLUME_HASH_BYTES, &match->hash)) ||
        !take_optional(from, &is))
        return false;
    return !is || pass_map(from, INT64_MAX, NULL, NULL);
}

bool flume_take_status(struct leat_slice *from, int64_t *status, bool *failed,
                       struct leat_slice *text)
{
    char flag;

    *text = (struct leat_slice){0};
    if (!pass_map(from, INT64_MAX, NULL, NULL) || !leat_take(from, &flag, 1) ||
        !avro_take_long(from, status)) /* of an error: which of its types, a text is the only one */
        return false;
    *failed = flag != 0;
    return !*failed || avro_take_bytes(from, text);
}

struct flume_events flume_events_of(struct leat_slice parameter, bool list, uint32_t max_headers)
{
    return (struct flume_events){
        .rest = parameter, .list = list, .left = list ? 0 : 1, .max_headers = max_headers};
}

enum flume_step flume_events_next(struct flume_events *events, struct flume_event *event,
                                  const char **why)
{
    struct leat_slice *rest = &events->rest;

    if (events->left == 0 && events->list) {
        *why = "the list of events is damaged";
        if (!avro_take_block(rest, 2, &events->left))
            return FLUME_STEP_WRONG;
        events->list = events->left > 0;
    }
    if (events->left == 0) {
        *why = "bytes behind the last event";
        return rest->len ? FLUME_STEP_WRONG : FLUME_STEP_END;
    }
    events->left--;
    event->map = *rest;
    *why = "the headers of an event are damaged, or more than max_headers";
    if (!pass_map(rest, events->max_headers, &event->headers, &event->header_bytes))
        return FLUME_STEP_WRONG;
    event->map.len -= rest->len;
    *why = "the body of an event is damaged";
    return avro_take_bytes(rest, &event->body) ? FLUME_STEP_EVENT : FLUME_STEP_WRONG;
}

size_t flume_headers_size(const struct flume_event *event)
{
    return event->headers ? 4 + (size_t)event->headers * 8 + event->header_bytes : 0;
}

static char *put_text(char *into, struct leat_slice text)
{
    uint32_t len = htole32((uint32_t)text.len);

    memcpy(into, &len, sizeof len);
    if (text.len)
        memcpy(into + sizeof len, text.ptr, text.len);
    return into + sizeof len + text.len;
}

void flume_put_headers(const struct flume_event *event, char *into)
{
    struct leat_slice rest = event->map, name = {0}, value = {0};
    uint32_t number = htole32(event->headers);
    int64_t count = 0;

    if (!event->headers)
        return;
    memcpy(into, &number, sizeof number);
    into += sizeof number;
    while (avro_take_block(&rest, 2, &count) && count > 0)
        for (; count > 0; count--) {
            if (!avro_take_bytes(&rest, &name) || !avro_take_bytes(&rest, &value))
                return; /* flume_events_next() has read it before */
            into = put_text(put_text(into, name), value);
        }
}
