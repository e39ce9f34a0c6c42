#include "op/state_heap.h"

#include <assert.h>

#define EXACT_UNITS 64 /* below it every number of units is a class; above, 8 per power of two */
#define PAGES_MIN   32

static unsigned class_of(size_t size, uint32_t *units)
{
    uint32_t n = (uint32_t)((size + LEAT_HEAP_UNIT - 1) / LEAT_HEAP_UNIT);

    n = n < 2 ? 2 : n; /* a free block has a length and a link */
    if (n <= EXACT_UNITS) {
        *units = n;
        return n;
    }
    unsigned top = 31 - (unsigned)__builtin_clz(n - 1);
    uint32_t step = UINT32_C(1) << (top - 3);
    *units = ((n - 1) | (step - 1)) + 1;
    return EXACT_UNITS + 1 + (top - 6) * 8 + ((n - 1) >> (top - 3) & 7);
}

size_t leat_heap_room(size_t size)
{
    uint32_t units;

    class_of(size, &units);
    return units * LEAT_HEAP_UNIT;
}

static bool make_room(struct leat_heap *h, uint32_t more)
{
    uint32_t room = h->pages_room ? h->pages_room : PAGES_MIN;

    if (more > LEAT_HEAP_PAGES_MAX - h->pages_count)
        return false;
    while (room < h->pages_count + more)
        room *= 2;
    if (room == h->pages_room)
        return true;
    char **pages = leat_arena_array(h->arena, room, sizeof *pages);
    if (!pages)
        return false;
    if (h->pages_count)
        memcpy(pages, h->pages, h->pages_count * sizeof *pages);
    h->pages = pages;
    h->pages_room = room;
    return true;
}

static char *add_pages(struct leat_heap *h, uint32_t count)
{
    if (!make_room(h, count))
        return NULL;
    char *bytes = leat_arena_alloc(h->arena, count * LEAT_HEAP_PAGE);
    if (!bytes)
        return NULL;
    for (uint32_t i = 0; i < count; i++)
        h->pages[h->pages_count++] = bytes + i * LEAT_HEAP_PAGE;
    return bytes;
}

static void put_free(char *block, uint32_t units)
{
    uint32_t word = units << 8;

    memcpy(block, &word, sizeof word);
}

static void list_free(struct leat_heap *h, uint32_t number, unsigned class)
{
    memcpy(leat_heap_at(h, number) + 4, &h->free[class], sizeof h->free[class]);
    h->free[class] = number;
}

void leat_heap_close_page(struct leat_heap *h)
{
    uint32_t rest = (uint32_t)LEAT_HEAP_PAGE_UNITS - h->page_used;

    if (h->pages_count && rest)
        put_free(h->pages[h->pages_count - 1] + h->page_used * LEAT_HEAP_UNIT, rest);
}

static uint32_t carve(struct leat_heap *h, uint32_t units)
{
    uint32_t number;

    if (units > LEAT_HEAP_PAGE_UNITS) {
        uint32_t pages = (uint32_t)((units + LEAT_HEAP_PAGE_UNITS - 1) / LEAT_HEAP_PAGE_UNITS);
        leat_heap_close_page(h);
        number = h->pages_count * (uint32_t)LEAT_HEAP_PAGE_UNITS;
        if (!add_pages(h, pages))
            return 0;
        h->page_used = units - (pages - 1) * (uint32_t)LEAT_HEAP_PAGE_UNITS;
        return number;
    }
    if (LEAT_HEAP_PAGE_UNITS - h->page_used < units) {
        leat_heap_close_page(h);
        if (!add_pages(h, 1))
            return 0;
        h->page_used = 0;
    }
    number = (h->pages_count - 1) * (uint32_t)LEAT_HEAP_PAGE_UNITS + h->page_used;
    h->page_used += units;
    return number;
}

/* Number 0 is no block: the first two units are given to nobody. */
static bool begin(struct leat_heap *h)
{
    if (!add_pages(h, 1))
        return false;
    put_free(h->pages[0], 2);
    h->page_used = 2;
    return true;
}

uint32_t leat_heap_alloc(struct leat_heap *h, size_t size)
{
    uint32_t units, number;
    unsigned class = class_of(size, &units);

    assert(size <= LEAT_HEAP_BLOCK_MAX && class < LEAT_HEAP_CLASSES);
    number = h->free[class];
    if (number) {
        memcpy(&h->free[class], leat_heap_at(h, number) + 4, sizeof h->free[class]);
    } else {
        if (h->pages_count == 0 && !begin(h))
            return 0;
        number = carve(h, units);
        if (!number)
            return 0;
    }
    h->used += units * LEAT_HEAP_UNIT;
    return number;
}

void leat_heap_free(struct leat_heap *h, uint32_t number, size_t size)
{
    uint32_t units;
    unsigned class = class_of(size, &units);

    put_free(leat_heap_at(h, number), units);
    list_free(h, number, class);
    h->used -= units * LEAT_HEAP_UNIT;
}

bool leat_heap_load(struct leat_heap *h, struct leat_slice bytes, uint32_t count)
{
    assert(h->pages_count == 0 && bytes.len == count * LEAT_HEAP_PAGE);
    if (count == 0)
        return true;
    char *pages = add_pages(h, count);
    if (!pages)
        return false;
    memcpy(pages, bytes.ptr, bytes.len);
    h->page_used = (uint32_t)LEAT_HEAP_PAGE_UNITS;
    return true;
}

size_t leat_heap_rest(const struct leat_heap *h, uint32_t number)
{
    return ((size_t)h->pages_count * LEAT_HEAP_PAGE_UNITS - number) * LEAT_HEAP_UNIT;
}

/* Only what is longer than a page goes beyond the page that it begins in, and begins at its start.
 */
static bool fits(const struct leat_heap *h, uint32_t number, uint32_t units)
{
    uint32_t at = number % (uint32_t)LEAT_HEAP_PAGE_UNITS;

    if (units == 0 || units * LEAT_HEAP_UNIT > leat_heap_rest(h, number))
        return false;
    return units <= LEAT_HEAP_PAGE_UNITS ? at + units <= LEAT_HEAP_PAGE_UNITS : at == 0;
}

bool leat_heap_walk(struct leat_heap *h, uint32_t number, size_t used_size, size_t *size)
{
    const char *block = leat_heap_at(h, number);
    uint32_t units, rounded;

    if (block[0]) {
        if (used_size == 0 || used_size > LEAT_HEAP_BLOCK_MAX)
            return false;
        class_of(used_size, &units);
        if (!fits(h, number, units))
            return false;
        h->used += units * LEAT_HEAP_UNIT;
    } else {
        memcpy(&units, block, sizeof units);
        units >>= 8;
        if (!fits(h, number, units))
            return false;
        unsigned class = class_of(units * LEAT_HEAP_UNIT, &rounded);
        if (rounded == units && number && class < LEAT_HEAP_CLASSES)
            list_free(h, number, class);
    }
    *size = units * LEAT_HEAP_UNIT;
    return true;
}
