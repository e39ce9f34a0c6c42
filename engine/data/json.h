/*
 * json.h - the JSON reader and writer of the hot path.
 *
 * The reader accepts and refuses exactly what RFC 8259 says (duplicate names: the last wins),
 * checks UTF-8, and bounds depth (LEAT_JSON_DEPTH), so that what it let through as text can be
 * passed on. Numbers: without fraction and exponent and within 64 bits an int (a uint above
 * INT64_MAX), beyond that an overflow error value; else a double.
 */
#ifndef LEAT_DATA_JSON_H
#define LEAT_DATA_JSON_H

#include "base/bytes.h"
#include "data/format.h"
#include "data/record.h"

#define LEAT_JSON_DEPTH 64

/* The paths that are wanted, prepared once: immutable, shared by threads. */
struct leat_json_plan;
LEAT_API const struct leat_json_plan *leat_json_plan_new(const struct leat_path *paths,
                                                         size_t count, struct leat_arena *arena);

/* What a reader has learnt about the order of names in the objects it sees, which makes the next
 * one cheaper. It owns what it knows, and belongs to one thread: made anew for each chunk, in its
 * arena. NULL: out of memory. */
struct leat_json_order;
LEAT_API struct leat_json_order *leat_json_order_new(const struct leat_json_plan *plan,
                                                     struct leat_arena *arena);

/* Check the whole text and put the wanted paths of row `row` into columns[path.column][row]; absent
 * ones become LEAT_V_ABSENT. Strings without escapes are borrowed from the text; else, and for
 * lists and maps, `arena` has them. A whole object that is asked for (path without names, or an
 * object below the path or in a list) becomes a LEAT_RECORD with raw text. A path through null is
 * absent, one through any other value that is no object LEAT_V_TYPE. `order` may be NULL. False:
 * not JSON; *why names offset and reason, as an error value; LEAT_V_BUDGET: out of memory. */
LEAT_API bool leat_json_read(const struct leat_json_plan *plan, struct leat_json_order *order,
                             struct leat_slice text, struct leat_arena *arena,
                             struct leat_value **columns, uint32_t row, struct leat_value *why);

/* Any JSON text as a value: objects become LEAT_MAP in the order of the text (of equal names the
 * first one's place, the last one's value). Strings without escapes are borrowed. An error value
 * when it is not JSON or the arena is full. */
LEAT_API struct leat_value leat_json_parse(struct leat_slice text, struct leat_arena *arena);

/* Field `name` of a checked object text; LEAT_V_ABSENT when there is none. */
LEAT_API struct leat_value leat_json_field(struct leat_slice object, struct leat_slice name,
                                           struct leat_arena *arena);

/* Append v as JSON: shortest double that reads back (with .0 or exponent), timestamps as RFC 3339
 * text with 0, 3, 6 or 9 digits, durations as "90s"-like CEL text, bytes as base64, map keys as
 * text, a record's raw text with its fields laid over (replaced in place, new ones behind; a field
 * with an LEAT_V_ABSENT error is left out). False: v holds an error, a NaN or an infinity; *why
 * says which. */
LEAT_API bool leat_json_write(struct leat_value v, struct leat_bytes *into, struct leat_value *why);

/* Shortest text that reads back as d (with .0 or exponent, the latter below 1e-4 and from 1e16 on;
 * NaN, Infinity, -Infinity); into at least 32 bytes. No locale changes it. */
LEAT_API size_t leat_double_text(double d, char *into);
/* The double nearest to a JSON number's text; infinite when it is beyond all of them. */
LEAT_API double leat_double_parse(struct leat_slice number);
/* Decimal text; into at least 20 bytes. */
LEAT_API size_t leat_uint_text(uint64_t u, char *into);
LEAT_API size_t leat_int_text(int64_t i, char *into);

/* Well-formed by RFC 3629? Formats check what becomes a string. */
LEAT_API bool leat_utf8_valid(const char *p, const char *end);

#endif
