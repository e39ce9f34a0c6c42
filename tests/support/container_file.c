#include "container_file.h"

#include "leat_test.h"

#include <stdio.h>

#define TEXT_MAX ((size_t)1 << 16)

static struct leat_error err;
static struct leat_arena arena; /* of the format that is open */

enum { COLUMNS = LEAT_COL_PATHS + 1 };

const char *const cf_as_written[] = {"framing=container", NULL};
const char *const cf_codecs[] = {"none", "deflate", "snappy", "zstandard"};
const char *const cf_some[] = {"{\"city\":\"Rom\",\"id\":1}",  "{\"city\":null,\"id\":-2}",
                               "{\"city\":\"Ulm\",\"id\":3}",  "{\"city\":\"\",\"id\":400000}",
                               "{\"city\":\"Bern\",\"id\":5}", NULL};

/* ---- a file in memory */

enum leat_status cf_put(void *arg, struct leat_slice s, struct leat_error *e)
{
    struct container_bytes *b = arg;

    (void)e;
    if (s.len == 0)
        return LEAT_OK;
    while (b->len + s.len > b->room) {
        b->room = 2 * b->room + s.len + 100;
        b->ptr = realloc(b->ptr, b->room);
    }
    memcpy(b->ptr + b->len, s.ptr, s.len);
    b->len += s.len;
    return LEAT_OK;
}

void cf_put_str(struct container_bytes *b, const char *bytes, size_t len)
{
    OK(cf_put(b, (struct leat_slice){bytes, len}, &err));
}

void cf_put_long(struct container_bytes *b, int64_t v)
{
    uint64_t n = ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);

    for (; n > 0x7f; n >>= 7)
        cf_put_str(b, (char[]){(char)(n | 0x80)}, 1);
    cf_put_str(b, (char[]){(char)n}, 1);
}

void cf_put_text(struct container_bytes *b, const char *text)
{
    cf_put_long(b, (int64_t)strlen(text));
    cf_put_str(b, text, strlen(text));
}

struct container_bytes cf_begin(const char *codec, const char *schema)
{
    struct container_bytes b = {0};

    cf_put_str(&b, "Obj\1", 4);
    cf_put_long(&b, 2);
    cf_put_text(&b, "avro.schema");
    cf_put_text(&b, schema);
    cf_put_text(&b, "avro.codec");
    cf_put_text(&b, codec);
    cf_put_long(&b, 0);
    cf_put_str(&b, CF_SYNC, 16);
    return b;
}

void cf_put_block(struct container_bytes *b, int64_t count, const char *bytes, size_t len)
{
    cf_put_long(b, count);
    cf_put_long(b, (int64_t)len);
    cf_put_str(b, bytes, len);
    cf_put_str(b, CF_SYNC, 16);
}

enum leat_status cf_read_bytes(void *arg, int64_t at, char *into, size_t room, size_t *n,
                               struct leat_error *e)
{
    const struct container_bytes *b = arg;
    size_t left = at < (int64_t)b->len ? b->len - (size_t)at : 0;

    (void)e;
    *n = left < room ? left : room;
    if (*n)
        memcpy(into, b->ptr + at, *n);
    return LEAT_OK;
}

/* ---- the format */

void cf_init(struct container_world *w, const char *const *settings, enum leat_format_use use)
{
    cf_init_as(w, "avro", settings, use);
}

void cf_init_as(struct container_world *w, const char *name, const char *const *settings,
                enum leat_format_use use)
{
    static const struct leat_path all = {NULL, 0, LEAT_COL_PATHS};

    *w = (struct container_world){0};
    instance_init(&w->i, name, settings);
    w->format = w->i.module->format;
    w->container = leat_container_of(w->i.module, w->i.self);
    CU_ASSERT_PTR_NOT_NULL_FATAL(w->container);
    OK(w->format->load(w->i.self, use, &w->i.arena, &err));
    OK(w->format->plan(w->i.self, &all, 1, &w->i.arena, &err));
    OK(leat_chunk_init(&w->chunk, &arena, COLUMNS, &err));
    w->reader = w->container->open(w->i.self, &w->i.env);
}

void cf_fini(struct container_world *w)
{
    w->container->close(w->reader);
    instance_fini(&w->i);
    leat_arena_reset(&arena);
}

struct leat_block *cf_fetch(struct container_world *w, struct container_bytes *b, int64_t from,
                            size_t max_bytes, bool whole, struct leat_error *e)
{
    const struct leat_container_file file = {"/in/some.avro", cf_read_bytes, b};
    struct leat_block *block = NULL;

    if (w->container->fetch(w->reader, &file, from, max_bytes, w->max_rows, whole, &block, e) !=
        LEAT_OK)
        return NULL;
    CU_ASSERT(block->from == from && block->to >= from);
    return block;
}

static void show_row(const struct container_world *w, uint32_t row, struct container_bytes *text)
{
    struct leat_bytes json = {.arena = &arena};
    struct leat_value v = w->chunk.columns[LEAT_COL_PATHS][row], why;
    struct leat_value bad = w->chunk.columns[LEAT_COL_THIS][row];
    char line[TEXT_MAX];
    int n;

    if (bad.tag == LEAT_ERROR)
        n = snprintf(line, sizeof line, "%lld error %.*s\n", (long long)w->chunk.positions[row],
                     LEAT_FMT(leat_value_text(bad)));
    else if (leat_json_write(v, &json, &why))
        n = snprintf(line, sizeof line, "%lld %.*s\n", (long long)w->chunk.positions[row],
                     LEAT_FMT(leat_bytes_slice(&json)));
    else
        n = snprintf(line, sizeof line, "%lld unwritable\n", (long long)w->chunk.positions[row]);
    cf_put_str(text, line, (size_t)n);
}

void cf_show_block(struct container_world *w, const struct leat_block *b,
                   struct container_bytes *text)
{
    struct leat_cursor c = {0};

    for (;;) {
        leat_arena_rewind(&arena, (struct leat_arena_mark){0});
        OK(leat_chunk_init(&w->chunk, &arena, COLUMNS, &err));
        OK(b->coding->next(&c, b, &w->chunk, &err));
        if (w->chunk.rows == 0)
            return;
        OK(w->format->decode(w->i.self, &w->chunk, &err));
        for (uint32_t i = 0; i < w->chunk.rows; i++)
            show_row(w, i, text);
    }
}

/* All rows from a position on, a line each; NULL when they cannot be had, err says why. Freed by
 * the caller. */
char *cf_read_from(struct container_world *w, struct container_bytes *b, int64_t from,
                   size_t max_bytes, bool whole)
{
    struct container_bytes text = {0};
    bool at_end = false;

    for (int64_t at = from; !at_end;) {
        struct leat_block *block = cf_fetch(w, b, at, max_bytes, whole, &err);
        if (!block) {
            free(text.ptr);
            return NULL;
        }
        CU_ASSERT_FATAL(block->at_end || block->to > at);
        at_end = block->at_end;
        at = block->to;
        cf_show_block(w, block, &text);
        leat_block_unref(block);
    }
    cf_put_str(&text, "", 1);
    return text.ptr;
}

char *cf_read_with(const char *const *settings, struct container_bytes *b, bool whole)
{
    struct container_world w;

    cf_init(&w, settings, LEAT_FORMAT_READS);
    char *text = cf_read_from(&w, b, 0, CF_ALL, whole);
    cf_fini(&w);
    return text;
}

/* The file is freed. */
void cf_reads(struct container_bytes b, const char *wanted)
{
    char *text = cf_read_with(cf_as_written, &b, true);

    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_STRING_EQUAL(text, wanted);
    if (strcmp(text, wanted) != 0)
        printf("    got: %s    not: %s", text, wanted);
    free(text);
    free(b.ptr);
}

/* ---- what is written */

struct container_bytes cf_write_file(const char *codec, const char *schema,
                                     const char *const *values, size_t in_block)
{
    char codec_setting[40], schema_setting[2000];
    const char *const settings[] = {"framing=container", codec_setting, schema_setting, NULL};
    struct container_bytes file = {0}, rows = {0};
    struct container_world w;
    uint32_t count = 0;

    snprintf(codec_setting, sizeof codec_setting, "codec=%s", codec);
    snprintf(schema_setting, sizeof schema_setting, "schema=%s", schema);
    cf_init(&w, settings, LEAT_FORMAT_WRITES);
    void *packer = w.container->packer(w.i.self);
    OK(cf_put(&file, w.format->preamble(w.i.self), &err));
    for (; *values; values++) {
        leat_chunk_clear(&w.chunk, 0);
        leat_chunk_add(&w.chunk, &(struct leat_row){.value = LEAT_LIT("")});
        w.chunk.columns[LEAT_COL_PATHS][0] = leat_json_parse(leat_slice_str(*values), &arena);
        OK(w.format->encode(w.i.self, &w.chunk, LEAT_COL_PATHS, &err));
        CU_ASSERT_PTR_NOT_NULL_FATAL(w.chunk.values[0].ptr);
        OK(cf_put(&rows, w.chunk.values[0], &err));
        if (++count == in_block || !values[1]) {
            OK(w.container->pack(packer, (struct leat_slice){rows.ptr, rows.len}, count, cf_put,
                                 &file, &err));
            rows.len = count = 0;
        }
    }
    w.container->packer_free(packer);
    cf_fini(&w);
    free(rows.ptr);
    return file;
}
