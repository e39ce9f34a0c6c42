/* answer.c - answers of a schema registry to schemas that are ready to read with, and to numbers.
 */
#include "answer.h"

static struct leat_value member(struct leat_value object, const char *name,
                                struct leat_arena *arena)
{
    if (object.tag != LEAT_MAP)
        return leat_value_fail(LEAT_V_ABSENT, "");
    return leat_value_field(object, leat_slice_str(name), arena);
}

static enum leat_status strange(const char *url, long status, struct leat_slice body,
                                struct leat_error *err)
{
    for (size_t i = 0; i < body.len; i++)
        if ((unsigned char)body.ptr[i] < ' ')
            body.len = i;
    return leat_fail(err, LEAT_E_UNREACHABLE, "schema registry '%s' answers %ld: %.*s", url, status,
                     body.len < 120 ? (int)body.len : 120, body.ptr ? body.ptr : "");
}

/* Nothing is kept of a schema that cannot be used but why. */
static enum leat_status unfit(struct avro_answer *a, const char *text, struct leat_error *err)
{
    leat_arena_reset(&a->arena);
    struct leat_slice copy = leat_arena_copy(&a->arena, leat_slice_str(text));

    if (!copy.ptr)
        return leat_arena_failed(&a->arena, err);
    a->found = AVRO_UNFIT;
    a->why = copy.ptr;
    return LEAT_OK;
}

enum leat_status avro_answer_prepare(const struct avro_target *target, struct leat_slice text,
                                     struct avro_answer *a, struct leat_error *err)
{
    const struct avro_node *node;
    enum leat_status status = avro_schema_parse(text, &a->arena, &a->schema, err);

    if (status == LEAT_OK)
        status = avro_resolve(&a->schema, target->wanted ? target->wanted : &a->schema, &a->arena,
                              &node, err);
    if (status != LEAT_OK)
        return status;
    a->plan = avro_plan_new(node, target->paths, target->paths_count, &a->arena);
    a->found = AVRO_READY;
    return a->plan ? LEAT_OK : leat_arena_failed(&a->arena, err);
}

static enum leat_status use_schema(const struct avro_target *target, struct leat_value answer,
                                   struct leat_arena *scratch, struct avro_answer *a,
                                   struct leat_error *err)
{
    struct leat_value schema = member(answer, "schema", scratch),
                      type = member(answer, "schemaType", scratch),
                      references = member(answer, "references", scratch);

    if (type.tag == LEAT_STRING && !leat_slice_eq(leat_value_text(type), LEAT_LIT("AVRO")))
        return unfit(a, "it is no schema of Avro", err);
    if (references.tag == LEAT_LIST && references.len)
        return unfit(a, "it refers to other schemas of the registry, which is not supported", err);
    enum leat_status status = avro_answer_prepare(target, leat_value_text(schema), a, err);
    if (status != LEAT_E_CONFIG && status != LEAT_E_FULL)
        return status;
    struct leat_error why = *err;
    return unfit(a, why.text, err);
}

enum leat_status avro_answer_schema(const struct avro_target *target, const char *url, long status,
                                    struct leat_slice body, struct leat_arena *scratch,
                                    struct avro_answer *a, struct leat_error *err)
{
    struct leat_value answer = leat_json_parse(body, scratch);
    struct leat_value code = member(answer, "error_code", scratch);

    leat_arena_reset(&a->arena);
    if (status == 404 && code.tag == LEAT_INT && code.as.i == 40403) {
        a->found = AVRO_UNKNOWN;
        return LEAT_OK;
    }
    if (status != 200 || member(answer, "schema", scratch).tag != LEAT_STRING)
        return strange(url, status, body, err);
    return use_schema(target, answer, scratch, a, err);
}

enum leat_status avro_answer_number(const char *url, long status, struct leat_slice body,
                                    struct leat_arena *scratch, uint32_t *id,
                                    struct leat_error *err)
{
    struct leat_value number = member(leat_json_parse(body, scratch), "id", scratch);

    if (status == 200 && number.tag == LEAT_INT && number.as.i >= 0 &&
        number.as.i <= (int64_t)UINT32_MAX) {
        *id = (uint32_t)number.as.i;
        return LEAT_OK;
    }
    strange(url, status, body, err);
    if (status == 409 || status == 422) /* incompatible; no schema */
        err->status = LEAT_E_CONFIG;
    return err->status;
}
