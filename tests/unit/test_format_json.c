/* Tests engine/format/json.c. */
#include "format_contract.h"
#include "leat_test.h"

#include <stddef.h>

static const char *const none[] = {NULL};
static const char *const good[] = {
    "{\"city\":\"Paris\",\"n\":[1,2.50,\"\\u00e9\\n\"],\"deep\":{\"x\":null}}",
    "{ \"a\" : 1 }",
    "{}",
    "[1,2,{\"a\":1.10}]",
    "\"a \\\"text\\\"\"",
    "17",
    "-0.5",
    "true",
    "18446744073709551615",
    NULL};
static const char *const bad[] = {"",         "{",   "{\"a\":1}}", "{\"a\":01}", "\xef\xbb\xbf{}",
                                  "\"\xff\"", "NaN", NULL};
static const struct format_case json = {"json", none, NULL, good, bad};

LEAT_FORMAT_CONTRACT(json)
LEAT_TESTS("format_json", LEAT_FORMAT_CONTRACT_TESTS)
