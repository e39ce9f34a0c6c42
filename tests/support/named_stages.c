/*
 * named_stages.c - a program of the C library that does what its command line says, until SIGTERM:
 *
 *     named_stages [+set PATH=VALUE...] +source NAME OPTION=VALUE... [+apply NAME OPTION=VALUE...]
 *                  +write NAME OPTION=VALUE...
 *
 * +files DIR, +count, +pairs and +text, +objects, +hadoop PREFIX are the builders of these names;
 * of an option `=VALUE` the name is empty. Exit code 1: what went wrong is on standard error.
 */
#define _POSIX_C_SOURCE 200809L /* sigwait() */

#include <leat_stream.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPTIONS_MAX 20

static struct leat_context *ctx;
static struct leat_stream *at;

/* The words up to the next stage, taken apart. */
static size_t options_of(char **words, struct leat_option *options)
{
    size_t count = 0;

    for (; words[count] && words[count][0] != '+' && count < OPTIONS_MAX; count++) {
        char *value = strchr(words[count], '=');
        if (!value) {
            fprintf(stderr, "'%s' is no option\n", words[count]);
            exit(2);
        }
        *value = 0;
        options[count] = (struct leat_option){words[count], value + 1};
    }
    return count;
}

static struct leat_pair with_length(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)call, (void)arg;
    return (struct leat_pair){in->value, leat_int(in->value.len)};
}

static bool is_stage(const char *word, const char *name)
{
    return word && word[0] == '+' && strcmp(word + 1, name) == 0;
}

/* How many words it has taken. */
static size_t builder(char **words)
{
    if (is_stage(words[0], "count"))
        at = leat_count(at);
    else if (is_stage(words[0], "pairs"))
        at = leat_map_to_pair(at, with_length, NULL);
    else if (!words[1])
        return 0;
    else if (is_stage(words[0], "files"))
        return at = leat_file_stream(ctx, words[1], NULL, NULL, false), (size_t)2;
    else if (is_stage(words[0], "text"))
        return leat_save_as_text_files(at, words[1], ""), (size_t)2;
    else if (is_stage(words[0], "objects"))
        return leat_save_as_object_files(at, words[1], ""), (size_t)2;
    else if (is_stage(words[0], "hadoop"))
        return leat_save_as_hadoop_files(at, words[1], "", NULL, 0), (size_t)2;
    else
        return 0;
    return 1;
}

static size_t stage(char **words)
{
    struct leat_option options[OPTIONS_MAX];
    size_t taken = builder(words);

    if (taken)
        return taken;
    if (is_stage(words[0], "set")) {
        size_t count = options_of(words + 1, options);
        for (size_t i = 0; i < count; i++)
            leat_set(ctx, options[i].name, options[i].value);
        return 1 + count;
    }
    if (!words[1]) {
        fprintf(stderr, "'%s' is no stage\n", words[0]);
        exit(2);
    }
    size_t count = options_of(words + 2, options);
    if (is_stage(words[0], "source"))
        at = leat_source_stream(ctx, words[1], options, count);
    else if (is_stage(words[0], "apply"))
        at = leat_apply(at, words[1], options, count);
    else
        leat_write_to(at, words[1], options, count);
    return 2 + count;
}

int main(int argc, char **argv)
{
    struct leat_error err;
    sigset_t end;
    int got;

    sigemptyset(&end);
    sigaddset(&end, SIGTERM);
    sigprocmask(SIG_BLOCK, &end, NULL);
    ctx = leat_context_new("named-stages", 100);
    for (int i = 1; i < argc;)
        i += (int)stage(argv + i);
    if (leat_start(ctx, &err) != LEAT_OK) {
        fprintf(stderr, "%s\n", err.text);
        leat_context_free(ctx);
        return 1;
    }
    sigwait(&end, &got);
    bool failed = leat_stop(ctx, true, &err) != LEAT_OK;
    if (failed)
        fprintf(stderr, "%s\n", err.text);
    leat_context_free(ctx);
    return failed;
}
