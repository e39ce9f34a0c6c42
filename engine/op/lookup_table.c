/*
 * lookup_table.c - loads a reference table: bytes, rows, keys, an index over them.
 *
 * Everything is in one arena, capped by what the job's budget leaves. A row that cannot be read, a
 * key that stands twice or a file that is not there is a failure with the line; at a reload the old
 * table then stays (the job thread says so).
 */
#include "op/lookup_table.h"

#include "data/json.h"
#include "data/value_ops.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

struct slot {
    uint64_t hash;
    struct leat_slice key; /* ptr NULL: free */
    struct leat_value row;
};

struct leat_lookup_table {
    struct leat_arena arena;
    struct slot *slots;
    size_t count, size; /* size: a power of two */
};

static struct slot *slot_of(const struct leat_lookup_table *t, uint64_t hash, struct leat_slice key)
{
    for (size_t i = hash & (t->size - 1);; i = (i + 1) & (t->size - 1))
        if (!t->slots[i].key.ptr ||
            (t->slots[i].hash == hash && leat_slice_eq(t->slots[i].key, key)))
            return &t->slots[i];
}

const struct leat_value *leat_lookup_find(const struct leat_lookup_table *t, struct leat_slice key)
{
    const struct slot *s = t && t->size ? slot_of(t, leat_key_hash(key), key) : NULL;

    return s && s->key.ptr ? &s->row : NULL;
}

size_t leat_lookup_rows(const struct leat_lookup_table *t)
{
    return t->count;
}

size_t leat_lookup_bytes(const struct leat_lookup_table *t)
{
    return t->arena.bytes;
}

void leat_lookup_free(struct leat_lookup_table *t)
{
    if (!t)
        return;
    leat_arena_reset(&t->arena);
    leat_mem_free(t);
}

static bool grow(struct leat_lookup_table *t)
{
    struct slot *old = t->slots;
    size_t size = t->size;

    t->size = size ? size * 2 : 64;
    t->slots = leat_arena_array(&t->arena, t->size, sizeof *t->slots);
    if (!t->slots)
        return false;
    for (size_t i = 0; i < size; i++)
        if (old[i].key.ptr)
            *slot_of(t, old[i].hash, old[i].key) = old[i];
    return true;
}

/* ---- rows */

/* One chunk of raw values on its way into a table. */
struct loading {
    const struct leat_lookup_plan *plan;
    struct leat_lookup_table *table;
    struct leat_chunk chunk;
    struct leat_arena scratch;
    struct leat_eval *eval;
    struct leat_task_counts counts;
};

static enum leat_status add_row(struct loading *l, uint16_t row, struct leat_bytes *key,
                                struct leat_value value, struct leat_error *err)
{
    struct leat_lookup_table *t = l->table;
    const struct leat_exprs *e = &l->plan->key;
    struct leat_value k = l->chunk.columns[e->list[0].column][row];

    if (e->is_record) {
        struct leat_record *r = leat_record_new(l->chunk.arena, e->shape);
        if (!r)
            return leat_arena_failed(l->chunk.arena, err);
        for (uint32_t f = 0; f < e->count; f++)
            r->fields[f] = l->chunk.columns[e->list[f].column][row];
        k = (struct leat_value){.tag = LEAT_RECORD, .as.record = r};
    }
    key->len = 0;
    if (leat_key_encode(k, key, err) != LEAT_OK)
        return err->status;
    if (t->count * 4 >= t->size * 3 && !grow(t))
        return leat_arena_failed(&t->arena, err);
    struct leat_slice bytes = leat_bytes_slice(key);
    struct slot *s = slot_of(t, leat_key_hash(bytes), bytes);
    if (s->key.ptr)
        return leat_fail(err, LEAT_E_DATA, "line %lld: its key stands there twice",
                         (long long)l->chunk.positions[row]);
    *s = (struct slot){leat_key_hash(bytes), leat_arena_copy(&t->arena, bytes),
                       leat_value_copy(value, &t->arena)};
    if (!s->key.ptr || s->row.tag == LEAT_ERROR)
        return leat_arena_failed(&t->arena, err);
    t->count++;
    return LEAT_OK;
}

static void convert(const struct loading *l)
{
    const struct leat_segment *s = l->plan->segment;

    for (uint32_t t = 0; t < s->touched_count; t++)
        for (uint32_t i = 0; i < l->chunk.selected; i++) {
            struct leat_value *v = &l->chunk.columns[s->touched[t].path.column][i];
            *v = s->touched[t].path.depth
                     ? leat_type_convert(s->touched[t].type, *v, l->plan->from_text, l->chunk.arena)
                     : *v;
        }
}

/* The whole row as the schema wants it: `region.target` of a CSV is a number there as well. */
static struct leat_value typed_row(const struct loading *l, struct leat_value row)
{
    if (l->plan->type->kind != LEAT_T_RECORD)
        return row;
    return leat_type_convert(l->plan->type, leat_value_expand(row, l->chunk.arena),
                             l->plan->from_text, l->chunk.arena);
}

static enum leat_status load_chunk(struct loading *l, struct leat_error *err)
{
    const struct leat_batch batch = {0};
    struct leat_task task = {.batch = &batch,
                             .source = l->plan->name,
                             .arena = &l->scratch,
                             .eval = l->eval,
                             .counts = &l->counts};
    struct leat_bytes key = {.arena = &l->scratch};

    if (l->plan->format->format->decode(l->plan->format_self, &l->chunk, err) != LEAT_OK ||
        leat_sweep_errors(&task, &l->chunk, LEAT_COL_THIS, LEAT_LIT("decoding"), err) != LEAT_OK)
        return err->status;
    convert(l);
    if (leat_exprs_eval(&l->plan->key, &task, &l->chunk, err) != LEAT_OK)
        return err->status;
    uint32_t column = leat_assemble(l->plan->row, &l->chunk);
    if (column == LEAT_NO_COLUMN)
        return leat_arena_failed(&l->scratch, err);
    for (uint32_t i = 0; i < l->chunk.selected; i++) {
        uint16_t row = l->chunk.selection[i];
        struct leat_value v = typed_row(l, l->chunk.columns[column][row]);
        if (v.tag == LEAT_ERROR)
            return leat_fail(err, LEAT_E_DATA, "line %lld: %.*s",
                             (long long)l->chunk.positions[row], LEAT_FMT(leat_value_text(v)));
        if (add_row(l, row, &key, v, err) != LEAT_OK)
            return err->status;
    }
    return LEAT_OK;
}

static enum leat_status add_value(struct loading *l, struct leat_slice value, int64_t line,
                                  struct leat_error *err)
{
    struct leat_arena *arena = &l->scratch;
    uint32_t columns = l->plan->segment->columns;
    enum leat_status status = LEAT_OK;

    if (l->chunk.rows == LEAT_CHUNK_ROWS) {
        status = load_chunk(l, err);
        leat_arena_reset(arena);
        l->chunk = (struct leat_chunk){0};
    }
    if (status == LEAT_OK && !l->chunk.columns)
        status = leat_chunk_init(&l->chunk, arena, columns, err);
    if (status == LEAT_OK)
        leat_chunk_add(&l->chunk, &(struct leat_row){
                                      .value = value, .position = line, .time_ms = LEAT_NO_TIME});
    return status;
}

/* ---- files */

static enum leat_status read_file(const char *path, struct leat_arena *arena,
                                  struct leat_slice *text, struct leat_error *err)
{
    FILE *f = fopen(path, "re");
    struct stat st;

    if (!f)
        return leat_fail(err, LEAT_E_IO, "cannot open '%s': %s", path, strerror(errno));
    if (fstat(fileno(f), &st) != 0 || !S_ISREG(st.st_mode)) {
        fclose(f);
        return leat_fail(err, LEAT_E_IO, "'%s' is no regular file", path);
    }
    char *bytes = leat_arena_alloc(arena, (size_t)st.st_size + 1);
    if (!bytes) {
        fclose(f);
        return leat_arena_failed(arena, err);
    }
    *text = (struct leat_slice){bytes, fread(bytes, 1, (size_t)st.st_size, f)};
    bool failed = ferror(f);
    fclose(f);
    return failed ? leat_fail(err, LEAT_E_IO, "cannot read '%s': %s", path, strerror(errno))
                  : LEAT_OK;
}

static bool is_array(struct leat_slice text)
{
    size_t i = 0;

    while (i < text.len && strchr(" \t\r\n", text.ptr[i]))
        i++;
    return i < text.len && text.ptr[i] == '[';
}

/* `[ {...}, {...} ]`: each element goes the way of a line, its number in place of the line's. */
static enum leat_status add_array(struct loading *l, struct leat_slice text,
                                  struct leat_arena *arena, struct leat_error *err)
{
    struct leat_value list = leat_json_parse(text, arena), why;

    if (list.tag != LEAT_LIST)
        return leat_fail(err, LEAT_E_DATA, "%.*s", LEAT_FMT(leat_value_text(list)));
    for (uint32_t i = 0; i < list.len; i++) {
        struct leat_bytes one = {.arena = arena};
        if (!leat_json_write(list.as.items[i], &one, &why) || one.failed)
            return leat_arena_failed(arena, err);
        if (add_value(l, leat_bytes_slice(&one), i + 1, err) != LEAT_OK)
            return err->status;
    }
    return LEAT_OK;
}

static enum leat_status add_lines(struct loading *l, struct leat_slice text,
                                  struct leat_arena *arena, struct leat_error *err)
{
    struct leat_slice line, rest = text;
    int64_t number = 0;

    while (rest.len) {
        leat_slice_cut(rest, '\n', &line, &rest);
        number++;
        if (line.len && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (number == 1 && l->plan->has_header &&
            l->plan->format->format->header(l->plan->format_self, line, arena, err) != LEAT_OK)
            return leat_error_prefix(err, "line 1");
        if (line.len == 0 || (number == 1 && l->plan->has_header))
            continue;
        if (add_value(l, line, number, err) != LEAT_OK)
            return err->status;
    }
    return LEAT_OK;
}

typedef enum leat_status fill(struct loading *l, const void *arg, struct leat_arena *arena,
                              struct leat_error *err);

static enum leat_status load(const struct leat_lookup_plan *plan, size_t cap, fill *from,
                             const void *arg, struct leat_lookup_table **table,
                             struct leat_error *err)
{
    struct loading l = {.plan = plan, .eval = leat_eval_new()};
    struct leat_arena text = {.cap = cap};
    enum leat_status status = LEAT_E_NOMEM;

    *table = leat_mem_alloc(sizeof **table);
    l.table = *table;
    if (!*table || !l.eval) {
        leat_fail(err, LEAT_E_NOMEM, "out of memory");
    } else {
        l.table->arena.cap = cap;
        status = from(&l, arg, &text, err);
        if (status == LEAT_OK && l.chunk.rows)
            status = load_chunk(&l, err);
    }
    leat_arena_reset(&text);
    leat_arena_reset(&l.scratch);
    leat_eval_free(l.eval);
    if (status == LEAT_OK)
        return LEAT_OK;
    leat_lookup_free(*table);
    *table = NULL;
    return leat_error_prefix(err, "table '%.*s'", LEAT_FMT(plan->name));
}

static enum leat_status from_file(struct loading *l, const void *arg, struct leat_arena *arena,
                                  struct leat_error *err)
{
    struct leat_slice text;

    (void)arg;
    if (read_file(l->plan->path, arena, &text, err) != LEAT_OK)
        return err->status;
    if (strcmp(l->plan->format->name, "json") == 0 && is_array(text))
        return add_array(l, text, arena, err);
    return add_lines(l, text, arena, err);
}

enum leat_status leat_lookup_load(const struct leat_lookup_plan *plan, size_t cap,
                                  struct leat_lookup_table **table, struct leat_error *err)
{
    return load(plan, cap, from_file, NULL, table, err);
}

struct rows {
    const struct leat_slice *list;
    size_t count;
};

static enum leat_status from_rows(struct loading *l, const void *arg, struct leat_arena *arena,
                                  struct leat_error *err)
{
    const struct rows *rows = arg;

    (void)arena;
    for (size_t i = 0; i < rows->count; i++)
        if (add_value(l, rows->list[i], (int64_t)i + 1, err) != LEAT_OK)
            return err->status;
    return LEAT_OK;
}

enum leat_status leat_lookup_from_rows(const struct leat_lookup_plan *plan,
                                       const struct leat_slice *json, size_t count,
                                       struct leat_lookup_table **table, struct leat_error *err)
{
    struct leat_lookup_plan as_json = *plan;

    as_json.format = plan->json_format;
    as_json.format_self = plan->json_self;
    as_json.from_text = as_json.has_header = false;
    return load(&as_json, 0, from_rows, &(struct rows){json, count}, table, err);
}
