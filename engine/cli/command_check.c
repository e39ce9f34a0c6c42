#include "cli/cli.h"

#include "base/hidden.h"

#include <argp.h>
#include <stdlib.h>

/* check and explain: files, and settings to try on them. */
struct words {
    const char *files[256];
    int count;
    struct cli_sets sets;
    bool against_state;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct words *w = state->input;

    switch (key) {
    case 's':
        cli_sets_add(&w->sets, arg, state);
        return 0;
    case 'n':
        argp_error(state, "'--sample' is not in this version");
        return 0;
    case 'a':
        w->against_state = true;
        return 0;
    case ARGP_KEY_ARG:
        if (w->count == (int)(sizeof w->files / sizeof *w->files))
            argp_error(state, "too many files");
        w->files[w->count++] = arg;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which file?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

#define SET_OPTION                                                                                 \
    {                                                                                              \
        "set", 's', "PATH=VALUE", 0, "put a setting into the file, as in batch.every=1s", 0        \
    }

static const struct argp_option check_options[] = {
    SET_OPTION,
    {"against-state", 'a', NULL, 0,
     "say which state of the job the file goes on with, and what would be dropped", 0},
    {"sample", 'n', "N", OPTION_HIDDEN, "", 0},
    {0},
};

static const struct argp_option explain_options[] = {SET_OPTION, {0}};

static void read_words(struct words *w, const struct argp_option *options, const char *doc,
                       const char *args, int argc, char **argv)
{
    const struct argp argp = {options, parse, args, doc, NULL, NULL, NULL};

    argp_err_exit_status = CLI_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, w);
}

int cli_check(int argc, char **argv)
{
    struct words w = {0};
    int worst = CLI_OK;

    read_words(&w, check_options,
               "Say everything that is wrong with pipeline files. Nothing is connected to.",
               "FILE...", argc, argv);
    for (int i = 0; i < w.count; i++) {
        struct cli_pipeline p;
        int code = cli_pipeline_load(&p, w.files[i], &w.sets, false);
        if (code == CLI_OK)
            cli_say(stdout, "%s: ok%s\n", w.files[i], p.diags.warnings ? ", with warnings" : "");
        if (code == CLI_OK && w.against_state)
            code = cli_check_state(&p);
        worst = code > worst ? code : worst;
        cli_pipeline_free(&p);
    }
    return worst;
}

/* The plan, without what came from a ${file:}. */
static void show(const struct leat_plan *plan)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    if (out)
        leat_plan_print(plan, out);
    if (!out || fclose(out) != 0)
        cli_say(stderr, "leat: out of memory\n");
    else
        leat_hidden_write((struct leat_slice){text, len}, stdout);
    free(text);
}

int cli_explain(int argc, char **argv)
{
    struct words w = {0};
    int worst = CLI_OK;

    read_words(&w, explain_options, "Show the plan of a pipeline file.", "FILE", argc, argv);
    for (int i = 0; i < w.count; i++) {
        struct cli_pipeline p;
        int code = cli_pipeline_load(&p, w.files[i], &w.sets, false);
        if (code == CLI_OK)
            show(p.plan);
        worst = code > worst ? code : worst;
        cli_pipeline_free(&p);
    }
    return worst;
}
