/*
 * log_record.c - bytes of a record of the job log, and back.
 *
 * Little endian; texts and bytes are a u32 length and the bytes; a list is its u32 count and its
 * items. First everything but states, then a directory of states: per state partition with any its
 * number, how many entries and bytes it has and their CRC32C; then the entries, partition by
 * partition, so that one can be read without the others.
 */
#include "store/log_record.h"

#include "base/crc32c.h"

#define DIRECTORY_ITEM 16 /* q, entries, bytes, CRC32C */
#define STATE_LEAST    16 /* name, shape, bytes */

static void put_i64(struct leat_bytes *b, int64_t v)
{
    leat_bytes_put_u64(b, (uint64_t)v);
}

/* ---- write */

static void put_head(struct leat_bytes *b, const struct leat_log_record *r)
{
    leat_bytes_put_slice(b, r->job);
    leat_bytes_put_u32(b, r->epoch);
    leat_bytes_put_u32(b, r->slot);
    leat_bytes_put_u64(b, r->n);
    leat_bytes_put_u64(b, r->confirmed);
    leat_bytes_put_u32(b, r->partitions);
    put_i64(b, r->batch_time_ms);
    put_i64(b, r->clock_ms);
    leat_bytes_put_slice(b, r->marker);
}

static void put_positions(struct leat_bytes *b, const struct leat_log_record *r)
{
    leat_bytes_put_u32(b, r->positions_count);
    for (uint32_t i = 0; i < r->positions_count; i++) {
        const struct leat_log_position *p = &r->positions[i];
        leat_bytes_put_slice(b, p->source);
        leat_bytes_put_slice(b, p->partition);
        put_i64(b, p->from);
        put_i64(b, p->next);
        put_i64(b, p->time_max_ms);
    }
}

static void put_cuts(struct leat_bytes *b, const struct leat_log_record *r)
{
    leat_bytes_put_u32(b, r->cuts_count);
    for (uint32_t i = 0; i < r->cuts_count; i++) {
        const struct leat_log_cut *c = &r->cuts[i];
        put_i64(b, c->batch_time_ms);
        put_i64(b, c->clock_ms);
        leat_bytes_put_u32(b, c->close);
        leat_bytes_put_u32(b, c->ranges_count);
        for (uint32_t k = 0; k < c->ranges_count; k++) {
            leat_bytes_put_u32(b, c->ranges[k].position);
            put_i64(b, c->ranges[k].to);
        }
    }
}

static void put_lists(struct leat_bytes *b, const struct leat_log_record *r)
{
    leat_bytes_put_u32(b, r->watermarks_count);
    for (uint32_t i = 0; i < r->watermarks_count; i++) {
        leat_bytes_put_slice(b, r->watermarks[i].source);
        put_i64(b, r->watermarks[i].now_ms);
        put_i64(b, r->watermarks[i].max_ms);
    }
    leat_bytes_put_u32(b, r->tables_count);
    for (uint32_t i = 0; i < r->tables_count; i++) {
        leat_bytes_put_slice(b, r->tables[i].name);
        put_i64(b, r->tables[i].changed_ns);
        put_i64(b, r->tables[i].bytes);
    }
    leat_bytes_put_u32(b, r->sections_count);
    for (uint32_t i = 0; i < r->sections_count; i++) {
        leat_bytes_put_slice(b, r->sections[i].sink);
        leat_bytes_put_slice(b, r->sections[i].bytes);
    }
}

/* How many entries from `first` on are of one state partition. */
static uint32_t run_of(const struct leat_log_record *r, uint32_t first)
{
    uint32_t n = 1;

    while (first + n < r->states_count && r->states[first + n].q == r->states[first].q)
        n++;
    return n;
}

static uint32_t runs(const struct leat_log_record *r)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < r->states_count; i += run_of(r, i))
        n++;
    return n;
}

static size_t states_bytes(const struct leat_log_record *r)
{
    size_t n = 0;

    for (uint32_t i = 0; i < r->states_count; i++)
        n += STATE_LEAST + r->states[i].name.len + r->states[i].bytes.len;
    return n;
}

/* Entries of one partition; their place in the directory, of which only the room is there yet. */
static void put_run(struct leat_bytes *b, const struct leat_log_record *r, uint32_t first,
                    uint32_t count, size_t directory_at)
{
    size_t at = b->len;

    for (uint32_t i = first; i < first + count; i++) {
        leat_bytes_put_slice(b, r->states[i].name);
        leat_bytes_put_u64(b, r->states[i].shape);
        leat_bytes_put_slice(b, r->states[i].bytes);
    }
    if (b->failed)
        return;
    struct leat_slice entries = {b->ptr + at, b->len - at};
    struct leat_bytes item = {.ptr = b->ptr + directory_at, .room = DIRECTORY_ITEM};
    leat_bytes_put_u32(&item, r->states[first].q);
    leat_bytes_put_u32(&item, count);
    leat_bytes_put_u32(&item, (uint32_t)entries.len);
    leat_bytes_put_u32(&item, leat_crc32c(entries));
}

bool leat_log_record_write_parts(const struct leat_log_record *r, struct leat_bytes *b,
                                 size_t *front_bytes)
{
    uint32_t n = runs(r);
    size_t begin = b->len;

    put_head(b, r);
    put_positions(b, r);
    put_cuts(b, r);
    put_lists(b, r);
    leat_bytes_put_u32(b, n);
    /* All at once: what doubles would copy what may be large. */
    if (!leat_bytes_reserve(b, n * (size_t)DIRECTORY_ITEM + states_bytes(r)))
        return false;
    size_t directory_at = b->len;
    b->len += n * (size_t)DIRECTORY_ITEM;
    *front_bytes = b->len - begin;
    for (uint32_t i = 0; i < r->states_count; directory_at += DIRECTORY_ITEM) {
        uint32_t count = run_of(r, i);
        put_run(b, r, i, count, directory_at);
        i += count;
    }
    return !b->failed;
}

bool leat_log_record_write(const struct leat_log_record *r, struct leat_bytes *b)
{
    size_t front;

    return leat_log_record_write_parts(r, b, &front);
}

/* ---- read */

/* Remembers what went wrong, so that a sequence of takes is checked once, at the end. */
struct reader {
    struct leat_slice from;
    struct leat_arena *arena;
    bool damaged, no_memory;
};

static bool is_good(const struct reader *in)
{
    return !in->damaged && !in->no_memory;
}

static uint32_t take_u32(struct reader *in)
{
    uint32_t v = 0;

    in->damaged |= !leat_take_u32(&in->from, &v);
    return v;
}

static uint64_t take_u64(struct reader *in)
{
    uint64_t v = 0;

    in->damaged |= !leat_take_u64(&in->from, &v);
    return v;
}

static int64_t take_i64(struct reader *in)
{
    return (int64_t)take_u64(in);
}

static struct leat_slice take_slice(struct reader *in)
{
    struct leat_slice s = {0};

    in->damaged |= !leat_take_slice(&in->from, &s);
    return s;
}

/* Room for a list whose items take at least `least` bytes each: what cannot be is not allocated. */
static void *take_list(struct reader *in, uint32_t *count, size_t least, size_t size)
{
    uint32_t n = take_u32(in);

    *count = 0;
    in->damaged |= n > in->from.len / least;
    if (!is_good(in))
        return NULL;
    void *list = leat_arena_array(in->arena, n, size);
    in->no_memory |= !list;
    if (list)
        *count = n;
    return list;
}

static void take_head(struct reader *in, struct leat_log_record *r)
{
    r->job = take_slice(in);
    r->epoch = take_u32(in);
    r->slot = take_u32(in);
    r->n = take_u64(in);
    r->confirmed = take_u64(in);
    r->partitions = take_u32(in);
    r->batch_time_ms = take_i64(in);
    r->clock_ms = take_i64(in);
    r->marker = take_slice(in);
    in->damaged |= r->confirmed > r->n;
}

static void take_positions(struct reader *in, struct leat_log_record *r)
{
    r->positions = take_list(in, &r->positions_count, 32, sizeof *r->positions);
    for (uint32_t i = 0; i < r->positions_count && is_good(in); i++) {
        struct leat_log_position *p = &r->positions[i];
        p->source = take_slice(in);
        p->partition = take_slice(in);
        p->from = take_i64(in);
        p->next = take_i64(in);
        p->time_max_ms = take_i64(in);
    }
}

static void take_cuts(struct reader *in, struct leat_log_record *r)
{
    r->cuts = take_list(in, &r->cuts_count, 24, sizeof *r->cuts);
    for (uint32_t i = 0; i < r->cuts_count && is_good(in); i++) {
        struct leat_log_cut *c = &r->cuts[i];
        c->batch_time_ms = take_i64(in);
        c->clock_ms = take_i64(in);
        uint32_t close = take_u32(in);
        in->damaged |= close > 1;
        c->close = close == 1;
        c->ranges = take_list(in, &c->ranges_count, 12, sizeof *c->ranges);
        for (uint32_t k = 0; k < c->ranges_count && is_good(in); k++) {
            c->ranges[k].position = take_u32(in);
            c->ranges[k].to = take_i64(in);
            in->damaged |= c->ranges[k].position >= r->positions_count;
        }
    }
}

static void take_lists(struct reader *in, struct leat_log_record *r)
{
    r->watermarks = take_list(in, &r->watermarks_count, 20, sizeof *r->watermarks);
    for (uint32_t i = 0; i < r->watermarks_count && is_good(in); i++) {
        r->watermarks[i].source = take_slice(in);
        r->watermarks[i].now_ms = take_i64(in);
        r->watermarks[i].max_ms = take_i64(in);
    }
    r->tables = take_list(in, &r->tables_count, 20, sizeof *r->tables);
    for (uint32_t i = 0; i < r->tables_count && is_good(in); i++) {
        r->tables[i].name = take_slice(in);
        r->tables[i].changed_ns = take_i64(in);
        r->tables[i].bytes = take_i64(in);
    }
    r->sections = take_list(in, &r->sections_count, 8, sizeof *r->sections);
    for (uint32_t i = 0; i < r->sections_count && is_good(in); i++) {
        r->sections[i].sink = take_slice(in);
        r->sections[i].bytes = take_slice(in);
    }
}

/* The bytes of the entries must be exactly what is behind the directory. */
static struct leat_log_run *take_directory(struct reader *in, uint32_t *count)
{
    struct leat_log_run *runs = take_list(in, count, DIRECTORY_ITEM, sizeof *runs);
    uint64_t at = 0;

    for (uint32_t i = 0; i < *count && is_good(in); i++) {
        runs[i].q = take_u32(in);
        runs[i].entries = take_u32(in);
        runs[i].bytes = take_u32(in);
        runs[i].crc = take_u32(in);
        runs[i].at = at;
        at += runs[i].bytes;
        in->damaged |= runs[i].entries == 0 || (i && runs[i].q == runs[i - 1].q) ||
                       runs[i].entries > runs[i].bytes / STATE_LEAST;
    }
    return runs;
}

static enum leat_status result(const struct reader *in, struct leat_error *err)
{
    if (in->no_memory)
        return leat_arena_failed(in->arena, err);
    return in->damaged ? leat_fail(err, LEAT_E_CORRUPT, "damaged record") : LEAT_OK;
}

enum leat_status leat_log_front_read(struct leat_slice bytes, struct leat_log_front *front,
                                     struct leat_arena *arena, struct leat_error *err)
{
    struct reader in = {.from = bytes, .arena = arena};

    *front = (struct leat_log_front){0};
    take_head(&in, &front->record);
    take_positions(&in, &front->record);
    take_cuts(&in, &front->record);
    take_lists(&in, &front->record);
    front->runs = take_directory(&in, &front->runs_count);
    front->bytes = bytes.len - in.from.len;
    for (uint32_t i = 0; i < front->runs_count; i++)
        front->entries += front->runs[i].entries;
    return result(&in, err);
}

enum leat_status leat_log_run_read(struct leat_slice bytes, const struct leat_log_run *run,
                                   struct leat_log_state *into, struct leat_arena *arena,
                                   struct leat_error *err)
{
    struct reader in = {.from = bytes, .arena = arena};

    for (uint32_t i = 0; i < run->entries && is_good(&in); i++) {
        into[i].q = run->q;
        into[i].name = take_slice(&in);
        into[i].shape = take_u64(&in);
        into[i].bytes = take_slice(&in);
    }
    in.damaged |= in.from.len > 0;
    return result(&in, err);
}

enum leat_status leat_log_record_read(struct leat_slice bytes, struct leat_log_record *r,
                                      struct leat_arena *arena, struct leat_error *err)
{
    struct leat_log_front front;
    uint32_t count = 0;

    if (leat_log_front_read(bytes, &front, arena, err) != LEAT_OK)
        return err->status;
    *r = front.record;
    struct leat_slice rest = {bytes.ptr + front.bytes, bytes.len - front.bytes};
    if (front.runs_count && front.entries > rest.len / STATE_LEAST)
        return leat_fail(err, LEAT_E_CORRUPT, "damaged record");
    r->states = leat_arena_array(arena, front.entries, sizeof *r->states);
    if (!r->states)
        return leat_arena_failed(arena, err);
    for (uint32_t i = 0; i < front.runs_count; i++) {
        struct leat_log_run *run = &front.runs[i];
        if (run->bytes > rest.len)
            return leat_fail(err, LEAT_E_CORRUPT, "damaged record");
        struct leat_slice part = {rest.ptr, run->bytes};
        if (leat_log_run_read(part, run, &r->states[count], arena, err) != LEAT_OK)
            return err->status;
        count += run->entries;
        rest = (struct leat_slice){rest.ptr + run->bytes, rest.len - run->bytes};
    }
    r->states_count = count;
    return rest.len == 0 ? LEAT_OK : leat_fail(err, LEAT_E_CORRUPT, "damaged record");
}
