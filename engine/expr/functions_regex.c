/*
 * functions_regex.c - matches, extract, extractAll, regexReplace.
 *
 * A pattern that stands in the pipeline file is compiled once, with the expression; one that comes
 * from data is compiled when it is first seen and kept by the worker. Thread: that of the eval.
 */
#include "expr/call.h"

#define SPANS (LEAT_REGEX_GROUPS_MAX + 1)

struct search {
    struct leat_call *call;
    const struct leat_regex *re;
    struct leat_regex_scratch *scratch;
    struct leat_slice subject;
    struct leat_value why; /* when it cannot start */
};

static void free_prepared(void *re)
{
    leat_regex_free(re);
}

static const void *prepare(struct leat_value constant, struct leat_arena *arena, const char **why)
{
    char text[LEAT_REGEX_WHY_BYTES];

    *why = "a regular expression is text";
    if (constant.tag != LEAT_STRING)
        return NULL;
    struct leat_regex *re = leat_regex_new(leat_value_text(constant), text);
    if (re && leat_arena_on_reset(arena, free_prepared, re))
        return re;
    /* out of memory: not a mistake of the file, so it is tried again with the first row */
    *why = re || !text[0] ? NULL : leat_arena_copy(arena, leat_slice_str(text)).ptr;
    leat_regex_free(re);
    return NULL;
}

/* Look at the subject and the pattern, the first two arguments. */
static bool start(struct search *s, struct leat_call *call, const struct leat_value *args)
{
    const char *why = "";

    *s = (struct search){.call = call};
    if (args[0].tag != LEAT_STRING || args[1].tag != LEAT_STRING)
        s->why = call_refuse("no such overload: regular expressions take text and a pattern");
    else if (!leat_call_charge(call, 1 + args[0].len / 1024))
        s->why = leat_call_exhausted();
    else if (!(s->scratch = leat_eval_regex(call->ev)))
        s->why = call_full();
    else
        s->re = call->prepared ? call->prepared
                               : leat_regex_find(s->scratch, leat_value_text(args[1]), &why);
    if (!s->re && !s->why.tag) {
        struct leat_slice copy = leat_arena_copy(call->arena, leat_slice_str(why));
        s->why = copy.ptr && why[0] ? call_wrong(copy.ptr) : call_full();
    }
    s->subject = leat_value_text(args[0]); /* read only when re is there, so it is text */
    return s->re != NULL;
}

static struct leat_value gave_up(void)
{
    return leat_value_fail(LEAT_V_BUDGET, "the regular expression takes too many steps");
}

static struct leat_value call_matches(struct leat_call *call, const struct leat_value *args,
                                      uint32_t n)
{
    struct search s;

    (void)n;
    if (!start(&s, call, args))
        return s.why;
    enum leat_regex_result found = leat_regex_match(s.re, s.scratch, s.subject, 0, NULL, 0);
    return found == LEAT_REGEX_LIMIT ? gave_up() : leat_bool(found == LEAT_REGEX_YES);
}

/* Without a number the first group, or the whole match where there are no groups. */
static bool group_of(const struct search *s, const struct leat_value *args, uint32_t n,
                     uint32_t *group)
{
    uint32_t groups = leat_regex_groups(s->re);

    if (n < 3) {
        *group = groups ? 1 : 0;
        return true;
    }
    if (args[2].tag != LEAT_INT || args[2].as.i < 0 || args[2].as.i > groups)
        return false;
    *group = (uint32_t)args[2].as.i;
    return true;
}

static struct leat_value no_group(void)
{
    return call_wrong("the regular expression has no group of this number");
}

static struct leat_value call_extract(struct leat_call *call, const struct leat_value *args,
                                      uint32_t n)
{
    struct leat_slice spans[SPANS];
    struct search s;
    uint32_t group;

    if (!start(&s, call, args))
        return s.why;
    if (!group_of(&s, args, n, &group))
        return no_group();
    enum leat_regex_result found =
        leat_regex_match(s.re, s.scratch, s.subject, 0, spans, group + 1);
    if (found == LEAT_REGEX_LIMIT)
        return gave_up();
    return found == LEAT_REGEX_YES ? leat_string(spans[group]) : (struct leat_value){0};
}

/* Matches one behind the other; an empty match moves on by a character. */
struct walk {
    size_t at;
    bool over;
};

static enum leat_regex_result next_match(struct search *s, struct walk *w, struct leat_slice *spans,
                                         uint32_t count)
{
    if (w->over)
        return LEAT_REGEX_NO;
    if (!leat_call_charge(s->call, 1 + (s->subject.len - w->at) / 4096))
        return LEAT_REGEX_LIMIT;
    enum leat_regex_result found =
        leat_regex_match(s->re, s->scratch, s->subject, w->at, spans, count);
    if (found != LEAT_REGEX_YES)
        return found;
    size_t end = (size_t)(spans[0].ptr + spans[0].len - s->subject.ptr);
    w->over = spans[0].len == 0 && end == s->subject.len;
    if (spans[0].len == 0 && !w->over)
        for (end++; end < s->subject.len && (s->subject.ptr[end] & 0xc0) == 0x80;)
            end++;
    w->at = end;
    return found;
}

static struct leat_value call_extract_all(struct leat_call *call, const struct leat_value *args,
                                          uint32_t n)
{
    struct leat_slice spans[SPANS];
    struct leat_bytes items = {.arena = call->arena};
    struct search s;
    struct walk w = {0};
    enum leat_regex_result found;
    uint32_t group, count = 0;

    if (!start(&s, call, args))
        return s.why;
    if (!group_of(&s, args, n, &group))
        return no_group();
    while ((found = next_match(&s, &w, spans, group + 1)) == LEAT_REGEX_YES) {
        struct leat_value item = leat_string(spans[group]);
        leat_bytes_put(&items, &item, sizeof item);
        count++;
        if (items.len > CALL_OUT_MAX)
            return call_too_large();
    }
    if (found == LEAT_REGEX_LIMIT)
        return gave_up();
    return items.failed ? call_full() : call_list((const void *)items.ptr, count);
}

/* One of $1 $12 ${1} ${name} $$ at *p, behind the '$'. False: none of these. */
static bool put_reference(struct call_out *out, const struct search *s,
                          const struct leat_slice *spans, const char **p, const char *end)
{
    const char *from = *p;
    bool brace = from < end && *from == '{';
    uint32_t groups = leat_regex_groups(s->re);
    int number = 0;

    if (from < end && *from == '$') {
        call_out_put(out, "$", 1);
        ++*p;
        return true;
    }
    from += brace;
    const char *to = from;
    while (to < end && (brace ? *to != '}' : (*to >= '0' && *to <= '9' && to - from < 2)))
        to++;
    if (to == from || (brace && to == end))
        return false;
    for (const char *digit = from; digit < to && number >= 0; digit++)
        number = *digit >= '0' && *digit <= '9' && number < 100 ? number * 10 + (*digit - '0') : -1;
    if (number < 0)
        number = leat_regex_group(s->re, (struct leat_slice){from, (size_t)(to - from)});
    if (number < 0 || (uint32_t)number > groups)
        return false;
    call_out_slice(out, spans[number]);
    *p = to + brace;
    return true;
}

static bool put_replacement(struct call_out *out, const struct search *s,
                            const struct leat_slice *spans, struct leat_slice to)
{
    const char *p = to.ptr, *end = p + to.len;

    while (p < end) {
        const char *dollar = memchr(p, '$', (size_t)(end - p));
        call_out_put(out, p, (size_t)((dollar ? dollar : end) - p));
        if (!dollar)
            return true;
        p = dollar + 1;
        if (!put_reference(out, s, spans, &p, end))
            return false;
    }
    return true;
}

static struct leat_value call_regex_replace(struct leat_call *call, const struct leat_value *args,
                                            uint32_t n)
{
    struct leat_slice spans[SPANS];
    struct call_out out;
    struct search s;
    struct walk w = {0};
    enum leat_regex_result found = LEAT_REGEX_NO;
    size_t done = 0;

    (void)n;
    if (!start(&s, call, args))
        return s.why;
    if (args[2].tag != LEAT_STRING)
        return call_refuse("no such overload: regexReplace() takes text, a pattern and text");
    call_out_start(&out, call);
    uint32_t count = leat_regex_groups(s.re) + 1;
    while (!out.too_large && !out.exhausted &&
           (found = next_match(&s, &w, spans, count)) == LEAT_REGEX_YES) {
        size_t at = (size_t)(spans[0].ptr - s.subject.ptr);
        call_out_put(&out, s.subject.ptr + done, at - done);
        if (!put_replacement(&out, &s, spans, leat_value_text(args[2])))
            return call_wrong("in what replaces, $1 ${1} ${name} name a group and $$ is a dollar");
        done = at + spans[0].len;
    }
    if (found == LEAT_REGEX_LIMIT)
        return gave_up();
    call_out_put(&out, s.subject.ptr + done, s.subject.len - done);
    return call_out_text(&out);
}

/* clang-format off */
const struct leat_function leat_functions_regex[] = {
    {.name = "matches", .form = CALL_BOTH, .overloads = "SS>B", .call = call_matches,
     .prepare = prepare, .constant_arg = 1,
     .signature = "text.matches(re)",
     .help = "Whether the regular expression (RE2's language) fits anywhere in the text."},
    {.name = "extract", .form = CALL_BOTH, .overloads = "SS>A SSI>A", .call = call_extract,
     .prepare = prepare, .constant_arg = 1,
     .signature = "text.extract(re), text.extract(re, n)",
     .help = "What group n of the first match holds, by default the first group, or the whole match "
             "where there is no group; null when there is no match."},
    {.name = "extractAll", .form = CALL_BOTH, .overloads = "SS>L SSI>L",
     .call = call_extract_all, .prepare = prepare, .constant_arg = 1,
     .signature = "text.extractAll(re), text.extractAll(re, n)",
     .help = "The same of every match, as a list."},
    {.name = "regexReplace", .form = CALL_BOTH, .overloads = "SSS>S",
     .call = call_regex_replace, .prepare = prepare, .constant_arg = 1,
     .signature = "text.regexReplace(re, to)",
     .help = "Every match replaced; in `to`, $1 ${1} ${name} stand for groups, $0 for the whole "
             "match, $$ for a dollar."},
    {0},
};
/* clang-format on */
