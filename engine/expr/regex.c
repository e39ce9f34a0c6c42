/*
 * regex.c - compiles and runs patterns with PCRE2, JIT where the system allows it.
 *
 * Subjects are matched with PCRE2_MATCH_INVALID_UTF: bytes that are no UTF-8 match nothing and do
 * no harm, and no pass over the subject is spent on checking. Thread: see regex.h.
 */
#include "expr/regex.h"

#include "base/mem.h"
#include "expr/regex_subset.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>

#define MATCH_LIMIT    1000000
#define DEPTH_LIMIT    100000
#define HEAP_LIMIT_KIB 4096
#define JIT_STACK_MIN  (32 * 1024)
#define JIT_STACK_MAX  (512 * 1024)
#define KEPT           32

struct leat_regex {
    pcre2_code *code;
    uint32_t groups;
};

struct kept_regex {
    char *pattern; /* NULL: free */
    size_t len;
    struct leat_regex *re; /* NULL: a mistake */
    char why[LEAT_REGEX_WHY_BYTES];
};

struct leat_regex_scratch {
    pcre2_match_context *context;
    pcre2_match_data *data;
    pcre2_jit_stack *stack;
    struct kept_regex kept[KEPT];
    uint32_t next;
    char why[LEAT_REGEX_WHY_BYTES];
};

static void *take_memory(size_t size, void *unused)
{
    (void)unused;
    return leat_mem_alloc(size);
}

static void give_memory(void *ptr, void *unused)
{
    (void)unused;
    leat_mem_free(ptr);
}

/* What PCRE2 says, and where; `at` is in its own spelling of the pattern. */
static void tell_pcre2(int code, size_t at, char why[LEAT_REGEX_WHY_BYTES])
{
    PCRE2_UCHAR text[120];

    if (pcre2_get_error_message(code, text, sizeof text) < 0)
        text[0] = 0;
    snprintf(why, LEAT_REGEX_WHY_BYTES, "regular expression, at character %zu: %s", at + 1,
             (const char *)text);
}

static pcre2_code *compile(struct leat_slice pattern, pcre2_general_context *general,
                           char why[LEAT_REGEX_WHY_BYTES])
{
    pcre2_compile_context *context = pcre2_compile_context_create(general);
    pcre2_code *code = NULL;
    PCRE2_SIZE at;
    int error;

    why[0] = 0;
    if (!context)
        return NULL;
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    pcre2_set_parens_nest_limit(context, 100);
    code = pcre2_compile((PCRE2_SPTR)pattern.ptr, pattern.len,
                         PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_DOLLAR_ENDONLY |
                             PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UCP,
                         &error, &at, context);
    pcre2_compile_context_free(context);
    if (!code && error != PCRE2_ERROR_NOMEMORY && error != PCRE2_ERROR_HEAP_FAILED)
        tell_pcre2(error, at, why);
    return code;
}

static struct leat_regex *wrap(pcre2_code *code, char why[LEAT_REGEX_WHY_BYTES])
{
    struct leat_regex *re = leat_mem_alloc(sizeof *re);

    if (!re) {
        pcre2_code_free(code);
        return NULL;
    }
    re->code = code;
    pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &re->groups);
    if (re->groups > LEAT_REGEX_GROUPS_MAX) {
        snprintf(why, LEAT_REGEX_WHY_BYTES, "a regular expression has at most %d groups",
                 LEAT_REGEX_GROUPS_MAX);
        leat_regex_free(re);
        return NULL;
    }
    (void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE); /* without it the interpreter does it */
    return re;
}

struct leat_regex *leat_regex_new(struct leat_slice pattern, char why[LEAT_REGEX_WHY_BYTES])
{
    struct leat_slice spelled = {0};
    struct leat_regex *re = NULL;
    size_t at = 0;

    if (pattern.len > LEAT_REGEX_PATTERN_MAX) {
        snprintf(why, LEAT_REGEX_WHY_BYTES, "a regular expression has at most %d bytes",
                 LEAT_REGEX_PATTERN_MAX);
        return NULL;
    }
    why[0] = 0;
    char *into = leat_mem_alloc(pattern.len * 4 + 1);
    pcre2_general_context *general = pcre2_general_context_create(take_memory, give_memory, NULL);
    if (into && general) {
        const char *not = regex_subset(pattern, into, &spelled.len, &at);
        spelled.ptr = into;
        if (not )
            snprintf(why, LEAT_REGEX_WHY_BYTES, "regular expression, at character %zu: %s", at + 1,
                     not );
        pcre2_code *code = not ? NULL : compile(spelled, general, why);
        re = code ? wrap(code, why) : NULL;
    }
    pcre2_general_context_free(general);
    leat_mem_free(into);
    return re;
}

void leat_regex_free(struct leat_regex *re)
{
    if (!re)
        return;
    pcre2_code_free(re->code);
    leat_mem_free(re);
}

uint32_t leat_regex_groups(const struct leat_regex *re)
{
    return re->groups;
}

int leat_regex_group(const struct leat_regex *re, struct leat_slice name)
{
    char text[40];

    if (name.len >= sizeof text)
        return -1;
    memcpy(text, name.ptr, name.len);
    text[name.len] = 0;
    int n = pcre2_substring_number_from_name(re->code, (PCRE2_SPTR)text);
    return n > 0 ? n : -1;
}

struct leat_regex_scratch *leat_regex_scratch_new(void)
{
    struct leat_regex_scratch *s = leat_mem_alloc(sizeof *s);
    pcre2_general_context *general = pcre2_general_context_create(take_memory, give_memory, NULL);

    if (s && general) {
        s->context = pcre2_match_context_create(general);
        s->data = pcre2_match_data_create(LEAT_REGEX_GROUPS_MAX + 1, general);
    }
    if (!s || !s->context || !s->data) {
        pcre2_general_context_free(general);
        leat_regex_scratch_free(s);
        return NULL;
    }
    pcre2_set_match_limit(s->context, MATCH_LIMIT);
    pcre2_set_depth_limit(s->context, DEPTH_LIMIT);
    pcre2_set_heap_limit(s->context, HEAP_LIMIT_KIB);
    s->stack = pcre2_jit_stack_create(JIT_STACK_MIN, JIT_STACK_MAX, general);
    if (s->stack) /* without one the JIT has 32 KiB of the thread's */
        pcre2_jit_stack_assign(s->context, NULL, s->stack);
    pcre2_general_context_free(general);
    return s;
}

static void forget(struct kept_regex *k)
{
    leat_regex_free(k->re);
    leat_mem_free(k->pattern);
    *k = (struct kept_regex){0};
}

void leat_regex_scratch_free(struct leat_regex_scratch *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; i < KEPT; i++)
        forget(&s->kept[i]);
    pcre2_match_data_free(s->data);
    pcre2_match_context_free(s->context);
    pcre2_jit_stack_free(s->stack);
    leat_mem_free(s);
}

const struct leat_regex *leat_regex_find(struct leat_regex_scratch *s, struct leat_slice pattern,
                                         const char **why)
{
    for (uint32_t i = 0; i < KEPT; i++) {
        struct kept_regex *k = &s->kept[i];
        if (k->pattern && leat_slice_eq(pattern, (struct leat_slice){k->pattern, k->len})) {
            *why = k->why;
            return k->re;
        }
    }
    struct kept_regex *k = &s->kept[s->next];
    s->next = (s->next + 1) % KEPT;
    forget(k);
    bool is_short = pattern.len <= LEAT_REGEX_PATTERN_MAX;
    char *copy = is_short ? leat_mem_alloc(pattern.len + 1) : NULL;
    if (!copy) { /* not kept */
        snprintf(s->why, sizeof s->why, "%s", is_short ? "" : "the regular expression is too long");
        *why = s->why;
        return NULL;
    }
    memcpy(copy, pattern.ptr, pattern.len);
    k->pattern = copy;
    k->len = pattern.len;
    k->re = leat_regex_new(pattern, k->why);
    *why = k->why;
    if (k->re || k->why[0])
        return k->re;
    forget(k); /* out of memory: another time there may be some */
    *why = "";
    return NULL;
}

enum leat_regex_result leat_regex_match(const struct leat_regex *re, struct leat_regex_scratch *s,
                                        struct leat_slice subject, size_t start,
                                        struct leat_slice *spans, uint32_t count)
{
    int n =
        pcre2_match(re->code, (PCRE2_SPTR)subject.ptr, subject.len, start, 0, s->data, s->context);

    if (n == PCRE2_ERROR_NOMATCH)
        return LEAT_REGEX_NO;
    if (n < 0)
        return LEAT_REGEX_LIMIT;
    const PCRE2_SIZE *offsets = pcre2_get_ovector_pointer(s->data);
    for (uint32_t i = 0; i < count; i++) {
        bool took_part = i < (uint32_t)n && offsets[2 * i] != PCRE2_UNSET;
        spans[i] = took_part ? (struct leat_slice){subject.ptr + offsets[2 * i],
                                                   offsets[2 * i + 1] - offsets[2 * i]}
                             : (struct leat_slice){0};
    }
    return LEAT_REGEX_YES;
}
