#include "cli/run_paths.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool cli_is_pipeline(const char *name)
{
    size_t len = strlen(name);

    return name[0] != '.' && ((len > 5 && strcmp(name + len - 5, ".yaml") == 0) ||
                              (len > 4 && strcmp(name + len - 4, ".yml") == 0));
}

bool cli_is_dir(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum leat_status add(struct cli_files *files, const char *dir, const char *name,
                            struct leat_error *err)
{
    char *path = NULL;

    if (files->count == CLI_PIPELINES_MAX)
        return leat_fail(err, LEAT_E_FULL, "more than %d pipelines", CLI_PIPELINES_MAX);
    if (asprintf(&path, "%s%s%s", dir ? dir : "", dir ? "/" : "", name) < 0)
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    files->list[files->count++] = path;
    return LEAT_OK;
}

static enum leat_status add_dir(struct cli_files *files, const char *path, struct leat_error *err)
{
    size_t before = files->count;
    DIR *dir = opendir(path);
    enum leat_status status = LEAT_OK;
    struct dirent *e;

    if (!dir)
        return leat_fail(err, LEAT_E_IO, "cannot read the directory '%s': %s", path,
                         strerror(errno));
    for (errno = 0; status == LEAT_OK && (e = readdir(dir)); errno = 0)
        if (cli_is_pipeline(e->d_name))
            status = add(files, path, e->d_name, err);
    if (status == LEAT_OK && errno)
        status =
            leat_fail(err, LEAT_E_IO, "cannot read the directory '%s': %s", path, strerror(errno));
    closedir(dir);
    qsort(files->list + before, files->count - before, sizeof *files->list, by_text);
    return status;
}

enum leat_status cli_files_list(const struct cli_path *paths, size_t count, struct cli_files *files,
                                struct leat_error *err)
{
    files->count = 0;
    for (size_t i = 0; i < count; i++)
        if ((paths[i].is_dir ? add_dir(files, paths[i].path, err)
                             : add(files, NULL, paths[i].path, err)) != LEAT_OK)
            return err->status;
    return LEAT_OK;
}

void cli_files_free(struct cli_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->list[i]);
    files->count = 0;
}
