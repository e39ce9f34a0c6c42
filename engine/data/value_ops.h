/*
 * value_ops.h - what can be done with any value: compare, copy, encode, print.
 *
 * All of them see a LEAT_RECORD as the map it stands for. `scratch` holds what has to be taken
 * apart for that.
 */
#ifndef LEAT_DATA_VALUE_OPS_H
#define LEAT_DATA_VALUE_OPS_H

#include "base/bytes.h"
#include "data/record.h"

/* A record (raw text, fields or both) as a LEAT_MAP, one level deep: nested objects of raw text are
 * maps, fields stay what they are. Other values as they are. */
LEAT_API struct leat_value leat_value_expand(struct leat_value v, struct leat_arena *scratch);

/* Field of a map or record: LEAT_V_ABSENT when there is none, also of null; LEAT_V_TYPE for other
 * values, an error as it is. */
LEAT_API struct leat_value leat_value_field(struct leat_value v, struct leat_slice name,
                                            struct leat_arena *scratch);

/* CEL's equality: numbers across types, maps without order, NaN equal to nothing. */
LEAT_API bool leat_value_equal(struct leat_value a, struct leat_value b,
                               struct leat_arena *scratch);
/* -1, 0, 1; 2: cannot be compared (different kinds, NaN, lists, maps). Numbers across types. */
LEAT_API int leat_value_compare(struct leat_value a, struct leat_value b);
/* A total order over all values, for sorting: by kind, then as compare; NaN last; lists and maps by
 * their parts. */
LEAT_API int leat_value_order(struct leat_value a, struct leat_value b, struct leat_arena *scratch);

/* All of v, nothing borrowed but shapes of the plan, in `arena`. An error value with LEAT_V_BUDGET
 * when it is full or v is nested more than 64 deep. */
LEAT_API struct leat_value leat_value_copy(struct leat_value v, struct leat_arena *arena);

/* Bytes that give v back: for rows that cross an exchange and for state; versioned with them.
 * Unlike key bytes they keep 1, 1u and 1.0 apart and hold maps, records and errors. Decoding checks
 * every length and bounds the depth (64; what is deeper is encoded as an error); LEAT_E_CORRUPT.
 * Text is borrowed from the bytes. Shapes are not encoded: a record comes back as a map, or as raw
 * text with a map laid over (LEAT_RECORD whose shape is made in arena). */
LEAT_API void leat_value_encode(struct leat_value v, struct leat_bytes *into);
LEAT_API LEAT_CHECKED enum leat_status leat_value_decode(struct leat_slice *from,
                                                         struct leat_arena *arena,
                                                         struct leat_value *v,
                                                         struct leat_error *err);

/* Append as Spark's print shows it: text as it is, 1.0, (k,v) is the caller's; lists as
 * `List(a, b)`, maps and records as JSON. */
LEAT_API void leat_value_print(struct leat_value v, struct leat_bytes *into);

#endif
