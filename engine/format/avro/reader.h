/*
 * reader.h - the steps that every walk over the bytes of a record is made of; for read.c and
 * columns.c only.
 *
 * Each takes the place where something begins and gives the place behind it, or NULL after noting
 * what is wrong and where. The bytes may be anybody's: every length is compared with what is left,
 * lists count at most as many items as can stand in the bytes, values are nested at most AVRO_DEPTH
 * deep, and a record makes a bounded number of them and has a bounded number of fields.
 */
#ifndef LEAT_AVRO_READER_H
#define LEAT_AVRO_READER_H

#include "plan.h"

#include <endian.h>

#define AVRO_VALUES_FREE 65536 /* that any record may make or pass over, however short it is */

struct avro_reader {
    const char *begin, *end;
    struct leat_arena *arena;
    struct leat_value **columns;
    uint32_t row, depth;
    uint64_t values; /* that may still be made */
    uint64_t
        passes; /* fields of records that may still be passed over: they may stand in no bytes */
    const char *at;  /* where it failed */
    const char *why; /* constant text, or of the plan */
    bool no_memory;
};

/* Notes the failure, unless there is one already; returns NULL. */
const char *avro_fail(struct avro_reader *r, const char *at, const char *why);
const char *avro_cut_short(struct avro_reader *r, const char *at);

/* The long form of avro_take_long(): as it is written, not yet signed. */
const char *avro_take_varint(struct avro_reader *r, const char *p, uint64_t *u);

/* How many items the next block of a list or map has, 0: it ends; *bytes: of the block, where it
 * says so, else -1. No block can have more items than its bytes can hold. */
const char *avro_next_block(struct avro_reader *r, const struct avro_type *t, const char *p,
                            uint64_t *count, int64_t *bytes);

/* One level deeper, until r->depth is taken back. */
bool avro_enter(struct avro_reader *r, const char *p);

/* The same, for a record whose fields are gone through without a value of each. */
bool avro_enter_record(struct avro_reader *r, const struct avro_type *t, const char *p);

/* Over a value that nobody wants. */
const char *avro_skip(struct avro_reader *r, const struct avro_type *t, const char *p);

/* A value, in r->arena where it has to be made. */
const char *avro_build(struct avro_reader *r, const struct avro_node *n, const char *p,
                       struct leat_value *v);

static inline const char *avro_take_long(struct avro_reader *r, const char *p, int64_t *v)
{
    uint64_t u;

    if (__builtin_expect(p < r->end && (signed char)*p >= 0, 1))
        u = (unsigned char)*p++;
    else if (!(p = avro_take_varint(r, p, &u)))
        return NULL;
    *v = (int64_t)(u >> 1) ^ -(int64_t)(u & 1);
    return p;
}

/* The number of a branch or symbol, below `count`. */
static inline const char *avro_take_choice(struct avro_reader *r, const char *p, uint32_t count,
                                           uint32_t *n)
{
    int64_t v;
    const char *behind = avro_take_long(r, p, &v);

    if (behind && (v < 0 || v >= count))
        return avro_fail(r, p, "there is no branch or symbol of this number");
    *n = behind ? (uint32_t)v : 0;
    return behind;
}

static inline const char *avro_take_text(struct avro_reader *r, const char *p,
                                         struct leat_slice *text)
{
    int64_t len;
    const char *from = avro_take_long(r, p, &len);

    *text = (struct leat_slice){0};
    if (!from)
        return NULL;
    if (__builtin_expect(len < 0 || len > r->end - from, 0))
        return avro_fail(r, p,
                         len < 0 ? "a length below 0" : "a length beyond the end of the record");
    *text = (struct leat_slice){from, (size_t)len};
    return from + len;
}

static inline const char *avro_pass(struct avro_reader *r, const char *p, uint32_t bytes)
{
    return r->end - p < (int64_t)bytes ? avro_cut_short(r, p) : p + bytes;
}

static inline const char *avro_pass_bool(struct avro_reader *r, const char *p)
{
    if (p == r->end)
        return avro_cut_short(r, p);
    return (unsigned char)*p > 1 ? avro_fail(r, p, "a boolean that is neither 0 nor 1") : p + 1;
}

static inline double avro_take_double(const char *p)
{
    uint64_t bits;
    double d;

    memcpy(&bits, p, sizeof bits);
    bits = le64toh(bits);
    memcpy(&d, &bits, sizeof d);
    return d;
}

static inline const char *avro_take_string(struct avro_reader *r, const char *p,
                                           struct leat_value *v)
{
    struct leat_slice text;
    const char *behind = avro_take_text(r, p, &text);

    *v = (struct leat_value){0};
    if (!behind)
        return NULL;
    if (__builtin_expect(!leat_utf8_valid(text.ptr, behind), 0))
        return avro_fail(r, p, "a string that is not UTF-8");
    *v = (struct leat_value){.tag = LEAT_STRING, .len = (uint32_t)text.len, .as.text = text.ptr};
    return behind;
}

#endif
