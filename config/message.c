#include "message.h"

#include "yaml_bounds.h"

#include "base/hidden.h"

enum { TAB_COLUMNS = 4, SHOWN_COLUMNS = 120, LEAD_COLUMNS = 60 };

/* One character; what a terminal would obey is shown as '?'. Returns its bytes. */
static size_t put_character(struct leat_slice text, FILE *out)
{
    unsigned char c = (unsigned char)text.ptr[0];
    size_t len = config_utf8_len(text);
    bool is_c1 = len == 2 && c == 0xc2 && (unsigned char)text.ptr[1] < 0xa0;

    if (len == 0 || is_c1 || c < 0x20 || c == 0x7f)
        fputc(c == '\n' || c == '\t' ? ' ' : '?', out);
    else
        fwrite(text.ptr, 1, len, out);
    return len ? len : 1;
}

/* Texts come from the file, escapes included, and may hold what a ${file:} gave. */
static void put_text(struct leat_slice text, FILE *out)
{
    for (size_t i = 0, len; i < text.len; i += len) {
        len = leat_hidden_at(text, i);
        if (len)
            fputs(LEAT_HIDDEN_SHOWN, out);
        else
            len = put_character((struct leat_slice){text.ptr + i, text.len - i}, out);
    }
}

static uint32_t code_point(const char *p, size_t len)
{
    static const unsigned char masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t c = (unsigned char)p[0] & masks[len];

    for (size_t i = 1; i < len; i++)
        c = c << 6 | ((unsigned char)p[i] & 0x3f);
    return c;
}

/* Columns of a terminal, for the scripts that people write: wide East Asian letters and emoji are
 * two, marks that sit on other letters none. */
static unsigned columns_of(uint32_t c)
{
    static const struct {
        uint32_t from, to;
        unsigned columns;
    } ranges[] = {
        {0x0300, 0x036f, 0}, {0x0483, 0x0489, 0},   {0x0591, 0x05bd, 0},   {0x064b, 0x065f, 0},
        {0x1100, 0x115f, 2}, {0x1ab0, 0x1aff, 0},   {0x1dc0, 0x1dff, 0},   {0x200b, 0x200f, 0},
        {0x20d0, 0x20ff, 0}, {0x2e80, 0x303e, 2},   {0x3041, 0x33ff, 2},   {0x3400, 0x4dbf, 2},
        {0x4e00, 0x9fff, 2}, {0xa000, 0xa4cf, 2},   {0xac00, 0xd7a3, 2},   {0xf900, 0xfaff, 2},
        {0xfe00, 0xfe0f, 0}, {0xfe20, 0xfe2f, 0},   {0xfe30, 0xfe6f, 2},   {0xff00, 0xff60, 2},
        {0xffe0, 0xffe6, 2}, {0x1f300, 0x1f64f, 2}, {0x1f900, 0x1f9ff, 2}, {0x20000, 0x3fffd, 2},
    };

    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (c >= ranges[i].from && c <= ranges[i].to)
            return ranges[i].columns;
    return 1;
}

static unsigned columns_at(struct leat_slice line, size_t i, size_t len)
{
    if (line.ptr[i] == '\t')
        return TAB_COLUMNS;
    return len ? columns_of(code_point(line.ptr + i, len)) : 1;
}

static bool is_secret(const struct leat_diags *diags, uint32_t line, uint32_t column)
{
    for (const struct leat_secret *s = diags->secrets; s; s = s->next)
        if (s->mark.line == line && column >= s->mark.column &&
            column < s->mark.column + s->mark.len)
            return true;
    return false;
}

static bool has_letters(struct leat_slice line, const char *word)
{
    size_t n = strlen(word);

    for (size_t i = 0; i + n <= line.len; i++)
        if (strncasecmp(line.ptr + i, word, n) == 0)
            return true;
    return false;
}

/* A line that was never understood as settings: nobody could say where its secrets are. */
static bool may_hide_secret(const struct config_file *file, struct leat_slice line)
{
    return !file->root && (has_letters(line, "password") || has_letters(line, "secret"));
}

static struct leat_slice line_of(struct leat_slice text, uint32_t number)
{
    for (uint32_t i = 1; i < number; i++) {
        const char *end = text.len ? memchr(text.ptr, '\n', text.len) : NULL;
        if (!end)
            return (struct leat_slice){"", 0};
        text = (struct leat_slice){end + 1, text.len - (size_t)(end + 1 - text.ptr)};
    }
    const char *end = text.len ? memchr(text.ptr, '\n', text.len) : NULL;
    if (end)
        text.len = (size_t)(end - text.ptr);
    while (text.len && text.ptr[text.len - 1] == '\r')
        text.len--;
    return text;
}

/* The part of the line that is shown: columns [from, from + SHOWN_COLUMNS) of the terminal. */
struct view {
    const struct leat_diags *diags;
    struct leat_slice line;
    struct leat_mark mark;
    unsigned from;
    unsigned caret, carets; /* columns of the terminal: where, and how many */
};

static void find_caret(struct view *v)
{
    unsigned column = 0;
    uint32_t number = 1;

    v->carets = 0;
    for (size_t i = 0, len; i < v->line.len; i += len ? len : 1, number++) {
        len = config_utf8_len((struct leat_slice){v->line.ptr + i, v->line.len - i});
        unsigned wide = columns_at(v->line, i, len);
        if (number == v->mark.column)
            v->caret = column;
        if (number >= v->mark.column && number - v->mark.column < v->mark.len)
            v->carets += wide;
        column += wide;
    }
    if (number <= v->mark.column)
        v->caret = column;
    if (v->carets == 0)
        v->carets = 1;
    v->from = column > SHOWN_COLUMNS && v->caret > LEAD_COLUMNS ? v->caret - LEAD_COLUMNS : 0;
}

static void put_line(const struct view *v, FILE *out)
{
    unsigned column = 0;
    uint32_t number = 1;

    fputs(v->from ? "..." : "", out);
    for (size_t i = 0, len; i < v->line.len; i += len ? len : 1, number++) {
        len = config_utf8_len((struct leat_slice){v->line.ptr + i, v->line.len - i});
        unsigned wide = columns_at(v->line, i, len);
        column += wide;
        if (column <= v->from)
            continue;
        bool masked = is_secret(v->diags, v->mark.line, number);
        if (column > v->from + SHOWN_COLUMNS) {
            fputs("...", out);
            break;
        }
        if (v->line.ptr[i] == '\t' || masked)
            fprintf(out, "%.*s", (int)wide, masked ? "****" : "    ");
        else
            put_character((struct leat_slice){v->line.ptr + i, v->line.len - i}, out);
    }
    fputc('\n', out);
}

static void put_caret(const struct view *v, struct leat_slice hint, FILE *out)
{
    unsigned before = v->caret - v->from + (v->from ? 3 : 0);
    unsigned room = v->from + SHOWN_COLUMNS > v->caret ? v->from + SHOWN_COLUMNS - v->caret : 1;

    fprintf(out, "      | %*s^", (int)before, "");
    for (unsigned i = 1; i < v->carets && i < room; i++)
        fputc('~', out);
    if (hint.len) {
        fputc(' ', out);
        put_text(hint, out);
    }
    fputc('\n', out);
}

static void put_place(const struct leat_diag *d, bool with_hint, FILE *out)
{
    const struct leat_slice parts[] = {with_hint ? d->hint : LEAT_LIT(""), d->path, d->note};
    bool first = true;

    for (size_t i = 0; i < 3; i++) {
        if (parts[i].len == 0)
            continue;
        fputs(first ? "      = " : "; ", out);
        put_text(parts[i], out);
        first = false;
    }
    if (!first)
        fputc('\n', out);
}

static void put_diag(const struct config_file *file, const struct leat_diags *diags,
                     const struct leat_diag *d, FILE *out)
{
    struct view v = {.diags = diags, .mark = d->mark};
    bool shown;

    fputs(file->name, out);
    if (d->mark.line)
        fprintf(out, ":%u:%u", d->mark.line, d->mark.column);
    fputs(d->severity == LEAT_SEVERITY_ERROR ? ": error: " : ": warning: ", out);
    put_text(d->text, out);
    fputc('\n', out);
    v.line = line_of(file->text, d->mark.line);
    shown = d->mark.line && !may_hide_secret(file, v.line);
    if (shown) {
        find_caret(&v);
        fprintf(out, "%5u | ", d->mark.line);
        put_line(&v, out);
        put_caret(&v, may_hide_secret(file, d->hint) ? LEAT_LIT("") : d->hint, out);
    }
    put_place(d, !shown && d->mark.line == 0, out);
}

static bool is_before(const struct leat_diag *a, const struct leat_diag *b)
{
    if (a->mark.line != b->mark.line)
        return a->mark.line < b->mark.line;
    return a->mark.column < b->mark.column;
}

static bool is_same(const struct leat_diag *a, const struct leat_diag *b)
{
    return a->mark.line == b->mark.line && a->mark.column == b->mark.column &&
           a->severity == b->severity && leat_slice_eq(a->text, b->text);
}

/* Into the order of the file; of two about one place the first that was found comes first, and what
 * is said twice (aliases show one place several times) is said once. */
static size_t sort(const struct leat_diags *diags, const struct leat_diag **sorted)
{
    size_t n = 0;

    for (const struct leat_diag *d = diags->first; d && n < LEAT_DIAGS_MAX; d = d->next) {
        bool seen = false;
        for (size_t i = 0; i < n && !seen; i++)
            seen = is_same(sorted[i], d);
        size_t at = n;
        for (; !seen && at > 0 && is_before(d, sorted[at - 1]); at--)
            sorted[at] = sorted[at - 1];
        if (seen)
            continue;
        sorted[at] = d;
        n++;
    }
    return n;
}

static void put_count(uint32_t n, const char *what, FILE *out)
{
    fprintf(out, "%u %s%s", n, what, n == 1 ? "" : "s");
}

static void put_summary(const struct leat_diags *diags, uint32_t twice_errors,
                        uint32_t twice_warnings, FILE *out)
{
    uint32_t errors = diags->errors - twice_errors, warnings = diags->warnings - twice_warnings;

    if (errors)
        put_count(errors, "error", out);
    if (errors && warnings)
        fputs(", ", out);
    if (warnings)
        put_count(warnings, "warning", out);
    if (diags->errors + diags->warnings > diags->kept)
        fprintf(out, "; the first %u are shown", diags->kept);
    fputc('\n', out);
}

void config_message_print(const struct config_file *file, const struct leat_diags *diags, FILE *out)
{
    const struct leat_diag *sorted[LEAT_DIAGS_MAX];
    size_t n = sort(diags, sorted);
    uint32_t errors = 0, warnings = 0;

    if (diags->errors + diags->warnings == 0)
        return;
    for (const struct leat_diag *d = diags->first; d; d = d->next) {
        errors += d->severity == LEAT_SEVERITY_ERROR;
        warnings += d->severity == LEAT_SEVERITY_WARNING;
    }
    for (size_t i = 0; i < n; i++) {
        put_diag(file, diags, sorted[i], out);
        errors -= sorted[i]->severity == LEAT_SEVERITY_ERROR;
        warnings -= sorted[i]->severity == LEAT_SEVERITY_WARNING;
    }
    put_summary(diags, errors, warnings, out);
}
