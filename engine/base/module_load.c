/*
 * module_load.c - finds the files of modules that are not built in.
 *
 * Only one folder is looked into, found from where the program itself stands, or named by a program
 * that uses the C library: nobody can slip in a module by the working directory or the environment.
 */
#include "base/module.h"

#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES   4096
#define NAME_MAX_LEN 64

/* Relative to the folder of the program. */
static const char *const folders[] = {"engine/modules", LEAT_MODULES_FROM_BIN};

/* Named by leat_modules_from(); NULL: it is found from the program. */
static _Thread_local const char *named;

void leat_modules_from(const char *folder)
{
    named = folder;
}

/* The folder of the program itself. */
static bool own_folder(char into[PATH_BYTES])
{
    ssize_t len = readlink("/proc/self/exe", into, PATH_BYTES - 1);

    if (len <= 0)
        return false;
    into[len] = '\0';
    char *slash = strrchr(into, '/');
    if (!slash)
        return false;
    *slash = '\0';
    return true;
}

/* False: there is none. */
static bool modules_folder(char into[PATH_BYTES])
{
    char own[PATH_BYTES];

    if (named)
        return snprintf(into, PATH_BYTES, "%s", named) < PATH_BYTES &&
               access(into, R_OK | X_OK) == 0;
    if (!own_folder(own))
        return false;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        if (snprintf(into, PATH_BYTES, "%s/%s", own, folders[i]) < PATH_BYTES &&
            access(into, R_OK | X_OK) == 0)
            return true;
    return false;
}

static bool is_name(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");

    return len > 0 && len < NAME_MAX_LEN && name[len] == '\0';
}

enum leat_status leat_module_load_named(const char *name, struct leat_error *err)
{
    static const char *const prefixes[] = {"", "sink-"};
    char folder[PATH_BYTES], path[2 * PATH_BYTES];

    if (!is_name(name) || !modules_folder(folder))
        return LEAT_OK;
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        snprintf(path, sizeof path, "%s/%s%s.so", folder, prefixes[i], name);
        if (access(path, R_OK) == 0 && leat_module_load(path, err) != LEAT_OK)
            return err->status;
    }
    return LEAT_OK;
}

static const struct leat_module_known *known(const char *kind, const char *name)
{
    for (const struct leat_module_known *k = leat_modules_known; k && k->file; k++) {
        bool prefixed = strncmp(k->file, "sink-", 5) == 0;
        if (strcmp(k->kind, kind) == 0 && strcmp(k->file + (prefixed ? 5 : 0), name) == 0)
            return k;
    }
    return NULL;
}

bool leat_module_is_connector(struct leat_slice name)
{
    char text[64];

    if (name.len >= sizeof text)
        return false;
    snprintf(text, sizeof text, "%.*s", LEAT_FMT(name));
    return leat_module_find_source(text) || leat_module_find_sink(text) || known("source", text) ||
           known("sink", text);
}

bool leat_module_is_absent(const char *kind, const char *name, struct leat_error *err)
{
    const struct leat_module_known *k = known(kind, name);
    const char *elsewhere = named ? "; leat_set() of \"modules\" names another folder" : "";
    char own[PATH_BYTES], folder[PATH_BYTES];

    if (!k)
        return false;
    if (k->lacks)
        leat_fail(err, LEAT_E_CONFIG, "is not built in: leat was built without %s", k->lacks);
    else if (modules_folder(folder))
        leat_fail(err, LEAT_E_CONFIG, "is not installed: there is no '%s.so' in '%s'%s", k->file,
                  folder, elsewhere);
    else if (named)
        leat_fail(err, LEAT_E_CONFIG, "is not installed: there is no folder '%s' with '%s.so'%s",
                  named, k->file, elsewhere);
    else if (own_folder(own))
        leat_fail(err, LEAT_E_CONFIG, "is not installed: there is no folder '%s/%s' with '%s.so'",
                  own, LEAT_MODULES_FROM_BIN, k->file);
    else
        leat_fail(err, LEAT_E_CONFIG, "is not installed");
    return true;
}

void leat_module_load_all(void)
{
    char folder[PATH_BYTES], path[2 * PATH_BYTES];
    struct leat_error err;
    DIR *dir = modules_folder(folder) ? opendir(folder) : NULL;

    for (struct dirent *e; dir && (e = readdir(dir));) {
        size_t len = strlen(e->d_name);
        if (len < 4 || strcmp(e->d_name + len - 3, ".so") != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (leat_module_load(path, &err) != LEAT_OK)
            continue; /* the pipeline that names it will hear why */
    }
    if (dir)
        closedir(dir);
}
