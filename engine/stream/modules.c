/*
 * modules.c - where a program of the C library has the modules that are not built in.
 *
 * In the folder that it names, else beside the library (which may be in the program itself), else
 * where the library was to be installed. The environment has no say, as with the program `leat`.
 */
#include "stream.h"

#include "base/module.h"

#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <unistd.h>

/* The folder of modules as seen from the file that this code stands in: a library, or a program
 * that has it in itself. False: nobody knows. */
static bool beside_own_file(char into[PATH_MAX])
{
    static const char here;
    struct link_map *map = NULL;
    Dl_info own;
    char file[PATH_MAX];

    if (!dladdr1(&here, &own, (void **)&map, RTLD_DL_LINKMAP) || !map)
        return false;
    bool is_library = map->l_name && map->l_name[0];
    snprintf(file, sizeof file, "%s", is_library ? map->l_name : "");
    ssize_t len = is_library ? 0 : readlink("/proc/self/exe", file, sizeof file - 1);
    if (len > 0)
        file[len] = 0;
    char *slash = strrchr(file, '/');
    if (file[0] != '/')
        return false;
    *slash = 0;
    return snprintf(into, PATH_MAX, "%s/%s", file, is_library ? "leat" : LEAT_MODULES_FROM_BIN) <
           PATH_MAX;
}

void stream_find_modules(const struct leat_context *ctx, char into[PATH_MAX])
{
    if (ctx->modules)
        snprintf(into, PATH_MAX, "%s", ctx->modules);
    else if (!beside_own_file(into) || access(into, R_OK | X_OK) != 0)
        snprintf(into, PATH_MAX, "%s", LEAT_MODULES_DIR);
    leat_modules_from(into);
}
