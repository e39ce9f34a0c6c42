/* call.c - what functions share; see call.h. Thread: that of the eval. */
#include "expr/call.h"

#include "data/json.h"
#include "data/value_ops.h"

#include <math.h>

#define TWO_63      9223372036854775808.0
#define ERROR_BYTES 300

struct leat_value *call_items(struct leat_call *call, uint64_t n, struct leat_value *why)
{
    if (n > CALL_OUT_MAX / sizeof(struct leat_value)) {
        *why = call_too_large();
        return NULL;
    }
    if (!leat_call_charge(call, n)) {
        *why = leat_call_exhausted();
        return NULL;
    }
    struct leat_value *items = leat_arena_array(call->arena, n + 1, sizeof *items);
    *why = call_full();
    return items;
}

struct leat_value leat_call_error(struct leat_arena *arena, enum leat_value_error code,
                                  struct leat_slice text)
{
    size_t len = text.len;

    if (len > ERROR_BYTES)
        for (len = ERROR_BYTES; len && ((unsigned char)text.ptr[len] & 0xc0) == 0x80;)
            len--;
    char *copy = leat_arena_array(arena, len + 1, 1);
    if (!copy)
        return leat_value_fail(LEAT_V_BUDGET, "the memory of this batch is used up");
    bool valid = leat_utf8_valid(text.ptr, text.ptr + len);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        copy[i] = c < 0x20 || c == 0x7f ? ' ' : c >= 0x80 && !valid ? '?' : text.ptr[i];
    }
    return (struct leat_value){
        .tag = LEAT_ERROR, .code = (uint16_t)code, .len = (uint32_t)len, .as.text = copy};
}

void call_out_start(struct call_out *out, struct leat_call *call)
{
    *out = (struct call_out){.call = call, .bytes.arena = call->arena};
}

void call_out_put(struct call_out *out, const char *text, size_t len)
{
    if (out->too_large || out->exhausted || len == 0)
        return;
    if (len > CALL_OUT_MAX - out->bytes.len) {
        out->too_large = true;
        return;
    }
    out->uncharged += len;
    if (out->uncharged >= 1024) {
        out->exhausted = !leat_call_charge(out->call, out->uncharged / 1024);
        out->uncharged %= 1024;
    }
    leat_bytes_put(&out->bytes, text, len);
}

struct leat_value call_out_text(const struct call_out *out)
{
    if (out->too_large)
        return call_too_large();
    if (out->exhausted)
        return leat_call_exhausted();
    return out->bytes.failed ? call_full() : call_text(leat_bytes_slice(&out->bytes));
}

bool call_sort(struct leat_call *call, struct call_pair *pairs, uint32_t n,
               int (*order)(struct leat_value a, struct leat_value b, struct leat_arena *scratch),
               struct leat_value *why)
{
    struct call_pair *from = pairs, *to = leat_arena_array(call->arena, n + 1, sizeof *to);

    *why = to ? leat_call_exhausted() : call_full();
    if (!to)
        return false;
    for (uint64_t width = 1; width < n; width *= 2) {
        if (!leat_call_charge(call, n))
            return false;
        for (uint64_t low = 0; low < n; low += 2 * width) {
            uint64_t mid = low + width < n ? low + width : n;
            uint64_t high = low + 2 * width < n ? low + 2 * width : n;
            uint64_t i = low, j = mid, k = low;
            while (i < mid && j < high) {
                bool left = order(from[i].key, from[j].key, call->arena) <= 0;
                to[k++] = left ? from[i++] : from[j++];
            }
            while (i < mid)
                to[k++] = from[i++];
            while (j < high)
                to[k++] = from[j++];
        }
        struct call_pair *other = from;
        from = to;
        to = other;
    }
    if (from != pairs)
        memcpy(pairs, from, n * sizeof *pairs);
    return true;
}

struct leat_value call_expand(struct leat_call *call, struct leat_value v)
{
    return v.tag == LEAT_RECORD ? leat_value_expand(v, call->arena) : v;
}

const struct leat_zone *call_zone(struct leat_call *call, const struct leat_value *args, uint32_t n,
                                  uint32_t index, struct leat_value *why)
{
    const char *reason;

    if (n <= index)
        return &leat_zone_utc;
    if (call->prepared)
        return call->prepared;
    if (args[index].tag != LEAT_STRING) {
        *why = call_refuse("no such overload: a time zone is text");
        return NULL;
    }
    struct leat_zones *zones = leat_eval_zones(call->ev);
    *why = call_full();
    if (!zones)
        return NULL;
    const struct leat_zone *z = leat_zones_find(zones, leat_value_text(args[index]), &reason);
    if (!z)
        *why = reason ? call_wrong(reason) : call_full();
    return z;
}

const void *call_prepare_zone(struct leat_value constant, struct leat_arena *arena,
                              const char **why)
{
    *why = "a time zone is text: \"Europe/Paris\"";
    return constant.tag == LEAT_STRING ? leat_zone_open(leat_value_text(constant), arena, why)
                                       : NULL;
}

bool call_whole(struct leat_value v, int64_t *i)
{
    if (v.tag == LEAT_DOUBLE) {
        if (!(v.as.d >= -TWO_63 && v.as.d < TWO_63) || v.as.d != floor(v.as.d))
            return false;
        *i = (int64_t)v.as.d;
        return true;
    }
    *i = v.as.i;
    return v.tag == LEAT_INT || (v.tag == LEAT_UINT && v.as.u <= INT64_MAX);
}

double call_as_double(struct leat_value v)
{
    if (v.tag == LEAT_INT)
        return (double)v.as.i;
    return v.tag == LEAT_UINT ? (double)v.as.u : v.as.d;
}
