/*
 * streaming_refused.c - cases of what is refused, without a pipeline: their operation says what is
 * done, and the library gives a status and its words.
 */
#include "streaming.h"

#include <stdio.h>

/* Does it, for *err. False: it could not be done. */
typedef bool refused(const char *operation, int partitions, struct leat_error *err,
                     struct failure *why);

static struct leat_context *never(void *arg)
{
    *(bool *)arg = true;
    return NULL;
}

/* With a function that makes the context's streams, but must not begin anew. */
static bool go_on_from_nothing(const char *operation, int partitions, struct leat_error *err,
                               struct failure *why)
{
    char dir[32], path[64];
    struct leat_context *ctx;
    bool called = false;

    (void)operation, (void)partitions;
    if (!make_dir(dir, why))
        return false;
    snprintf(path, sizeof path, "%s/none", dir);
    if (leat_context_go_on(path, never, &called, &ctx, err) == LEAT_OK)
        err->status = LEAT_OK;
    remove_dir(dir);
    return (!called && !ctx) || differs(why, "it began anew");
}

static refused *refused_of(const char *operation)
{
    static const struct {
        const char *words[2];
        refused *fn;
    } list[] = {{{"slice(", "before the context is started"}, slice_too_early},
                {{"context from a directory", "does not exist"}, go_on_from_nothing}};

    for (size_t i = 0; operation && i < sizeof list / sizeof *list; i++)
        if (strstr(operation, list[i].words[0]) && strstr(operation, list[i].words[1]))
            return list[i].fn;
    return NULL;
}

bool run_refused(json_t *c, int partitions, struct failure *why)
{
    const char *operation = text_at(c, "operation"),
               *text = text_at(json_object_get(c, "expectedError"), "contains");
    refused *fn = refused_of(operation);
    struct leat_error err = {0};

    if (!fn)
        return differs(why, "the library has no such thing: %s", operation ? operation : "");
    if (!fn(operation, partitions, &err, why))
        return false;
    if (err.status == LEAT_OK)
        return differs(why, "it was not refused");
    return !text || strstr(err.text, text) ||
           differs(why, "it was refused with '%s', not '%s'", err.text, text);
}
