/*
 * watch.h - `leat run --watch`: notices that pipeline files have changed, and has them read again.
 *
 * The kernel tells that something happened in the folders of the files; whether it matters is found
 * by looking at the files: which there are, their sizes and times. So it makes no difference how
 * they are changed (in place, by rename, by a link that points elsewhere), and what else is written
 * in the folder causes no reload. What is being written is left alone until it stays the same for
 * 300 ms; files that never do are read every 5 s. There are never more than a few looks a second,
 * and memory does not depend on what happens in the folders. What the kernel does not tell (another
 * host's changes, links further up or that lead elsewhere) is found by a look every 10 s.
 *
 * Not looked at: what a file points to (secrets, tables, schemas).
 *
 * Thread: main.
 */
#ifndef LEAT_CLI_WATCH_H
#define LEAT_CLI_WATCH_H

#include "cli/run_paths.h"
#include "run/job_set.h"

struct cli_watch {
    const struct cli_path *paths;
    size_t count;
    struct leat_job_set *set;
    struct leat_turn turn;
    int fd; /* inotify; -1: none */

    /* What the kernel watches: the folder of each path, and the path itself if it is a folder.
     * -1: not there, or not to be had; then it is looked at every second. */
    int around[CLI_PIPELINES_MAX], inside[CLI_PIPELINES_MAX];
    bool has_gaps, gaps_said;

    uint64_t read_as, seen_as; /* the files at the last reload, at the last look; as a hash */
    bool is_changing;
    int64_t changing_since_ms, due_ms; /* monotonic */
};

/* Begin to watch; `paths` and `set` are borrowed until stop. Before the files are read, so that no
 * change is missed. LEAT_E_FULL: the kernel's limit is reached; LEAT_E_IO: it does not watch.
 * After a failure, too, stop is to be called. */
LEAT_CHECKED enum leat_status cli_watch_start(struct cli_watch *w, const struct cli_path *paths,
                                              size_t count, struct leat_job_set *set,
                                              struct leat_error *err);
/* Before leat_job_set_free(). */
void cli_watch_stop(struct cli_watch *w);

#endif
