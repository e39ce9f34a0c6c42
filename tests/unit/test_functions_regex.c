/* Tests engine/expr/functions_regex.c. */
#include "leat_test.h"

#include "function_test.h"

static void patterns_match_anywhere(void)
{
    begin();
    IS("'hubba'.matches('ubb')", "true");
    IS("matches('hubba', '^ubb')", "false");
    IS("''.matches('')", "true");
    IS("['a', '^a'].map(re, 'ba'.matches(re))", "[true,false]");
    BEGINS("'a'.matches('(')", "refused: regular expression, at character");
    BEGINS("'a'.matches('a(?=b)')", "refused: regular expression, at character 2: look-ahead");
    BEGINS("['(a)\\\\1'].map(re, 'a'.matches(re))", "error: regular expression, at character 4");
    BEGINS("'a'.matches(dyn(1))", "refused: a regular expression is text");
    end();
}

static void groups_are_extracted(void)
{
    begin();
    IS("'id=42;id=7'.extract('id=(\\\\d+)')", "\"42\"");
    IS("'id=42'.extract('id=\\\\d+')", "\"id=42\"");
    IS("'2026-01-02'.extract('(\\\\d+)-(\\\\d+)', 2)", "\"01\"");
    IS("'2026-01-02'.extract('(\\\\d+)-(\\\\d+)', 0)", "\"2026-01\"");
    IS("'abc'.extract('x')", "null");
    IS("'b'.extract('(a)|b')", "null");
    BEGINS("'b'.extract('b', 1)", "error: the regular expression has no group");
    IS("'id=42;id=7'.extractAll('id=(\\\\d+)')", "[\"42\",\"7\"]");
    IS("'a1b22'.extractAll('[a-z]\\\\d+')", "[\"a1\",\"b22\"]");
    IS("'abc'.extractAll('x')", "[]");
    IS("'a\xc3\xa9'.extractAll('')", "[\"\",\"\",\"\"]");
    end();
}

static void matches_are_replaced(void)
{
    begin();
    IS("'a1b22'.regexReplace('\\\\d+', '#')", "\"a#b#\"");
    IS("'John Smith'.regexReplace('(\\\\w+) (?P<last>\\\\w+)', '${last}, $1 $$ $0')",
       "\"Smith, John $ John Smith\"");
    IS("'ab'.regexReplace('', '-')", "\"-a-b-\"");
    IS("'baaac'.regexReplace('a*', 'x')", "\"xbxxcx\"");
    IS("'b'.regexReplace('(a)|b', '[$1]')", "\"[]\"");
    BEGINS("'a'.regexReplace('a', '$1')", "error: in what replaces");
    BEGINS("'a'.regexReplace('a', '${x}')", "error: in what replaces");
    BEGINS("'a'.regexReplace('a', '$')", "error: in what replaces");
    BEGINS("x.lpad(60000, x).regexReplace('x', x.lpad(1000))", "error: the result would be larger");
    end();
}

static void endless_searches_are_errors_of_the_row(void)
{
    begin();
    BEGINS("x.lpad(60, x).matches('(x|xx|x*)*b|(x+x+)+y')",
           "error: the regular expression takes too");
    end();
}

LEAT_TESTS("functions_regex", T(patterns_match_anywhere), T(groups_are_extracted),
           T(matches_are_replaced), T(endless_searches_are_errors_of_the_row))
