#include "run/state_match.h"

#include "run/shape_file.h"
#include "store/state_log.h"

/* Of one operator in the log, in one shape. */
struct stored {
    struct stored *next;
    struct leat_slice name;
    uint64_t shape, bytes;
    bool in_plan;
};

struct matching {
    struct leat_arena *arena;
    struct leat_matches *into;
    struct stored *first, **last;
    struct leat_slice file;
    uint32_t room;
};

static enum leat_status note(void *arg, uint64_t n, bool is_snapshot,
                             const struct leat_log_state *entry, struct leat_error *err)
{
    struct matching *m = arg;
    struct stored *s = m->first;

    (void)n, (void)is_snapshot;
    while (s && (s->shape != entry->shape || !leat_slice_eq(s->name, entry->name)))
        s = s->next;
    if (!s) {
        s = leat_arena_alloc(m->arena, sizeof *s);
        if (!s)
            return leat_arena_failed(m->arena, err);
        s->name = leat_arena_copy(m->arena, entry->name);
        if (!s->name.ptr)
            return leat_arena_failed(m->arena, err);
        s->shape = entry->shape;
        *m->last = s;
        m->last = &s->next;
    }
    s->bytes += entry->bytes.len;
    return LEAT_OK;
}

static struct leat_match *add(struct matching *m, struct leat_slice name,
                              enum leat_match_verdict verdict)
{
    struct leat_matches *into = m->into;

    if (into->count == m->room) {
        uint32_t room = m->room ? m->room * 2 : 16;
        struct leat_match *list = leat_arena_array(m->arena, room, sizeof *list);
        if (!list)
            return NULL;
        if (into->count)
            memcpy(list, into->list, into->count * sizeof *list);
        into->list = list;
        m->room = room;
    }
    struct leat_match *match = &into->list[into->count++];
    *match = (struct leat_match){.name = name, .verdict = verdict};
    into->dropped += verdict == LEAT_MATCH_OTHER || verdict == LEAT_MATCH_GONE;
    return match;
}

/* One entry that cannot be read is enough: it is all or nothing. */
static bool match_operator(void *arg, const struct leat_plan_node *node, uint64_t shape,
                           struct leat_slice text)
{
    struct matching *m = arg;
    enum leat_match_verdict verdict = LEAT_MATCH_FRESH;
    struct leat_slice was = {0};
    uint64_t bytes = 0;

    for (struct stored *s = m->first; s; s = s->next) {
        if (!leat_slice_eq(s->name, node->state_name))
            continue;
        s->in_plan = true;
        bytes += s->bytes;
        if (s->shape != shape)
            verdict = LEAT_MATCH_OTHER;
        else if (verdict == LEAT_MATCH_FRESH)
            verdict = LEAT_MATCH_KEPT;
        if (s->shape != shape || !was.ptr)
            was = leat_shape_file_find(m->file, s->name, s->shape);
    }
    struct leat_match *match = add(m, node->state_name, verdict);
    if (!match)
        return false;
    match->is = text;
    match->was = was;
    match->bytes = bytes;
    return true;
}

static bool match_rest(struct matching *m)
{
    for (const struct stored *s = m->first; s; s = s->next) {
        if (s->in_plan)
            continue;
        struct leat_match *match = add(m, s->name, LEAT_MATCH_GONE);
        if (!match)
            return false;
        match->bytes = s->bytes;
        match->was = leat_shape_file_find(m->file, s->name, s->shape);
    }
    return true;
}

static enum leat_status read_all(struct matching *m, const struct leat_fs *fs, const char *dir,
                                 struct leat_job_log *log, const struct leat_log *lines,
                                 struct leat_error *err)
{
    const struct leat_log_record *last = leat_job_log_last(log);
    struct leat_state_log *state;
    enum leat_status status = LEAT_OK;

    m->into->n = last->n;
    m->into->partitions = last->partitions;
    if (leat_state_log_file_view(fs, dir, log, last->partitions, lines, &state, err) != LEAT_OK)
        return err->status;
    for (uint32_t q = 0; last->n && q < last->partitions && status == LEAT_OK; q++)
        status = state->backend->read(state, q, last->n, note, m, err);
    state->backend->close(state);
    return status;
}

enum leat_status leat_state_match(const struct leat_fs *fs, const char *dir,
                                  const struct leat_plan *plan, const struct leat_log *lines,
                                  struct leat_arena *arena, struct leat_matches *into,
                                  struct leat_error *err)
{
    struct matching m = {.arena = arena, .into = into};
    struct leat_job_log *log;

    *into = (struct leat_matches){0};
    m.last = &m.first;
    if (leat_job_log_view(fs, dir, &log, err) != LEAT_OK)
        return err->status;
    m.file = leat_shape_file_read(fs, dir, arena);
    enum leat_status status = read_all(&m, fs, dir, log, lines, err);
    leat_job_log_close(log);
    if (status != LEAT_OK || leat_shapes_each(plan, arena, match_operator, &m, err) != LEAT_OK)
        return err->status;
    return match_rest(&m) ? LEAT_OK : leat_arena_failed(arena, err);
}
