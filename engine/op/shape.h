/*
 * shape.h - texts that name what gives stored bytes their meaning (leat_state.shape in op.h).
 *
 * A text is made of words that end with "; ", the operator's name and the number of its format
 * first. It is shown to people when state cannot be kept, so it is to be read.
 */
#ifndef LEAT_OP_SHAPE_H
#define LEAT_OP_SHAPE_H

#include "base/bytes.h"
#include "op/op.h"

struct leat_node;

/* As printf; at most 255 bytes at once. */
LEAT_PRINTF(2, 3) void leat_shape_say(struct leat_bytes *text, const char *fmt, ...);

/* What an expression slot of the file says: "amount * 2", or "{ a: x, b: y }". */
void leat_shape_node(struct leat_bytes *text, const struct leat_node *node);

/* The source of a compiled expression; NULL: nothing. */
void leat_shape_program(struct leat_bytes *text, const char *what, const struct leat_program *p);

/* What stands in the state log instead of the text. 0: the operator keeps nothing. Needs memory in
 * arena for the text; *failed when there is none. */
uint64_t leat_shape_hash(const struct leat_op *op, const void *plan, struct leat_arena *arena,
                         bool *failed);

#endif
