/* answer.h - what the answers of a schema registry say: bytes of another service. */
#ifndef LEAT_AVRO_ANSWER_H
#define LEAT_AVRO_ANSWER_H

#include "registry.h"

/* What a number stands for. */
enum avro_found {
    AVRO_READY,   /* a schema that can be read with */
    AVRO_UNKNOWN, /* the registry does not have it */
    AVRO_UNFIT,   /* it is there and cannot be used */
};

struct avro_answer {
    struct leat_arena arena; /* of the rest; given back by who owns this */
    enum avro_found found;
    struct avro_schema schema;
    const struct avro_plan *plan; /* READY */
    const char *why;              /* UNFIT */
};

/* Make the text of a schema ready to be read with: then it is AVRO_READY. LEAT_E_CONFIG: it is none
 * that can be read as the target wants. */
LEAT_CHECKED enum leat_status avro_answer_prepare(const struct avro_target *target,
                                                  struct leat_slice text, struct avro_answer *a,
                                                  struct leat_error *err);

/* The answer to "what is the schema of this number?". LEAT_OK: a->found. Else nobody knows yet:
 * LEAT_E_UNREACHABLE, LEAT_E_NOMEM. `scratch` is used, and may be reset afterwards. */
LEAT_CHECKED enum leat_status avro_answer_schema(const struct avro_target *target, const char *url,
                                                 long status, struct leat_slice body,
                                                 struct leat_arena *scratch, struct avro_answer *a,
                                                 struct leat_error *err);

/* The answer to a schema that was sent. LEAT_E_CONFIG: it is refused; LEAT_E_UNREACHABLE: nobody
 * knows yet. */
LEAT_CHECKED enum leat_status avro_answer_number(const char *url, long status,
                                                 struct leat_slice body, struct leat_arena *scratch,
                                                 uint32_t *id, struct leat_error *err);

#endif
