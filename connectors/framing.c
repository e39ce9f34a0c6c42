#include "framing.h"

#define BUFFER_BYTES   ((size_t)16 * 1024) /* at first */
#define RECORD_DEFAULT ((size_t)1024 * 1024)
#define LENGTH_BYTES   4
#define HEAD_BYTES     (LENGTH_BYTES + 1) /* a frame's length, or CR LF behind a line, and a byte */

size_t framing_max_record(const struct leat_env *env)
{
    return env->max_record_bytes > 0 ? (size_t)env->max_record_bytes : RECORD_DEFAULT;
}

static enum leat_status grow(struct framing *f, const struct framing_rules *rules, size_t room,
                             struct leat_error *err)
{
    if (!leat_budget_take(rules->budget, room))
        return leat_fail(err, LEAT_E_FULL, "no room in `memory` for a record of a peer");
    char *buffer = leat_mem_alloc_raw(room);
    if (!buffer) {
        leat_budget_give(rules->budget, room);
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    }
    if (f->used)
        memcpy(buffer, f->buffer, f->used);
    leat_mem_free(f->buffer);
    leat_budget_give(rules->budget, f->room);
    f->buffer = buffer;
    f->room = room;
    return LEAT_OK;
}

enum leat_status framing_room(struct framing *f, const struct framing_rules *rules, char **into,
                              size_t *len, struct leat_error *err)
{
    size_t most = rules->max_record + HEAD_BYTES;

    most = most > BUFFER_BYTES ? most : BUFFER_BYTES;
    if (f->used == f->room && f->room < most) {
        size_t room = f->room < most / 2 ? 2 * f->room : most;
        if (grow(f, rules, room > BUFFER_BYTES ? room : BUFFER_BYTES, err) != LEAT_OK)
            return err->status;
    }
    *into = f->buffer + f->used;
    *len = f->room - f->used;
    return LEAT_OK;
}

static struct leat_slice cut(struct leat_slice record, size_t max)
{
    record.len = record.len > max ? max + 1 : record.len;
    return record;
}

static bool next_line(struct framing *f, const struct framing_rules *rules, bool ended, size_t *at,
                      struct leat_slice *record)
{
    while (*at < f->used) {
        struct leat_slice rest = {f->buffer + *at, f->used - *at};
        const char *end = memchr(rest.ptr, '\n', rest.len);
        bool was_skipping = f->skipping;
        if (!end && rest.len <= rules->max_record + 1 && !ended && !was_skipping)
            return false; /* it may still get its end */
        size_t len = end ? (size_t)(end - rest.ptr) : rest.len;
        *at += len + (end ? 1 : 0);
        f->skipping = !end && !ended;
        if (was_skipping)
            continue;
        if (!end && ended && rules->drop_last && len <= rules->max_record) {
            f->broken++;
            continue;
        }
        *record = (struct leat_slice){rest.ptr, len};
        if (end && len && rest.ptr[len - 1] == '\r')
            record->len--;
        *record = cut(*record, rules->max_record);
        if (record->len || !rules->skip_empty)
            return true;
    }
    return false;
}

static void skip_some(struct framing *f, size_t *at)
{
    size_t have = f->used - *at, some = have < f->skip ? have : f->skip;

    *at += some;
    f->skip -= some;
}

static bool next_frame(struct framing *f, const struct framing_rules *rules, bool ended, size_t *at,
                       struct leat_slice *record)
{
    skip_some(f, at);
    if (*at == f->used)
        return false;
    const unsigned char *p = (const unsigned char *)f->buffer + *at;
    size_t have = f->used - *at, len = 0;
    if (have >= LENGTH_BYTES)
        len = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
    size_t need = len > rules->max_record ? rules->max_record + 1 : len;
    if (have < LENGTH_BYTES || have - LENGTH_BYTES < need) {
        if (ended) { /* the stream ended in the middle of it */
            f->broken++;
            *at = f->used;
        }
        return false;
    }
    *record = (struct leat_slice){f->buffer + *at + LENGTH_BYTES, need};
    *at += LENGTH_BYTES + need;
    f->skip = len - need;
    skip_some(f, at);
    return true;
}

bool framing_next(struct framing *f, const struct framing_rules *rules, bool ended, size_t *at,
                  struct leat_slice *record)
{
    return rules->kind == FRAMING_LENGTH ? next_frame(f, rules, ended, at, record)
                                         : next_line(f, rules, ended, at, record);
}

enum leat_status framing_take(struct framing *f, const struct framing_rules *rules, bool ended,
                              struct leat_inbox *inbox, struct leat_error *err)
{
    struct leat_row row = {.time_ms = LEAT_NO_TIME};
    enum leat_status status = LEAT_OK;
    size_t at = 0, done = 0;
    int64_t position;

    for (;;) {
        struct framing before = *f;
        if (!framing_next(f, rules, ended, &at, &row.value)) {
            done = at;
            break;
        }
        status = leat_inbox_append(inbox, 0, &row, &position, err);
        if (status != LEAT_OK) {
            *f = before; /* this one comes again */
            break;
        }
        done = at;
    }
    if (done)
        memmove(f->buffer, f->buffer + done, f->used - done);
    f->used -= done;
    return status;
}

void framing_fini(struct framing *f, const struct framing_rules *rules)
{
    leat_mem_free(f->buffer);
    leat_budget_give(rules->budget, f->room);
    *f = (struct framing){0};
}
