#include "headers.h"

#include <endian.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define COUNT_BYTES 4
#define TAIL_BYTES  64 /* kept for amqp-headers-left-out */

/* ---- text that does not fit is none */

struct text {
    char *at, *end;
    bool full;
};

static void put(struct text *t, const void *bytes, size_t len)
{
    t->full = t->full || (size_t)(t->end - t->at) < len;
    if (t->full)
        return;
    if (len)
        memcpy(t->at, bytes, len);
    t->at += len;
}

static void put_u32(struct text *t, uint32_t n)
{
    n = htole32(n);
    put(t, &n, sizeof n);
}

static void put_text(struct text *t, const char *s)
{
    put(t, s, strlen(s));
}

static LEAT_PRINTF(2, 3) void put_f(struct text *t, const char *fmt, ...)
{
    char s[64];
    va_list args;

    va_start(args, fmt);
    vsnprintf(s, sizeof s, fmt, args);
    va_end(args);
    put_text(t, s);
}

static void put_string(struct text *t, amqp_bytes_t b)
{
    const unsigned char *s = b.bytes;
    bool utf8 = b.len == 0 || leat_utf8_valid(b.bytes, (const char *)b.bytes + b.len);

    put_text(t, "\"");
    for (size_t i = 0; i < b.len && !t->full; i++)
        if (s[i] < ' ' || s[i] == '"' || s[i] == '\\' || (s[i] >= 0x80 && !utf8))
            put_f(t, "\\u%04x", s[i]);
        else
            put(t, &s[i], 1);
    put_text(t, "\"");
}

static void put_double(struct text *t, double d, bool json)
{
    char s[32];
    size_t len = leat_double_text(d, s);
    bool is_number = d - d == 0;

    if (json && !is_number)
        put_text(t, "null"); /* JSON has no other word for NaN */
    else
        put(t, s, len);
}

static void put_decimal(struct text *t, amqp_decimal_t d)
{
    char digits[16];
    int len = snprintf(digits, sizeof digits, "%0*" PRIu32, d.decimals < 10 ? d.decimals + 1 : 11,
                       d.value);

    if (d.decimals > 10) {
        put_f(t, "%" PRIu32 "e-%u", d.value, d.decimals);
        return;
    }
    put(t, digits, (size_t)(len - d.decimals));
    if (d.decimals) {
        put_text(t, ".");
        put(t, digits + len - d.decimals, d.decimals);
    }
}

/* Of those that are no text, table or list. False: it is one of these. */
static bool put_scalar(struct text *t, const amqp_field_value_t *v, bool json)
{
    switch ((int)v->kind) {
    case AMQP_FIELD_KIND_BOOLEAN:
        put_text(t, v->value.boolean ? "true" : "false");
        return true;
    case AMQP_FIELD_KIND_I8:
        put_f(t, "%d", v->value.i8);
        return true;
    case AMQP_FIELD_KIND_U8:
        put_f(t, "%u", v->value.u8);
        return true;
    case AMQP_FIELD_KIND_I16:
        put_f(t, "%d", v->value.i16);
        return true;
    case AMQP_FIELD_KIND_U16:
        put_f(t, "%u", v->value.u16);
        return true;
    case AMQP_FIELD_KIND_I32:
        put_f(t, "%" PRId32, v->value.i32);
        return true;
    case AMQP_FIELD_KIND_U32:
        put_f(t, "%" PRIu32, v->value.u32);
        return true;
    case AMQP_FIELD_KIND_I64:
        put_f(t, "%" PRId64, v->value.i64);
        return true;
    case AMQP_FIELD_KIND_U64:
    case AMQP_FIELD_KIND_TIMESTAMP: /* in seconds */
        put_f(t, "%" PRIu64, v->value.u64);
        return true;
    case AMQP_FIELD_KIND_F32:
        put_double(t, (double)v->value.f32, json);
        return true;
    case AMQP_FIELD_KIND_F64:
        put_double(t, v->value.f64, json);
        return true;
    case AMQP_FIELD_KIND_DECIMAL:
        put_decimal(t, v->value.decimal);
        return true;
    default:
        return false;
    }
}

static void put_json(struct text *t, const amqp_field_value_t *v, int depth)
{
    t->full = t->full || depth > RABBIT_HEADER_DEPTH;
    if (t->full || put_scalar(t, v, true))
        return;
    switch ((int)v->kind) {
    case AMQP_FIELD_KIND_UTF8:
    case AMQP_FIELD_KIND_BYTES:
        put_string(t, v->value.bytes);
        return;
    case AMQP_FIELD_KIND_ARRAY:
        put_text(t, "[");
        for (int i = 0; i < v->value.array.num_entries && !t->full; i++) {
            put_text(t, i ? "," : "");
            put_json(t, &v->value.array.entries[i], depth + 1);
        }
        put_text(t, "]");
        return;
    case AMQP_FIELD_KIND_TABLE:
        put_text(t, "{");
        for (int i = 0; i < v->value.table.num_entries && !t->full; i++) {
            put_text(t, i ? "," : "");
            put_string(t, v->value.table.entries[i].key);
            put_text(t, ":");
            put_json(t, &v->value.table.entries[i].value, depth + 1);
        }
        put_text(t, "}");
        return;
    default: /* void */
        put_text(t, "null");
    }
}

/* ---- the list */

void rabbit_headers_begin(struct rabbit_headers *h)
{
    h->len = COUNT_BYTES;
    h->count = h->left_out = 0;
}

static struct text open_text(const struct rabbit_headers *h)
{
    return (struct text){h->bytes + h->len, h->bytes + RABBIT_HEADERS_BYTES - TAIL_BYTES, false};
}

static bool close_text(struct rabbit_headers *h, const struct text *t)
{
    if (t->full) {
        h->left_out++;
        return false;
    }
    h->len = (size_t)(t->at - h->bytes);
    h->count++;
    return true;
}

bool rabbit_headers_put(struct rabbit_headers *h, struct leat_slice name, struct leat_slice value)
{
    struct text t = open_text(h);

    put_u32(&t, (uint32_t)name.len);
    put(&t, name.ptr, name.len);
    put_u32(&t, value.ptr ? (uint32_t)value.len : LEAT_NO_HEADER);
    put(&t, value.ptr, value.ptr ? value.len : 0);
    return close_text(h, &t);
}

static void put_known(struct rabbit_headers *h, const char *name, amqp_bytes_t value)
{
    rabbit_headers_put(h, leat_slice_str(name),
                       (struct leat_slice){value.bytes ? value.bytes : "", value.len});
}

void rabbit_headers_put_properties(struct rabbit_headers *h, const amqp_basic_properties_t *p)
{
    const struct {
        amqp_flags_t flag;
        const char *name;
        amqp_bytes_t value;
    } known[] = {
        {AMQP_BASIC_MESSAGE_ID_FLAG, "amqp-message-id", p->message_id},
        {AMQP_BASIC_CONTENT_TYPE_FLAG, "amqp-content-type", p->content_type},
        {AMQP_BASIC_CONTENT_ENCODING_FLAG, "amqp-content-encoding", p->content_encoding},
        {AMQP_BASIC_CORRELATION_ID_FLAG, "amqp-correlation-id", p->correlation_id},
        {AMQP_BASIC_REPLY_TO_FLAG, "amqp-reply-to", p->reply_to},
        {AMQP_BASIC_TYPE_FLAG, "amqp-type", p->type},
        {AMQP_BASIC_APP_ID_FLAG, "amqp-app-id", p->app_id},
    };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (p->_flags & known[i].flag)
            put_known(h, known[i].name, known[i].value);
}

static void put_entry(struct rabbit_headers *h, const amqp_table_entry_t *e)
{
    struct text t = open_text(h);
    const amqp_field_value_t *v = &e->value;

    put_u32(&t, (uint32_t)e->key.len);
    put(&t, e->key.bytes, e->key.len);
    char *length = t.at; /* filled in when it is known */
    put_u32(&t, LEAT_NO_HEADER);
    char *from = t.at;
    if (v->kind == AMQP_FIELD_KIND_UTF8 || v->kind == AMQP_FIELD_KIND_BYTES)
        put(&t, v->value.bytes.bytes, v->value.bytes.len);
    else if (v->kind != AMQP_FIELD_KIND_VOID && !put_scalar(&t, v, false))
        put_json(&t, v, 1);
    uint32_t len = htole32((uint32_t)(t.at - from));
    if (!t.full && v->kind != AMQP_FIELD_KIND_VOID)
        memcpy(length, &len, sizeof len);
    close_text(h, &t);
}

void rabbit_headers_put_table(struct rabbit_headers *h, const amqp_table_t *table)
{
    int most = table->num_entries < RABBIT_HEADERS_MAX ? table->num_entries : RABBIT_HEADERS_MAX;

    for (int i = 0; i < most; i++)
        put_entry(h, &table->entries[i]);
    h->left_out += (uint32_t)(table->num_entries - most);
}

struct leat_slice rabbit_headers_end(struct rabbit_headers *h)
{
    struct text t = {h->bytes + h->len, h->bytes + RABBIT_HEADERS_BYTES, false};

    if (h->left_out) {
        char number[24];
        size_t len = leat_uint_text(h->left_out, number);
        struct leat_slice name = LEAT_LIT("amqp-headers-left-out");
        put_u32(&t, (uint32_t)name.len);
        put(&t, name.ptr, name.len);
        put_u32(&t, (uint32_t)len);
        put(&t, number, len);
        close_text(h, &t);
    }
    uint32_t count = htole32(h->count);
    memcpy(h->bytes, &count, sizeof count);
    return (struct leat_slice){h->bytes, h->len};
}
