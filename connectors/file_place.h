/*
 * file_place.h - files of this machine and of others alike, as far as reading them goes.
 *
 * `fs` is the source's env->fs: one that can look() is over a network (base/remote.h), and a path
 * is its; any other one is not asked, and the kernel is. They say what went wrong in errno.
 *
 * Thread: job.
 */
#ifndef LEAT_CONNECTORS_FILE_PLACE_H
#define LEAT_CONNECTORS_FILE_PLACE_H

#include "leat.h"

#include <sys/stat.h>
#include <sys/types.h>

bool file_place_is_remote(const struct leat_fs *fs);

/* As stat(): kind, size and time of the last change. */
int file_place_stat(const struct leat_fs *fs, const char *path, struct stat *st);

/* The same of an entry of a directory. */
void file_place_entry(const struct leat_fs_entry *e, struct stat *st);

/* As open() for reading, but for a remote file, which is not opened: -2, whether it is there or
 * not. */
int file_place_open(const struct leat_fs *fs, const char *path);
void file_place_close(int fd);

/* Of a file that is open. */
int file_place_fstat(const struct leat_fs *fs, int fd, const char *path, struct stat *st);
ssize_t file_place_read(const struct leat_fs *fs, int fd, const char *path, void *into, size_t room,
                        int64_t at);

#endif
