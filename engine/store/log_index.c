#include "store/log_index.h"

#include <xxhash.h>

#define SLOTS_MIN 64

struct leat_log_place {
    struct leat_log_position at;
    uint64_t hash;
};

static uint64_t hash_of(struct leat_slice source, struct leat_slice partition)
{
    return XXH3_64bits_withSeed(partition.ptr, partition.len, XXH3_64bits(source.ptr, source.len));
}

static struct leat_log_place **slot_of(const struct leat_log_index *index, uint64_t hash,
                                       struct leat_slice source, struct leat_slice partition)
{
    for (size_t i = hash & (index->slots_count - 1);; i = (i + 1) & (index->slots_count - 1)) {
        struct leat_log_place *p = index->slots[i];
        if (!p || (p->hash == hash && leat_slice_eq(p->at.source, source) &&
                   leat_slice_eq(p->at.partition, partition)))
            return &index->slots[i];
    }
}

static bool grow(struct leat_log_index *index)
{
    struct leat_log_place **old = index->slots;
    size_t old_count = index->slots_count, count = old_count ? old_count * 2 : SLOTS_MIN;
    struct leat_log_place **slots = leat_arena_array(&index->arena, count, sizeof(*slots));

    if (!slots)
        return false;
    index->slots = slots;
    index->slots_count = count;
    for (size_t i = 0; i < old_count; i++)
        if (old[i])
            *slot_of(index, old[i]->hash, old[i]->at.source, old[i]->at.partition) = old[i];
    return true;
}

static struct leat_log_place *add(struct leat_log_index *index, uint64_t hash,
                                  const struct leat_log_position *position)
{
    struct leat_log_place *p = leat_arena_alloc(&index->arena, sizeof *p);

    if (!p)
        return NULL;
    p->hash = hash;
    p->at.source = leat_arena_copy(&index->arena, position->source);
    p->at.partition = leat_arena_copy(&index->arena, position->partition);
    return p->at.source.ptr && p->at.partition.ptr ? p : NULL;
}

bool leat_log_index_set(struct leat_log_index *index, const struct leat_log_position *position)
{
    uint64_t hash = hash_of(position->source, position->partition);

    if (index->count * 4 >= index->slots_count * 3 && !grow(index))
        return false;
    struct leat_log_place **slot = slot_of(index, hash, position->source, position->partition);
    if (!*slot) {
        if (!(*slot = add(index, hash, position)))
            return false;
        index->count++;
    }
    (*slot)->at.from = position->from;
    (*slot)->at.next = position->next;
    (*slot)->at.time_max_ms = position->time_max_ms;
    return true;
}

const struct leat_log_position *leat_log_index_find(const struct leat_log_index *index,
                                                    struct leat_slice source,
                                                    struct leat_slice partition)
{
    if (!index->slots_count)
        return NULL;
    struct leat_log_place **slot = slot_of(index, hash_of(source, partition), source, partition);
    return *slot ? &(*slot)->at : NULL;
}

void leat_log_index_each(const struct leat_log_index *index,
                         void (*fn)(void *arg, const struct leat_log_position *position), void *arg)
{
    for (size_t i = 0; i < index->slots_count; i++)
        if (index->slots[i])
            fn(arg, &index->slots[i]->at);
}

void leat_log_index_fini(struct leat_log_index *index)
{
    leat_arena_reset(&index->arena);
    *index = (struct leat_log_index){.arena = index->arena};
}
