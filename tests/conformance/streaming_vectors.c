/*
 * streaming_vectors.c - cases of literal text, and of single questions to the library.
 */
#include "streaming.h"

#include <stdio.h>
#include <unistd.h>

/* ---- text: what leat_print() writes */

/* Everything in the file, in memory of this function. */
static const char *read_all(FILE *f)
{
    static char text[16384];

    rewind(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    return text;
}

static bool print_batch(struct run *r, json_t *input, int64_t num, FILE *into, struct failure *why)
{
    struct leat_stream *queue = leat_queue_stream(r->ctx, true);
    int out = dup(STDOUT_FILENO);
    bool good = push_batch(queue, false, json_array_get(input, 0), why);

    fflush(stdout);
    leat_print(queue, (int)num);
    run_collect(r, queue, false);
    if (out < 0 || dup2(fileno(into), STDOUT_FILENO) < 0)
        return differs(why, "standard output cannot be caught");
    good = good && run_batches(r, 1, why);
    fflush(stdout);
    dup2(out, STDOUT_FILENO);
    close(out);
    if (good && r->ended.status != LEAT_OK)
        good = differs(why, "it failed: %s", r->ended.text);
    return good;
}

bool run_text(json_t *c, int partitions, struct failure *why)
{
    int64_t batch_ms = number_at(json_object_get(c, "params"), "batch_ms", 1000);
    int64_t num = number_at(json_object_get(c, "params"), "num", 10);
    const char *text = text_at(c, "text");
    FILE *caught = text ? tmpfile() : NULL;
    struct run r;

    if (!caught)
        return differs(why, "the case does not say what is printed, or there is no file for it");
    bool good = run_init(&r, batch_ms, number_at(c, "time_ms", 0) - batch_ms, partitions, why) &&
                print_batch(&r, json_object_get(c, "input"), num, caught, why);
    run_free(&r);
    if (good && strcmp(read_all(caught), text) != 0)
        good = differs(why, "printed '%.200s'", read_all(caught));
    fclose(caught);
    return good;
}

/* ---- vectors: in -> out */

static json_t *window_params_valid(json_t *c, json_t *in, int partitions, struct failure *why)
{
    struct run r;
    json_t *valid = NULL;

    if (run_init(&r, number_at(json_object_get(c, "params"), "batch_ms", 1000), 0, partitions,
                 why)) {
        run_collect(&r,
                    leat_window(leat_queue_stream(r.ctx, true), number_at(in, "window_ms", 0),
                                number_at(in, "slide_ms", 0)),
                    false);
        valid = run_batches(&r, 0, why) ? json_boolean(r.ended.status == LEAT_OK) : NULL;
    }
    run_free(&r);
    return valid;
}

/* Batch k has the element k; what is in the window that ends with batch `end`? */
static json_t *window_members(json_t *c, json_t *in, int partitions, struct failure *why)
{
    json_t *setup = json_object_get(c, "setup"), *members = NULL, *batch;
    int64_t end = number_at(in, "end", 1);
    struct run r;
    size_t i;

    if (run_init(&r, 1000, 0, partitions, why)) {
        struct leat_stream *queue = leat_queue_stream(r.ctx, true);
        struct leat_error err;
        for (int64_t k = 1; k <= end; k++) {
            const struct leat_value v = leat_int(k);
            if (leat_queue_push(queue, &v, 1, &err) != LEAT_OK)
                differs(why, "push: %s", err.text);
        }
        run_collect(&r,
                    leat_window(queue, 1000 * number_at(setup, "window", 1),
                                1000 * number_at(setup, "slide", 1)),
                    false);
        if (run_batches(&r, (size_t)end, why) && r.ended.status == LEAT_OK)
            json_array_foreach(r.batches, i, batch) if (number_at(batch, "time", 0) == 1000 * end)
                members = json_incref(json_object_get(batch, "rows"));
    }
    run_free(&r);
    if (members && !json_array_size(members)) { /* no window ends then */
        json_decref(members);
        members = json_null();
    }
    if (!members)
        differs(why, "no batch came");
    return members;
}

static json_t *await_result(json_t *c, json_t *in, int partitions, struct failure *why)
{
    const char *state = json_string_value(in);
    struct leat_error err;
    bool ended = false;
    struct run r;

    (void)c;
    if (run_init(&r, 1000, 0, partitions, why)) {
        run_collect(&r, leat_queue_stream(r.ctx, true), false);
        if (leat_start(r.ctx, &err) != LEAT_OK ||
            (state && strcmp(state, "stopped") == 0 && leat_stop(r.ctx, false, &err) != LEAT_OK) ||
            leat_await_termination_or_timeout(r.ctx, 1, &ended, &err) != LEAT_OK)
            differs(why, "%s", err.text);
    }
    run_free(&r);
    return json_boolean(ended);
}

static bool ask(json_t *c, answer *fn, int partitions, struct failure *why)
{
    json_t *v;
    size_t i;

    json_array_foreach(json_object_get(c, "vectors"), i, v)
    {
        json_t *want = json_object_get(v, "out");
        json_t *is = fn(c, json_object_get(v, "in"), partitions, why);
        char came[200], wanted[200];
        bool good = is && json_equal(is, want);
        json_text(is, came, sizeof came);
        json_text(want, wanted, sizeof wanted);
        if (!good)
            differs(why, "vector %zu gives %s, expected %s", i, came, wanted);
        json_decref(is);
        if (why->text[0])
            return false;
    }
    return i > 0 || differs(why, "the case has no vectors");
}

bool run_vector(json_t *c, int partitions, struct failure *why)
{
    static const struct {
        const char *name;
        answer *fn;
    } functions[] = {{"windowParamsValid", window_params_valid},
                     {"windowMembers", window_members},
                     {"awaitResult", await_result},
                     {"sliceParts", slice_parts},
                     {"fileName", file_name},
                     {"textLayout", text_layout},
                     {"blockRecordCount", block_record_count},
                     {"oversizeBlock", oversize_block},
                     {"trackerWal", tracker_wal},
                     {"pid", pid_estimate},
                     {"rateLimit", rate_limit},
                     {"fileRememberWindow", file_remember_window},
                     {"binaryRecords", binary_records},
                     {"duration", duration_answer},
                     {"timeFloor", time_floor},
                     {"recurringTimer", recurring_timer},
                     {"timerStart", timer_start},
                     {"batchInfoPhases", batch_info_phases},
                     {"failureReasons", failure_reasons},
                     {"retained", retained_batches},
                     {"mapWithStateCreate", mapped_create},
                     {"checkpointListing", checkpoint_listing},
                     {"checkpointOrder", checkpoint_order},
                     {"slice", slice},
                     {"retention", retention},
                     {"mapWithStateCheckpointInterval", mapped_checkpoint},
                     {"validate", validate}};
    const char *name = text_at(c, "function");

    for (size_t i = 0; name && i < sizeof functions / sizeof *functions; i++)
        if (strcmp(functions[i].name, name) == 0)
            return ask(c, functions[i].fn, partitions, why);
    return differs(why, "the library has no %s", name ? name : "such function");
}
