#include "pipeline_file.h"

#include "yaml_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static const char byte_order_mark[] = "\xef\xbb\xbf";

void config_file_parse(const char *name, struct leat_slice text, struct config_file *file,
                       struct leat_arena *arena, struct leat_diags *diags)
{
    struct config_lines lines;

    if (text.len >= 3 && memcmp(text.ptr, byte_order_mark, 3) == 0)
        text = (struct leat_slice){text.ptr + 3, text.len - 3};
    *file = (struct config_file){.name = name, .text = text};
    if (text.len > CONFIG_FILE_MAX) {
        leat_diag_error(diags, NULL, "this file is larger than 1 MiB");
        file->text.len = 0;
        return;
    }
    if (!config_bounds_check(text, diags))
        return;
    if (config_lines_init(&lines, text, arena))
        file->root = config_yaml_tree(&lines, arena, diags);
    else
        leat_diag_error(diags, NULL, "there is not enough memory to read this file");
}

/* One byte more than is allowed, so that too large a file is seen. */
static enum leat_status read_all(int fd, const char *path, char *into, size_t *len,
                                 struct leat_error *err)
{
    *len = 0;
    while (*len <= CONFIG_FILE_MAX) {
        ssize_t n = read(fd, into + *len, CONFIG_FILE_MAX + 1 - *len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return leat_fail(err, LEAT_E_CONFIG, "cannot read '%s': %s", path, strerror(errno));
        if (n == 0)
            return LEAT_OK;
        *len += (size_t)n;
    }
    return leat_fail(err, LEAT_E_CONFIG, "'%s' is larger than 1 MiB", path);
}

enum leat_status config_file_load(const char *path, struct config_file *file,
                                  struct leat_arena *arena, struct leat_diags *diags,
                                  struct leat_error *err)
{
    struct leat_slice name = leat_arena_copy(arena, leat_slice_str(path));
    char *text = leat_arena_alloc(arena, CONFIG_FILE_MAX + 1);
    size_t len;

    *file = (struct config_file){.name = name.ptr};
    if (!name.ptr || !text)
        return leat_arena_failed(arena, err);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return leat_fail(err, LEAT_E_CONFIG, "cannot open '%s': %s", path, strerror(errno));
    enum leat_status status = read_all(fd, path, text, &len, err);
    close(fd);
    if (status == LEAT_OK)
        config_file_parse(name.ptr, (struct leat_slice){text, len}, file, arena, diags);
    return status;
}

static struct leat_node *child_of(struct leat_node *map, struct leat_slice key)
{
    for (struct leat_node *c = map->first; c; c = c->next)
        if (leat_slice_eq(c->key, key))
            return c;
    return NULL;
}

static struct leat_node *add_child(struct leat_node *map, struct leat_slice key,
                                   struct leat_slice path, struct leat_arena *arena)
{
    struct leat_node *child = leat_arena_alloc(arena, sizeof *child);
    struct leat_node **end = &map->first;

    if (!child)
        return NULL;
    *child = (struct leat_node){.kind = LEAT_NODE_MAP, .key = key, .path = path};
    while (*end)
        end = &(*end)->next;
    *end = child;
    map->count++;
    return child;
}

/* A map of an alias shares its children with what it names: setting one would set the other. */
static bool unshare(struct leat_node *map, struct leat_arena *arena)
{
    struct leat_node **link = &map->first;

    if (!map->alias.ptr)
        return true;
    for (struct leat_node *c = map->first; c; c = c->next, link = &(*link)->next) {
        struct leat_node *copy = leat_arena_alloc(arena, sizeof *copy);
        if (!copy)
            return false;
        *copy = *c;
        if (copy->kind != LEAT_NODE_SCALAR && !copy->alias.ptr)
            copy->alias = LEAT_LIT("");
        *link = copy;
    }
    return true;
}

enum leat_status config_set(struct leat_node *root, struct leat_slice path, struct leat_slice value,
                            struct leat_arena *arena, struct leat_error *err)
{
    struct leat_slice own = leat_arena_copy(arena, path), text = leat_arena_copy(arena, value);
    struct leat_slice head, tail = own;
    struct leat_node *node = root;

    if (!own.ptr || !text.ptr)
        return leat_arena_failed(arena, err);
    do {
        bool is_map = node->kind == LEAT_NODE_MAP;
        leat_slice_cut(tail, '.', &head, &tail);
        if (head.len == 0)
            return leat_fail(err, LEAT_E_CONFIG, "'%s' is no path such as batch.every", own.ptr);
        if (!is_map && !node->is_null)
            return leat_fail(err, LEAT_E_CONFIG, "'%s': there is no map in front of '%.*s'",
                             own.ptr, LEAT_FMT(head));
        if (!unshare(node, arena))
            return leat_arena_failed(arena, err);
        node->kind = LEAT_NODE_MAP;
        node->is_null = false;
        struct leat_slice above = {own.ptr, (size_t)(head.ptr + head.len - own.ptr)};
        struct leat_node *child = child_of(node, head);
        node = child ? child : add_child(node, head, above, arena);
        if (!node)
            return leat_arena_failed(arena, err);
    } while (tail.ptr);
    struct leat_node set = {.text = text, .key = node->key, .path = own, .next = node->next};
    *node = set;
    return LEAT_OK;
}
