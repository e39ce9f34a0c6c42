#include "file_select.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static enum leat_status no_memory(struct leat_error *err)
{
    return leat_fail(err, LEAT_E_NOMEM, "out of memory");
}

static bool push(uint32_t **list, uint32_t *count, uint32_t *room, uint32_t number)
{
    if (*count == *room) {
        uint32_t more = *room ? 2 * *room : 64;
        uint32_t *grown = leat_mem_alloc(more * sizeof *grown);
        if (!grown)
            return false;
        if (*count)
            memcpy(grown, *list, *count * sizeof *grown);
        leat_mem_free(*list);
        *list = grown;
        *room = more;
    }
    (*list)[(*count)++] = number;
    return true;
}

void file_select_fini(struct file_select *s)
{
    leat_mem_free(s->waiting);
    leat_mem_free(s->unread);
    s->waiting = s->unread = NULL;
    s->count = s->room = s->seen = s->unread_count = s->unread_room = 0;
}

/* ---- names */

static enum leat_status name_it(struct file_select *s, struct listed_file *file,
                                struct leat_error *err)
{
    char time[32];
    size_t path = strlen(file->path),
           more = (size_t)snprintf(time, sizeof time, "@%" PRId64, file->changed_ms) + 1;
    char *name = leat_arena_alloc(&s->list->arena, path + more);

    if (!name)
        return no_memory(err);
    memcpy(name, file->path, path);
    memcpy(name + path, time, more);
    file->name = name;
    return LEAT_OK;
}

/* The path of a name is cut off in place; false: it is not one of ours. */
static bool take_name_apart(char *name, int64_t *changed_ms)
{
    char *at = strrchr(name, '@'), *end = NULL;

    if (!at || at == name || at[1] == '\0')
        return false;
    *changed_ms = strtoll(at + 1, &end, 10);
    *at = '\0';
    return *end == '\0';
}

static enum leat_status know(struct file_select *s, const char *path, int64_t changed_ms,
                             bool ended, struct leat_error *err)
{
    struct listed_file *file = file_list_find(s->list, path);
    uint32_t number;

    if (file && file->changed_ms == changed_ms && file->selected_ms)
        return LEAT_OK; /* it was told before memory was short */
    if (file_list_add(s->list, path, changed_ms, &number, err) != LEAT_OK)
        return err->status;
    file = &s->list->files[number];
    s->seen = s->list->count;
    if (name_it(s, file, err) != LEAT_OK)
        return err->status;
    if (!ended && !push(&s->unread, &s->unread_count, &s->unread_room, number))
        return no_memory(err);
    file->selected_ms = changed_ms; /* or later: that is not known any more */
    return LEAT_OK;
}

enum leat_status file_select_known(struct file_select *s, struct leat_slice name, bool ended,
                                   struct leat_error *err)
{
    struct leat_arena arena = {0};
    char *path = (char *)(uintptr_t)leat_arena_copy(&arena, name).ptr;
    int64_t changed_ms;
    enum leat_status status = path ? LEAT_OK : no_memory(err);

    if (path && take_name_apart(path, &changed_ms))
        status = know(s, path, changed_ms, ended, err);
    leat_arena_reset(&arena);
    return status;
}

/* ---- ticks */

static int64_t window_ms(const struct file_select *s, const struct leat_ticks *t)
{
    return (s->remember_ms + t->every_ms - 1) / t->every_ms * t->every_ms;
}

/* Of the file's batch; INT64_MAX: it is too old for any. */
static int64_t tick_of(const struct file_select *s, const struct leat_ticks *t,
                       const struct listed_file *file)
{
    int64_t window = window_ms(s, t), from = t->first_ms, since;

    if (s->new_only && file->changed_ms <= t->begin_ms)
        return INT64_MAX;
    if (file->changed_ms > from)
        from = file->changed_ms;
    if (file->before_ms && file->before_ms + window >= from)
        from = file->before_ms + window + 1;
    from = (from + t->every_ms - 1) / t->every_ms * t->every_ms;
    since = from == t->first_ms ? t->since_ms : from;
    return file->changed_ms > since - window ? from : INT64_MAX;
}

static enum leat_status look(struct file_select *s, struct leat_error *err)
{
    uint32_t first;

    if (file_list_refresh(s->list, &first, err) != LEAT_OK)
        return err->status;
    for (; s->seen < s->list->count; s->seen++) {
        if (!push(&s->waiting, &s->count, &s->room, s->seen))
            return no_memory(err);
        s->list->files[s->seen].waits = true;
    }
    return LEAT_OK;
}

enum leat_status file_select_due(struct file_select *s, const struct leat_ticks *ticks,
                                 int64_t *time_ms, struct leat_error *err)
{
    uint32_t kept = 0;

    *time_ms = INT64_MAX;
    if (look(s, err) != LEAT_OK)
        return err->status;
    for (uint32_t i = 0; i < s->count; i++) {
        struct listed_file *file = &s->list->files[s->waiting[i]];
        int64_t tick_ms = tick_of(s, ticks, file);
        file->waits = tick_ms != INT64_MAX;
        file->selected_ms = file->waits ? tick_ms : 0;
        if (file->waits)
            s->waiting[kept++] = s->waiting[i];
        if (tick_ms <= ticks->last_ms && tick_ms < *time_ms)
            *time_ms = tick_ms;
    }
    s->count = kept;
    return LEAT_OK;
}

enum leat_status file_select_take(struct file_select *s, int64_t time_ms,
                                  void (*each)(void *arg, uint32_t number), void *arg,
                                  struct leat_error *err)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < s->count; i++)
        if (s->list->files[s->waiting[i]].selected_ms == time_ms &&
            name_it(s, &s->list->files[s->waiting[i]], err) != LEAT_OK)
            return err->status;
    for (uint32_t i = 0; i < s->count; i++) {
        uint32_t number = s->waiting[i];
        s->list->files[number].waits = s->list->files[number].selected_ms != time_ms;
        if (s->list->files[number].waits)
            s->waiting[kept++] = number;
        else
            each(arg, number);
    }
    s->count = kept;
    return LEAT_OK;
}
