/* canonical.c - the Parsing Canonical Form of a schema, and its fingerprint. */
#include "schema.h"

#define EMPTY UINT64_C(0xc15d213aa4d7a795)

struct writer {
    struct leat_bytes *into;
    bool *written; /* by type: its definition stands there already */
};

static void put(struct writer *w, const char *text)
{
    leat_bytes_put(w->into, text, strlen(text));
}

static void put_quoted(struct writer *w, struct leat_slice text)
{
    put(w, "\"");
    leat_bytes_put(w->into, text.ptr, text.len);
    put(w, "\"");
}

static void put_type(struct writer *w, const struct avro_type *t);

static void put_fields(struct writer *w, const struct avro_type *t)
{
    put(w, "\"record\",\"fields\":[");
    for (uint32_t i = 0; i < t->count; i++) {
        put(w, i ? ",{\"name\":" : "{\"name\":");
        put_quoted(w, t->fields[i].name);
        put(w, ",\"type\":");
        put_type(w, t->fields[i].type);
        put(w, "}");
    }
    put(w, "]}");
}

static void put_symbols(struct writer *w, const struct avro_type *t)
{
    put(w, "\"enum\",\"symbols\":[");
    for (uint32_t i = 0; i < t->count; i++) {
        if (i)
            put(w, ",");
        put_quoted(w, t->symbols[i]);
    }
    put(w, "]}");
}

static void put_named(struct writer *w, const struct avro_type *t)
{
    char size[24];

    if (w->written[t->number]) {
        put_quoted(w, t->name);
        return;
    }
    w->written[t->number] = true;
    put(w, "{\"name\":");
    put_quoted(w, t->name);
    put(w, ",\"type\":");
    if (t->kind == AVRO_RECORD) {
        put_fields(w, t);
    } else if (t->kind == AVRO_ENUM) {
        put_symbols(w, t);
    } else {
        put(w, "\"fixed\",\"size\":");
        leat_bytes_put(w->into, size, leat_uint_text(t->count, size));
        put(w, "}");
    }
}

static void put_union(struct writer *w, const struct avro_type *t)
{
    put(w, "[");
    for (uint32_t i = 0; i < t->count; i++) {
        if (i)
            put(w, ",");
        put_type(w, t->branches[i]);
    }
    put(w, "]");
}

static void put_type(struct writer *w, const struct avro_type *t)
{
    static const char *const primitives[] = {
        [AVRO_NULL] = "\"null\"",   [AVRO_BOOLEAN] = "\"boolean\"", [AVRO_INT] = "\"int\"",
        [AVRO_LONG] = "\"long\"",   [AVRO_FLOAT] = "\"float\"",     [AVRO_DOUBLE] = "\"double\"",
        [AVRO_BYTES] = "\"bytes\"", [AVRO_STRING] = "\"string\""};

    switch (t->kind) {
    case AVRO_NULL:
    case AVRO_BOOLEAN:
    case AVRO_INT:
    case AVRO_LONG:
    case AVRO_FLOAT:
    case AVRO_DOUBLE:
    case AVRO_BYTES:
    case AVRO_STRING:
        put(w, primitives[t->kind]);
        break;
    case AVRO_RECORD:
    case AVRO_ENUM:
    case AVRO_FIXED:
        put_named(w, t);
        break;
    case AVRO_ARRAY:
    case AVRO_MAP:
        put(w, t->kind == AVRO_ARRAY ? "{\"type\":\"array\",\"items\":"
                                     : "{\"type\":\"map\",\"values\":");
        put_type(w, t->item);
        put(w, "}");
        break;
    case AVRO_UNION:
        put_union(w, t);
        break;
    }
}

bool avro_schema_canonical(const struct avro_schema *schema, struct leat_arena *scratch,
                           struct leat_bytes *into)
{
    struct writer w = {into, leat_arena_array(scratch, schema->types + 1, sizeof(bool))};

    if (!w.written)
        return false;
    put_type(&w, schema->root);
    return !into->failed;
}

uint64_t avro_fingerprint(struct leat_slice canonical)
{
    uint64_t print = EMPTY;

    for (size_t i = 0; i < canonical.len; i++) {
        print ^= (unsigned char)canonical.ptr[i];
        for (int bit = 0; bit < 8; bit++)
            print = (print >> 1) ^ (EMPTY & -(print & 1));
    }
    return print;
}
