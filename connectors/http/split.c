#include "split.h"

#include <inttypes.h>
#include <stdio.h>

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static size_t skip_space(struct leat_slice text, size_t at)
{
    while (at < text.len && is_space(text.ptr[at]))
        at++;
    return at;
}

static struct leat_slice trimmed(struct leat_slice text)
{
    size_t start = skip_space(text, 0);

    while (text.len > start && is_space(text.ptr[text.len - 1]))
        text.len--;
    return (struct leat_slice){text.ptr + start, text.len - start};
}

void http_split_init(struct http_split *s, struct leat_slice body, enum http_form form, bool lines)
{
    size_t first = skip_space(body, 0);

    *s = (struct http_split){.body = body, .is_json = form == HTTP_JSON};
    if (form == HTTP_LINES || (form == HTTP_JSON && lines))
        s->shape = HTTP_SHAPE_LINES;
    else if (form == HTTP_JSON && first < body.len && body.ptr[first] == '[')
        s->shape = HTTP_SHAPE_ARRAY;
}

static bool next_line(struct http_split *s, struct leat_slice *record)
{
    struct leat_slice rest, tail;

    while (s->at < s->body.len) {
        rest = (struct leat_slice){s->body.ptr + s->at, s->body.len - s->at};
        bool ended = leat_slice_cut(rest, '\n', record, &tail);
        s->at += record->len + (ended ? 1 : 0);
        if (record->len && record->ptr[record->len - 1] == '\r')
            record->len--;
        if (!s->is_json)
            return true;
        *record = trimmed(*record);
        if (record->len)
            return true;
    }
    return false;
}

/* Behind the text that begins at `at` with a quote; the end of the body when it has no end. */
static size_t skip_text(struct leat_slice body, size_t at)
{
    for (at++; at < body.len && body.ptr[at] != '"'; at++)
        if (body.ptr[at] == '\\')
            at++;
    return at < body.len ? at + 1 : body.len;
}

/* The comma or bracket that ends the element at `at`. Brackets of both kinds count alike: whether
 * they match is seen by who reads the element. */
static size_t element_end(struct leat_slice body, size_t at)
{
    for (size_t depth = 0; at < body.len;) {
        char c = body.ptr[at];
        if (c == '"') {
            at = skip_text(body, at);
            continue;
        }
        if (depth == 0 && (c == ',' || c == ']'))
            return at;
        if (c == '[' || c == '{')
            depth++;
        else if ((c == ']' || c == '}') && depth > 0)
            depth--;
        at++;
    }
    return body.len;
}

static bool end_array(struct http_split *s, const char **why)
{
    if (skip_space(s->body, s->at + 1) < s->body.len)
        *why = "something stands behind the end of the array";
    s->at = s->body.len;
    return false;
}

/* `at` is at the opening bracket, or at what ended the element before. */
static bool next_element(struct http_split *s, struct leat_slice *record, const char **why)
{
    if (s->records == 0) {
        s->at = skip_space(s->body, 0);
        size_t first = skip_space(s->body, s->at + 1);
        if (first < s->body.len && s->body.ptr[first] == ']') {
            s->at = first;
            return end_array(s, why);
        }
    } else if (s->at < s->body.len && s->body.ptr[s->at] == ']') {
        return end_array(s, why);
    } else if (s->at == s->body.len) {
        return false;
    }
    size_t from = s->at + 1, end = element_end(s->body, from);
    s->at = end;
    if (end == s->body.len) {
        *why = "the array has no end";
        return false;
    }
    *record = trimmed((struct leat_slice){s->body.ptr + from, end - from});
    return true;
}

bool http_split_next(struct http_split *s, struct leat_slice *record, const char **why)
{
    bool found;

    *why = NULL;
    if (s->shape == HTTP_SHAPE_LINES) {
        found = next_line(s, record);
    } else if (s->shape == HTTP_SHAPE_ARRAY) {
        found = next_element(s, record, why);
    } else {
        found = s->records == 0;
        *record = s->is_json ? trimmed(s->body) : s->body;
    }
    s->records += found;
    return found;
}

static void refuse(struct http_verdict *v, unsigned status, const struct http_split *s,
                   struct leat_slice why)
{
    v->status = status;
    if (s->shape == HTTP_SHAPE_ONE)
        snprintf(v->text, sizeof v->text, "the body: %.*s", (int)(why.len < 180 ? why.len : 180),
                 why.ptr);
    else
        snprintf(v->text, sizeof v->text, "record %" PRIu64 ": %.*s", s->records,
                 (int)(why.len < 180 ? why.len : 180), why.ptr);
}

static void check_record(const struct http_split *s, const struct leat_json_plan *plan,
                         struct leat_slice record, size_t max_record, struct leat_arena *arena,
                         struct http_verdict *v)
{
    struct leat_arena_mark mark = leat_arena_mark(arena);
    struct leat_value wrong = {0};
    char text[80];

    if (max_record && record.len > max_record) {
        snprintf(text, sizeof text, "%zu bytes, the most that is taken is %zu", record.len,
                 max_record);
        refuse(v, 413, s, leat_slice_str(text));
        return;
    }
    if (!s->is_json)
        return;
    if (record.len == 0) {
        refuse(v, 400, s, LEAT_LIT("nothing stands where a JSON value should"));
        return;
    }
    bool good = leat_json_read(plan, NULL, record, arena, NULL, 0, &wrong);
    if (!good)
        refuse(v, wrong.code == LEAT_V_BUDGET ? 503 : 400, s, leat_value_text(wrong));
    leat_arena_rewind(arena, mark);
}

void http_split_check(struct http_split s, const struct leat_json_plan *plan, size_t max_record,
                      struct leat_arena *arena, struct http_verdict *verdict)
{
    struct leat_slice record;
    const char *why;

    *verdict = (struct http_verdict){0};
    while (verdict->status == 0 && http_split_next(&s, &record, &why))
        check_record(&s, plan, record, max_record, arena, verdict);
    if (verdict->status == 0 && why) {
        verdict->status = 400;
        snprintf(verdict->text, sizeof verdict->text, "behind record %" PRIu64 ": %s", s.records,
                 why);
    }
    verdict->records = s.records;
}
