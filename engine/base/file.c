#include "base/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum leat_status read_open(FILE *f, const char *path, size_t max, struct leat_arena *arena,
                                  struct leat_slice *text, struct leat_error *err)
{
    struct stat st;

    if (fstat(fileno(f), &st) != 0 || !S_ISREG(st.st_mode))
        return leat_fail(err, LEAT_E_IO, "'%s' is no regular file", path);
    if ((size_t)st.st_size > max)
        return leat_fail(err, LEAT_E_IO, "'%s' has %lld bytes: %zu are allowed", path,
                         (long long)st.st_size, max);
    char *bytes = leat_arena_alloc(arena, (size_t)st.st_size + 1);
    if (!bytes)
        return leat_arena_failed(arena, err);
    *text = (struct leat_slice){bytes, fread(bytes, 1, (size_t)st.st_size, f)};
    return ferror(f) ? leat_fail(err, LEAT_E_IO, "cannot read '%s': %s", path, strerror(errno))
                     : LEAT_OK;
}

/* Where a relative path begins is not always where the user thinks. */
static enum leat_status not_opened(const char *path, struct leat_error *err)
{
    const char *why = strerror(errno);
    char dir[256];

    if (errno == ENOENT && path[0] != '/' && getcwd(dir, sizeof dir))
        return leat_fail(err, LEAT_E_IO, "cannot open '%s': %s in '%s', where leat runs", path, why,
                         dir);
    return leat_fail(err, LEAT_E_IO, "cannot open '%s': %s", path, why);
}

enum leat_status leat_file_read(const char *path, size_t max, struct leat_arena *arena,
                                struct leat_slice *text, struct leat_error *err)
{
    FILE *f = fopen(path, "re");

    if (!f)
        return not_opened(path, err);
    enum leat_status status = read_open(f, path, max, arena, text, err);
    fclose(f);
    return status;
}
