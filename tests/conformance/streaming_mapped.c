/*
 * streaming_mapped.c - mapWithState, and the functions that cases name for it.
 */
#include "streaming.h"

#include <stdlib.h>

#define MAPPING(name)                                                                              \
    static struct leat_value name(struct leat_call *call, struct leat_value key,                   \
                                  const struct leat_value *value, struct leat_key_state *state,    \
                                  void *arg)

static struct leat_value nothing(void)
{
    return (struct leat_value){0};
}

static struct leat_value add_to(struct leat_call *call, const struct leat_value *value,
                                struct leat_key_state *state)
{
    struct leat_value sum = *value;

    if (leat_key_state_exists(state))
        sum = reduce_function("add")(call, leat_key_state_get(state), *value, NULL);
    leat_key_state_update(state, sum);
    return sum;
}

MAPPING(sum)
{
    (void)key, (void)arg;
    return value ? add_to(call, value, state) : nothing();
}

MAPPING(sum_key_twice)
{
    (void)arg;
    if (value)
        add_to(call, value, state);
    return value ? reduce_function("add")(call, key, key, NULL) : nothing();
}

MAPPING(sum_pair)
{
    struct leat_value pair = leat_list();

    (void)arg;
    if (!value)
        return nothing();
    leat_list_add(call, &pair, key);
    leat_list_add(call, &pair, add_to(call, value, state));
    return pair;
}

MAPPING(sum_nothing)
{
    (void)key, (void)arg;
    if (value)
        add_to(call, value, state);
    return nothing();
}

MAPPING(toggle_remove)
{
    (void)call, (void)arg;
    if (!value)
        return nothing();
    if (!leat_key_state_exists(state)) {
        leat_key_state_update(state, *value);
        return nothing();
    }
    leat_key_state_remove(state);
    return key;
}

MAPPING(emit_on_timeout)
{
    (void)call, (void)arg;
    if (value)
        leat_key_state_update(state, leat_int(1));
    return leat_key_state_is_timing_out(state) ? key : nothing();
}

bool build_mapped(json_t *stage, bool states, struct flow *f, struct failure *why)
{
    static const struct {
        const char *name;
        leat_mapping_function *fn;
    } list[] = {{"mwsSum", sum},
                {"mwsSumKeyTwice", sum_key_twice},
                {"mwsSumPair", sum_pair},
                {"mwsSumNothing", sum_nothing},
                {"mwsToggleRemove", toggle_remove},
                {"mwsEmitOnTimeout", emit_on_timeout}};
    const char *name = text_at(stage, "fn");
    json_t *initial = json_object_get(stage, "initial"), *pair;
    struct leat_arena arena = {0};
    struct leat_pair *pairs = NULL;
    struct leat_state_spec spec = {.timeout_ms = number_at(stage, "timeout_ms", 0)};
    size_t i;

    for (i = 0; name && i < sizeof list / sizeof *list; i++)
        if (strcmp(list[i].name, name) == 0)
            spec.fn = list[i].fn;
    if (!spec.fn)
        return differs(why, "the runner has no function '%s' for 'mapWithState'", name ? name : "");
    pairs = leat_arena_array(&arena, json_array_size(initial) + 1, sizeof *pairs);
    if (!pairs)
        abort();
    json_array_foreach(initial, i, pair)
    {
        pairs[i].key = value_of_json(json_array_get(pair, 0), &arena);
        pairs[i].value = value_of_json(json_array_get(pair, 1), &arena);
    }
    spec.initial = pairs;
    spec.initial_count = json_array_size(initial);
    f->stream = leat_map_with_state(f->stream, &spec);
    leat_arena_reset(&arena);
    f->pairs = strcmp(name, "mwsSumPair") == 0;
    if (states)
        f->stream = leat_state_snapshots(f->stream);
    else if (f->pairs)
        f->stream = leat_map_to_pair(f->stream, pair_of_list, NULL);
    f->pairs = f->pairs || states;
    return true;
}
