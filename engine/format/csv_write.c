/* csv_write.c - rows to lines of CSV. */
#include "csv.h"

void csv_put_cell(struct leat_bytes *into, char delimiter, struct leat_slice text, bool alone)
{
    bool quote = alone && text.len == 0;

    for (size_t i = 0; i < text.len && !quote; i++) {
        char c = text.ptr[i];
        quote = c == delimiter || c == '"' || c == '\n' || c == '\r';
    }
    if (!quote) {
        leat_bytes_put(into, text.ptr, text.len);
        return;
    }
    leat_bytes_put(into, "\"", 1);
    for (struct leat_slice part; text.len;) {
        bool found = leat_slice_cut(text, '"', &part, &text);
        leat_bytes_put(into, part.ptr, part.len);
        if (found)
            leat_bytes_put(into, "\"\"", 2);
    }
    leat_bytes_put(into, "\"", 1);
}

struct writer {
    const struct csv *c;
    struct leat_arena *arena;
    struct leat_bytes *into;
    struct leat_value why; /* an error: the row cannot be written */
};

/* What is nested stands in its cell as JSON; null and absent are empty. */
static bool put_value(struct writer *w, struct leat_value v, bool alone)
{
    struct leat_bytes text = {.arena = w->arena};
    struct leat_slice cell = {0};

    switch ((enum leat_tag)v.tag) {
    case LEAT_NULL:
        break;
    case LEAT_STRING:
        cell = leat_value_text(v);
        break;
    case LEAT_BOOL:
    case LEAT_INT:
    case LEAT_UINT:
    case LEAT_DOUBLE:
        leat_value_print(v, w->into);
        return true;
    case LEAT_BYTES:
    case LEAT_LIST:
    case LEAT_MAP:
    case LEAT_RECORD:
        if (!leat_json_write(v, &text, &w->why))
            return false;
        cell = leat_bytes_slice(&text);
        if (v.tag == LEAT_BYTES) /* base64, without JSON's quotes */
            cell = (struct leat_slice){cell.ptr + 1, cell.len - 2};
        break;
    case LEAT_TIMESTAMP:
    case LEAT_DURATION:
    case LEAT_TYPE:
        leat_value_print(v, &text);
        cell = leat_bytes_slice(&text);
        break;
    case LEAT_ERROR:
        if (v.code == LEAT_V_ABSENT)
            break;
        w->why = v;
        return false;
    }
    if (text.failed)
        w->into->failed = true;
    csv_put_cell(w->into, w->c->delimiter[0], cell, alone);
    return true;
}

static bool put_list(struct writer *w, struct leat_value list)
{
    for (uint32_t i = 0; i < list.len; i++) {
        if (i)
            leat_bytes_put(w->into, w->c->delimiter, 1);
        if (!put_value(w, list.as.items[i], list.len == 1))
            return false;
    }
    return true;
}

static bool put_map(struct writer *w, struct leat_value map)
{
    uint32_t names = csv_names_count(w->c), n = names ? names : map.len;

    for (uint32_t i = 0; i < n; i++) {
        struct leat_value v =
            names ? leat_value_field(map, csv_name(w->c, i), w->arena) : map.as.items[2 * i + 1];
        if (i)
            leat_bytes_put(w->into, w->c->delimiter, 1);
        if (!put_value(w, v, n == 1))
            return false;
    }
    return true;
}

static bool put_row(struct writer *w, struct leat_value v)
{
    if (v.tag == LEAT_MAP || v.tag == LEAT_RECORD) {
        v = leat_value_expand(v, w->arena);
        if (v.tag == LEAT_MAP)
            return put_map(w, v);
    }
    return v.tag == LEAT_LIST ? put_list(w, v) : put_value(w, v, true);
}

enum leat_status csv_encode(const void *self, struct leat_chunk *chunk, uint32_t column,
                            struct leat_error *err)
{
    struct leat_bytes bytes = {.arena = chunk->arena};
    struct writer w = {.c = self, .arena = chunk->arena, .into = &bytes};

    if (csv_check_delimiter(w.c, err) != LEAT_OK)
        return err->status;
    if (w.c->header && csv_names_count(w.c) == 0)
        return leat_fail(err, LEAT_E_CONFIG,
                         "csv: `header: true` needs `columns: [...]` here: "
                         "nothing else names the fields");
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint16_t row = chunk->selection[i];
        struct leat_value *v = &chunk->columns[column][row];
        chunk->values[row] = (struct leat_slice){0};
        if (v->tag == LEAT_NULL || v->tag == LEAT_ERROR)
            continue;
        leat_bytes_begin(&bytes);
        bool ok = put_row(&w, *v);
        struct leat_slice piece = leat_bytes_end(&bytes);
        if (!piece.ptr)
            return leat_arena_failed(chunk->arena, err);
        if (ok)
            chunk->values[row] = piece;
        else
            *v = w.why;
    }
    return LEAT_OK;
}
