/*
 * fuzz_framing.c - feeds a stream, in pieces of any size, to what cuts it into records.
 *
 * However the stream is cut, the records are the same, and memory stays within the longest record.
 * The first byte chooses the rules, the second the size of the pieces, the third which allocation
 * fails.
 */
#include "../../connectors/framing.h"

#include <assert.h>

#define MAX_RECORD 20

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static unsigned countdown;

static bool gate(void)
{
    return countdown == 0 || --countdown != 0;
}

struct sum {
    uint64_t records, hash, broken;
};

static void add(struct sum *sum, struct leat_slice record)
{
    assert(record.len <= MAX_RECORD + 1);
    sum->records++;
    for (size_t i = 0; i < record.len; i++)
        sum->hash = sum->hash * 1099511628211u + (unsigned char)record.ptr[i];
    sum->hash = sum->hash * 1099511628211u + 256;
}

/* Records of the buffer, and those behind it moved to its front. */
static void take(struct framing *f, const struct framing_rules *rules, bool ended, struct sum *sum)
{
    struct leat_slice record;
    size_t at = 0;

    while (framing_next(f, rules, ended, &at, &record))
        add(sum, record);
    assert(at <= f->used);
    if (at)
        memmove(f->buffer, f->buffer + at, f->used - at);
    f->used -= at;
}

/* False: there was no memory. */
static bool walk(const struct framing_rules *rules, struct leat_slice stream, size_t piece,
                 struct sum *sum)
{
    struct framing f = {0};
    struct leat_error err;
    bool good = true;

    *sum = (struct sum){0};
    while (stream.len && good) {
        char *into;
        size_t room;
        good = framing_room(&f, rules, &into, &room, &err) == LEAT_OK;
        if (!good)
            break;
        assert(room > 0);
        size_t len = piece < room ? piece : room;
        len = len < stream.len ? len : stream.len;
        memcpy(into, stream.ptr, len);
        f.used += len;
        stream.ptr += len;
        stream.len -= len;
        take(&f, rules, false, sum);
    }
    if (good) {
        take(&f, rules, true, sum);
        assert(f.used == 0);
    }
    sum->broken = f.broken;
    framing_fini(&f, rules);
    return good;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct leat_budget budget = {.cap = 40000};
    struct framing_rules rules = {.max_record = MAX_RECORD, .budget = &budget};
    struct sum whole, pieces;

    if (size < 3 || size > 65536)
        return 0;
    struct leat_slice stream = {(const char *)data + 3, size - 3};
    rules.kind = data[0] & 1 ? FRAMING_LENGTH : FRAMING_LINES;
    rules.skip_empty = data[0] & 2;
    rules.drop_last = data[0] & 4;
    bool good = walk(&rules, stream, SIZE_MAX, &whole);
    assert(good && atomic_load(&budget.used) == 0);
    countdown = data[2];
    leat_mem_gate = gate;
    good = walk(&rules, stream, data[1] + 1u, &pieces);
    leat_mem_gate = NULL;
    assert(!good || (pieces.records == whole.records && pieces.hash == whole.hash &&
                     pieces.broken == whole.broken));
    assert(atomic_load(&budget.used) == 0);
    return 0;
}
