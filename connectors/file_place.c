#include "file_place.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define NO_DESCRIPTOR (-2)

bool file_place_is_remote(const struct leat_fs *fs)
{
    return fs && fs->look;
}

void file_place_entry(const struct leat_fs_entry *e, struct stat *st)
{
    *st = (struct stat){.st_mode = e->is_dir ? S_IFDIR : S_IFREG, .st_size = e->length};
    st->st_mtim.tv_sec = e->changed_ms / 1000;
    st->st_mtim.tv_nsec = e->changed_ms % 1000 * 1000000;
}

static int64_t told(int64_t result)
{
    if (result < 0)
        errno = (int)-result;
    return result < 0 ? -1 : result;
}

int file_place_stat(const struct leat_fs *fs, const char *path, struct stat *st)
{
    struct leat_fs_entry e;

    if (!file_place_is_remote(fs))
        return stat(path, st);
    if (told(fs->look(fs, path, &e)) < 0)
        return -1;
    file_place_entry(&e, st);
    return 0;
}

int file_place_open(const struct leat_fs *fs, const char *path)
{
    return file_place_is_remote(fs) ? NO_DESCRIPTOR : open(path, O_RDONLY | O_CLOEXEC);
}

void file_place_close(int fd)
{
    if (fd >= 0)
        close(fd);
}

int file_place_fstat(const struct leat_fs *fs, int fd, const char *path, struct stat *st)
{
    return fd >= 0 ? fstat(fd, st) : file_place_stat(fs, path, st);
}

ssize_t file_place_read(const struct leat_fs *fs, int fd, const char *path, void *into, size_t room,
                        int64_t at)
{
    ssize_t n;

    if (fd < 0)
        return (ssize_t)told(fs->read(fs, path, at, into, room));
    do
        n = pread(fd, into, room, at);
    while (n < 0 && errno == EINTR);
    return n;
}
