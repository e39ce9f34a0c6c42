/*
 * elements.c - may these be elements? Of what a program pushes into a queue or stores.
 */
#include "stream.h"

#include "data/json.h"

#define DEEPEST 64 /* leat_value_encode() */

/* Also of what is in lists and maps. */
static enum leat_status check_value(struct leat_value v, size_t i, int depth,
                                    struct leat_error *err)
{
    bool is_nested = v.tag == LEAT_LIST || v.tag == LEAT_MAP;
    size_t items = !is_nested ? 0 : v.tag == LEAT_MAP ? 2 * (size_t)v.len : v.len;

    if (v.tag == LEAT_ERROR)
        return leat_fail(err, LEAT_E_MISUSE, "number %zu is an error, not a value", i);
    if (v.tag == LEAT_STRING && v.len && !leat_utf8_valid(v.as.text, v.as.text + v.len))
        return leat_fail(
            err, LEAT_E_DATA,
            "number %zu has a string that is not UTF-8; bytes that are no text have the "
            "tag LEAT_BYTES",
            i);
    if (is_nested && depth == DEEPEST)
        return leat_fail(err, LEAT_E_DATA, "number %zu is nested more than %d deep", i, DEEPEST);
    for (size_t k = 0; k < items; k++)
        if (check_value(v.as.items[k], i, depth + 1, err) != LEAT_OK)
            return err->status;
    return LEAT_OK;
}

enum leat_status stream_check_elements(const struct leat_value *values,
                                       const struct leat_pair *pairs, size_t count,
                                       struct leat_error *err)
{
    for (size_t i = 0; i < count; i++)
        if ((pairs && check_value(pairs[i].key, i, 1, err) != LEAT_OK) ||
            check_value(pairs ? pairs[i].value : values[i], i, pairs != NULL, err) != LEAT_OK)
            return err->status;
    return LEAT_OK;
}
