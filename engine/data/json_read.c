/* json_read.c - the touched paths of a JSON text, in one pass over it. */
#include "data/json_scan.h"

#define SLOTS     32 /* fields of an object whose order is learnt */
#define SLOT_SIZE 32 /* bytes of one of them */
#define LOOKAHEAD 3  /* fields in a row that may be missing */

/* The wanted paths as a tree. */
struct node {
    struct leat_slice name;
    struct node *children, *next; /* in the order of the plan */
    uint32_t *columns;            /* that get the value; mostly one */
    uint32_t columns_count;
    uint32_t number;          /* of a node with children; which memory it has in leat_json_order */
    struct leat_value absent; /* the error that stands for it where it is missing */
};

struct leat_json_plan {
    struct node root;
    uint32_t inner; /* nodes with children */
    uint32_t *columns;
    struct leat_value *absent; /* of each column */
    uint32_t columns_count;
};

/* What stands between two values of an object, `, "amount": `: when the same bytes come again, they
 * need not be read again. */
struct slot {
    char bytes[SLOT_SIZE];
    uint32_t len;             /* 0: nothing learnt */
    const struct node *child; /* whose value follows; NULL: nobody's */
};

struct leat_json_order {
    struct slot (*slots)[SLOTS]; /* by node->number */
};

/* --- the plan --- */

static bool name_absent(struct node *node, struct leat_arena *arena)
{
    struct leat_bytes text = {.arena = arena};

    leat_bytes_put(&text, "there is no field '", 19);
    leat_bytes_put(&text, node->name.ptr, node->name.len);
    leat_bytes_put(&text, "'", 2);
    if (!text.failed)
        node->absent = leat_value_fail(LEAT_V_ABSENT, text.ptr);
    return !text.failed;
}

static struct node *child_of(struct leat_json_plan *plan, struct node *parent,
                             struct leat_slice name, struct leat_arena *arena)
{
    struct node **link = &parent->children;

    for (; *link; link = &(*link)->next)
        if (leat_slice_eq((*link)->name, name))
            return *link;
    *link = leat_arena_alloc(arena, sizeof **link);
    if (!*link)
        return NULL;
    (*link)->name = leat_arena_copy(arena, name);
    if (!(*link)->name.ptr || !name_absent(*link, arena))
        return NULL;
    if (link == &parent->children)
        parent->number = plan->inner++;
    return *link;
}

static bool add_column(struct node *node, uint32_t column, struct leat_arena *arena)
{
    uint32_t *columns = leat_arena_array(arena, node->columns_count + 1, sizeof *columns);

    if (!columns)
        return false;
    for (uint32_t i = 0; i < node->columns_count; i++)
        columns[i] = node->columns[i];
    columns[node->columns_count++] = column;
    node->columns = columns;
    return true;
}

const struct leat_json_plan *leat_json_plan_new(const struct leat_path *paths, size_t count,
                                                struct leat_arena *arena)
{
    struct leat_json_plan *plan = leat_arena_alloc(arena, sizeof *plan);

    if (!plan)
        return NULL;
    plan->root.absent = leat_value_fail(LEAT_V_ABSENT, "");
    plan->columns = leat_arena_array(arena, count + 1, sizeof *plan->columns);
    plan->absent = leat_arena_array(arena, count + 1, sizeof *plan->absent);
    if (!plan->columns || !plan->absent)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        struct node *node = &plan->root;
        for (uint32_t k = 0; k < paths[i].depth && node; k++)
            node = child_of(plan, node, paths[i].names[k], arena);
        if (!node || !add_column(node, paths[i].column, arena))
            return NULL;
        plan->absent[plan->columns_count] = node->absent;
        plan->columns[plan->columns_count++] = paths[i].column;
    }
    return plan;
}

struct leat_json_order *leat_json_order_new(const struct leat_json_plan *plan,
                                            struct leat_arena *arena)
{
    struct leat_json_order *order = leat_arena_alloc(arena, sizeof *order);

    if (!order)
        return NULL;
    order->slots = leat_arena_array(arena, plan->inner + 1, sizeof *order->slots);
    return order->slots ? order : NULL;
}

/* --- one text --- */

struct reader {
    struct leat_scan s;
    struct leat_json_order *order; /* NULL: nothing is learnt */
    struct leat_arena *arena;
    struct leat_value **columns;
    uint32_t row;
};

static inline void put(const struct reader *r, const struct node *node, struct leat_value v)
{
    for (uint32_t i = 0; i < node->columns_count; i++)
        r->columns[node->columns[i]][r->row] = v;
}

static void put_absent_below(const struct reader *r, const struct node *node)
{
    for (const struct node *child = node->children; child; child = child->next) {
        put(r, child, child->absent);
        put_absent_below(r, child);
    }
}

static void put_wrong_below(const struct reader *r, const struct node *node)
{
    for (const struct node *child = node->children; child; child = child->next) {
        put(r, child, leat_value_fail(LEAT_V_TYPE, "only an object has fields"));
        put_wrong_below(r, child);
    }
}

/* Do the bytes at p, of which `left` may be read, begin with what was learnt? */
static inline bool slot_fits(const struct slot *slot, const char *p, size_t left)
{
#ifdef __SSE2__
    if (__builtin_expect(left >= SLOT_SIZE, 1)) {
        const __m128i *a = (const __m128i *)(const void *)slot->bytes;
        const __m128i *b = (const __m128i *)(const void *)p;
        __m128i low = _mm_cmpeq_epi8(_mm_loadu_si128(a), _mm_loadu_si128(b));
        __m128i high = _mm_cmpeq_epi8(_mm_loadu_si128(a + 1), _mm_loadu_si128(b + 1));
        uint64_t same =
            (uint32_t)_mm_movemask_epi8(low) | (uint64_t)(uint32_t)_mm_movemask_epi8(high) << 16;
        uint64_t wanted = (UINT64_C(1) << slot->len) - 1;
        return slot->len && (same & wanted) == wanted;
    }
#endif
    return slot->len && slot->len <= left && memcmp(slot->bytes, p, slot->len) == 0;
}

/* Which learnt field comes at p, when *at is the next one by order: its slot, or NULL. Only the
 * first field has no comma before it, so slot 0 and the others never stand in for each other. */
static inline const struct slot *predict(const struct reader *r, const struct slot *slots,
                                         uint32_t *at, const char *p)
{
    size_t left = (size_t)(r->s.end - p);
    uint32_t last = *at == 0 ? 1 : *at + LOOKAHEAD;

    for (uint32_t i = *at; i < last && i < SLOTS; i++) {
        if (slot_fits(&slots[i], p, left)) {
            *at = i;
            return &slots[i];
        }
    }
    return NULL;
}

static const struct node *find_child(const struct node *node, struct leat_slice key, bool escaped)
{
    const struct node *child = node->children;

    while (child && !leat_scan_is(key, escaped, child->name))
        child = child->next;
    return child;
}

static void learn(struct slot *slots, uint32_t at, const char *from, const char *to,
                  const struct node *child)
{
    size_t len = (size_t)(to - from);

    if (at >= SLOTS || len > SLOT_SIZE)
        return;
    memcpy(slots[at].bytes, from, len);
    slots[at].len = (uint32_t)len;
    slots[at].child = child;
}

static const char *read_value(struct reader *r, const struct node *node, const char *p,
                              uint32_t depth);

static inline const char *skip(struct reader *r, const char *p, uint32_t depth)
{
    bool escaped;

    if (p < r->s.end && *p == '"')
        return leat_scan_string(&r->s, p, &escaped);
    return leat_scan_skip(&r->s, p, depth);
}

/* p is behind the opening brace; `depth` is that of the values in it. */
static const char *read_object(struct reader *r, const struct node *node, const char *p,
                               uint32_t depth)
{
    struct slot *slots = r->order ? r->order->slots[node->number] : NULL;

    for (uint32_t at = 0; p; at++) {
        const struct slot *slot = slots ? predict(r, slots, &at, p) : NULL;
        const struct node *child;
        if (slot) {
            child = slot->child;
            p += slot->len;
            if (p < r->s.end && (unsigned char)*p <= ' ') /* more space than where it was learnt */
                p = leat_scan_blank(&r->s, p);
        } else {
            struct leat_slice key;
            bool escaped;
            const char *from = p;
            p = leat_scan_key(&r->s, p, at == 0, &key, &escaped);
            if (!p || !key.ptr)
                return p;
            child = find_child(node, key, escaped);
            if (slots)
                learn(slots, at, from, p, child);
        }
        if (child)
            p = read_value(r, child, p, depth);
        else
            p = skip(r, p, depth);
    }
    return NULL;
}

static const char *no_memory(struct reader *r, const char *p)
{
    r->s.no_memory = true;
    return leat_scan_fail(&r->s, p, "out of memory");
}

static const char *read_braces(struct reader *r, const struct node *node, const char *p,
                               uint32_t depth)
{
    const char *behind;

    if (depth == LEAT_JSON_DEPTH)
        return leat_scan_fail(&r->s, p, "nested too deeply");
    if (node->children || (depth == 0 && r->order)) { /* so learnt names make checking cheaper */
        put_absent_below(r, node);
        behind = read_object(r, node, p + 1, depth + 1);
    } else {
        behind = leat_scan_skip(&r->s, p, depth);
    }
    if (!behind || !node->columns_count)
        return behind;
    struct leat_value v = leat_scan_record((struct leat_slice){p, (size_t)(behind - p)}, r->arena);
    if (v.tag == LEAT_ERROR)
        return no_memory(r, p);
    put(r, node, v);
    return behind;
}

static const char *read_value(struct reader *r, const struct node *node, const char *p,
                              uint32_t depth)
{
    struct leat_value v;
    bool escaped = false;

    if (p < r->s.end && *p == '{')
        return read_braces(r, node, p, depth);
    if (p < r->s.end && *p == '"') {
        const char *behind = leat_scan_string(&r->s, p, &escaped);
        if (!behind)
            return NULL;
        v = leat_scan_text(p, behind, escaped, r->arena);
        if (v.tag == LEAT_ERROR)
            return no_memory(r, p);
        p = behind;
    } else {
        if (p < r->s.end && (*p == '-' || (unsigned char)(*p - '0') < 10))
            p = leat_scan_number(&r->s, p, &v);
        else
            p = leat_scan_value(&r->s, p, depth, false, r->arena, &v);
        if (!p)
            return NULL;
    }
    put(r, node, v);
    if (__builtin_expect(node->children != NULL, 0) && v.tag == LEAT_NULL)
        put_absent_below(r, node);
    else if (__builtin_expect(node->children != NULL, 0))
        put_wrong_below(r, node);
    return p;
}

bool leat_json_read(const struct leat_json_plan *plan, struct leat_json_order *order,
                    struct leat_slice text, struct leat_arena *arena, struct leat_value **columns,
                    uint32_t row, struct leat_value *why)
{
    struct reader r = {{.begin = text.ptr, .end = text.ptr + text.len}, order, arena, columns, row};

    for (uint32_t i = 0; i < plan->columns_count; i++)
        columns[plan->columns[i]][row] = plan->absent[i];
    const char *p = leat_scan_blank(&r.s, text.ptr);
    p = text.len > UINT32_MAX ? leat_scan_fail(&r.s, p, "longer than 4 GiB")
                              : read_value(&r, &plan->root, p, 0);
    if (p) {
        p = leat_scan_blank(&r.s, p);
        if (p == r.s.end)
            return true;
        leat_scan_fail(&r.s, p, "something behind the value");
    }
    *why = leat_scan_error(&r.s, arena);
    return false;
}
