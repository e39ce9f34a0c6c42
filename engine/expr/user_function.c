/* user_function.c - what functions in C may use, and those of loaded files. */
#include "expr/user_function.h"

#include "data/value_ops.h"
#include "expr/callable.h"
#include "expr/user_load.h"
#include "expr/watch.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>

void *leat_call_alloc(struct leat_call *call, size_t size)
{
    return leat_arena_alloc(call->arena, size);
}

int64_t leat_call_time_ms(const struct leat_call *call)
{
    return call->time_ms;
}

struct leat_value leat_call_text(struct leat_call *call, const char *ptr, size_t len)
{
    if (len > UINT32_MAX)
        return leat_value_fail(LEAT_V_ARGUMENT, "a string of more than 4 GiB");
    struct leat_slice s = leat_arena_copy(call->arena, (struct leat_slice){ptr ? ptr : "", len});
    return s.ptr ? leat_string(s)
                 : leat_value_fail(LEAT_V_BUDGET, "the memory of this batch is used up");
}

struct leat_value leat_call_fail(struct leat_call *call, const char *fmt, ...)
{
    char text[400];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return leat_call_error(call->arena, LEAT_V_ARGUMENT, leat_slice_str(text));
}

/* Room doubles, from 8 on: there is none left whenever so many are in it. What was not made here,
 * a state or an element that the function was given, has none. */
static inline bool has_room(const struct leat_value *v)
{
    const uint32_t n = v->len;

    return (v->flags & LEAT_GROWS) && ((n & 7) != 0 || (n & (n - 1)) != 0);
}

/* For a list or map that has none, which becomes the error when there is no memory. What was made
 * last grows where it is, what was not made here is copied. An item of a map is a pair of values,
 * `each` is 2. */
static __attribute__((noinline)) bool make_room(struct leat_call *call, struct leat_value *to,
                                                size_t each)
{
    const size_t n = to->len, size = each * sizeof(struct leat_value);
    void *items = (void *)(uintptr_t)to->as.items;
    size_t room = 8;

    while (room <= n)
        room *= 2;
    bool has_number = n <= UINT32_MAX / 2; /* for twice as many */
    if (has_number && n && (to->flags & LEAT_GROWS) &&
        leat_arena_grow(call->arena, items, n * size, room * size))
        return true;
    items = has_number ? leat_arena_array(call->arena, room, size) : NULL;
    if (!items) {
        *to = leat_value_fail(LEAT_V_BUDGET, "the memory of this batch is used up");
        return false;
    }
    if (n)
        memcpy(items, to->as.items, n * size);
    to->as.items = items;
    to->flags |= LEAT_GROWS;
    return true;
}

static inline struct leat_value *items_of(struct leat_value *v)
{
    return (struct leat_value *)(uintptr_t)v->as.items;
}

/* What leat_list_add() mostly does not need. */
static __attribute__((noinline)) void add_rarely(struct leat_call *call, struct leat_value *list,
                                                 struct leat_value v)
{
    if (list->tag != LEAT_LIST)
        return;
    if (v.tag == LEAT_ERROR)
        *list = v;
    else if (has_room(list) || make_room(call, list, 1))
        items_of(list)[list->len++] = leat_value_sealed(v);
}

void leat_list_add(struct leat_call *call, struct leat_value *list, struct leat_value v)
{
    if (list->tag == LEAT_LIST && v.tag < LEAT_LIST && has_room(list))
        items_of(list)[list->len++] = v;
    else
        add_rarely(call, list, v);
}

void leat_map_add(struct leat_call *call, struct leat_value *map, const char *name,
                  struct leat_value v)
{
    if (map->tag != LEAT_MAP)
        return;
    if (v.tag == LEAT_ERROR) {
        *map = v;
        return;
    }
    if (!has_room(map) && !make_room(call, map, 2))
        return;
    struct leat_value *pairs = items_of(map);
    pairs[2 * (size_t)map->len] = leat_string(leat_slice_str(name));
    pairs[2 * (size_t)map->len + 1] = leat_value_sealed(v);
    map->len++;
}

struct leat_value leat_call_field(struct leat_call *call, struct leat_value v, const char *name)
{
    struct leat_value found = leat_value_field(v, leat_slice_str(name), call->arena);

    return found.tag == LEAT_ERROR ? (struct leat_value){0} : found;
}

struct leat_value leat_call_expand(struct leat_call *call, struct leat_value v)
{
    return leat_value_expand(v, call->arena);
}

/* ---- loading */

struct user_function {
    struct leat_callable callable; /* first */
    leat_user_function *fn;
};

static struct leat_value call_user(const struct leat_callable *self, struct leat_call *call,
                                   const struct leat_value *args, uint32_t count)
{
    struct leat_value v = ((const struct user_function *)(const void *)self)->fn(call, args, count);

    return v.tag > LEAT_TYPE ? leat_value_fail(LEAT_V_TYPE, "the function gives no value") : v;
}

/* It is never unloaded. A name alone is looked for here, not in the system's folders. NULL: said.
 */
static const struct leat_functions *open_file(struct leat_slice path, const struct leat_node *node,
                                              struct leat_arena *arena, struct leat_diags *diags)
{
    struct leat_bytes text = {.arena = arena};

    if (!memchr(path.ptr, '/', path.len))
        leat_bytes_put(&text, "./", 2);
    leat_bytes_put(&text, path.ptr, path.len);
    leat_bytes_put(&text, "", 1);
    void *handle = text.failed ? NULL : dlopen(text.ptr, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        leat_diag_error(diags, node, "cannot load module: %s",
                        text.failed ? "out of memory" : dlerror());
        return NULL;
    }
    const struct leat_functions *functions = dlsym(handle, "leat_functions");
    if (!functions)
        leat_diag_hint(
            diags, leat_diag_error(diags, node, "'%.*s' has no functions for leat", LEAT_FMT(path)),
            "its source ends with LEAT_FUNCTIONS(...), see expr/user_function.h");
    else if (functions->abi != LEAT_FUNCTIONS_ABI)
        leat_diag_hint(diags,
                       leat_diag_error(diags, node,
                                       "'%.*s' was built for interface %u, this leat has %d",
                                       LEAT_FMT(path), functions->abi, LEAT_FUNCTIONS_ABI),
                       "compile it again with the expr/user_function.h of this leat");
    else
        return functions;
    dlclose(handle);
    return NULL;
}

static leat_user_function *find(const struct leat_functions *all, struct leat_slice name,
                                const struct leat_node *node, struct leat_diags *diags)
{
    struct leat_slice names[64];
    size_t count = 0;

    for (const struct leat_named_function *f = all->list; f->name; f++) {
        if (leat_slice_eq(name, leat_slice_str(f->name)))
            return f->call;
        if (count < sizeof names / sizeof *names)
            names[count++] = leat_slice_str(f->name);
    }
    struct leat_diag *d =
        leat_diag_error(diags, node, "the module has no function '%.*s'", LEAT_FMT(name));
    leat_diag_nearest(diags, d, name, names, count);
    return NULL;
}

const struct leat_callable *leat_user_function_load(const struct leat_node *node,
                                                    const char *const *names, uint32_t needed,
                                                    struct leat_arena *arena,
                                                    struct leat_diags *diags)
{
    struct leat_slice path, name;

    if (!leat_diag_filled(diags, node))
        return NULL;
    if (!leat_slice_cut(leat_node_value(node), '#', &path, &name) || !path.len || !name.len) {
        leat_diag_hint(diags, leat_diag_error(diags, node, "'module' takes a file and a function"),
                       "module: \"./functions.so#name\"");
        return NULL;
    }
    const struct leat_functions *functions = open_file(path, node, arena, diags);
    leat_watch_crashes();
    leat_user_function *fn = functions ? find(functions, name, node, diags) : NULL;
    struct user_function *u = leat_arena_alloc(arena, sizeof *u);
    if (!u)
        leat_diag_error(diags, node, "out of memory");
    if (!u || !fn)
        return NULL;
    *u = (struct user_function){{.names = names, .needed = needed, .call = call_user}, fn};
    return &u->callable;
}
