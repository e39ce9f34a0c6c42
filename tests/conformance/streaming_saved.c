/*
 * streaming_saved.c - what leat_save_as_hadoop_files() wrote, read with the library's own reader;
 * and a transform that saves what passes.
 */
#include "streaming.h"

#include "leat.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>

static enum leat_status read_bytes(void *arg, int64_t at, char *into, size_t room, size_t *n,
                                   struct leat_error *err)
{
    int64_t got = leat_fs_posix.read(&leat_fs_posix, arg, at, into, room);

    *n = got < 0 ? 0 : (size_t)got;
    return got < 0 ? leat_fs_failed(err, got, "read", arg) : LEAT_OK;
}

struct saved {
    const struct leat_module *format;
    void *self;
    struct leat_arena arena;
    struct leat_budget budget;
    struct leat_chunk chunk;
};

static bool init(struct saved *s, struct failure *why)
{
    static const struct leat_slice key = {"key", 3}, value = {"value", 5};
    static const struct leat_path paths[] = {{&key, 1, LEAT_COL_PATHS},
                                             {&value, 1, LEAT_COL_PATHS + 1}};
    struct leat_error err;

    *s = (struct saved){.format = leat_module_find_format("sequence_file"),
                        .budget.cap = (size_t)64 << 20};
    s->self = leat_arena_alloc(&s->arena, s->format->self_size);
    bool good = s->self &&
                leat_opts_apply(s->format->opts, s->self, NULL, 0, &s->arena, &err) == LEAT_OK &&
                s->format->format->plan(s->self, paths, 2, &s->arena, &err) == LEAT_OK &&
                leat_chunk_init(&s->chunk, &s->arena, LEAT_COL_PATHS + 2, &err) == LEAT_OK;
    return good || differs(why, "no reader: %s", err.text);
}

static json_t *text_of(struct leat_value v)
{
    return v.tag == LEAT_STRING ? json_stringn(v.as.text, v.len) : json_null();
}

/* The pairs of a part, as texts, behind `rows`. */
static bool read_part(struct saved *s, char *path, json_t *rows, struct failure *why)
{
    const struct leat_container *c = s->format->format->container;
    const struct leat_container_file file = {path, read_bytes, path};
    const struct leat_env env = {.budget = &s->budget};
    struct leat_block *b = NULL;
    struct leat_cursor at = {0};
    struct leat_error err = {0};

    void *reader = c->open(s->self, &env);
    bool good = reader && c->fetch(reader, &file, 0, SIZE_MAX, 0, true, &b, &err) == LEAT_OK;
    while (good && b->coding->next(&at, b, &s->chunk, &err) == LEAT_OK && s->chunk.rows) {
        good = s->format->format->decode(s->self, &s->chunk, &err) == LEAT_OK;
        for (uint32_t i = 0; good && i < s->chunk.rows; i++)
            json_array_append_new(rows,
                                  json_pack("[o,o]", text_of(s->chunk.columns[LEAT_COL_PATHS][i]),
                                            text_of(s->chunk.columns[LEAT_COL_PATHS + 1][i])));
    }
    leat_block_unref(b);
    c->close(reader);
    return good || differs(why, "%s: %s", path, err.text);
}

/* The same as texts: [["a", 2]] is [["a", "2"]]. */
static json_t *as_text(json_t *rows)
{
    json_t *texts = json_array(), *row;
    size_t i;

    json_array_foreach(rows, i, row)
    {
        char text[100];
        json_t *key = json_array_get(row, 0), *value = json_array_get(row, 1);
        json_text(value, text, sizeof text);
        json_array_append_new(texts, json_pack("[O,s]", key, text));
    }
    return texts;
}

bool saved_is(const char *prefix, int64_t time_ms, json_t *expected, struct failure *why)
{
    char dir[200], path[500], came[200];
    json_t *rows = json_array(), *want = as_text(expected);
    struct saved s;

    snprintf(dir, sizeof dir, "%s-%" PRId64, prefix, time_ms);
    bool good = init(&s, why);
    DIR *d = good ? opendir(dir) : NULL;
    bool success = false;
    for (struct dirent *e; d && good && (e = readdir(d));) {
        snprintf(path, sizeof path, "%s/%.255s", dir, e->d_name);
        success |= strcmp(e->d_name, "_SUCCESS") == 0;
        if (strncmp(e->d_name, "part-", 5) == 0)
            good = read_part(&s, path, rows, why);
    }
    if (d)
        closedir(d);
    json_text(rows, came, sizeof came);
    if (good && (!success || !same_rows(rows, want, true)))
        good = differs(why, "%s has %s", dir, success ? came : "no _SUCCESS");
    json_decref(rows);
    json_decref(want);
    leat_arena_reset(&s.arena);
    return good;
}

/* ---- within a transform */

/* PREFIX-TIME is a file here, which a batch that comes again writes again: a pair in a line. */
static struct leat_value save_and_pass(struct leat_call *call, const struct leat_rdd *in,
                                       size_t count, void *arg)
{
    struct leat_value all = leat_list();
    char path[200];

    (void)count;
    snprintf(path, sizeof path, "%s-%" PRId64, (const char *)arg, in->time_ms);
    FILE *f = fopen(path, "w");
    if (!f)
        return leat_call_fail(call, "cannot write %s", path);
    for (size_t i = 0; i < in->count; i++) {
        struct leat_slice key = leat_value_text(in->rows[i].key);
        struct leat_value pair = leat_list();
        fprintf(f, "%.*s\t%" PRId64 "\n", LEAT_FMT(key), in->rows[i].value.as.i);
        leat_list_add(call, &pair, in->rows[i].key);
        leat_list_add(call, &pair, in->rows[i].value);
        leat_list_add(call, &all, pair);
    }
    return fclose(f) == 0 ? all : leat_call_fail(call, "cannot write %s", path);
}

struct leat_stream *saved_inside(struct leat_stream *s, char *prefix)
{
    return leat_transform_to_pair(s, save_and_pass, prefix);
}

bool saved_inside_is(const char *prefix, int64_t time_ms, json_t *expected, struct failure *why)
{
    char path[200], line[200];
    json_t *rows = json_array(), *want = as_text(expected);

    snprintf(path, sizeof path, "%s-%" PRId64, prefix, time_ms);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f)) {
        char *tab = strchr(line, '\t');
        if (!tab)
            continue;
        *tab = 0;
        tab[1 + strcspn(tab + 1, "\n")] = 0;
        json_array_append_new(rows, json_pack("[s,s]", line, tab + 1));
    }
    bool good = f && same_rows(rows, want, true);
    if (f)
        fclose(f);
    json_decref(rows);
    json_decref(want);
    return good || differs(why, "%s is not what was to be saved", path);
}
