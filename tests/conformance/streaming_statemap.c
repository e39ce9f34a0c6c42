/*
 * streaming_statemap.c - steps of a map of states, over the engine's table of states: the time of
 * an entry is the one at which it is due.
 */
#include "streaming.h"

#include "data/key.h"
#include "data/value_ops.h"
#include "op/state_table.h"

struct map {
    struct leat_arena arena;
    struct leat_state_table table;
};

/* In the arena of the map. */
static struct leat_slice encoded(struct map *m, json_t *j, bool key, struct failure *why)
{
    struct leat_bytes bytes = {.arena = &m->arena};
    struct leat_value v = value_of_json(j, &m->arena);
    struct leat_error err = {0};

    if (key && leat_key_encode(v, &bytes, &err) != LEAT_OK)
        differs(why, "key: %s", err.text);
    if (!key)
        leat_value_encode(v, &bytes);
    return leat_bytes_slice(&bytes);
}

static uint32_t find(struct map *m, struct leat_slice key)
{
    return leat_state_find(&m->table, key, leat_state_hash(leat_key_hash(key)));
}

static json_t *decoded(struct map *m, struct leat_slice bytes, bool key)
{
    struct leat_value v = {0};
    struct leat_error err;
    enum leat_status status = key ? leat_key_decode(bytes, NULL, &m->arena, &v, &err)
                                  : leat_value_decode(&bytes, &m->arena, &v, &err);

    return status == LEAT_OK ? json_of_value(v) : json_string(err.text);
}

/* [key, value, time] of those that are older than `before_ms`. */
static json_t *entries(struct map *m, int64_t before_ms)
{
    struct leat_state_walk walk = {0};
    json_t *list = json_array();
    uint32_t n;

    while ((n = leat_state_next(&m->table, &walk)))
        if (leat_state_due_ms(&m->table, n) < before_ms)
            json_array_append_new(list, json_pack("[o, o, I]",
                                                  decoded(m, leat_state_key(&m->table, n), true),
                                                  decoded(m, leat_state_value(&m->table, n), false),
                                                  (json_int_t)leat_state_due_ms(&m->table, n)));
    return list;
}

static bool is_as_expected(size_t step, json_t *is, json_t *want, struct failure *why)
{
    char came[200], wanted[200];
    bool good = json_is_array(want) ? same_rows(is, want, true) : json_equal(is, want);

    json_text(is, came, sizeof came);
    json_text(want, wanted, sizeof wanted);
    json_decref(is);
    return good || differs(why, "step %zu gives %s, expected %s", step + 1, came, wanted);
}

static bool change(struct map *m, const char *what, json_t *step, struct failure *why)
{
    struct leat_slice key = encoded(m, json_array_get(step, 1), true, why);
    enum leat_status status = LEAT_OK;
    struct leat_error err = {0};
    uint32_t number = find(m, key);

    if (strcmp(what, "put") == 0)
        status = leat_state_put(&m->table, key, leat_state_hash(leat_key_hash(key)),
                                encoded(m, json_array_get(step, 2), false, why),
                                json_integer_value(json_array_get(step, 3)), &number, &err);
    else if (number)
        status = leat_state_remove(&m->table, number, &err);
    return status == LEAT_OK || differs(why, "%s: %s", what, err.text);
}

static bool take_step(struct map *m, size_t i, json_t *step, struct failure *why)
{
    const char *what = json_string_value(json_array_get(step, 0));

    if (!what ||
        json_array_size(step) < (strcmp(what, "put") == 0                                     ? 4
                                 : strcmp(what, "getAll") == 0 || strcmp(what, "remove") == 0 ? 2
                                                                                              : 3))
        return differs(why, "step %zu is not [what, arguments ..., expected]", i + 1);
    if (strcmp(what, "put") == 0 || strcmp(what, "remove") == 0)
        return change(m, what, step, why);
    if (strcmp(what, "getAll") == 0)
        return is_as_expected(i, entries(m, INT64_MAX), json_array_get(step, 1), why);
    if (strcmp(what, "getByTime") == 0)
        return is_as_expected(i, entries(m, json_integer_value(json_array_get(step, 1))),
                              json_array_get(step, 2), why);
    if (strcmp(what, "get") != 0)
        return differs(why, "step %zu: the runner has no '%s'", i + 1, what);
    uint32_t number = find(m, encoded(m, json_array_get(step, 1), true, why));
    return is_as_expected(
        i, number ? decoded(m, leat_state_value(&m->table, number), false) : json_null(),
        json_array_get(step, 2), why);
}

bool run_statemap(json_t *c, int partitions, struct failure *why)
{
    struct map m = {.arena = {0}};
    json_t *step;
    bool good = true;
    size_t i;

    (void)partitions;
    leat_state_table_init(&m.table, &m.arena, true);
    leat_wheel_stand(&m.table.wheel, 0);
    json_array_foreach(json_object_get(c, "steps"), i, step) good =
        good && take_step(&m, i, step, why);
    leat_arena_reset(&m.arena);
    return good && (i > 0 || differs(why, "the case has no steps"));
}
