#include "cli/cli.h"

#include "base/hidden.h"
#include "cli/test_match.h"
#include "config/interpolate.h"
#include "config/message.h"

#include <argp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* What a file of any content may take while it is checked. */
#define CHECK_BYTES_MAX ((size_t)48 << 20)

void cli_say(FILE *out, const char *fmt, ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, fmt);
    int len = vasprintf(&text, fmt, args);
    va_end(args);
    if (len < 0)
        fputs("leat: out of memory\n", out);
    else
        leat_hidden_write((struct leat_slice){text, (size_t)len}, out);
    if (len >= 0)
        free(text);
}

void cli_sets_add(struct cli_sets *sets, const char *arg, struct argp_state *state)
{
    if (sets->count == (int)(sizeof sets->list / sizeof *sets->list))
        argp_error(state, "more than %d --set", sets->count);
    sets->list[sets->count++] = arg;
}

static bool apply_sets(struct cli_pipeline *p, const struct cli_sets *sets)
{
    struct leat_error err;

    for (int i = 0; i < sets->count; i++) {
        struct leat_slice path, value;
        if (!leat_slice_cut(leat_slice_str(sets->list[i]), '=', &path, &value)) {
            cli_say(stderr, "leat: --set wants path=value, as in --set batch.every=1s\n");
            return false;
        }
        if (config_set(p->file.root, path, value, &p->arena, &err) != LEAT_OK) {
            cli_say(stderr, "leat: --set %.*s: %s\n", LEAT_FMT(path), err.text);
            return false;
        }
    }
    return true;
}

/* Behind reading: settings put in, names filled in, shape, plan, and what is wrong said. */
static int finish(struct cli_pipeline *p, const struct cli_sets *sets, bool runs)
{
    const struct config_outside outside = {.files_may_miss = !runs};

    if (p->file.root && sets && !apply_sets(p, sets))
        return CLI_USAGE;
    p->spec.file = p->file.name;
    if (p->file.root) {
        config_interpolate(p->file.root, &outside, &p->arena, &p->diags);
        leat_spec_read(p->file.root, &p->spec, &p->arena, &p->diags);
        p->plan = leat_plan_build(&p->spec, &p->diags);
        if (!p->plan)
            leat_diag_error(&p->diags, NULL, "out of memory");
        else if (!runs)
            cli_where_check(config_tests_read(&p->spec, &p->arena, &p->diags), &p->plan->shapes,
                            &p->diags);
    }
    config_message_print(&p->file, &p->diags, stderr);
    return p->diags.errors ? CLI_FILE_WRONG : CLI_OK;
}

int cli_pipeline_load(struct cli_pipeline *p, const char *path, const struct cli_sets *sets,
                      bool runs)
{
    struct leat_error err;

    *p = (struct cli_pipeline){.arena.cap = CHECK_BYTES_MAX};
    p->diags.arena = &p->arena;
    if (config_file_load(path, &p->file, &p->arena, &p->diags, &err) != LEAT_OK) {
        cli_say(stderr, "leat: %s\n", err.text);
        return CLI_FILE_WRONG;
    }
    return finish(p, sets, runs);
}

int cli_pipeline_load_text(struct cli_pipeline *p, const char *name, struct leat_slice text,
                           const struct cli_sets *sets, bool runs)
{
    *p = (struct cli_pipeline){.arena.cap = CHECK_BYTES_MAX};
    p->diags.arena = &p->arena;
    config_file_parse(name, text, &p->file, &p->arena, &p->diags);
    return finish(p, sets, runs);
}

void cli_pipeline_free(struct cli_pipeline *p)
{
    leat_plan_free(p->plan);
    leat_arena_reset(&p->arena);
}
