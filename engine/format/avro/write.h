/* write.h - values to bytes of a schema. */
#ifndef LEAT_AVRO_WRITE_H
#define LEAT_AVRO_WRITE_H

#include "plan.h"

/* Append v as the schema wants it. False: it does not fit, *why is an error value that names the
 * field and says what is wanted, its text in scratch; what was appended is half a value. Memory
 * that is out is into->failed, or LEAT_V_BUDGET. Thread: any. */
bool avro_write(const struct avro_schema *schema, struct leat_value v, struct leat_arena *scratch,
                struct leat_bytes *into, struct leat_value *why);

#endif
