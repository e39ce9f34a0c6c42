/*
 * conformance_streaming.c - runs cases of stream semantics over the C library.
 *
 * conformance_streaming FILE.json [PARTITIONS]: {"cases": [{id, kind, pipeline, input, expected,
 * ...}]}. Each case runs with 1, 2 and 4 partitions, or with so many, and has to pass with all. The
 * kinds scenario, rule and generator are told in words: they are skipped with the tests that cover
 * them, and so is what leat has no counterpart of. Prints a line per failing case and
 * "N passed, N failed, N skipped", and on stderr a line per skipped one; exits 1 when a case
 * failed, 2 without cases.
 */
#include "streaming.h"

#include <stdio.h>
#include <stdlib.h>

typedef bool run_case(json_t *c, int partitions, struct failure *why);

static bool has_no(json_t *c, int partitions, struct failure *why)
{
    const char *operation = text_at(c, "operation"), *kind = text_at(c, "kind");

    (void)partitions;
    return differs(why, "the library has nothing of the kind '%s' (%.100s)", kind ? kind : "",
                   operation ? operation : "");
}

/* NULL: it is skipped. */
static run_case *runner_of(const char *kind)
{
    static const struct {
        const char *kind;
        run_case *run;
    } list[] = {{"dstream", run_streams},
                {"dstream-partitions", run_streams},
                {"dstream-final", run_streams},
                {"hazard", run_streams},
                {"dstream-queue", run_queue},
                {"dstream-multi", run_multi},
                {"error", run_error},
                {"text", run_text},
                {"vector", run_vector},
                {"statemap", run_statemap},
                {"tracker", run_tracker},
                {"recovery", run_recovery},
                {"filestream", run_filestream},
                {"table", run_table},
                {"progress", run_progress},
                {"scenario", NULL},
                {"rule", NULL},
                {"generator", NULL}};

    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        if (kind && strcmp(list[i].kind, kind) == 0)
            return list[i].run;
    return has_no;
}

static bool passes(json_t *c, run_case *run, int only)
{
    const int all[] = {1, 2, 4};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct failure why = {{0}};
        int partitions = only ? only : all[i];
        if (!run(c, partitions, &why)) {
            const char *id = text_at(c, "id");
            printf("%s: with %d partitions: %s\n", id ? id : "?", partitions, why.text);
            fflush(stdout);
            return false;
        }
        if (only)
            break;
    }
    return true;
}

/* Is it skipped, which has been said then? */
static bool skips(json_t *c, bool in_words)
{
    const char *id = text_at(c, "id"), *reason = has_no_counterpart(c);

    if (reason)
        fprintf(stderr, "skipped %s: %s\n", id ? id : "?", reason);
    else if (in_words)
        print_by_hand(id);
    return reason || in_words;
}

int main(int argc, char **argv)
{
    json_error_t error;
    json_t *file = argc >= 2 ? json_load_file(argv[1], 0, &error) : NULL, *c;
    int only = argc >= 3 ? atoi(argv[2]) : 0;
    unsigned passed = 0, failed = 0, skipped = 0;
    size_t i;

    if (!file || only < 0) {
        fprintf(stderr, "usage: conformance_streaming FILE.json [PARTITIONS]%s%s\n",
                argc >= 2 ? ": " : "", argc >= 2 ? error.text : "");
        return 2;
    }
    json_array_foreach(json_object_get(file, "cases"), i, c)
    {
        run_case *run = runner_of(text_at(c, "kind"));
        if (skips(c, !run))
            skipped++;
        else if (passes(c, run, only))
            passed++;
        else
            failed++;
    }
    printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
    json_decref(file);
    if (passed + failed == 0)
        return 2;
    return failed ? 1 : 0;
}
