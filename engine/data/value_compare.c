/* value_compare.c - when values are equal, and which comes first. */
#include "data/value_ops.h"

#define TWO_63    9223372036854775808.0
#define TWO_64    18446744073709551616.0
#define DEPTH_MAX 200 /* deeper parts count as equal in order, as unlike in equality */
#define SMALL_MAP 16  /* pairs: up to here names are looked for one by one */

static inline int sign_of(bool less, bool more)
{
    return (int)more - (int)less;
}

static bool is_number(struct leat_value v)
{
    return v.tag == LEAT_INT || v.tag == LEAT_UINT || v.tag == LEAT_DOUBLE;
}

/* An integer against a double, exactly: no rounding of either. 2: NaN. */
static int compare_with_double(struct leat_value v, double d)
{
    if (d != d)
        return 2;
    if (v.tag == LEAT_UINT) {
        if (d < 0)
            return 1;
        if (d >= TWO_64)
            return -1;
        uint64_t whole = (uint64_t)d;
        return v.as.u != whole ? sign_of(v.as.u<whole, v.as.u> whole)
                               : sign_of(d > (double)whole, false);
    }
    if (d < -TWO_63)
        return 1;
    if (d >= TWO_63)
        return -1;
    int64_t whole = (int64_t)d; /* toward zero */
    return v.as.i != whole ? sign_of(v.as.i<whole, v.as.i> whole)
                           : sign_of(d > (double)whole, d < (double)whole);
}

static int compare_numbers(struct leat_value a, struct leat_value b)
{
    if (a.tag == LEAT_DOUBLE && b.tag == LEAT_DOUBLE)
        return a.as.d != a.as.d || b.as.d != b.as.d ? 2 : sign_of(a.as.d<b.as.d, a.as.d> b.as.d);
    if (b.tag == LEAT_DOUBLE)
        return compare_with_double(a, b.as.d);
    if (a.tag == LEAT_DOUBLE) {
        int turned = compare_with_double(b, a.as.d);
        return turned == 2 ? 2 : -turned;
    }
    if (a.tag == b.tag)
        return a.tag == LEAT_INT ? sign_of(a.as.i<b.as.i, a.as.i> b.as.i)
                                 : sign_of(a.as.u<b.as.u, a.as.u> b.as.u);
    if (a.tag == LEAT_INT)
        return a.as.i < 0 ? -1 : sign_of(a.as.u<b.as.u, a.as.u> b.as.u);
    return b.as.i < 0 ? 1 : sign_of(a.as.u<b.as.u, a.as.u> b.as.u);
}

static int compare_text(struct leat_value a, struct leat_value b)
{
    uint32_t n = a.len < b.len ? a.len : b.len;
    int order = n ? memcmp(a.as.text, b.as.text, n) : 0;

    return order ? sign_of(order<0, order> 0) : sign_of(a.len<b.len, a.len> b.len);
}

static int compare_times(struct leat_value a, struct leat_value b)
{
    return a.as.i != b.as.i ? sign_of(a.as.i<b.as.i, a.as.i> b.as.i)
                            : sign_of(a.len<b.len, a.len> b.len);
}

int leat_value_compare(struct leat_value a, struct leat_value b)
{
    if (is_number(a) && is_number(b))
        return compare_numbers(a, b);
    if (a.tag != b.tag)
        return 2;
    switch ((enum leat_tag)a.tag) {
    case LEAT_BOOL:
        return sign_of(a.as.b<b.as.b, a.as.b> b.as.b);
    case LEAT_STRING:
    case LEAT_BYTES:
        return compare_text(a, b);
    case LEAT_TIMESTAMP:
    case LEAT_DURATION:
        return compare_times(a, b);
    case LEAT_NULL:
    case LEAT_INT:
    case LEAT_UINT:
    case LEAT_DOUBLE:
    case LEAT_LIST:
    case LEAT_MAP:
    case LEAT_RECORD:
    case LEAT_ERROR:
    case LEAT_TYPE:
    default:
        return 2;
    }
}

static int order(struct leat_value a, struct leat_value b, uint32_t depth,
                 struct leat_arena *scratch);

/* --- maps by name --- */

struct pair {
    struct leat_value name, value;
};

/* Names are scalars; what else somebody made a name has no order but that of its kind. */
static int order_names(const struct pair *a, const struct pair *b)
{
    return order(a->name, b->name, DEPTH_MAX, NULL);
}

static void sift_down(struct pair *pairs, size_t root, size_t n)
{
    for (size_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && order_names(&pairs[child], &pairs[child + 1]) < 0)
            child++;
        if (order_names(&pairs[root], &pairs[child]) >= 0)
            return;
        struct pair greater = pairs[child];
        pairs[child] = pairs[root];
        pairs[root] = greater;
    }
}

/* The pairs of a map in the order of their names; NULL: out of memory. */
static const struct pair *sorted(struct leat_value map, struct leat_arena *scratch)
{
    size_t n = map.len;
    struct pair *pairs = leat_arena_array(scratch, n + 1, sizeof *pairs);

    if (!pairs)
        return NULL;
    for (size_t i = 0; i < n; i++)
        pairs[i] = (struct pair){map.as.items[2 * i], map.as.items[2 * i + 1]};
    for (size_t i = n / 2; i-- > 0;)
        sift_down(pairs, i, n);
    for (size_t end = n; end-- > 1;) {
        struct pair greatest = pairs[0];
        pairs[0] = pairs[end];
        pairs[end] = greatest;
        sift_down(pairs, 0, end);
    }
    return pairs;
}

/* --- equality --- */

static bool equal(struct leat_value a, struct leat_value b, uint32_t depth,
                  struct leat_arena *scratch);

static bool equal_sorted(struct leat_value a, struct leat_value b, uint32_t depth,
                         struct leat_arena *scratch)
{
    const struct pair *left = sorted(a, scratch), *right = sorted(b, scratch);

    if (!left || !right)
        return false;
    for (uint32_t i = 0; i < a.len; i++)
        if (order_names(&left[i], &right[i]) != 0 ||
            !equal(left[i].value, right[i].value, depth, scratch))
            return false;
    return true;
}

static bool equal_maps(struct leat_value a, struct leat_value b, uint32_t depth,
                       struct leat_arena *scratch)
{
    if (a.len != b.len)
        return false;
    for (uint32_t i = 0; i < a.len; i++) {
        const struct leat_value *left = &a.as.items[2 * i];
        uint32_t k = i; /* mostly it is at the same place */
        if (!equal(left[0], b.as.items[2 * k], depth, scratch)) {
            if (a.len > SMALL_MAP)
                return equal_sorted(a, b, depth, scratch);
            for (k = 0; k < b.len && !equal(left[0], b.as.items[2 * k], depth, scratch);)
                k++;
        }
        if (k == b.len || !equal(left[1], b.as.items[2 * k + 1], depth, scratch))
            return false;
    }
    return true;
}

static bool equal_lists(struct leat_value a, struct leat_value b, uint32_t depth,
                        struct leat_arena *scratch)
{
    if (a.len != b.len)
        return false;
    for (uint32_t i = 0; i < a.len; i++)
        if (!equal(a.as.items[i], b.as.items[i], depth, scratch))
            return false;
    return true;
}

static bool equal(struct leat_value a, struct leat_value b, uint32_t depth,
                  struct leat_arena *scratch)
{
    if (depth == DEPTH_MAX)
        return false;
    if (a.tag == LEAT_RECORD)
        a = leat_value_expand(a, scratch);
    if (b.tag == LEAT_RECORD)
        b = leat_value_expand(b, scratch);
    if (a.tag == b.tag) {
        if (a.tag == LEAT_NULL)
            return true;
        if (a.tag == LEAT_LIST)
            return equal_lists(a, b, depth + 1, scratch);
        if (a.tag == LEAT_MAP)
            return equal_maps(a, b, depth + 1, scratch);
        if (a.tag == LEAT_TYPE)
            return compare_text(a, b) == 0;
    }
    return leat_value_compare(a, b) == 0;
}

bool leat_value_equal(struct leat_value a, struct leat_value b, struct leat_arena *scratch)
{
    return equal(a, b, 0, scratch);
}

/* --- total order --- */

static bool is_nested(struct leat_value v)
{
    return v.tag == LEAT_LIST || v.tag == LEAT_MAP || v.tag == LEAT_RECORD;
}

static int rank(struct leat_value v)
{
    static const int ranks[] = {
        [LEAT_NULL] = 0,     [LEAT_BOOL] = 1,   [LEAT_INT] = 2,   [LEAT_UINT] = 2,
        [LEAT_DOUBLE] = 2,   [LEAT_STRING] = 3, [LEAT_BYTES] = 4, [LEAT_TIMESTAMP] = 5,
        [LEAT_DURATION] = 6, [LEAT_LIST] = 7,   [LEAT_MAP] = 8,   [LEAT_RECORD] = 8,
        [LEAT_TYPE] = 9,     [LEAT_ERROR] = 10,
    };

    return ranks[v.tag];
}

static int order_lists(struct leat_value a, struct leat_value b, uint32_t depth,
                       struct leat_arena *scratch)
{
    for (uint32_t i = 0; i < a.len && i < b.len; i++) {
        int o = order(a.as.items[i], b.as.items[i], depth, scratch);
        if (o)
            return o;
    }
    return sign_of(a.len<b.len, a.len> b.len);
}

/* As lists of their pairs in the order of names; by number of pairs alone when memory is out. */
static int order_maps(struct leat_value a, struct leat_value b, uint32_t depth,
                      struct leat_arena *scratch)
{
    const struct pair *left = sorted(a, scratch), *right = sorted(b, scratch);

    for (uint32_t i = 0; left && right && i < a.len && i < b.len; i++) {
        int o = order_names(&left[i], &right[i]);
        if (!o)
            o = order(left[i].value, right[i].value, depth, scratch);
        if (o)
            return o;
    }
    return sign_of(a.len<b.len, a.len> b.len);
}

static int order(struct leat_value a, struct leat_value b, uint32_t depth,
                 struct leat_arena *scratch)
{
    int ranks = sign_of(rank(a) < rank(b), rank(a) > rank(b));

    if (ranks || (depth == DEPTH_MAX && is_nested(a)))
        return ranks;
    switch ((enum leat_tag)a.tag) {
    case LEAT_NULL:
        return 0;
    case LEAT_LIST:
        return order_lists(a, b, depth + 1, scratch);
    case LEAT_MAP:
    case LEAT_RECORD:
        a = leat_value_expand(a, scratch);
        b = leat_value_expand(b, scratch);
        if (a.tag == LEAT_MAP && b.tag == LEAT_MAP)
            return order_maps(a, b, depth + 1, scratch);
        return sign_of(rank(a) < rank(b), rank(a) > rank(b));
    case LEAT_TYPE:
        return compare_text(a, b);
    case LEAT_ERROR:
        return a.code != b.code ? sign_of(a.code<b.code, a.code> b.code) : compare_text(a, b);
    case LEAT_BOOL:
    case LEAT_INT:
    case LEAT_UINT:
    case LEAT_DOUBLE:
    case LEAT_STRING:
    case LEAT_BYTES:
    case LEAT_TIMESTAMP:
    case LEAT_DURATION:
        break;
    }
    int o = leat_value_compare(a, b);
    if (o != 2)
        return o;
    bool a_nan = a.tag == LEAT_DOUBLE && a.as.d != a.as.d;
    bool b_nan = b.tag == LEAT_DOUBLE && b.as.d != b.as.d;
    return sign_of(b_nan && !a_nan, a_nan && !b_nan);
}

int leat_value_order(struct leat_value a, struct leat_value b, struct leat_arena *scratch)
{
    return order(a, b, 0, scratch);
}
