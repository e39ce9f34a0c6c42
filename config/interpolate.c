#include "interpolate.h"

#include "base/hidden.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct filling {
    const struct config_outside *outside;
    struct leat_arena *arena;
    struct leat_diags *diags;
    size_t total; /* bytes made so far */
    bool no_memory;

    /* Of the scalar that is being filled. */
    struct leat_node *node;
    struct leat_filled *filled;
    char *value, *as_template;
    size_t len, template_len, room;
};

LEAT_PRINTF(2, 3) static void problem(struct filling *f, const char *fmt, ...)
{
    char text[400];
    va_list args;

    if (f->filled->problem.ptr)
        return;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    size_t len = n < 0 ? 0 : n < (int)sizeof text ? (size_t)n : sizeof text - 1;
    f->filled->problem = leat_arena_copy(f->arena, (struct leat_slice){text, len});
    f->no_memory |= !f->filled->problem.ptr;
}

static bool make_room(struct filling *f, size_t more)
{
    if (f->len + more <= f->room)
        return true;
    size_t room = 2 * (f->len + more) + 64;
    char *value = leat_arena_alloc(f->arena, room), *braces = leat_arena_alloc(f->arena, 2 * room);
    if (!value || !braces) {
        f->no_memory = true;
        return false;
    }
    if (f->len) {
        memcpy(value, f->value, f->len);
        memcpy(braces, f->as_template, f->template_len);
    }
    f->value = value;
    f->as_template = braces;
    f->room = room;
    return true;
}

/* Bytes that were not written as part of the template have their braces doubled there. */
static void put(struct filling *f, struct leat_slice s, bool is_own_text)
{
    if (f->total + s.len > CONFIG_INTERPOLATED_MAX)
        problem(f, "the interpolations of this file give more than 1 MiB");
    if (f->filled->problem.ptr || f->no_memory || !make_room(f, s.len))
        return;
    f->total += s.len;
    for (size_t i = 0; i < s.len; i++) {
        f->value[f->len++] = s.ptr[i];
        f->as_template[f->template_len++] = s.ptr[i];
        if (!is_own_text && (s.ptr[i] == '{' || s.ptr[i] == '}'))
            f->as_template[f->template_len++] = s.ptr[i];
    }
}

static const char *get_env(const struct filling *f, const char *name)
{
    return f->outside->env ? f->outside->env(f->outside->arg, name) : getenv(name);
}

static bool is_name(struct leat_slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return s.len > 0;
}

/* NAME, NAME:-default, NAME:?message */
static void put_env(struct filling *f, struct leat_slice what)
{
    char name[128];
    struct leat_slice head, tail;
    bool has_more = leat_slice_cut(what, ':', &head, &tail);
    bool is_default = has_more && tail.len && tail.ptr[0] == '-';
    bool is_message = has_more && tail.len && tail.ptr[0] == '?';

    if (!is_name(head) || head.len >= sizeof name || (has_more && !is_default && !is_message)) {
        problem(f,
                "'${env:%.*s}' is none of ${env:NAME}, ${env:NAME:-default}, "
                "${env:NAME:?message}",
                (int)(what.len < 60 ? what.len : 60), what.ptr);
        return;
    }
    snprintf(name, sizeof name, "%.*s", LEAT_FMT(head));
    const char *value = get_env(f, name);
    struct leat_slice rest = has_more ? (struct leat_slice){tail.ptr + 1, tail.len - 1} : tail;
    if (value && (value[0] || !has_more))
        put(f, leat_slice_str(value), false);
    else if (is_default)
        put(f, rest, false);
    else if (is_message && rest.len)
        problem(f, "%s: %.*s", name, (int)(rest.len < 200 ? rest.len : 200), rest.ptr);
    else
        problem(f, "environment variable '%s' is not set", name);
}

/* A pipe or a device could keep us waiting for ever: plain files only. */
static ssize_t read_file(const char *path, char *into, size_t room)
{
    struct stat st;
    size_t len = 0;
    ssize_t n = 1;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0)
        return -1;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
        return -1;
    }
    while (n > 0 && len < room) {
        n = read(fd, into + len, room - len);
        if (n < 0 && errno == EINTR)
            n = 1;
        else if (n > 0)
            len += (size_t)n;
    }
    int why = errno;
    close(fd);
    errno = why;
    return n < 0 ? -1 : (ssize_t)len;
}

static void put_file(struct filling *f, struct leat_slice what)
{
    char text[CONFIG_SECRET_MAX + 3]; /* a line end, and one too much */
    struct leat_slice path = leat_arena_copy(f->arena, what);

    f->node->secret = true;
    if (!path.ptr) {
        f->no_memory = true;
        return;
    }
    ssize_t n = what.len ? read_file(path.ptr, text, sizeof text) : -1;
    if (what.len == 0) {
        problem(f, "'${file:}' needs a path: ${file:/run/secrets/name}");
    } else if (n < 0) {
        f->filled->tolerated = f->outside->files_may_miss && errno == ENOENT;
        problem(f, "cannot read '%s': %s", path.ptr, strerror(errno));
    } else {
        size_t len = (size_t)n;
        len -= len && text[len - 1] == '\n';
        len -= len && len < (size_t)n && text[len - 1] == '\r';
        if (len > CONFIG_SECRET_MAX)
            problem(f, "'%s' is longer than 64 KiB", path.ptr);
        f->no_memory |= !leat_hide((struct leat_slice){text, len});
        put(f, (struct leat_slice){text, len}, false);
    }
}

static struct leat_slice skip(struct leat_slice s, size_t n)
{
    return (struct leat_slice){s.ptr + n, s.len - n};
}

static bool starts_with(struct leat_slice s, const char *with)
{
    size_t n = strlen(with);

    return s.len >= n && memcmp(s.ptr, with, n) == 0;
}

/* At a "${": returns what follows its "}". */
static struct leat_slice put_interpolation(struct filling *f, struct leat_slice s)
{
    const char *end = memchr(s.ptr, '}', s.len);

    if (!end) {
        problem(f, "'${' without '}'; a literal '${' is written '$${'");
        return skip(s, s.len);
    }
    struct leat_slice inner = {s.ptr + 2, (size_t)(end - s.ptr) - 2};
    if (starts_with(inner, "env:"))
        put_env(f, skip(inner, 4));
    else if (starts_with(inner, "file:"))
        put_file(f, skip(inner, 5));
    else
        problem(f,
                "'${%.*s}' is neither ${env:NAME} nor ${file:/path}; a literal '${' is written "
                "'$${'",
                (int)(inner.len < 60 ? inner.len : 60), inner.ptr);
    return skip(s, (size_t)(end - s.ptr) + 1);
}

static void fill_text(struct filling *f, struct leat_slice s)
{
    while (s.len && !f->filled->problem.ptr && !f->no_memory) {
        if (starts_with(s, "$${")) {
            put(f, LEAT_LIT("${"), false);
            s = skip(s, 3);
        } else if (starts_with(s, "${")) {
            s = put_interpolation(f, s);
        } else {
            size_t n = 1;
            while (n < s.len && s.ptr[n] != '$')
                n++;
            put(f, (struct leat_slice){s.ptr, n}, true);
            s = skip(s, n);
        }
    }
}

static void fill(struct filling *f, struct leat_node *node)
{
    f->node = node;
    f->filled = leat_arena_alloc(f->arena, sizeof *f->filled);
    f->len = f->template_len = f->room = 0;
    if (!f->filled || !make_room(f, 1)) {
        f->no_memory = true;
        return;
    }
    fill_text(f, node->text);
    if (f->no_memory)
        return;
    if (!f->filled->problem.ptr) {
        f->filled->value = (struct leat_slice){f->value, f->len};
        f->filled->as_template = (struct leat_slice){f->as_template, f->template_len};
    }
    node->filled = f->filled;
}

static bool has_interpolation(struct leat_slice s)
{
    for (size_t i = 0; i + 1 < s.len; i++)
        if (s.ptr[i] == '$' && s.ptr[i + 1] == '{')
            return true;
    return false;
}

static void walk(struct filling *f, struct leat_node *node)
{
    if (node->kind == LEAT_NODE_SCALAR && !node->filled && has_interpolation(node->text))
        fill(f, node);
    for (struct leat_node *c = node->first; c && !f->no_memory; c = c->next)
        walk(f, c);
}

void config_interpolate(struct leat_node *root, const struct config_outside *outside,
                        struct leat_arena *arena, struct leat_diags *diags)
{
    struct filling f = {.outside = outside, .arena = arena, .diags = diags};

    walk(&f, root);
    if (f.no_memory)
        leat_diag_error(diags, NULL, "there is not enough memory for the interpolations");
}
