/*
 * functions_codec.c - base64, hex, hashes, JSON in text.
 *
 * hash, sha256 of values and uuid are stable for ever: they are part of what pipelines write.
 * Addresses and their queries are in functions_url.c. Thread: that of the eval.
 */
#include "data/json.h"
#include "data/key.h"
#include "expr/call.h"
#include "expr/sha256.h"

#include <stdio.h>

static bool is_bytes(struct leat_value v)
{
    return v.tag == LEAT_STRING || v.tag == LEAT_BYTES;
}

static struct leat_value call_encode(struct leat_call *call, const struct leat_value *args,
                                     uint32_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *from = (const unsigned char *)args[0].as.text;
    size_t len = args[0].len, i = 0;

    (void)n;
    if (!is_bytes(args[0]))
        return call_refuse("no such overload: base64.encode() takes bytes or text");
    if (len > CALL_OUT_MAX / 4 * 3)
        return call_too_large();
    if (!leat_call_charge(call, len / 1024))
        return leat_call_exhausted();
    char *into = leat_arena_alloc(call->arena, (len + 2) / 3 * 4 + 1), *to = into;
    if (!into)
        return call_full();
    for (; i < len; i += 3) {
        uint32_t left = (uint32_t)(len - i > 3 ? 3 : len - i);
        uint32_t bits = (uint32_t)from[i] << 16 | (left > 1 ? (uint32_t)from[i + 1] << 8 : 0) |
                        (left > 2 ? from[i + 2] : 0);
        *to++ = digits[bits >> 18];
        *to++ = digits[bits >> 12 & 63];
        *to++ = left > 1 ? digits[bits >> 6 & 63] : '=';
        *to++ = left > 2 ? digits[bits & 63] : '=';
    }
    return call_text((struct leat_slice){into, (size_t)(to - into)});
}

static uint32_t base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (uint32_t)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (uint32_t)(c - 'a' + 26);
    if (c >= '0' && c <= '9')
        return (uint32_t)(c - '0' + 52);
    return c == '+' ? 62 : c == '/' ? 63 : 64;
}

/* Padding may be missing; when it is there it has to be right. */
static struct leat_value call_decode(struct leat_call *call, const struct leat_value *args,
                                     uint32_t n)
{
    struct leat_slice s = leat_value_text(args[0]);
    uint32_t bits = 0;

    (void)n;
    if (args[0].tag != LEAT_STRING)
        return call_refuse("no such overload: base64.decode() takes text");
    if (!leat_call_charge(call, s.len / 1024))
        return leat_call_exhausted();
    if (s.len % 4 == 0)
        for (int pad = 0; pad < 2 && s.len && s.ptr[s.len - 1] == '='; pad++)
            s.len--;
    char *into = leat_arena_alloc(call->arena, s.len / 4 * 3 + 4), *to = into;
    if (!into)
        return call_full();
    for (size_t i = 0; i < s.len; i++) {
        uint32_t digit = base64_digit(s.ptr[i]);
        if (digit > 63)
            return leat_value_fail(LEAT_V_SYNTAX, "the text is no base64");
        bits = bits << 6 | digit;
        if (i % 4 > 0)
            *to++ = (char)(bits >> (6 - 2 * (i % 4)));
    }
    if (s.len % 4 == 1)
        return leat_value_fail(LEAT_V_SYNTAX, "the text is no base64");
    return (struct leat_value){.tag = LEAT_BYTES, .len = (uint32_t)(to - into), .as.text = into};
}

static struct leat_value hex_text(struct leat_call *call, const void *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *from = bytes;

    if (len > CALL_OUT_MAX / 2)
        return call_too_large();
    if (!leat_call_charge(call, len / 1024))
        return leat_call_exhausted();
    char *into = leat_arena_alloc(call->arena, 2 * len + 1);
    if (!into)
        return call_full();
    for (size_t i = 0; i < len; i++) {
        into[2 * i] = digits[from[i] >> 4];
        into[2 * i + 1] = digits[from[i] & 15];
    }
    return call_text((struct leat_slice){into, 2 * len});
}

static struct leat_value call_hex(struct leat_call *call, const struct leat_value *args, uint32_t n)
{
    char text[24];

    (void)n;
    if (is_bytes(args[0]))
        return hex_text(call, args[0].as.text, args[0].len);
    if (args[0].tag != LEAT_INT && args[0].tag != LEAT_UINT)
        return call_refuse("no such overload: hex() takes bytes, text, an int or a uint");
    bool minus = args[0].tag == LEAT_INT && args[0].as.i < 0;
    int len = snprintf(text, sizeof text, "%s%llx", minus ? "-" : "",
                       (unsigned long long)(minus ? -args[0].as.u : args[0].as.u));
    struct leat_slice copy = leat_arena_copy(call->arena, (struct leat_slice){text, (size_t)len});
    return copy.ptr ? call_text(copy) : call_full();
}

/* The canonical bytes of any value that can be a key. False: *why. */
static bool key_bytes(struct leat_call *call, struct leat_value v, struct leat_slice *bytes,
                      struct leat_value *why)
{
    struct leat_bytes into = {.arena = call->arena};
    struct leat_error err;

    enum leat_status status = leat_key_encode(v, &into, &err);
    *bytes = leat_bytes_slice(&into);
    *why = leat_call_exhausted();
    if (status == LEAT_OK)
        return leat_call_charge(call, bytes->len / 1024);
    *why = call_full();
    if (status == LEAT_E_DATA) {
        struct leat_slice copy = leat_arena_copy(call->arena, leat_slice_str(err.text));
        *why = copy.ptr ? call_wrong(copy.ptr) : *why;
    }
    return false;
}

static struct leat_value call_hash(struct leat_call *call, const struct leat_value *args,
                                   uint32_t n)
{
    struct leat_slice bytes;
    struct leat_value why;

    (void)n;
    if (!key_bytes(call, args[0], &bytes, &why))
        return why;
    return leat_int((int64_t)leat_key_hash(bytes));
}

static struct leat_value call_sha256(struct leat_call *call, const struct leat_value *args,
                                     uint32_t n)
{
    uint8_t digest[32];

    (void)n;
    if (!is_bytes(args[0]))
        return call_refuse("no such overload: sha256() takes text or bytes");
    if (!leat_call_charge(call, args[0].len / 256))
        return leat_call_exhausted();
    sha256(leat_value_text(args[0]), digest);
    return hex_text(call, digest, sizeof digest);
}

/* RFC 9562, version 8 (its own algorithm): the first 128 bits of the SHA-256 of the key bytes. */
static struct leat_value call_uuid(struct leat_call *call, const struct leat_value *args,
                                   uint32_t n)
{
    struct leat_slice bytes;
    struct leat_value why;
    uint8_t d[32];
    char text[40];

    (void)n;
    if (!key_bytes(call, args[0], &bytes, &why))
        return why;
    sha256(bytes, d);
    d[6] = (uint8_t)((d[6] & 0x0f) | 0x80);
    d[8] = (uint8_t)((d[8] & 0x3f) | 0x80);
    int len = snprintf(text, sizeof text,
                       "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", d[0],
                       d[1], d[2], d[3], d[4], d[5], d[6], d[7], d[8], d[9], d[10], d[11], d[12],
                       d[13], d[14], d[15]);
    struct leat_slice copy = leat_arena_copy(call->arena, (struct leat_slice){text, (size_t)len});
    return copy.ptr ? call_text(copy) : call_full();
}

static struct leat_value call_parse_json(struct leat_call *call, const struct leat_value *args,
                                         uint32_t n)
{
    (void)n;
    if (!is_bytes(args[0]))
        return call_refuse("no such overload: parseJson() takes text or bytes");
    if (!leat_call_charge(call, args[0].len / 64))
        return leat_call_exhausted();
    return leat_json_parse(leat_value_text(args[0]), call->arena);
}

static struct leat_value call_to_json(struct leat_call *call, const struct leat_value *args,
                                      uint32_t n)
{
    struct leat_bytes into = {.arena = call->arena};
    struct leat_value why = call_wrong("a value that JSON cannot hold");

    (void)n;
    if (!leat_json_write(args[0], &into, &why))
        return why;
    if (into.failed)
        return call_full();
    if (into.len > CALL_OUT_MAX)
        return call_too_large();
    if (!leat_call_charge(call, into.len / 64))
        return leat_call_exhausted();
    return call_text(leat_bytes_slice(&into));
}

/* clang-format off */
const struct leat_function leat_functions_codec[] = {
    {.name = "base64.encode", .form = LEAT_FN_GLOBAL, .overloads = "Y>S S>S", .call = call_encode,
     .signature = "base64.encode(bytes)", .help = "The bytes (or text) as base64, padded."},
    {.name = "base64.decode", .form = LEAT_FN_GLOBAL, .overloads = "S>Y", .call = call_decode,
     .signature = "base64.decode(text)", .help = "The bytes of base64 text, padded or not."},
    {.name = "hex", .form = CALL_BOTH, .overloads = "Y>S S>S I>S U>S", .call = call_hex,
     .signature = "hex(x)", .help = "Bytes, the bytes of text, or a whole number, in hexadecimal."},
    {.name = "hash", .form = LEAT_FN_GLOBAL, .overloads = "A>I", .call = call_hash,
     .signature = "hash(x)",
     .help = "64 bits (may be negative) of any value that can be a key, the same for ever: XXH3 of "
             "its key bytes. Equal values, 1 and 1.0 as well, have equal hashes."},
    {.name = "sha256", .form = CALL_BOTH, .overloads = "S>S Y>S", .call = call_sha256,
     .signature = "sha256(x)", .help = "SHA-256 of text or bytes, in hexadecimal."},
    {.name = "uuid", .form = LEAT_FN_GLOBAL, .overloads = "A>S", .call = call_uuid,
     .signature = "uuid(x)",
     .help = "A UUID that is always the same for the same value (version 8 of RFC 9562, from the "
             "SHA-256 of its key bytes)."},
    {.name = "parseJson", .form = CALL_BOTH, .overloads = "S>A Y>A", .call = call_parse_json,
     .signature = "parseJson(text)", .help = "What the JSON text says."},
    {.name = "toJson", .form = CALL_BOTH, .overloads = "A>S", .call = call_to_json,
     .signature = "toJson(x)", .help = "Any value as JSON text."},
    {.name = "parseUrl", .form = CALL_BOTH, .overloads = "S>M", .call = fn_parse_url,
     .signature = "parseUrl(text)",
     .help = "A map of scheme, user, host, port, path, query, fragment; what is absent is null. "
             "Percent signs stay as they are."},
    {.name = "parseQuery", .form = CALL_BOTH, .overloads = "S>M", .call = fn_parse_query,
     .signature = "parseQuery(text)",
     .help = "A map of the names and values in \"a=1&b=x%20y\" (a ? in front is fine), decoded; of a "
             "name that comes again the last value counts."},
    {0},
};
/* clang-format on */
