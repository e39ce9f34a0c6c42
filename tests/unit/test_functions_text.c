/* Tests engine/expr/functions_text.c, functions_parts.c, case_map.c and utf8.h. */
#include "leat_test.h"

#include "expr/case_map.h"
#include "expr/utf8.h"
#include "function_test.h"

static void positions_count_code_points(void)
{
    begin();
    IS("'ta\xc2\xa9o'.charAt(2)", "\"\xc2\xa9\"");
    IS("'abc'.charAt(3)", "\"\"");
    BEGINS("'abc'.charAt(4)", "error: index out of range");
    BEGINS("'abc'.charAt(-1)", "error: index out of range");
    IS("'ta\xc2\xa9o\xc2\xa9\xce\xb1T'.indexOf('\xc2\xa9\xce\xb1T', 3)", "4");
    IS("'abcabc'.indexOf('c', 3)", "5");
    IS("'abc'.indexOf('x')", "-1");
    IS("'abc'.indexOf('')", "0");
    IS("'abc'.indexOf('', 3)", "3");
    BEGINS("'abc'.indexOf('a', 4)", "error: index out of range");
    BEGINS("'abc'.indexOf('', -1)", "error: index out of range");
    IS("'tacocat'.lastIndexOf('at')", "5");
    IS("'tacocat'.lastIndexOf('a', 4)", "1");
    IS("'abc'.lastIndexOf('')", "3");
    IS("''.lastIndexOf('')", "0");
    IS("''.lastIndexOf('x')", "-1");
    IS("'aaa'.lastIndexOf('aa', 0)", "0");
    BEGINS("'abc'.lastIndexOf('a', 9)", "error: index out of range");
    IS("'ta\xc2\xa9o'.substring(2)", "\"\xc2\xa9o\"");
    IS("'ta\xc2\xa9o'.substring(1, 3)", "\"a\xc2\xa9\"");
    IS("'abc'.substring(3)", "\"\"");
    BEGINS("'abc'.substring(2, 1)", "error: index out of range");
    BEGINS("'abc'.substring(0, 4)", "error: index out of range");
    end();
}

static void case_is_changed_the_same_in_every_language(void)
{
    begin();
    IS("'TacoC\xc3\x86t'.lowerAscii()", "\"tacoc\xc3\x86t\"");
    IS("'taco\xc3\xa6t'.upperAscii()", "\"TACO\xc3\xa6T\"");
    IS("'\xc3\x84\xc3\x96 \xce\xa3\xce\x91 \xd0\x96 I'.lower()",
       "\"\xc3\xa4\xc3\xb6 \xcf\x83\xce\xb1 \xd0\xb6 i\"");
    IS("'\xc3\xa4\xc3\xbf \xc3\x9f \xcf\x82 \xd1\x91'.upper()",
       "\"\xc3\x84\xc5\xb8 \xc3\x9f \xce\xa3 \xd0\x81\"");
    IS("lower('ABC')", "\"abc\"");
    BEGINS("dyn(1).lower()", "error: no such overload");
    BEGINS("1.5.upper()", "refused: ");
    end();
    CU_ASSERT_EQUAL(case_lower(0x130), 'i');
    CU_ASSERT_EQUAL(case_upper(0x131), 'I');
    CU_ASSERT_EQUAL(case_upper(0x250), 0x2c6f); /* 2 bytes become 3 */
    CU_ASSERT_EQUAL(case_lower(0x1e9e), 0xdf);
    CU_ASSERT_EQUAL(case_upper(0x4e2d), 0x4e2d);
}

static void lower_and_upper_go_there_and_back(void)
{
    for (uint32_t c = 0; c < 0x3000; c++) {
        uint32_t low = case_lower(c);
        CU_ASSERT(case_lower(low) == low);
        if (low != c && c != 0x130 && c != 0x1e9e && c != 0x3f4)
            CU_ASSERT(case_upper(low) == c || case_lower(case_upper(low)) == low);
    }
}

static void white_space_is_unicodes(void)
{
    begin();
    IS("' \\f\\n\\r\\t\\v\xc2\x85\xc2\xa0text \xe2\x80\xa8\xe3\x80\x80'.trim()", "\"text\"");
    IS("'\xe2\x80\x8btext'.trim()", "\"\xe2\x80\x8btext\"");
    IS("'  '.trim()", "\"\"");
    IS("''.trim()", "\"\"");
    end();
}

static void text_is_filled_up(void)
{
    begin();
    IS("'7'.lpad(3, '0')", "\"007\"");
    IS("'7'.rpad(3)", "\"7  \"");
    IS("'abc'.lpad(2)", "\"abc\"");
    IS("'x'.lpad(6, 'a\xc3\xa9')", "\"a\xc3\xa9"
                                   "a\xc3\xa9"
                                   "ax\"");
    IS("'x'.lpad(-5)", "\"x\"");
    BEGINS("'x'.lpad(3, '')", "error: cannot fill up");
    BEGINS("x.lpad(99999999999)", "error: the result would be larger");
    BEGINS("x.lpad(16777215, '\xc3\xa9')", "error: the result would be larger");
    end();
}

static void text_is_split_and_joined(void)
{
    begin();
    IS("'a,b,,c'.split(',')", "[\"a\",\"b\",\"\",\"c\"]");
    IS("''.split(',')", "[\"\"]");
    IS("'a,b,c'.split(',', 2)", "[\"a\",\"b,c\"]");
    IS("'a,b'.split(',', 1)", "[\"a,b\"]");
    IS("'a,b'.split(',', 0)", "[]");
    IS("'a,b'.split(',', -1)", "[\"a\",\"b\"]");
    IS("'a\xc3\xa9z'.split('')", "[\"a\",\"\xc3\xa9\",\"z\"]");
    IS("'a\xc3\xa9z'.split('', 2)", "[\"a\",\"\xc3\xa9z\"]");
    IS("''.split('')", "[]");
    IS("['a', 'b'].join('-')", "\"a-b\"");
    IS("['a', 'b'].join()", "\"ab\"");
    IS("[].join(',')", "\"\"");
    BEGINS("['a', 1].join(',')", "error: no such overload");
    end();
}

static void text_is_replaced(void)
{
    begin();
    IS("'aXbXc'.replace('X', '-')", "\"a-b-c\"");
    IS("'aXbXc'.replace('X', '-', 1)", "\"a-bXc\"");
    IS("'aXbXc'.replace('X', '', -1)", "\"abc\"");
    IS("'aXb'.replace('X', '-', 0)", "\"aXb\"");
    IS("'a\xc3\xa9'.replace('', '-')", "\"-a-\xc3\xa9-\"");
    IS("'ab'.replace('', '-', 2)", "\"-a-b\"");
    IS("''.replace('', '-')", "\"-\"");
    BEGINS("x.lpad(60000, x).replace(x, x.lpad(1000))", "error: the result would be larger");
    end();
}

static void text_and_lists_are_reversed(void)
{
    begin();
    IS("'T\xc3\xa9\xe2\x82\xac'.reverse()", "\"\xe2\x82\xac\xc3\xa9T\"");
    IS("''.reverse()", "\"\"");
    IS("[1, 'a'].reverse()", "[\"a\",1]");
    BEGINS("dyn(1).reverse()", "error: no such overload");
    end();
}

static void quotes_escape(void)
{
    begin();
    IS("strings.quote('a\"\\\\\\n\\u00e9') == '\"a\\\\\"\\\\\\\\\\\\n\xc3\xa9\"'", "true");
    end();
}

static void bytes_that_are_no_utf8_are_a_character_each(void)
{
    struct leat_slice s = LEAT_LIT("a\xff\xc3(\xe2\x82\xf0\x9f\x98\x80\xed\xa0\x80");
    uint32_t len;

    CU_ASSERT_EQUAL(utf8_count(s), 10);
    CU_ASSERT_EQUAL(utf8_get(s.ptr + 6, s.ptr + s.len, &len), 0x1f600);
    CU_ASSERT_EQUAL(len, 4);
    CU_ASSERT_EQUAL(utf8_get(s.ptr + 6, s.ptr + 9, &len), UTF8_BAD);
    CU_ASSERT_PTR_EQUAL(utf8_before(s.ptr, s.ptr + 10), s.ptr + 6);
    CU_ASSERT_PTR_EQUAL(utf8_before(s.ptr, s.ptr + 2), s.ptr + 1);
    CU_ASSERT_PTR_NULL(utf8_at(s, 11));
    CU_ASSERT_PTR_EQUAL(utf8_at(s, 10), s.ptr + s.len);
    for (uint32_t c = 0; c < 0x110000; c++) {
        char text[4];
        if (c == 0xd800)
            c = 0xe000;
        uint32_t n = utf8_put(c, text);
        if (utf8_get(text, text + n, &len) != c || len != n)
            CU_FAIL_FATAL("a code point that does not come back");
    }
}

LEAT_TESTS("functions_text", T(positions_count_code_points),
           T(case_is_changed_the_same_in_every_language), T(lower_and_upper_go_there_and_back),
           T(white_space_is_unicodes), T(text_is_filled_up), T(text_is_split_and_joined),
           T(text_is_replaced), T(text_and_lists_are_reversed), T(quotes_escape),
           T(bytes_that_are_no_utf8_are_a_character_each))
