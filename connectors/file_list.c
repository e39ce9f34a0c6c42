#include "file_list.h"

#include "file_place.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

#define SETTLED_MS                                                                                 \
    2000 /* a directory that changed longer ago shows any later change in its mtime */

static enum leat_status no_memory(struct leat_error *err)
{
    return leat_fail(err, LEAT_E_NOMEM, "out of memory");
}

static enum leat_status failed(struct leat_error *err, const char *what, const char *path)
{
    return leat_fail(err, LEAT_E_IO, "cannot %s '%s': %s", what, path, strerror(errno));
}

static bool has_wildcard(const char *text)
{
    return strpbrk(leat_fs_inner(text), "*?[") != NULL;
}

/* A pattern whose wildcards are all behind the last slash is a directory with a filter. */
static enum leat_status split_pattern(struct file_list *l, struct leat_error *err)
{
    const char *slash = strrchr(l->path, '/');
    struct leat_slice dir = {l->path, slash ? (size_t)(slash - l->path) : 0};

    dir = !slash ? LEAT_LIT(".") : dir.len ? dir : LEAT_LIT("/");
    l->dir = leat_arena_copy(&l->arena, dir).ptr;
    if (!l->dir)
        return no_memory(err);
    l->kind = has_wildcard(l->dir) ? FILE_LIST_GLOB : FILE_LIST_DIR;
    if (l->kind == FILE_LIST_GLOB && file_place_is_remote(l->env->fs))
        return leat_fail(err, LEAT_E_CONFIG,
                         "'%s': over a network wildcards stand behind the last slash only",
                         l->path);
    l->pattern = slash ? slash + 1 : l->path;
    return LEAT_OK;
}

enum leat_status file_list_init(struct file_list *l, const struct leat_env *env, const char *path,
                                struct leat_error *err)
{
    struct stat st;

    *l = (struct file_list){.env = env, .path = path, .dir = path};
    if (has_wildcard(path))
        return split_pattern(l, err);
    if (file_place_stat(env->fs, path, &st) != 0)
        return failed(err, "read", path);
    l->kind = S_ISDIR(st.st_mode) ? FILE_LIST_DIR : FILE_LIST_ONE;
    return LEAT_OK;
}

void file_list_fini(struct file_list *l)
{
    leat_arena_reset(&l->arena);
    leat_mem_free(l->files);
    leat_mem_free(l->table);
    if (l->env)
        leat_budget_give(l->env->budget, l->charged);
    *l = (struct file_list){0};
}

/* ---- what is known */

static uint32_t hash_of(const char *path)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (; *path; path++)
        hash = (hash ^ (unsigned char)*path) * UINT64_C(1099511628211);
    return (uint32_t)(hash ^ hash >> 32);
}

struct listed_file *file_list_find(const struct file_list *l, const char *path)
{
    if (!l->table_size)
        return NULL;
    for (uint32_t at = hash_of(path);; at++) {
        uint32_t number = l->table[at & (l->table_size - 1)];
        if (!number)
            return NULL;
        if (strcmp(l->files[number - 1].path, path) == 0)
            return &l->files[number - 1];
    }
}

/* In the place of an earlier one of its path. */
static void enter(struct file_list *l, uint32_t number)
{
    uint32_t at = hash_of(l->files[number].path), *slot;

    while (*(slot = &l->table[at & (l->table_size - 1)]) &&
           strcmp(l->files[*slot - 1].path, l->files[number].path) != 0)
        at++;
    *slot = number + 1;
}

/* Files from `first` on are not in the table yet. */
static enum leat_status enter_new(struct file_list *l, uint32_t first, struct leat_error *err)
{
    uint32_t size = l->table_size ? l->table_size : 64;

    while (size < 2 * l->count)
        size *= 2;
    if (size != l->table_size) {
        uint32_t *table = leat_mem_alloc(size * sizeof *table);
        if (!table)
            return no_memory(err);
        leat_mem_free(l->table);
        l->table = table;
        l->table_size = size;
        first = 0;
    }
    for (; first < l->count; first++)
        enter(l, first);
    return LEAT_OK;
}

static enum leat_status add(struct file_list *l, struct listed_file file, struct leat_error *err)
{
    if (l->count == l->room) {
        uint32_t room = l->room ? 2 * l->room : 64;
        struct listed_file *files = leat_mem_alloc(room * sizeof *files);
        if (!files)
            return no_memory(err);
        if (l->count)
            memcpy(files, l->files, l->count * sizeof *files);
        leat_mem_free(l->files);
        l->files = files;
        l->room = room;
    }
    file.path = leat_arena_copy(&l->arena, leat_slice_str(file.path)).ptr;
    if (!file.path)
        return no_memory(err);
    l->files[l->count++] = file;
    return LEAT_OK;
}

/* ---- looking */

static bool is_unfinished(const char *name)
{
    size_t len = strlen(name);

    return name[0] == '.' || name[0] == '_' || (len >= 4 && strcmp(name + len - 4, ".tmp") == 0) ||
           (len >= 10 && strcmp(name + len - 10, "._COPYING_") == 0); /* by `hdfs dfs -put` */
}

/* What a listing has told need not be asked for. */
static int stat_of(const struct file_list *l, const char *path, struct stat *st)
{
    if (!l->listing)
        return file_place_stat(l->env->fs, path, st);
    file_place_entry(l->listing, st);
    return 0;
}

int64_t file_changed_ms(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000;
}

/* A file, and one of the time that is asked for: a file's is that of its last change. */
static bool is_wanted(const struct file_list *l, const char *path)
{
    struct stat st;

    if (stat_of(l, path, &st) != 0 || !S_ISREG(st.st_mode))
        return false;
    int64_t changed_ms = file_changed_ms(&st);
    return (!l->env->from_ms || changed_ms >= l->env->from_ms) &&
           (!l->env->to_ms || changed_ms < l->env->to_ms);
}

/* One that still waits for its tick has the time that it has now; else it is another file. */
static enum leat_status consider_change(struct file_list *l, const char *path,
                                        struct leat_error *err)
{
    struct listed_file *known = file_list_find(l, path);
    struct stat st;

    if (stat_of(l, path, &st) != 0 || !S_ISREG(st.st_mode))
        return LEAT_OK;
    int64_t changed_ms = file_changed_ms(&st);
    if (known && known->waits)
        known->changed_ms = changed_ms;
    if (known && known->changed_ms == changed_ms)
        return LEAT_OK;
    return add(l,
               (struct listed_file){.path = path,
                                    .changed_ms = changed_ms,
                                    .before_ms = known ? known->selected_ms : 0},
               err);
}

static enum leat_status consider(struct file_list *l, const char *path, struct leat_error *err)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const struct leat_path_filter *paths = l->env->paths;

    if (paths ? !paths->wants(paths, path) : is_unfinished(name))
        return LEAT_OK;
    if (l->by_change)
        return consider_change(l, path, err);
    return file_list_find(l, path) || !is_wanted(l, path)
               ? LEAT_OK
               : add(l, (struct listed_file){.path = path}, err);
}

struct listing {
    struct file_list *list;
    struct leat_error *err;
    enum leat_status status;
};

static bool consider_entry(const struct leat_fs_entry *e, void *arg)
{
    struct listing *t = arg;
    struct file_list *l = t->list;
    char path[PATH_MAX];
    size_t len = strlen(l->dir);
    bool slash = len && l->dir[len - 1] == '/';

    if (e->is_dir || (l->pattern && fnmatch(l->pattern, e->name, 0) != 0) ||
        snprintf(path, sizeof path, "%s%s%s", l->dir, slash ? "" : "/", e->name) >= PATH_MAX)
        return true;
    l->listing = e;
    t->status = consider(l, path, t->err);
    l->listing = NULL;
    return t->status == LEAT_OK;
}

static enum leat_status list_remote(struct file_list *l, struct leat_error *err)
{
    struct listing t = {l, err, LEAT_OK};
    int result = l->env->fs->list(l->env->fs, l->dir, consider_entry, &t);

    return result < 0 ? leat_fs_failed(err, result, "list", l->dir) : t.status;
}

static enum leat_status list_dir(struct file_list *l, struct leat_error *err)
{
    char path[PATH_MAX];
    size_t len = strlen(l->dir);
    bool slash = len && l->dir[len - 1] == '/';
    enum leat_status status = LEAT_OK;
    DIR *d = opendir(l->dir);

    if (!d)
        return failed(err, "list", l->dir);
    for (struct dirent *entry; status == LEAT_OK && (entry = readdir(d));) {
        if (entry->d_type == DT_DIR || (l->pattern && fnmatch(l->pattern, entry->d_name, 0) != 0))
            continue;
        int n = snprintf(path, sizeof path, "%s%s%s", l->dir, slash ? "" : "/", entry->d_name);
        if (n > 0 && (size_t)n < sizeof path)
            status = consider(l, path, err);
    }
    closedir(d);
    return status;
}

/* Has the directory changed since the last look, as far as its time can tell? */
static bool dir_changed(struct file_list *l)
{
    int64_t now_ms = leat_clock_now_ms(l->env->clock);
    struct stat st;

    if (stat(l->dir, &st) != 0)
        return true; /* listing it says why */
    int64_t changed_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    bool same = changed_ns == l->dir_changed_ns && l->listed_ms - changed_ns / 1000000 > SETTLED_MS;
    l->dir_changed_ns = changed_ns;
    l->listed_ms = same ? l->listed_ms : now_ms;
    return !same;
}

static enum leat_status list_glob(struct file_list *l, struct leat_error *err)
{
    glob_t found;
    int result = glob(l->path, GLOB_NOSORT, NULL, &found);
    enum leat_status status = LEAT_OK;

    if (result == GLOB_NOMATCH)
        return LEAT_OK;
    if (result == GLOB_NOSPACE)
        return no_memory(err);
    if (result != 0)
        return failed(err, "list", l->path);
    for (size_t i = 0; status == LEAT_OK && i < found.gl_pathc; i++)
        status = consider(l, found.gl_pathv[i], err);
    globfree(&found);
    return status;
}

/* Whatever its name is. */
static enum leat_status consider_one(struct file_list *l, struct leat_error *err)
{
    return l->by_change ? consider_change(l, l->path, err)
                        : add(l, (struct listed_file){.path = l->path}, err);
}

static enum leat_status look(struct file_list *l, struct leat_error *err)
{
    switch (l->kind) {
    case FILE_LIST_ONE:
        return file_list_find(l, l->path) && !l->by_change ? LEAT_OK : consider_one(l, err);
    case FILE_LIST_DIR:
        if (file_place_is_remote(l->env->fs))
            return list_remote(l, err);
        return dir_changed(l) ? list_dir(l, err) : LEAT_OK;
    case FILE_LIST_GLOB:
        break;
    }
    return list_glob(l, err);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct listed_file *)a)->path, ((const struct listed_file *)b)->path);
}

static enum leat_status charge(struct file_list *l, struct leat_error *err)
{
    size_t bytes = l->arena.bytes + l->room * sizeof *l->files + l->table_size * sizeof *l->table;

    if (bytes <= l->charged)
        return LEAT_OK;
    if (!leat_budget_take(l->env->budget, bytes - l->charged))
        return leat_fail(err, LEAT_E_FULL, "the names of %u files do not fit into `memory`",
                         l->count);
    l->charged = bytes;
    return LEAT_OK;
}

/* All of them are new again at the next look, and their names take no memory until then. */
static enum leat_status forget(struct file_list *l, uint32_t first, struct leat_arena_mark names,
                               const struct leat_error *err)
{
    l->count = first;
    l->listed_ms = 0;
    leat_arena_rewind(&l->arena, names);
    return err->status;
}

enum leat_status file_list_refresh(struct file_list *l, uint32_t *first_new, struct leat_error *err)
{
    struct leat_arena_mark names = leat_arena_mark(&l->arena);
    uint32_t first = l->count;

    *first_new = first;
    if (look(l, err) != LEAT_OK || (l->count > first && charge(l, err) != LEAT_OK))
        return forget(l, first, names, err);
    if (l->count == first)
        return LEAT_OK;
    qsort(l->files + first, l->count - first, sizeof *l->files, by_path);
    return enter_new(l, first, err) == LEAT_OK ? LEAT_OK : forget(l, first, names, err);
}

enum leat_status file_list_add(struct file_list *l, const char *path, int64_t changed_ms,
                               uint32_t *number, struct leat_error *err)
{
    struct leat_arena_mark names = leat_arena_mark(&l->arena);

    *number = l->count;
    if (add(l, (struct listed_file){.path = path, .changed_ms = changed_ms}, err) != LEAT_OK ||
        charge(l, err) != LEAT_OK || enter_new(l, *number, err) != LEAT_OK)
        return forget(l, *number, names, err);
    return LEAT_OK;
}
