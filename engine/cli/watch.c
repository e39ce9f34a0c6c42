#include "cli/watch.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define CALM_MS      300
#define CHANGING_MS  5000 /* then it is read as it is */
#define GAP_MS       1000
#define UNASKED_MS   10000
#define EVENTS_BYTES 16384
#define READS_MAX    64 /* at one look; the rest wakes us again */

/* Without IN_MODIFY: who writes will close the file. */
#define EVENTS                                                                                     \
    (IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_ATTRIB |            \
     IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

static const struct leat_log lines = {"leat", "watch"};

/* ---- which folders */

/* The folder that has `path` in it; false: the path is too long to be one. */
static bool folder_of(const char *path, char folder[PATH_MAX])
{
    size_t len = strlen(path), base;

    if (len + sizeof "/.." > PATH_MAX)
        return false;
    while (len > 1 && path[len - 1] == '/')
        len--;
    for (base = len; base > 0 && path[base - 1] != '/'; base--)
        ;
    size_t name = len - base;
    if ((name == 1 && path[base] == '.') || (name == 2 && memcmp(path + base, "..", 2) == 0))
        snprintf(folder, PATH_MAX, "%.*s/..", (int)len, path);
    else if (base == 0)
        snprintf(folder, PATH_MAX, ".");
    else
        snprintf(folder, PATH_MAX, "%.*s", (int)base, path);
    return true;
}

static bool is_used(const struct cli_watch *w, int wd)
{
    for (size_t i = 0; i < w->count; i++)
        if (w->around[i] == wd || w->inside[i] == wd)
            return true;
    return false;
}

/* A watch belongs to a folder, not to its name: asked for again, it is the same one unless another
 * folder has the name now. Returns 0 or an errno. */
static int watch_one(struct cli_watch *w, const char *folder, int *wd)
{
    int before = *wd;

    *wd = inotify_add_watch(w->fd, folder, EVENTS);
    int why = *wd < 0 ? errno : 0;
    if (before >= 0 && before != *wd && !is_used(w, before))
        (void)inotify_rm_watch(w->fd, before); /* it may have gone by itself */
    return why;
}

static enum leat_status no_watch(const char *folder, int why, struct leat_error *err)
{
    if (why == ENOSPC)
        return leat_fail(err, LEAT_E_FULL,
                         "cannot watch the directory '%s': this user's limit of watches is "
                         "reached; raise it: sysctl fs.inotify.max_user_watches=N",
                         folder);
    return leat_fail(err, LEAT_E_IO, "cannot watch the directory '%s': %s", folder, strerror(why));
}

/* All folders as they are now. What is not there, or may not be watched, is a gap; the error is
 * about the limit, or about a folder that was named. */
static enum leat_status watch_all(struct cli_watch *w, struct leat_error *err)
{
    enum leat_status status = LEAT_OK;
    char folder[PATH_MAX];

    w->has_gaps = false;
    for (size_t i = 0; i < w->count; i++) {
        const char *path = w->paths[i].path;
        int why = folder_of(path, folder) ? watch_one(w, folder, &w->around[i]) : ENAMETOOLONG;
        w->has_gaps |= why != 0;
        if (why == ENOSPC)
            status = no_watch(folder, why, err);
        why = w->paths[i].is_dir ? watch_one(w, path, &w->inside[i]) : 0;
        w->has_gaps |= why != 0;
        if (why && why != ENOENT && why != ENOTDIR)
            status = no_watch(path, why, err);
    }
    return status;
}

static void watch_again(struct cli_watch *w)
{
    struct leat_error err;

    if (watch_all(w, &err) == LEAT_OK)
        w->gaps_said = false;
    else if (!w->gaps_said) {
        w->gaps_said = true;
        leat_warn(&lines, "%s; its files are looked at every second", err.text);
    }
}

/* ---- what the files are like */

static uint64_t mix(uint64_t hash, const void *data, size_t len)
{
    const unsigned char *bytes = data;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3; /* FNV-1a */
    return hash;
}

static uint64_t mix_file(uint64_t hash, const char *path)
{
    struct stat st;
    int64_t is[8] = {0};

    if (stat(path, &st) == 0)
        memcpy(is,
               (int64_t[8]){(int64_t)st.st_dev, (int64_t)st.st_ino, st.st_size, st.st_mode,
                            st.st_mtim.tv_sec, st.st_mtim.tv_nsec, st.st_ctim.tv_sec,
                            st.st_ctim.tv_nsec},
               sizeof is);
    else
        is[0] = -errno;
    return mix(mix(hash, path, strlen(path) + 1), is, sizeof is);
}

static uint64_t hash_files(const struct cli_watch *w)
{
    uint64_t hash = 0xcbf29ce484222325;
    struct cli_files files;
    struct leat_error err;

    if (cli_files_list(w->paths, w->count, &files, &err) != LEAT_OK)
        hash = mix(hash, err.text, strlen(err.text));
    else
        for (size_t i = 0; i < files.count; i++)
            hash = mix_file(hash, files.list[i]);
    cli_files_free(&files);
    return hash;
}

/* ---- a look */

/* Something happened; what, the files say. */
static bool take_events(struct cli_watch *w)
{
    char events[EVENTS_BYTES];
    bool any = false;

    for (int i = 0; i < READS_MAX && read(w->fd, events, sizeof events) > 0; i++)
        any = true;
    return any;
}

static void compare(struct cli_watch *w, int64_t now_ms)
{
    uint64_t now_as = hash_files(w);
    bool is_calm = w->is_changing && now_as == w->seen_as;

    if (now_as == w->read_as) {
        w->is_changing = false;
    } else if (is_calm || (w->is_changing && now_ms - w->changing_since_ms >= CHANGING_MS)) {
        w->read_as = now_as;
        w->is_changing = false;
        leat_job_set_reload(w->set);
    } else if (!w->is_changing) {
        w->is_changing = true;
        w->changing_since_ms = now_ms;
    }
    w->seen_as = now_as;
}

/* The next look comes when the kernel says so, but after one that found something not before a
 * while has passed, however much happens: until then nobody waits for the descriptor. A folder that
 * takes long to look through is looked through less often. */
static void turn(void *arg)
{
    struct cli_watch *w = arg;
    int64_t begun_ms = leat_clock_monotonic_ms(NULL);
    bool is_due = begun_ms >= w->due_ms;

    if (w->turn.fd < 0 && !is_due)
        return;
    bool any = take_events(w);
    if (!any && !is_due)
        return;
    watch_again(w);
    compare(w, begun_ms);
    int64_t now_ms = leat_clock_monotonic_ms(NULL), rest_ms = 10 * (now_ms - begun_ms);
    bool goes_on = any || w->is_changing;
    w->turn.fd = goes_on ? -1 : w->fd;
    if (goes_on)
        w->due_ms = now_ms + (rest_ms > CALM_MS ? rest_ms : CALM_MS);
    else
        w->due_ms = now_ms + (w->has_gaps ? GAP_MS : UNASKED_MS);
}

static int64_t wait_ms(const void *arg)
{
    const struct cli_watch *w = arg;
    int64_t left_ms = w->due_ms - leat_clock_monotonic_ms(NULL);

    return left_ms > 0 ? left_ms : 0;
}

/* ---- begin and end */

enum leat_status cli_watch_start(struct cli_watch *w, const struct cli_path *paths, size_t count,
                                 struct leat_job_set *set, struct leat_error *err)
{
    *w = (struct cli_watch){.paths = paths, .count = count};
    for (size_t i = 0; i < count; i++)
        w->around[i] = w->inside[i] = -1;
    w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (w->fd < 0 && errno == EMFILE)
        return leat_fail(err, LEAT_E_FULL,
                         "--watch: this user has too many inotify instances, or this process too "
                         "many files; raise the limit: sysctl fs.inotify.max_user_instances=N, or "
                         "ulimit -n");
    if (w->fd < 0)
        return leat_fail(err, LEAT_E_IO, "--watch: inotify: %s", strerror(errno));
    if (watch_all(w, err) != LEAT_OK)
        return leat_error_prefix(err, "--watch");
    w->read_as = hash_files(w);
    w->due_ms = leat_clock_monotonic_ms(NULL) + GAP_MS;
    w->turn = (struct leat_turn){.fd = w->fd, .arg = w, .wait_ms = wait_ms, .turn = turn};
    if (leat_job_set_attach(set, &w->turn, err) != LEAT_OK)
        return err->status;
    w->set = set;
    return LEAT_OK;
}

void cli_watch_stop(struct cli_watch *w)
{
    if (w->set)
        leat_job_set_detach(w->set, &w->turn);
    w->set = NULL;
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
}
