/*
 * function_test.h - IS(expression, text it gives) for the tests of functions.
 *
 * Include it once per program, after leat_test.h. The columns `x` ("x") and `one` (1) make what
 * would be a constant an expression of the row; `bench` may get more before the first IS.
 */
#ifndef FUNCTION_TEST_H
#define FUNCTION_TEST_H

#include "expression.h"

#include <stdio.h>

static struct expression bench;

#define IS(expr, expected) is(__LINE__, expr, expected, false)
/* What it gives begins with this. */
#define BEGINS(expr, expected) is(__LINE__, expr, expected, true)

static inline void is(int line, const char *expr, const char *expected, bool only_begin)
{
    const char *got = expression_text(&bench, expr), *text = got;

    /* A constant that fails is refused when it is compiled, with the text of the error. */
    if (strncmp(got, "refused: ", 9) == 0 && strncmp(expected, "error: ", 7) == 0) {
        text += 9;
        expected += 7;
    }
    bool same =
        only_begin ? strncmp(text, expected, strlen(expected)) == 0 : !strcmp(text, expected);

    if (!same)
        printf("    line %d: %s\n      expected %s\n      got      %.200s\n", line, expr, expected,
               got);
    CU_ASSERT(same);
}

static inline void begin(void)
{
    expression_init(&bench);
    expression_add(&bench, "x", LEAT_T_STRING, leat_string(LEAT_LIT("x")));
    expression_add(&bench, "one", LEAT_T_INT, leat_int(1));
}

static inline void end(void)
{
    expression_fini(&bench);
}

#endif
