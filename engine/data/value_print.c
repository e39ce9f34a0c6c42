#include "data/json.h"
#include "data/time_text.h"
#include "data/value_ops.h"

#define DEPTH_MAX 64

static void put(struct leat_bytes *into, struct leat_slice text)
{
    leat_bytes_put(into, text.ptr, text.len);
}

static void print(struct leat_value v, uint32_t depth, struct leat_bytes *into);

static void print_list(struct leat_value v, uint32_t depth, struct leat_bytes *into)
{
    put(into, LEAT_LIT("List("));
    for (uint32_t i = 0; i < v.len; i++) {
        if (i)
            put(into, LEAT_LIT(", "));
        print(v.as.items[i], depth, into);
    }
    put(into, LEAT_LIT(")"));
}

static void print_error(struct leat_value v, struct leat_bytes *into)
{
    put(into, LEAT_LIT("error"));
    if (v.len)
        put(into, LEAT_LIT(": "));
    put(into, leat_value_text(v));
}

/* What JSON cannot hold (a NaN, an error) stands for the whole map. */
static void print_json(struct leat_value v, struct leat_bytes *into)
{
    struct leat_value why;
    size_t before = into->len;

    if (leat_json_write(v, into, &why))
        return;
    into->len = before;
    print_error(why, into);
}

static void print(struct leat_value v, uint32_t depth, struct leat_bytes *into)
{
    char text[LEAT_TIME_TEXT_BYTES];
    size_t n = 0;

    switch ((enum leat_tag)v.tag) {
    case LEAT_NULL:
        put(into, LEAT_LIT("null"));
        return;
    case LEAT_BOOL:
        put(into, v.as.b ? LEAT_LIT("true") : LEAT_LIT("false"));
        return;
    case LEAT_INT:
        n = leat_int_text(v.as.i, text);
        break;
    case LEAT_UINT:
        n = leat_uint_text(v.as.u, text);
        break;
    case LEAT_DOUBLE:
        n = leat_double_text(v.as.d, text);
        break;
    case LEAT_TIMESTAMP:
        n = leat_timestamp_text(v, text);
        break;
    case LEAT_DURATION:
        n = leat_duration_text(v, text);
        break;
    case LEAT_STRING:
    case LEAT_BYTES:
    case LEAT_TYPE:
        put(into, leat_value_text(v));
        return;
    case LEAT_LIST:
        if (depth < DEPTH_MAX)
            print_list(v, depth + 1, into);
        return;
    case LEAT_MAP:
    case LEAT_RECORD:
        print_json(v, into);
        return;
    case LEAT_ERROR:
        print_error(v, into);
        return;
    }
    leat_bytes_put(into, text, n);
}

void leat_value_print(struct leat_value v, struct leat_bytes *into)
{
    print(v, 0, into);
}
