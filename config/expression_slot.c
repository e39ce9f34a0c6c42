#include "expression_slot.h"

#include "yaml_tree.h"

#include <ctype.h>

enum { SHOWN_MAX = 300 };

static struct leat_slice skip(struct leat_slice s, size_t n)
{
    return (struct leat_slice){s.ptr + n, s.len - n};
}

static struct leat_slice trim(struct leat_slice s)
{
    while (s.len && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = skip(s, 1);
    while (s.len && isspace((unsigned char)s.ptr[s.len - 1]))
        s.len--;
    return s;
}

/* "- key: value", with any number of "- " in front. */
static bool split(struct leat_slice line, struct leat_slice *key, struct leat_slice *value)
{
    size_t n = 0;

    line = trim(line);
    while (line.len > 2 && line.ptr[0] == '-' && line.ptr[1] == ' ')
        line = trim(skip(line, 2));
    while (n < line.len && (isalnum((unsigned char)line.ptr[n]) || strchr("_.-", line.ptr[n])))
        n++;
    if (n == 0 || n + 1 >= line.len || line.ptr[n] != ':' || line.ptr[n + 1] != ' ')
        return false;
    *key = (struct leat_slice){line.ptr, n};
    *value = trim(skip(line, n + 1));
    return value->len > 0 && value->len <= SHOWN_MAX && !strchr("{[", value->ptr[0]);
}

static bool is_good_value(struct leat_slice value)
{
    char line[SHOWN_MAX + 8] = "x: ";

    memcpy(line + 3, value.ptr, value.len);
    line[3 + value.len] = '\n';
    return config_yaml_is_valid((struct leat_slice){line, value.len + 4});
}

/* A quote that is never closed is another mistake. */
static bool is_open_quote(struct leat_slice value)
{
    char quote = value.ptr[0];

    return (quote == '"' || quote == '\'') && !memchr(value.ptr + 1, quote, value.len - 1);
}

static bool hint(struct leat_slice line, struct leat_diag *d, struct leat_diags *diags)
{
    struct leat_slice key, value;
    char quoted[2 * SHOWN_MAX];
    size_t n = 0;

    if (!split(line, &key, &value) || is_open_quote(value) || is_good_value(value))
        return false;
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '\'')
            quoted[n++] = '\'';
        quoted[n++] = value.ptr[i];
    }
    leat_diag_hint(diags, d, "quote the expression: `%.*s: '%.*s'`", LEAT_FMT(key), (int)n, quoted);
    return true;
}

static bool begins_with_tab(struct leat_slice line)
{
    size_t i = 0;

    while (i < line.len && line.ptr[i] == ' ')
        i++;
    return i < line.len && line.ptr[i] == '\t';
}

static size_t indent_of(struct leat_slice line)
{
    size_t i = 0;

    while (i < line.len && line.ptr[i] == ' ')
        i++;
    return i;
}

/* What stands in the next line is often the mistake behind the library's words. */
static bool note_next_line(const struct config_lines *lines, uint32_t line, struct leat_diag *d,
                           struct leat_diags *diags)
{
    struct leat_slice here = config_lines_get(lines, line);
    struct leat_slice below = config_lines_get(lines, line + 1);
    struct leat_slice key, value;

    if (begins_with_tab(here) || begins_with_tab(below))
        leat_diag_note(diags, d, "YAML wants spaces in front of a line, not tabs");
    else if (split(here, &key, &value) && indent_of(below) > indent_of(here))
        leat_diag_note(diags, d, "is line %u indented too far?", line + 1);
    else
        return false;
    return true;
}

/* The library may stumble on the line behind the one that is wrong. */
bool config_syntax_hint(const struct config_lines *lines, struct leat_diag *d,
                        struct leat_diags *diags)
{
    uint32_t line = d->mark.line;

    if (hint(config_lines_get(lines, line), d, diags))
        return true;
    if (line > 1 && hint(config_lines_get(lines, line - 1), d, diags))
        leat_diag_note(diags, d, "the line above is meant");
    else
        return note_next_line(lines, line, d, diags);
    return true;
}
