/*
 * streaming_build.c - a pipeline of the C library from the stages of a case.
 */
#include "streaming.h"

#include "stream.h"

#include <limits.h>
#include <stdlib.h>

static bool is_one_of(const char *name, const char *const *list)
{
    while (*list && strcmp(*list, name) != 0)
        list++;
    return *list;
}

/* ---- sources */

bool push_batch(struct leat_stream *queue, bool pairs, json_t *rows, struct failure *why)
{
    struct leat_arena arena = {0};
    size_t n = json_array_size(rows);
    struct leat_error err = {0};

    if (json_is_null(rows))
        return leat_queue_push_none(queue, &err) == LEAT_OK || differs(why, "push: %s", err.text);
    struct leat_value *values = leat_arena_array(&arena, n + 1, sizeof *values);
    struct leat_pair *list = leat_arena_array(&arena, n + 1, sizeof *list);
    if (!values || !list)
        abort();
    for (size_t i = 0; i < n; i++) {
        json_t *row = json_array_get(rows, i);
        values[i] = value_of_json(row, &arena);
        list[i].key = value_of_json(json_array_get(row, 0), &arena);
        list[i].value = value_of_json(json_array_get(row, 1), &arena);
    }
    enum leat_status status = pairs ? leat_queue_push_pairs(queue, list, n, &err)
                                    : leat_queue_push(queue, values, n, &err);
    leat_arena_reset(&arena);
    return status == LEAT_OK || differs(why, "push: %s", err.text);
}

/* Elements are pairs when one is written as a list; `otherwise`, when there is none at all. */
static bool has_pairs(json_t *batches, bool otherwise)
{
    json_t *batch, *row;
    size_t i, j;

    json_array_foreach(batches, i, batch)
        json_array_foreach(batch, j, row) return json_is_array(row);
    return otherwise;
}

bool source_flow(struct sources *s, const char *name, bool pairs, struct flow *f,
                 struct failure *why)
{
    json_t *batches = json_object_get(s->inputs, name ? name : ""), *batch;
    size_t i = 0;

    if (!name)
        return differs(why, "a stage names no second source");
    while (i < s->count && strcmp(s->list[i].name, name) != 0)
        i++;
    if (i < s->count) {
        *f = (struct flow){s->list[i].stream, s->list[i].pairs};
        return true;
    }
    if (!batches || s->count == STREAMING_INPUTS_MAX)
        return differs(why, "there is no input '%s'", name);
    pairs = has_pairs(batches, pairs);
    struct leat_stream *queue =
        pairs ? leat_queue_pair_stream(s->ctx, true) : leat_queue_stream(s->ctx, true);
    if (s->partitions)
        leat_queue_partitions(queue, s->partitions);
    s->list[s->count].name = name;
    s->list[s->count].stream = queue;
    s->list[s->count++].pairs = pairs;
    *f = (struct flow){queue, pairs};
    for (i = 0; i < s->from; i++)
        queue->queue->pushed += (int64_t)json_array_size(json_array_get(batches, i));
    queue->queue->committed = queue->queue->pushed;
    json_array_foreach(batches, i, batch) if (i >= s->from &&
                                              !push_batch(queue, pairs, batch, why)) return false;
    return true;
}

/* ---- stages */

static bool no_function(json_t *stage, struct failure *why)
{
    const char *fn = text_at(stage, "fn");

    return differs(why, "the runner has no function '%s' for '%s'", fn ? fn : "",
                   text_at(stage, "op"));
}

static bool map(json_t *stage, struct flow *f, struct failure *why)
{
    const struct element_function *fn = element_function(text_at(stage, "fn"));

    if (!fn)
        return no_function(stage, why);
    f->pairs = fn->form == FORM_PAIR || (fn->form == FORM_SAME && f->pairs);
    f->stream = f->pairs ? leat_map_to_pair(f->stream, pair_of_result, (void *)(uintptr_t)fn)
                         : leat_map(f->stream, fn->fn, NULL);
    return true;
}

static bool flat_map(json_t *stage, struct flow *f, struct failure *why)
{
    const struct element_function *fn = element_function(text_at(stage, "fn"));

    if (!fn)
        return no_function(stage, why);
    f->stream = leat_flat_map(f->stream, fn->fn, NULL);
    f->pairs = fn->form == FORM_PAIR;
    if (f->pairs)
        f->stream = leat_map_to_pair(f->stream, pair_of_list, NULL);
    return true;
}

/* A function of the value alone, which may be any. */
static struct leat_value of_value(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    const struct element_function *fn = arg;
    const struct leat_pair value = {.value = in->value};

    return fn->fn(call, &value, NULL);
}

/* Where the key stays. */
static bool of_values(json_t *stage, struct flow *f, struct failure *why)
{
    const struct element_function *fn = element_function(text_at(stage, "fn"));
    const char *op = text_at(stage, "op");

    if (!fn)
        return no_function(stage, why);
    if (strcmp(op, "filter") == 0)
        f->stream = leat_filter(f->stream, fn->fn, NULL);
    else if (strcmp(op, "mapValues") == 0)
        f->stream = leat_map_values(f->stream, of_value, (void *)(uintptr_t)fn);
    else
        f->stream = leat_flat_map_values(f->stream, of_value, (void *)(uintptr_t)fn);
    return true;
}

static bool reduce(json_t *stage, struct flow *f, struct failure *why)
{
    int64_t size_ms = number_at(stage, "window_ms", 0), slide_ms = number_at(stage, "slide_ms", 0);
    leat_reduce_function *fn = reduce_function(text_at(stage, "fn")),
                         *inverse = reduce_function(text_at(stage, "inv"));
    const struct element_function *keep = element_function(text_at(stage, "filter"));
    const char *op = text_at(stage, "op");

    if (!fn || (text_at(stage, "inv") && !inverse) || (text_at(stage, "filter") && !keep))
        return no_function(stage, why);
    if (strcmp(op, "reduce") == 0)
        f->stream = leat_reduce(f->stream, fn, NULL);
    else if (strcmp(op, "reduceByKey") == 0)
        f->stream = leat_reduce_by_key(f->stream, fn, NULL);
    else if (strcmp(op, "reduceByWindow") == 0)
        f->stream = leat_reduce_by_window(f->stream, fn, inverse, NULL, size_ms, slide_ms);
    else
        f->stream = leat_reduce_by_key_and_window(f->stream, fn, inverse, keep ? keep->fn : NULL,
                                                  NULL, size_ms, slide_ms);
    f->pairs = strstr(op, "ByKey");
    return true;
}

/* The first of three fields that the stage has. */
static const char *one_of(json_t *stage, const char *a, const char *b, const char *c)
{
    const char *name = text_at(stage, a) ? text_at(stage, a) : text_at(stage, b);

    return name ? name : text_at(stage, c);
}

static bool combine(json_t *stage, struct flow *f, struct failure *why)
{
    const struct element_function *create =
        element_function(one_of(stage, "create", "createCombiner", "fn"));
    leat_reduce_function *value = reduce_function(one_of(stage, "mergeValue", "merge", "fn")),
                         *both =
                             reduce_function(one_of(stage, "mergeCombiners", "combine", "merge"));

    if (!create || !value)
        return differs(why, "combineByKey: 'create' names no function of a value, or 'mergeValue' "
                            "none of two");
    f->stream = leat_combine_by_key(f->stream, of_value, value, both ? both : value,
                                    (void *)(uintptr_t)create);
    return true;
}

static bool plain(json_t *stage, struct flow *f, struct failure *why)
{
    int64_t size_ms = number_at(stage, "window_ms", 0), slide_ms = number_at(stage, "slide_ms", 0);
    const char *op = text_at(stage, "op");

    (void)why;
    if (strcmp(op, "repartition") == 0)
        f->stream = leat_repartition(f->stream, (int)number_at(stage, "n", 0));
    else if (strcmp(op, "glom") == 0)
        f->stream = leat_glom(f->stream);
    else if (strcmp(op, "count") == 0)
        f->stream = leat_count(f->stream);
    else if (strcmp(op, "countByValue") == 0)
        f->stream = leat_count_by_value(f->stream);
    else if (strcmp(op, "groupByKey") == 0)
        f->stream = leat_group_by_key(f->stream);
    else if (strcmp(op, "window") == 0)
        f->stream = leat_window(f->stream, size_ms, slide_ms);
    else if (strcmp(op, "countByWindow") == 0)
        f->stream = leat_count_by_window(f->stream, size_ms, slide_ms);
    else if (strcmp(op, "countByValueAndWindow") == 0)
        f->stream = leat_count_by_value_and_window(f->stream, size_ms, slide_ms);
    else
        f->stream = leat_group_by_key_and_window(f->stream, size_ms, slide_ms);
    if (strncmp(op, "count", 5) == 0)
        f->pairs = strstr(op, "ByValue");
    if (strcmp(op, "glom") == 0)
        f->pairs = false;
    return true;
}

/* State to begin with is a stream of its own, whose one batch is the first: elements are tagged. */
static bool update_state(struct sources *s, json_t *stage, struct flow *f, struct failure *why)
{
    static char tagged;
    leat_update_function *fn = update_function(text_at(stage, "fn"));
    json_t *initial = json_object_get(stage, "initial");

    if (!fn)
        return no_function(stage, why);
    if (initial) {
        struct leat_stream *first = leat_queue_pair_stream(s->ctx, true);
        if (s->from)
            return differs(why, "state to begin with, in a second life");
        if (!push_batch(first, true, initial, why))
            return false;
        f->stream = leat_union(leat_map_values(f->stream, tag_value, NULL),
                               leat_map_values(first, tag_state, NULL));
    }
    f->stream = leat_update_state_by_key(f->stream, fn, initial ? &tagged : NULL);
    f->pairs = true;
    return true;
}

static bool other_flow(struct sources *s, json_t *other, bool pairs, struct flow *f,
                       struct failure *why)
{
    return source_flow(s, text_at(other, "source"), pairs, f, why) &&
           build_stages(s, json_object_get(other, "stages"), f, why);
}

static bool join(struct sources *s, json_t *stage, struct flow *f, struct failure *why)
{
    const char *op = text_at(stage, "op");
    struct flow other;

    if (!other_flow(s, json_object_get(stage, "other"), true, &other, why))
        return false;
    if (strcmp(op, "join") == 0)
        f->stream = leat_join(f->stream, other.stream);
    else if (strcmp(op, "leftOuterJoin") == 0)
        f->stream = leat_left_outer_join(f->stream, other.stream);
    else if (strcmp(op, "rightOuterJoin") == 0)
        f->stream = leat_right_outer_join(f->stream, other.stream);
    else if (strcmp(op, "fullOuterJoin") == 0)
        f->stream = leat_full_outer_join(f->stream, other.stream);
    else
        f->stream = leat_cogroup(f->stream, other.stream);
    return true;
}

static bool unite(struct sources *s, json_t *stage, struct flow *f, struct failure *why)
{
    json_t *others = json_object_get(stage, "others"), *one;
    struct flow other;
    size_t i;

    if (!others) {
        if (!other_flow(s, json_object_get(stage, "other"), f->pairs, &other, why))
            return false;
        f->stream = leat_union(f->stream, other.stream);
    }
    json_array_foreach(others, i, one)
    {
        if (!other_flow(s, one, f->pairs, &other, why))
            return false;
        f->stream = leat_union(f->stream, other.stream);
    }
    return true;
}

/* Of this flow, and of "other" or "others". */
static bool transform(struct sources *s, json_t *stage, struct flow *f, struct failure *why)
{
    json_t *others = json_object_get(stage, "others"), *other = json_object_get(stage, "other"),
           *one;
    struct flow flows[STREAMING_INPUTS_MAX] = {*f};
    size_t count = 1, i;

    if (other && !other_flow(s, other, f->pairs, &flows[count++], why))
        return false;
    json_array_foreach(others, i, one) if (count == STREAMING_INPUTS_MAX ||
                                           !other_flow(s, one, f->pairs, &flows[count++],
                                                       why)) return differs(why, "too many");
    return build_transform(text_at(stage, "fn"), flows, count, f, why);
}

static bool build_stage(struct sources *s, json_t *stage, struct flow *f, struct failure *why)
{
    static const char *const
        reduces[] = {"reduce", "reduceByKey", "reduceByWindow", "reduceByKeyAndWindow", NULL},
        *const values[] = {"filter", "mapValues", "flatMapValues", NULL},
        *const joins[] = {"join",          "leftOuterJoin", "rightOuterJoin",
                          "fullOuterJoin", "cogroup",       NULL},
        *const plains[] = {
            "repartition",         "glom",   "count",         "countByValue",
            "groupByKey",          "window", "countByWindow", "countByValueAndWindow",
            "groupByKeyAndWindow", NULL};
    const char *op = text_at(stage, "op");

    if (!op)
        return differs(why, "a stage without 'op'");
    if (strcmp(op, "map") == 0)
        return map(stage, f, why);
    if (strcmp(op, "flatMap") == 0)
        return flat_map(stage, f, why);
    if (is_one_of(op, values))
        return of_values(stage, f, why);
    if (is_one_of(op, reduces))
        return reduce(stage, f, why);
    if (strcmp(op, "combineByKey") == 0)
        return combine(stage, f, why);
    if (is_one_of(op, plains))
        return plain(stage, f, why);
    if (is_one_of(op, joins))
        return join(s, stage, f, why);
    if (strcmp(op, "union") == 0 || strcmp(op, "contextUnion") == 0)
        return unite(s, stage, f, why);
    if (strcmp(op, "mapPartitions") == 0)
        return build_map_partitions(text_at(stage, "fn"), f, why);
    if (strcmp(op, "transform") == 0 || strcmp(op, "transformWith") == 0 ||
        strcmp(op, "contextTransform") == 0)
        return transform(s, stage, f, why);
    if (strcmp(op, "mapWithState") == 0)
        return build_mapped(stage, stage == s->asked, f, why);
    if (strcmp(op, "updateStateByKey") == 0)
        return update_state(s, stage, f, why);
    return differs(why, "the library has no %s", op);
}

bool build_stages(struct sources *s, json_t *stages, struct flow *f, struct failure *why)
{
    json_t *stage;
    size_t i;

    json_array_foreach(stages, i, stage) if (!build_stage(s, stage, f, why)) return false;
    return true;
}

/* Of a source without any element: does what comes first want pairs? */
static bool wants_pairs(json_t *stages)
{
    const char *op = text_at(json_array_get(stages, 0), "op");

    return op && (strstr(op, "ByKey") || strstr(op, "Values") || strstr(op, "oin") ||
                  strcmp(op, "cogroup") == 0 || strcmp(op, "mapWithState") == 0);
}

int input_partitions(json_t *c)
{
    json_t *params = json_object_get(c, "params");
    int64_t n = number_at(params, "inputPartitions", number_at(params, "numPartitions", 0));

    return n >= 0 && n <= INT_MAX ? (int)n : -1;
}

/* Where states are looked at nothing stands behind. A new reference. */
static json_t *up_to_states(struct sources *s, json_t *stages)
{
    size_t n = json_array_size(stages), i = n;
    const char *op = NULL;

    while (i > 0 && !(op && strcmp(op, "mapWithState") == 0))
        op = text_at(json_array_get(stages, --i), "op");
    stages = json_copy(stages);
    s->asked = json_array_get(stages, i);
    while (i + 1 < json_array_size(stages))
        json_array_remove(stages, json_array_size(stages) - 1);
    return stages;
}

bool build_case(json_t *c, struct sources *s, struct flow *f, struct failure *why)
{
    json_t *stages = json_object_get(c, "pipeline");

    if (!json_is_array(stages))
        return differs(why, "the case has no pipeline");
    stages = s->states ? up_to_states(s, stages) : json_incref(stages);
    s->partitions = input_partitions(c);
    json_object_set(s->inputs, "in", json_object_get(c, "input"));
    json_object_set(s->inputs, "in2", json_object_get(c, "input2"));
    bool good =
        source_flow(s, "in", wants_pairs(stages), f, why) && build_stages(s, stages, f, why);
    json_decref(stages);
    return good;
}
