#include "files_path.h"

#include <inttypes.h>
#include <stdio.h>

#define FILE_NAME_MAX 128 /* of a rendered name; final and temporary ones get up to 100 more */
#define ADDED_MAX     160 /* bytes by which names grow */
#define MARK_BYTES    (sizeof LEAT_ROUTE_FILE - 1)

static uint32_t fnv(uint32_t hash, struct leat_slice s)
{
    for (size_t i = 0; i < s.len; i++)
        hash = (hash ^ (unsigned char)s.ptr[i]) * 16777619;
    return (hash ^ 0xff) * 16777619;
}

/* The length of `{...}` at the front of s, quotes heeded; 0: it has no end. */
static size_t braces(struct leat_slice s)
{
    char quote = 0;

    for (size_t i = 1; i < s.len; i++) {
        if (quote)
            quote = s.ptr[i] == quote ? 0 : quote;
        else if (s.ptr[i] == '"' || s.ptr[i] == '\'')
            quote = s.ptr[i];
        else if (s.ptr[i] == '}')
            return i + 1;
    }
    return 0;
}

struct scan {
    struct leat_bytes rendered;
    size_t literal; /* how much of `rendered` stands before the first brace */
    bool has_file, has_expression, in_expression;
    int slashes; /* behind the last one of the literal */
};

static enum leat_status scan_template(struct leat_slice path, struct scan *s,
                                      struct leat_error *err)
{
    for (size_t i = 0; i < path.len; i++) {
        bool doubled = i + 1 < path.len && path.ptr[i + 1] == path.ptr[i];
        if (path.ptr[i] == '{' && !doubled) {
            struct leat_slice rest = {path.ptr + i, path.len - i};
            size_t len = braces(rest);
            if (!len)
                return leat_fail(err, LEAT_E_CONFIG, "path: a '{' has no '}'");
            if (!s->has_file && !s->has_expression)
                s->literal = s->rendered.len;
            bool is_file = leat_slice_eq((struct leat_slice){rest.ptr, len}, LEAT_LIT("{file}"));
            s->has_file = s->has_file || is_file;
            s->has_expression = s->has_expression || !is_file;
            leat_bytes_put(&s->rendered, LEAT_ROUTE_FILE, MARK_BYTES);
            i += len - 1;
            continue;
        }
        s->slashes += path.ptr[i] == '/' && (s->has_file || s->has_expression);
        i += path.ptr[i] == '{' && doubled;
        leat_bytes_put(&s->rendered, &path.ptr[i], 1);
    }
    return LEAT_OK;
}

static const char *root_of(struct leat_arena *arena, struct leat_slice literal)
{
    const char *slash = literal.len ? memrchr(literal.ptr, '/', literal.len) : NULL;

    if (!slash)
        return ".";
    if (slash == literal.ptr)
        return "/";
    return leat_arena_copy(arena, (struct leat_slice){literal.ptr, (size_t)(slash - literal.ptr)})
        .ptr;
}

enum leat_status files_paths_init(struct files_paths *p, const struct leat_env *env,
                                  struct leat_slice path, struct leat_error *err)
{
    struct scan s = {.rendered.arena = &p->arena};

    p->env = env;
    if (scan_template(path, &s, err) != LEAT_OK)
        return err->status;
    if (s.rendered.failed)
        return leat_arena_failed(&p->arena, err);
    if (!s.has_file)
        return leat_fail(err, LEAT_E_CONFIG,
                         "path: '%.*s' has no {file}: two batches would write the same file",
                         LEAT_FMT(path));
    if (s.literal == 0)
        return leat_fail(err, LEAT_E_CONFIG,
                         "path: '%.*s' must start with a directory or a name, not with '{'",
                         LEAT_FMT(path));
    p->literal = (struct leat_slice){s.rendered.ptr, s.literal};
    p->own = s.has_expression ? (struct leat_slice){0} : leat_bytes_slice(&s.rendered);
    p->depth = s.slashes;
    p->tag = fnv(fnv(2166136261, leat_slice_str(env->job)), path);
    p->root = root_of(&p->arena, p->literal);
    return p->root ? LEAT_OK : leat_arena_failed(&p->arena, err);
}

void files_paths_fini(struct files_paths *p)
{
    leat_arena_reset(&p->arena);
    *p = (struct files_paths){0};
}

static bool starts_with(struct leat_slice s, struct leat_slice start)
{
    return s.len >= start.len && memcmp(s.ptr, start.ptr, start.len) == 0;
}

/* NULL: this may be a part of a path; else what is wrong with it. */
static const char *wrong_part(struct leat_slice part)
{
    if (part.len == 0)
        return "has an empty part";
    if (leat_slice_eq(part, LEAT_LIT(".")) || leat_slice_eq(part, LEAT_LIT("..")))
        return "has a part '.' or '..'";
    if (part.len > FILE_NAME_MAX)
        return "has a part of more than 128 bytes";
    if (memchr(part.ptr, 0, part.len))
        return "has a NUL byte";
    if (starts_with(part, LEAT_LIT(".leat-")))
        return "has a part that starts with '.leat-'";
    return NULL;
}

enum leat_status files_paths_check(const struct files_paths *p, struct leat_slice route,
                                   struct leat_error *err)
{
    const char *wrong = NULL;
    struct leat_slice rest, part;

    if (!starts_with(route, p->literal))
        wrong = "does not start as its template does";
    else if (!memmem(route.ptr, route.len, LEAT_ROUTE_FILE, MARK_BYTES))
        wrong = "has no place for {file}";
    else if (route.len > FILES_PATH_BYTES - 2 * ADDED_MAX)
        wrong = "is too long";
    const char *slash = wrong ? NULL : memrchr(p->literal.ptr, '/', p->literal.len);
    size_t from = slash ? (size_t)(slash + 1 - p->literal.ptr) : 0;
    rest = (struct leat_slice){route.ptr + from, route.len - from};
    for (bool more = !wrong; more && !wrong;) {
        more = leat_slice_cut(rest, '/', &part, &rest);
        wrong = wrong_part(part);
    }
    if (!wrong)
        return LEAT_OK;
    return leat_fail(err, LEAT_E_DATA, "the path '%.*s' %s",
                     (int)(route.len < 120 ? route.len : 120), route.ptr, wrong);
}

void files_paths_final(const struct files_paths *p, struct leat_slice route, uint64_t n,
                       uint32_t seq, char *path)
{
    char name[64];
    size_t at = 0;

    int len = snprintf(name, sizeof name, "%" PRIu32 "-%" PRIu32 "-%012" PRIu64 "-%" PRIu32,
                       p->env->slot, p->env->epoch, n, seq);
    while (route.len && at + sizeof name < FILES_PATH_BYTES) {
        bool here = starts_with(route, (struct leat_slice){LEAT_ROUTE_FILE, MARK_BYTES});
        size_t taken = here ? MARK_BYTES : 1;
        memcpy(path + at, here ? name : route.ptr, here ? (size_t)len : 1);
        at += here ? (size_t)len : 1;
        route = (struct leat_slice){route.ptr + taken, route.len - taken};
    }
    path[at] = 0;
}

void files_paths_temporary(const struct files_paths *p, const char *final_path, bool rolled,
                           char *path)
{
    const char *slash = strrchr(final_path, '/');
    int dir = slash ? (int)(slash + 1 - final_path) : 0;

    snprintf(path, FILES_PATH_BYTES, "%.*s.leat-%s-%08" PRIx32 "-%" PRIu32 "-%" PRIu32 ".%s", dir,
             final_path, rolled ? "roll" : "tmp", p->tag, p->env->slot, p->env->epoch,
             final_path + dir);
}

const char *files_paths_parse(const struct files_paths *p, const char *name, bool *rolled)
{
    char start[64];

    for (int roll = 0; roll < 2; roll++) {
        int len = snprintf(start, sizeof start, ".leat-%s-%08" PRIx32 "-%" PRIu32 "-",
                           roll ? "roll" : "tmp", p->tag, p->env->slot);
        if (strncmp(name, start, (size_t)len) != 0)
            continue;
        size_t epoch = strspn(name + len, "0123456789");
        if (epoch == 0 || name[(size_t)len + epoch] != '.')
            return NULL;
        *rolled = roll;
        return name + len + epoch + 1;
    }
    return NULL;
}
