/*
 * file_select.h - which files belong to the batch of which tick: the rule of Spark's file streams.
 *
 * A file is in the batch of tick T if it was changed at T or before, and behind T less the remember
 * window (and, `new_only`, behind the beginning of the job), and no file of that path was in a
 * batch of the window. It is in the first such batch behind the moment when it was seen. The window
 * is `remember`, as whole batches. What is older is never read, like in Spark.
 *
 * Here a file is its path and the time of its last change, "dir/a.log@1767225600000", which is the
 * name of its partition: so the log knows exactly which ones were read.
 *
 * Thread: job.
 */
#ifndef LEAT_CONNECTORS_FILE_SELECT_H
#define LEAT_CONNECTORS_FILE_SELECT_H

#include "file_list.h"

struct file_select {
    struct file_list *list;
    bool new_only;
    int64_t remember_ms;

    uint32_t *waiting; /* numbers of files that no batch has had, ascending */
    uint32_t count, room;
    uint32_t seen;    /* files of the list that were put there, or will never be */
    uint32_t *unread; /* numbers of those that an earlier life began and did not end */
    uint32_t unread_count, unread_room;
};

void file_select_fini(struct file_select *s);

/* As in struct leat_by_tick. A name that no file_select gave is passed over; `ended`: it was read
 * to its end. */
LEAT_CHECKED enum leat_status file_select_known(struct file_select *s, struct leat_slice name,
                                                bool ended, struct leat_error *err);
LEAT_CHECKED enum leat_status file_select_due(struct file_select *s, const struct leat_ticks *ticks,
                                              int64_t *time_ms, struct leat_error *err);
/* Calls each() with the number of every file of that tick; those have a name then. */
LEAT_CHECKED enum leat_status file_select_take(struct file_select *s, int64_t time_ms,
                                               void (*each)(void *arg, uint32_t number), void *arg,
                                               struct leat_error *err);

#endif
