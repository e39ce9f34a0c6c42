#include "yaml_bounds.h"

#include "pipeline_file.h"

/* What the library keeps while it looks for the end of a key (`&a`, `!t`, `*a`), about 1 KiB for
 * each bracket that is not closed yet, and lines without text inside a scalar, which it walks again
 * for each of them. */
enum { PROPERTIES_MAX = 20000, BRACKETS_MAX = 40000, EMPTY_LINES_MAX = 1000 };

static bool is_follower(struct leat_slice text, size_t i)
{
    return i < text.len && ((unsigned char)text.ptr[i] & 0xc0) == 0x80;
}

/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
size_t config_utf8_len(struct leat_slice text)
{
    unsigned char a = text.len ? (unsigned char)text.ptr[0] : 0xff;
    unsigned char b = text.len > 1 ? (unsigned char)text.ptr[1] : 0;

    if (a < 0x80)
        return 1;
    if (a < 0xc2 || a > 0xf4 || !is_follower(text, 1))
        return 0;
    if (a < 0xe0)
        return 2;
    if ((a == 0xe0 && b < 0xa0) || (a == 0xed && b > 0x9f) || !is_follower(text, 2))
        return 0;
    if (a < 0xf0)
        return 3;
    if ((a == 0xf0 && b < 0x90) || (a == 0xf4 && b > 0x8f) || !is_follower(text, 3))
        return 0;
    return 4;
}

static bool is_control(char c)
{
    unsigned char u = (unsigned char)c;

    return (u < 0x20 && c != '\t' && c != '\n' && c != '\r') || u == 0x7f;
}

static bool is_property(struct leat_slice text, size_t i)
{
    return strchr("&!*", text.ptr[i]) &&
           (i == 0 || strchr(" \t\n\r[]{},:-?", text.ptr[i - 1]) != NULL);
}

/* How far a check has come. */
struct bounds {
    uint32_t line, column;
    size_t line_start;
    uint32_t properties, brackets, empty_lines;
    bool line_says_something;
};

static void end_line(struct bounds *b, size_t next_start)
{
    b->empty_lines = b->line_says_something ? 0 : b->empty_lines + 1;
    b->line_says_something = false;
    b->line++;
    b->column = 0;
    b->line_start = next_start;
}

/* NULL: nothing is wrong with the character at i, which has this many bytes. */
static const char *what_is_wrong(struct bounds *b, struct leat_slice text, size_t i, size_t len)
{
    char c = text.ptr[i];

    if (len == 0)
        return "this byte is not UTF-8";
    if (c == 0)
        return "a NUL byte has no place in a pipeline file";
    if (is_control(c))
        return "a control character has no place in a pipeline file";
    if (c == '%' && i == b->line_start)
        return "'%' at the start of a line is a YAML directive, which has no place in a pipeline "
               "file";
    if (i - b->line_start >= CONFIG_LINE_MAX)
        return "this line is longer than 64 KiB";
    b->properties += is_property(text, i);
    b->brackets += c == '[' || c == '{';
    if (b->properties > PROPERTIES_MAX)
        return "this file has more than 20,000 YAML anchors, aliases and tags";
    if (b->brackets > BRACKETS_MAX)
        return "this file has more than 40,000 opening brackets";
    return b->empty_lines > EMPTY_LINES_MAX ? "more than 1,000 lines in a row are empty" : NULL;
}

bool config_bounds_check(struct leat_slice text, struct leat_diags *diags)
{
    struct bounds b = {.line = 1, .column = 1};
    size_t len;

    for (size_t i = 0; i < text.len; i += len, b.column++) {
        len = config_utf8_len((struct leat_slice){text.ptr + i, text.len - i});
        const char *wrong = what_is_wrong(&b, text, i, len);
        struct leat_node at = {.mark = {b.line, b.column, 1}};
        if (wrong) {
            leat_diag_error(diags, &at, "%s", wrong);
            return false;
        }
        if (text.ptr[i] == '\n')
            end_line(&b, i + 1);
        else
            b.line_says_something |= !strchr(" \t\r", text.ptr[i]);
    }
    return true;
}

bool config_lines_init(struct config_lines *lines, struct leat_slice text, struct leat_arena *arena)
{
    uint32_t count = 1;

    for (size_t i = 0; i < text.len; i++)
        count += text.ptr[i] == '\n';
    *lines = (struct config_lines){.text = text};
    lines->starts = leat_arena_array(arena, count, sizeof *lines->starts);
    if (!lines->starts)
        return false;
    lines->starts[lines->count++] = 0;
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '\n')
            lines->starts[lines->count++] = i + 1;
    return true;
}

static uint32_t line_at(const struct config_lines *lines, size_t at)
{
    uint32_t low = 0, high = lines->count;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (lines->starts[middle] <= at)
            low = middle;
        else
            high = middle;
    }
    return low;
}

struct leat_mark config_lines_mark(struct config_lines *lines, size_t from, size_t to)
{
    const char *base = lines->text.ptr;

    if (from > lines->text.len)
        from = lines->text.len;
    uint32_t line = line_at(lines, from);
    size_t start = lines->starts[line], end = start + config_lines_get(lines, line + 1).len;
    if (to > end)
        to = end;
    if (lines->last < start || lines->last > from) {
        lines->last = start;
        lines->last_column = 0;
    }
    lines->last_column +=
        leat_utf8_count((struct leat_slice){base + lines->last, from - lines->last});
    lines->last = from;
    size_t len = to > from ? leat_utf8_count((struct leat_slice){base + from, to - from}) : 1;
    return (struct leat_mark){line + 1, (uint32_t)lines->last_column + 1, (uint32_t)len};
}

struct leat_slice config_lines_get(const struct config_lines *lines, uint32_t number)
{
    if (number == 0 || number > lines->count)
        return (struct leat_slice){"", 0};
    size_t start = lines->starts[number - 1];
    size_t end = number < lines->count ? lines->starts[number] - 1 : lines->text.len;
    while (end > start && lines->text.ptr[end - 1] == '\r')
        end--;
    return (struct leat_slice){lines->text.ptr + start, end - start};
}
