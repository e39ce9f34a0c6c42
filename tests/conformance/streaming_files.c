/*
 * streaming_files.c - what leat_save_as_text_files() writes: names of directories, and their parts.
 */
#include "streaming.h"

#include "batch_dirs.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

bool make_dir(char dir[32], struct failure *why)
{
    snprintf(dir, 32, "/tmp/conformance-XXXXXX");
    return mkdtemp(dir) || differs(why, "cannot make the directory %s", dir);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

void remove_dir(const char *dir)
{
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int count_parts(const char *dir)
{
    DIR *d = opendir(dir);
    int count = 0;

    if (!d)
        return -1;
    for (struct dirent *e; (e = readdir(d));)
        count += strncmp(e->d_name, "part-", 5) == 0;
    closedir(d);
    return count;
}

/* The one directory that is here: its name, and what its files hold. NULL: there is none. */
static json_t *directory(json_t *files)
{
    DIR *d = opendir(".");
    char path[600], text[4096];
    json_t *name = NULL;

    for (struct dirent *e; d && !name && (e = readdir(d));)
        if (e->d_name[0] != '.')
            name = json_string(e->d_name);
    if (d)
        closedir(d);
    d = name ? opendir(json_string_value(name)) : NULL;
    for (struct dirent *e; d && (e = readdir(d));) {
        snprintf(path, sizeof path, "%.255s/%.255s", json_string_value(name), e->d_name);
        FILE *f = e->d_name[0] != '.' ? fopen(path, "r") : NULL;
        if (!f)
            continue;
        json_object_set_new(files, e->d_name, json_stringn(text, fread(text, 1, sizeof text, f)));
        fclose(f);
    }
    if (d)
        closedir(d);
    return name;
}

/* A batch whose partitions are those of queues that are united. */
static struct leat_stream *in_partitions(struct leat_context *ctx, json_t *partitions,
                                         struct failure *why)
{
    struct leat_stream *all = NULL;
    json_t *rows;
    size_t i;

    json_array_foreach(partitions, i, rows)
    {
        struct leat_stream *queue = leat_queue_stream(ctx, true);
        if (!push_batch(queue, false, rows, why))
            return NULL;
        all = all ? leat_union(all, queue) : queue;
    }
    return all;
}

/* One batch, written with prefix, suffix and time of `in`, in an empty directory: what is there. */
static json_t *save(json_t *in, json_t *rows, int partitions, json_t *files, struct failure *why)
{
    char dir[32], *home = getcwd(NULL, 0);
    json_t *name = NULL;
    struct run r;

    if (!home || !make_dir(dir, why)) {
        free(home);
        return NULL;
    }
    bool good = run_init(&r, 1000, number_at(in, "time_ms", 1000) - 1000, partitions, why);
    struct leat_stream *s = good ? in_partitions(r.ctx, rows, why) : NULL;
    if (s && chdir(dir) == 0) {
        leat_save_as_text_files(s, text_at(in, "prefix"), text_at(in, "suffix"));
        run_collect(&r, s, false);
        if (run_batches(&r, 1, why) && r.ended.status == LEAT_OK)
            name = directory(files);
        if (!name)
            differs(why, "%s", r.ended.text[0] ? r.ended.text : "nothing was written");
    }
    run_free(&r);
    if (chdir(home) != 0)
        abort();
    free(home);
    remove_dir(dir);
    return name;
}

json_t *file_name(json_t *c, json_t *in, int partitions, struct failure *why)
{
    const char *prefix = text_at(in, "prefix");
    json_t *files = json_object(), *rows = json_pack("[[i]]", 1), *name = NULL;

    (void)c;
    if (prefix && strstr(prefix, "://")) { /* there is no such server: what the sink calls it */
        const char *suffix = text_at(in, "suffix");
        char path[BATCH_DIRS_PATH];
        batch_dirs_path(prefix, suffix ? suffix : "", number_at(in, "time_ms", 0), path);
        name = json_string(path);
    } else {
        name = save(in, rows, partitions, files, why);
    }
    json_decref(files);
    json_decref(rows);
    return name;
}

json_t *text_layout(json_t *c, json_t *in, int partitions, struct failure *why)
{
    json_t *files = json_object(),
           *name = save(in, json_object_get(in, "partitions"), partitions, files, why);

    (void)c;
    if (!name) {
        json_decref(files);
        return NULL;
    }
    return json_pack("{s: o, s: o}", "dir", name, "files", files);
}
