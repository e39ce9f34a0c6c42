/* Tests engine/expr/functions_codec.c, functions_url.c and sha256.c. */
#include "leat_test.h"

#include "expr/sha256.h"
#include "function_test.h"

static void base64_goes_there_and_back(void)
{
    begin();
    IS("base64.encode(b'hello')", "\"aGVsbG8=\"");
    IS("base64.encode('')", "\"\"");
    IS("['', 'a', 'ab', 'abc', 'abcd'].map(s, base64.encode(s))",
       "[\"\",\"YQ==\",\"YWI=\",\"YWJj\",\"YWJjZA==\"]");
    IS("['', 'YQ==', 'YQ', 'YWI=', 'YWI', 'YWJj'].map(s, string(base64.decode(s)))",
       "[\"\",\"a\",\"a\",\"ab\",\"ab\",\"abc\"]");
    IS("base64.decode(base64.encode(b'\\x00\\xff\\xfb\\xf0')) == b'\\x00\\xff\\xfb\\xf0'", "true");
    BEGINS("base64.decode('Y')", "error: the text is no base64");
    BEGINS("base64.decode('YQ=')", "error: the text is no base64");
    BEGINS("base64.decode('Y===')", "error: the text is no base64");
    BEGINS("base64.decode('Y Q=')", "error: the text is no base64");
    end();
}

static void hex_of_bytes_and_numbers(void)
{
    begin();
    IS("hex(b'\\x00\\xff')", "\"00ff\"");
    IS("hex('AZ')", "\"415a\"");
    IS("[hex(255), hex(-1), hex(-9223372036854775808)]", "[\"ff\",\"-1\",\"-8000000000000000\"]");
    IS("hex(18446744073709551615u)", "\"ffffffffffffffff\"");
    end();
}

/* Raising these values means breaking what pipelines have written. */
static void hashes_never_change(void)
{
    begin();
    IS("hash('Paris')", "-7721387918888319089");
    IS("hash(1) == hash(1.0) && hash(1) == hash(1u)", "true");
    IS("hash([1, 'a']) != hash(['a', 1])", "true");
    BEGINS("hash({'a': 1})", "error: a value of type map cannot be a key");
    IS("sha256('abc')", "\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"");
    IS("sha256('')", "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"");
    IS("sha256(b'abc') == sha256('abc')", "true");
    IS("uuid('Paris')", "\"181540b9-23c2-8429-ab0d-82f311defc18\"");
    IS("uuid(1) == uuid(1.0) && uuid(1) != uuid('1')", "true");
    end();
}

/* One of 55, 56, 63 and 64 bytes ends in each of the ways there are; FIPS 180-2 has the last. */
static void sha256_of_every_length(void)
{
    static char text[1000000];
    uint8_t d[32];

    memset(text, 'a', sizeof text);
    static const struct {
        size_t len;
        uint8_t first[4];
    } cases[] = {{55, {0x9f, 0x43, 0x90, 0xf8}}, {56, {0xb3, 0x54, 0x39, 0xa4}},
                 {63, {0x7d, 0x3e, 0x74, 0xa0}}, {64, {0xff, 0xe0, 0x54, 0xfe}},
                 {65, {0x63, 0x53, 0x61, 0xc4}}, {sizeof text, {0xcd, 0xc7, 0x6e, 0x5c}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sha256((struct leat_slice){text, cases[i].len}, d);
        CU_ASSERT(memcmp(d, cases[i].first, 4) == 0);
    }
}

static void json_in_text(void)
{
    begin();
    IS("parseJson('{\"a\": [1, 2.5, null]}').a", "[1,2.5,null]");
    IS("parseJson('3')", "3");
    BEGINS("parseJson('{')", "error: ");
    IS("toJson({'a': [1, 2.0, 'x', null]})", "\"{\\\"a\\\":[1,2.0,\\\"x\\\",null]}\"");
    IS("parseJson(toJson({'a': timestamp(0)})).a", "\"1970-01-01T00:00:00Z\"");
    BEGINS("toJson(0.0 / 0.0)", "error: ");
    end();
}

static void addresses_are_taken_apart(void)
{
    begin();
    IS("parseUrl('https://me:pw@example.com:8080/a/b?x=1&y=2#top')",
       "{\"scheme\":\"https\",\"user\":\"me:pw\",\"host\":\"example.com\",\"port\":8080,"
       "\"path\":\"/a/b\",\"query\":\"x=1&y=2\",\"fragment\":\"top\"}");
    IS("parseUrl('/a?b')",
       "{\"scheme\":null,\"user\":null,\"host\":null,\"port\":null,\"path\":\"/a\",\"query\":\"b\","
       "\"fragment\":null}");
    IS("parseUrl('http://[::1]:80').host", "\"[::1]\"");
    IS("parseUrl('http://[::1]:80').port", "80");
    IS("parseUrl('http://h:/').port", "null");
    IS("parseUrl('mailto:a@b').path", "\"a@b\"");
    IS("parseUrl('//h').host", "\"h\"");
    IS("parseUrl('').path", "\"\"");
    BEGINS("parseUrl('http://h:99999/')", "error: the port");
    BEGINS("parseUrl('http://h:x/')", "error: the port");
    end();
}

static void queries_are_decoded(void)
{
    begin();
    IS("parseQuery('a=1&b=x%20y+z&c&a=2&&%41%zz=%')",
       "{\"a\":\"2\",\"b\":\"x y z\",\"c\":\"\",\"A%zz\":\"%\"}");
    IS("parseQuery('?a=%C3%A9')", "{\"a\":\"\xc3\xa9\"}");
    IS("parseQuery('a=%ff')", "{\"a\":\"%ff\"}");
    IS("parseQuery('')", "{}");
    BEGINS("parseQuery(x.lpad(100000, '&'))", "error: the expression takes too many steps");
    end();
}

LEAT_TESTS("functions_codec", T(base64_goes_there_and_back), T(hex_of_bytes_and_numbers),
           T(hashes_never_change), T(sha256_of_every_length), T(json_in_text),
           T(addresses_are_taken_apart), T(queries_are_decoded))
