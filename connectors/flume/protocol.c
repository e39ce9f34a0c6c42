#include "protocol.h"

#define TEXT_MAX  ((size_t)64 * 1024)
#define ARENA_CAP ((size_t)8 * 1024 * 1024)

static const char text[] =
    "{\"protocol\":\"AvroSourceProtocol\",\"namespace\":\"org.apache.flume.source.avro\",\"types\":"
    "[{\"type\":\"enum\",\"name\":\"Status\",\"symbols\":[\"OK\",\"FAILED\",\"UNKNOWN\"]},"
    "{\"type\":\"record\",\"name\":\"AvroFlumeEvent\",\"fields\":[{\"name\":\"headers\",\"type\":"
    "{\"type\":\"map\",\"values\":\"string\"}},{\"name\":\"body\",\"type\":\"bytes\"}]}],"
    "\"messages\":{\"append\":{\"request\":[{\"name\":\"event\",\"type\":\"AvroFlumeEvent\"}],"
    "\"response\":\"Status\"},\"appendBatch\":{\"request\":[{\"name\":\"events\",\"type\":"
    "{\"type\":\"array\",\"items\":\"AvroFlumeEvent\"}}],\"response\":\"Status\"}}}";

const struct leat_slice flume_protocol = {text, sizeof text - 1};

const char flume_protocol_hash[FLUME_HASH_BYTES] = "\x30\xda\x54\x05\x9d\xf7\x2d\x95"
                                                   "\x84\xb8\x67\xd5\x20\x2e\x20\x69";

static struct leat_value field(struct leat_value map, struct leat_slice name)
{
    if (map.tag == LEAT_MAP)
        for (uint32_t i = 0; i < map.len; i++) {
            struct leat_value key = map.as.items[2 * i];
            if (key.tag == LEAT_STRING && leat_slice_eq(leat_value_text(key), name))
                return map.as.items[2 * i + 1];
        }
    return (struct leat_value){0};
}

static struct leat_value item(struct leat_value list, uint32_t at)
{
    return list.tag == LEAT_LIST && at < list.len ? list.as.items[at] : (struct leat_value){0};
}

static bool is_text(struct leat_value v, struct leat_slice word)
{
    return v.tag == LEAT_STRING && leat_slice_eq(leat_value_text(v), word);
}

/* A type by its name: bare, with a namespace, or as {"type": name, more}. */
static bool is_type(struct leat_value v, struct leat_slice name)
{
    if (v.tag == LEAT_MAP)
        v = field(v, LEAT_LIT("type"));
    if (v.tag != LEAT_STRING || v.len < name.len)
        return false;
    struct leat_slice full = leat_value_text(v);
    size_t before = full.len - name.len;
    return memcmp(full.ptr + before, name.ptr, name.len) == 0 &&
           (before == 0 || full.ptr[before - 1] == '.');
}

static struct leat_value type_named(struct leat_value protocol, struct leat_slice name)
{
    struct leat_value types = field(protocol, LEAT_LIT("types"));

    for (uint32_t i = 0; types.tag == LEAT_LIST && i < types.len; i++)
        if (is_text(field(types.as.items[i], LEAT_LIT("name")), name))
            return types.as.items[i];
    return (struct leat_value){0};
}

static bool is_event(struct leat_value type)
{
    struct leat_value fields = field(type, LEAT_LIT("fields"));
    struct leat_value headers = item(fields, 0), body = item(fields, 1);
    struct leat_value map = field(headers, LEAT_LIT("type"));

    return is_text(field(type, LEAT_LIT("type")), LEAT_LIT("record")) && fields.len == 2 &&
           is_text(field(headers, LEAT_LIT("name")), LEAT_LIT("headers")) &&
           is_text(field(map, LEAT_LIT("type")), LEAT_LIT("map")) &&
           is_type(field(map, LEAT_LIT("values")), LEAT_LIT("string")) &&
           is_text(field(body, LEAT_LIT("name")), LEAT_LIT("body")) &&
           is_type(field(body, LEAT_LIT("type")), LEAT_LIT("bytes"));
}

static bool is_status(struct leat_value type)
{
    struct leat_value symbols = field(type, LEAT_LIT("symbols"));

    return is_text(field(type, LEAT_LIT("type")), LEAT_LIT("enum")) &&
           is_text(item(symbols, 0), LEAT_LIT("OK")) &&
           is_text(item(symbols, 1), LEAT_LIT("FAILED"));
}

/* Absent, or with the one parameter that we know. */
static bool fits(struct leat_value message, bool list)
{
    struct leat_value request = field(message, LEAT_LIT("request"));
    struct leat_value type = field(item(request, 0), LEAT_LIT("type"));

    if (message.tag == LEAT_NULL)
        return true;
    if (list && !is_text(field(type, LEAT_LIT("type")), LEAT_LIT("array")))
        return false;
    if (list)
        type = field(type, LEAT_LIT("items"));
    return request.tag == LEAT_LIST && request.len == 1 &&
           is_type(type, LEAT_LIT("AvroFlumeEvent")) &&
           is_type(field(message, LEAT_LIT("response")), LEAT_LIT("Status"));
}

static enum leat_status check(struct leat_value protocol, struct leat_error *err)
{
    struct leat_value messages = field(protocol, LEAT_LIT("messages"));
    struct leat_value one = field(messages, LEAT_LIT("append"));
    struct leat_value many = field(messages, LEAT_LIT("appendBatch"));

    if (protocol.tag == LEAT_ERROR && protocol.code == LEAT_V_BUDGET)
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    if (protocol.tag != LEAT_MAP)
        return leat_fail(err, LEAT_E_DATA, "its protocol is no JSON object");
    if (one.tag == LEAT_NULL && many.tag == LEAT_NULL)
        return leat_fail(err, LEAT_E_DATA, "its protocol has neither append nor appendBatch");
    if (!is_event(type_named(protocol, LEAT_LIT("AvroFlumeEvent"))) ||
        !is_status(type_named(protocol, LEAT_LIT("Status"))))
        return leat_fail(err, LEAT_E_DATA, "its AvroFlumeEvent or Status is not Flume's");
    if (!fits(one, false) || !fits(many, true))
        return leat_fail(err, LEAT_E_DATA, "its append or appendBatch is not Flume's");
    return LEAT_OK;
}

enum leat_status flume_protocol_check(struct leat_slice json, struct leat_error *err)
{
    struct leat_arena arena = {.cap = ARENA_CAP};

    if (json.len > TEXT_MAX)
        return leat_fail(err, LEAT_E_DATA, "its protocol has %zu bytes", json.len);
    enum leat_status status = check(leat_json_parse(json, &arena), err);
    leat_arena_reset(&arena);
    return status;
}
