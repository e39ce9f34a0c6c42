/*
 * hdfs.c - Hadoop's file system as a file system of leat (base/remote.h), over WebHDFS.
 *
 * Where its rules differ from those of a local disk:
 *
 * - A file is sent in pieces of up to PIECE_BYTES: the first creates it (CREATE), each other one is
 *   appended (APPEND), when the next does not fit, or with sync(). One that fails may still be
 *   carried out, minutes later, so it is never repeated: the file counts as failed until it is
 *   created anew. Callers do that under another name, which no late request can meet.
 * - A file without bytes is created by sync_dir() of its directory, or by sync().
 * - rename() whose answer did not come, or was "no", looks: done when there is nothing under the
 *   old name and something under the new one.
 * - An answered request is durable in HDFS's own sense: its edit log is synced, and as many
 *   DataNodes have the bytes as `dfs.replication.min` says. sync_dir() has nothing else to do.
 * - read() is not short but at the end of the file: what breaks off is a failure.
 *
 * Left out: truncate, links, Kerberos, TLS to the NameNode. Thread: one at a time.
 */
#include "client.h"
#include "reply.h"

#include <errno.h>
#include <stdio.h>

#define PIECE_BYTES ((size_t)4 << 20)
#define FIRST_BYTES ((size_t)64 << 10)
#define FILES_MAX   4096
#define PAGES_MAX   100000 /* of a directory that is listed, some 1,000 names each */

struct hdfs_file {
    char *path;   /* NULL: this one is free */
    bool created; /* in HDFS */
    int failed;   /* 0, or what became of a piece */
    char *piece;
    size_t used, room;
};

/* A file that is only a name so far. */
struct hdfs_empty {
    struct hdfs_empty *next;
    char path[];
};

struct hdfs {
    struct leat_fs fs;
    struct hdfs_client client;
    struct leat_budget *budget;
    struct hdfs_file *files; /* by descriptor */
    int files_count;
    struct hdfs_empty *empty;
    bool no_memory; /* for one more of these */
};

static struct hdfs *of(const struct leat_fs *fs)
{
    return (struct hdfs *)(uintptr_t)fs;
}

/* What takes a path and says yes or no. */
static int ask(struct hdfs *h, const char *path, const char *method, const char *op,
               const char *option, const char *value, bool *yes, bool *doubtful)
{
    struct hdfs_call call = {
        .path = path, .method = method, .op = op, .option = option, .value = value};
    int result = hdfs_call(&h->client, &call, doubtful);

    *yes = false;
    if (result == 0 && !hdfs_reply_boolean(hdfs_reply(&h->client), &h->client.arena, yes))
        result = hdfs_nonsense(&h->client, &call, &h->client.arena);
    return result;
}

static int hdfs_look(const struct leat_fs *fs, const char *path, struct leat_fs_entry *e)
{
    struct hdfs *h = of(fs);
    struct hdfs_call call = {.path = path, .method = "GET", .op = "GETFILESTATUS"};
    bool doubtful;
    int result = hdfs_call(&h->client, &call, &doubtful);

    if (result == 0 && !hdfs_reply_status(hdfs_reply(&h->client), &h->client.arena, e))
        result = hdfs_nonsense(&h->client, &call, &h->client.arena);
    return result;
}

static int64_t hdfs_length(const struct leat_fs *fs, const char *path)
{
    struct leat_fs_entry e;
    int result = hdfs_look(fs, path, &e);

    return result < 0 ? result : e.length;
}

static int hdfs_is_dir(const struct leat_fs *fs, const char *path)
{
    struct leat_fs_entry e;
    int result = hdfs_look(fs, path, &e);

    return result < 0 ? result : e.is_dir;
}

/* ---- files that are written */

static void give_piece(struct hdfs *h, struct hdfs_file *f)
{
    if (f->room)
        leat_budget_give(h->budget, f->room);
    leat_mem_free(f->piece);
    f->piece = NULL;
    f->room = f->used = 0;
}

/* Larger, if there is memory for that. */
static bool grow_piece(struct hdfs *h, struct hdfs_file *f)
{
    size_t room = f->room ? f->room * 2 : FIRST_BYTES;

    if (room > PIECE_BYTES || !leat_budget_take(h->budget, room))
        return false;
    char *piece = leat_mem_alloc_raw(room);
    if (!piece) {
        leat_budget_give(h->budget, room);
        return false;
    }
    if (f->used)
        memcpy(piece, f->piece, f->used);
    if (f->room)
        leat_budget_give(h->budget, f->room);
    leat_mem_free(f->piece);
    f->piece = piece;
    f->room = room;
    return true;
}

static int send_bytes(struct hdfs *h, struct hdfs_file *f, struct leat_slice bytes)
{
    struct hdfs_call call = {.path = f->path,
                             .method = f->created ? "POST" : "PUT",
                             .op = f->created ? "APPEND" : "CREATE&overwrite=true",
                             .redirected = true,
                             .body = bytes};
    bool doubtful;

    if (f->failed)
        return f->failed;
    f->failed = hdfs_call(&h->client, &call, &doubtful);
    f->created = true;
    return f->failed;
}

static int send_piece(struct hdfs *h, struct hdfs_file *f)
{
    struct leat_slice bytes = {f->piece, f->used};

    f->used = 0;
    return send_bytes(h, f, bytes);
}

static int open_file(struct hdfs *h, const char *path, bool created)
{
    int fd = 0;

    while (fd < h->files_count && h->files[fd].path)
        fd++;
    if (fd == h->files_count) {
        int count = fd ? 2 * fd : 4;
        struct hdfs_file *files;
        if (count > FILES_MAX)
            return -EMFILE;
        files = leat_mem_alloc((size_t)count * sizeof *files);
        if (!files)
            return -ENOMEM;
        if (fd)
            memcpy(files, h->files, (size_t)fd * sizeof *files);
        leat_mem_free(h->files);
        h->files = files;
        h->files_count = count;
    }
    size_t bytes = strlen(path) + 1;
    char *copy = leat_mem_alloc_raw(bytes);
    if (!copy)
        return -ENOMEM;
    memcpy(copy, path, bytes);
    h->files[fd] = (struct hdfs_file){.path = copy, .created = created};
    return fd;
}

/* False: no such one waits to be created. */
static bool take_empty(struct hdfs *h, const char *path)
{
    for (struct hdfs_empty **at = &h->empty; *at; at = &(*at)->next)
        if (strcmp((*at)->path, path) == 0) {
            struct hdfs_empty *e = *at;
            *at = e->next;
            leat_mem_free(e);
            return true;
        }
    return false;
}

static int hdfs_create(const struct leat_fs *fs, const char *path)
{
    take_empty(of(fs), path);
    return open_file(of(fs), path, false);
}

static int hdfs_append(const struct leat_fs *fs, const char *path)
{
    struct hdfs *h = of(fs);

    if (take_empty(h, path))
        return open_file(h, path, false);
    int is_dir = hdfs_is_dir(fs, path);
    if (is_dir)
        return is_dir < 0 ? is_dir : -EISDIR;
    return open_file(h, path, true);
}

static int hdfs_write(const struct leat_fs *fs, int fd, const void *data, size_t len)
{
    struct hdfs *h = of(fs);
    struct hdfs_file *f = &h->files[fd];
    const char *at = data;

    while (len > 0 && !f->failed) {
        while (f->used == f->room && grow_piece(h, f))
            ;
        if (f->room == 0)
            return -ENOSPC; /* of memory: there will be some */
        if (f->used == f->room) {
            send_piece(h, f);
            continue;
        }
        size_t n = len < f->room - f->used ? len : f->room - f->used;
        memcpy(f->piece + f->used, at, n);
        f->used += n;
        at += n;
        len -= n;
    }
    return f->failed;
}

static int hdfs_sync(const struct leat_fs *fs, int fd)
{
    struct hdfs *h = of(fs);
    struct hdfs_file *f = &h->files[fd];

    return f->failed || (f->created && !f->used) ? f->failed : send_piece(h, f);
}

static void hdfs_close(const struct leat_fs *fs, int fd)
{
    struct hdfs *h = of(fs);
    struct hdfs_file *f = &h->files[fd];
    size_t bytes = strlen(f->path) + 1;

    if (!f->created && !f->used && !f->failed) {
        struct hdfs_empty *e = leat_mem_alloc(sizeof *e + bytes);
        if (e) {
            memcpy(e->path, f->path, bytes);
            e->next = h->empty;
            h->empty = e;
        }
        h->no_memory |= !e;
    }
    give_piece(h, f);
    leat_mem_free(f->path);
    f->path = NULL;
}

static bool is_below(const char *path, const char *dir)
{
    size_t len = strlen(dir);

    return len == 0 || (strncmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == 0));
}

static int hdfs_sync_dir(const struct leat_fs *fs, const char *dir)
{
    struct hdfs *h = of(fs);

    if (h->no_memory)
        return h->no_memory = false, -ENOMEM;
    for (struct hdfs_empty **at = &h->empty; *at;) {
        struct hdfs_empty *e = *at;
        struct hdfs_file file = {.path = e->path};
        if (!is_below(e->path, dir)) {
            at = &e->next;
            continue;
        }
        int result = send_bytes(h, &file, LEAT_LIT(""));
        if (result < 0)
            return result;
        *at = e->next;
        leat_mem_free(e);
    }
    return 0;
}

static void forget_empty(struct hdfs *h, const char *dir)
{
    for (struct hdfs_empty **at = &h->empty; *at;) {
        struct hdfs_empty *e = *at;
        if (!is_below(e->path, dir)) {
            at = &e->next;
            continue;
        }
        *at = e->next;
        leat_mem_free(e);
    }
}

/* ---- names */

static int hdfs_rename(const struct leat_fs *fs, const char *from, const char *to)
{
    struct hdfs *h = of(fs);
    bool yes, doubtful;
    int result = ask(h, from, "PUT", "RENAME", "destination", leat_fs_inner(to), &yes, &doubtful);

    if (yes || (result < 0 && !doubtful))
        return yes ? 0 : result;
    int old = hdfs_is_dir(fs, from), new = hdfs_is_dir(fs, to);
    if (old == -ENOENT && new >= 0)
        return 0;
    if (result < 0)
        return result;
    return old < 0 ? old : new >= 0 ? -EEXIST : new;
}

static int hdfs_unlink(const struct leat_fs *fs, const char *path)
{
    bool yes, doubtful;
    int result = ask(of(fs), path, "DELETE", "DELETE&recursive=false", NULL, NULL, &yes, &doubtful);

    return result < 0 || yes ? result : -ENOENT;
}

static int hdfs_remove_tree(const struct leat_fs *fs, const char *path)
{
    bool yes, doubtful;
    int result;

    forget_empty(of(fs), path);
    result = ask(of(fs), path, "DELETE", "DELETE&recursive=true", NULL, NULL, &yes, &doubtful);
    return result == -ENOENT ? 0 : result; /* "no": there was nothing */
}

/* HDFS does not say whether it was there before. */
static int hdfs_mkdir(const struct leat_fs *fs, const char *path)
{
    bool yes, doubtful;
    int result = ask(of(fs), path, "PUT", "MKDIRS", NULL, NULL, &yes, &doubtful);

    return result < 0 || yes ? result : -EIO;
}

static int hdfs_below(const struct leat_fs *fs, const char *root, const char *dir)
{
    (void)fs, (void)root, (void)dir; /* there are no links */
    return 0;
}

/* ---- directories */

/* One page of them, behind the name `after`; `after` becomes the last one's. */
static int list_page(struct hdfs *h, const char *dir, char after[HDFS_NAME_BYTES],
                     bool (*fn)(const struct leat_fs_entry *e, void *arg), void *arg, bool *more)
{
    struct hdfs_call call = {.path = dir,
                             .method = "GET",
                             .op = "LISTSTATUS_BATCH",
                             .option = "startAfter",
                             .value = after};
    struct leat_arena names = {.budget = h->budget};
    struct hdfs_page page;
    bool doubtful;
    int result = hdfs_call(&h->client, &call, &doubtful);

    *more = false;
    if (result < 0)
        return result;
    /* fn may ask for something, and that ends the client's own answer. */
    if (!hdfs_reply_page(hdfs_reply(&h->client), &names, &page))
        result = hdfs_nonsense(&h->client, &call, &names);
    bool wants = result == 0;
    for (uint32_t i = 0; wants && i < page.count; i++)
        wants = fn(&page.list[i], arg);
    *more = wants && page.remaining > 0;
    if (*more)
        snprintf(after, HDFS_NAME_BYTES, "%s", page.list[page.count - 1].name);
    leat_arena_reset(&names);
    return result;
}

static int hdfs_list(const struct leat_fs *fs, const char *dir,
                     bool (*fn)(const struct leat_fs_entry *e, void *arg), void *arg)
{
    char after[HDFS_NAME_BYTES] = "", last[HDFS_NAME_BYTES];
    bool more = true;
    int result = 0;

    for (int i = 0; more && result == 0; i++) {
        memcpy(last, after, sizeof last);
        result = list_page(of(fs), dir, after, fn, arg, &more);
        if (more && (i == PAGES_MAX || strcmp(after, last) == 0))
            return -EPROTO; /* it turns in circles */
    }
    return result;
}

struct each {
    void (*fn)(const char *name, void *arg);
    void *arg;
};

static bool each_name(const struct leat_fs_entry *e, void *arg)
{
    const struct each *each = arg;

    each->fn(e->name, each->arg);
    return true;
}

static int hdfs_each(const struct leat_fs *fs, const char *dir,
                     void (*fn)(const char *name, void *arg), void *arg)
{
    struct each each = {fn, arg};

    return hdfs_list(fs, dir, each_name, &each);
}

/* ---- reading */

static int64_t hdfs_read(const struct leat_fs *fs, const char *path, int64_t at, void *into,
                         size_t len)
{
    char op[100];
    struct hdfs_call call = {
        .path = path, .method = "GET", .op = op, .redirected = true, .into = into, .room = len};
    bool doubtful;

    snprintf(op, sizeof op, "OPEN&offset=%lld&length=%zu", (long long)at, len);
    int result = len ? hdfs_call(&of(fs)->client, &call, &doubtful) : 0;
    if (result == 0 && call.got == len)
        return (int64_t)len;
    int64_t length = hdfs_length(fs, path); /* at its end? */
    if (length < 0)
        return length;
    if (result < 0)
        return at >= length ? 0 : result;
    return at + (int64_t)call.got >= length ? (int64_t)call.got : -EIO;
}

static int64_t hdfs_room(const struct leat_fs *fs, const char *path, int64_t *disk)
{
    (void)fs, (void)path, (void)disk;
    return -ENOTSUP;
}

static int hdfs_truncate(const struct leat_fs *fs, const char *path, int64_t length)
{
    (void)fs, (void)path, (void)length;
    return -ENOTSUP;
}

/* ---- the module */

static enum leat_status hdfs_check(const char *path, struct leat_error *err)
{
    struct hdfs_place place;

    return hdfs_place_read(path, &place, err);
}

static enum leat_status hdfs_open(const struct leat_env *env, const struct leat_fs **fs,
                                  struct leat_error *err)
{
    static const struct leat_fs functions = {
        .create = hdfs_create,
        .write = hdfs_write,
        .sync = hdfs_sync,
        .close = hdfs_close,
        .rename = hdfs_rename,
        .unlink = hdfs_unlink,
        .length = hdfs_length,
        .sync_dir = hdfs_sync_dir,
        .each = hdfs_each,
        .append = hdfs_append,
        .truncate = hdfs_truncate,
        .mkdir = hdfs_mkdir,
        .rmdir = hdfs_unlink,
        .is_dir = hdfs_is_dir,
        .below = hdfs_below,
        .room = hdfs_room,
        .read = hdfs_read,
        .create_direct = hdfs_create,
        .read_direct = hdfs_read,
        .list = hdfs_list,
        .look = hdfs_look,
        .remove_tree = hdfs_remove_tree,
    };
    struct hdfs *h = leat_mem_alloc(sizeof *h);

    if (!h)
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    h->fs = functions;
    h->budget = env->budget;
    if (hdfs_client_init(&h->client, env, err) != LEAT_OK) {
        leat_mem_free(h);
        return err->status;
    }
    *fs = &h->fs;
    return LEAT_OK;
}

static void hdfs_close_all(const struct leat_fs *fs)
{
    struct hdfs *h = of(fs);

    for (int fd = 0; fd < h->files_count; fd++)
        if (h->files[fd].path)
            hdfs_close(fs, fd);
    forget_empty(h, "");
    leat_mem_free(h->files);
    hdfs_client_fini(&h->client);
    leat_mem_free(h);
}

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "hdfs",
    .summary = "Hadoop's file system, for paths that begin with hdfs://",
    .remote =
        &(const struct leat_remote){
            .check = hdfs_check,
            .open = hdfs_open,
            .close = hdfs_close_all,
        },
};

LEAT_MODULE(module);
