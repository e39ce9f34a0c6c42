/*
 * reply.h - what a NameNode or DataNode answers, read: JSON that anybody may have written.
 *
 * Text and lengths are checked before they are believed: a name that is no name, a number below
 * zero, an answer of another form are `false`. What is made is in the arena, which bounds it.
 *
 * Thread: any.
 */
#ifndef LEAT_CONNECTORS_HDFS_REPLY_H
#define LEAT_CONNECTORS_HDFS_REPLY_H

#include "leat.h"

#define HDFS_NAME_BYTES 256 /* of one name in a directory, with the NUL */

/* {"boolean": true} */
bool hdfs_reply_boolean(struct leat_slice text, struct leat_arena *arena, bool *value);

/* {"FileStatus": {...}}; the entry's name is empty. */
bool hdfs_reply_status(struct leat_slice text, struct leat_arena *arena, struct leat_fs_entry *e);

/* A page of a directory, and how many entries are behind it. Names last as long as the arena. */
struct hdfs_page {
    struct leat_fs_entry *list;
    uint32_t count;
    int64_t remaining;
};
bool hdfs_reply_page(struct leat_slice text, struct leat_arena *arena, struct hdfs_page *page);

/* {"RemoteException": {...}}: a positive errno for it, and class and message for people in `said`.
 * 0: it is none. */
int hdfs_reply_refusal(struct leat_slice text, struct leat_arena *arena, char *said, size_t room);

#endif
