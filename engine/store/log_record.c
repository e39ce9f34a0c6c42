/*
 * log_record.c - bytes of a record of the job log, and back.
 */
#include "store/job_log.h"

static void put_i64(struct leat_bytes *b, int64_t v)
{
    leat_bytes_put_u64(b, (uint64_t)v);
}

bool leat_log_record_write(const struct leat_log_record *r, struct leat_bytes *b)
{
    leat_bytes_put_u32(b, r->epoch);
    leat_bytes_put_u32(b, r->slot);
    leat_bytes_put_u64(b, r->n);
    put_i64(b, r->batch_time_ms);
    put_i64(b, r->clock_ms);
    leat_bytes_put_u32(b, r->watermarks_count);
    for (uint32_t i = 0; i < r->watermarks_count; i++) {
        leat_bytes_put_slice(b, r->watermarks[i].source);
        put_i64(b, r->watermarks[i].ms);
    }
    leat_bytes_put_u32(b, r->positions_count);
    for (uint32_t i = 0; i < r->positions_count; i++) {
        leat_bytes_put_slice(b, r->positions[i].source);
        leat_bytes_put_slice(b, r->positions[i].partition);
        put_i64(b, r->positions[i].next);
    }
    leat_bytes_put_u32(b, r->sections_count);
    for (uint32_t i = 0; i < r->sections_count; i++) {
        leat_bytes_put_slice(b, r->sections[i].sink);
        leat_bytes_put_slice(b, r->sections[i].bytes);
    }
    return !b->failed;
}

static bool take_i64(struct leat_slice *from, int64_t *v)
{
    uint64_t u = 0;
    bool ok = leat_take_u64(from, &u);

    *v = (int64_t)u;
    return ok;
}

/* A list's count; each item takes at least `least` bytes, so what cannot be is not allocated. */
static bool take_count(struct leat_slice *from, uint32_t *count, size_t least)
{
    return leat_take_u32(from, count) && *count <= from->len / least;
}

static bool take_head(struct leat_slice *from, struct leat_log_record *r)
{
    return leat_take_u32(from, &r->epoch) && leat_take_u32(from, &r->slot) &&
           leat_take_u64(from, &r->n) && take_i64(from, &r->batch_time_ms) &&
           take_i64(from, &r->clock_ms);
}

static bool take_watermarks(struct leat_slice *from, struct leat_log_record *r)
{
    bool ok = true;

    for (uint32_t i = 0; ok && i < r->watermarks_count; i++)
        ok =
            leat_take_slice(from, &r->watermarks[i].source) && take_i64(from, &r->watermarks[i].ms);
    return ok;
}

static bool take_positions(struct leat_slice *from, struct leat_log_record *r)
{
    bool ok = true;

    for (uint32_t i = 0; ok && i < r->positions_count; i++)
        ok = leat_take_slice(from, &r->positions[i].source) &&
             leat_take_slice(from, &r->positions[i].partition) &&
             take_i64(from, &r->positions[i].next);
    return ok;
}

static bool take_sections(struct leat_slice *from, struct leat_log_record *r)
{
    bool ok = true;

    for (uint32_t i = 0; ok && i < r->sections_count; i++)
        ok = leat_take_slice(from, &r->sections[i].sink) &&
             leat_take_slice(from, &r->sections[i].bytes);
    return ok;
}

enum leat_status leat_log_record_read(struct leat_slice from, struct leat_log_record *r,
                                      struct leat_arena *arena, struct leat_error *err)
{
    bool ok;

    *r = (struct leat_log_record){0};
    ok = take_head(&from, r) && take_count(&from, &r->watermarks_count, 12);
    if (ok &&
        !(r->watermarks = leat_arena_array(arena, r->watermarks_count, sizeof *r->watermarks)))
        return leat_arena_failed(arena, err);
    ok = ok && take_watermarks(&from, r) && take_count(&from, &r->positions_count, 16);
    if (ok && !(r->positions = leat_arena_array(arena, r->positions_count, sizeof *r->positions)))
        return leat_arena_failed(arena, err);
    ok = ok && take_positions(&from, r) && take_count(&from, &r->sections_count, 8);
    if (ok && !(r->sections = leat_arena_array(arena, r->sections_count, sizeof *r->sections)))
        return leat_arena_failed(arena, err);
    ok = ok && take_sections(&from, r) && from.len == 0;
    return ok ? LEAT_OK : leat_fail(err, LEAT_E_CORRUPT, "damaged record");
}
