/* Tests engine/expr/functions_math.c. */
#include "leat_test.h"

#include "function_test.h"

static void extremes_keep_their_kind(void)
{
    begin();
    IS("math.greatest(5.4, 10, 3u)", "10");
    IS("math.least([1.5, 1, 2])", "1");
    IS("math.greatest(1, 1.0)", "1");
    IS("math.greatest(-9223372036854775808, 1)", "1");
    BEGINS("math.greatest([])", "error: math.greatest() and math.least() of an empty list");
    BEGINS("math.least(dyn('a'), 1)", "error: no such overload");
    end();
}

static void numbers_are_rounded(void)
{
    begin();
    IS("math.ceil(1.2)", "2.0");
    IS("math.round(-1.5)", "-2.0");
    BEGINS("math.floor(dyn(1))", "error: no such overload");
    IS("[ceil(1.2), floor(-1.2), trunc(-1.7), round(2.5)]", "[2.0,-2.0,-1.0,3.0]");
    IS("[ceil(3), floor(-3), trunc(3), round(3)]", "[3,-3,3,3]");
    IS("round(2.675, 2)", "2.68");
    IS("round(1.005, 2)", "1.01");
    IS("round(-2.675, 2)", "-2.68");
    IS("round(2.4, 5)", "2.4");
    IS("round(0.06, 1)", "0.1");
    IS("round(0.04, 1)", "0.0");
    IS("round(0.0045, 3)", "0.005");
    IS("round(9.995, 2)", "10.0");
    IS("round(1234.5, -2)", "1200.0");
    IS("round(1250.0, -2)", "1300.0");
    IS("round(999.5, -3)", "1000.0");
    IS("round(40.0, -2)", "0.0");
    IS("round(60.0, -2)", "100.0");
    IS("round(1e300, 2)", "1e300");
    IS("round(1e-300, 2)", "0.0");
    IS("round(1.5e-7, 7)", "2e-7");
    IS("round(1250, -2)", "1300");
    IS("round(-1250, -2)", "-1300");
    IS("round(1249, -2)", "1200");
    IS("round(5, -30)", "0");
    BEGINS("round(9223372036854775807, -3)", "error: the rounded number is out of range");
    BEGINS("round('a')", "refused: ");
    end();
}

static void signs_and_kinds_are_asked(void)
{
    begin();
    IS("[math.abs(-11), math.abs(3)]", "[11,3]");
    IS("math.abs(-11.5)", "11.5");
    BEGINS("math.abs(-9223372036854775808)", "error: the least int");
    IS("math.sign(-32.0)", "-1.0");
    IS("math.sqrt(16)", "4.0");
    IS("math.isNaN(math.sqrt(-1.0))", "true");
    IS("math.isInf(1.0 / 0.0) && !math.isFinite(1.0 / 0.0)", "true");
    end();
}

static void bits_are_turned_and_moved(void)
{
    begin();
    IS("[math.bitAnd(5, 3), math.bitOr(5, 3), math.bitXor(5, 3), math.bitNot(0)]", "[1,7,6,-1]");
    IS("math.bitNot(0u)", "18446744073709551615");
    IS("math.bitShiftRight(-1024, 2)", "4611686018427387648");
    IS("math.bitShiftLeft(1, 63)", "-9223372036854775808");
    IS("math.bitShiftLeft(1, 64)", "0");
    BEGINS("math.bitShiftLeft(1, -1)", "error: a shift by a negative");
    BEGINS("math.bitAnd(dyn(1), 1u)", "error: no such overload");
    end();
}

static void ints_are_parsed_in_any_base(void)
{
    begin();
    IS("parseInt('42')", "42");
    IS("parseInt('-ff', 16)", "-255");
    IS("parseInt('0xFF', 16)", "255");
    IS("parseInt('zz', 36)", "1295");
    IS("parseInt('-9223372036854775808')", "-9223372036854775808");
    BEGINS("parseInt('9223372036854775808')", "error: the text is beyond");
    BEGINS("parseInt('12', 2)", "error: the text is no int");
    BEGINS("parseInt('')", "error: the text is no int");
    BEGINS("parseInt('-')", "error: the text is no int");
    BEGINS("parseInt('0x', 16)", "error: the text is no int");
    BEGINS("parseInt('1', 37)", "error: parseInt() knows bases");
    end();
}

LEAT_TESTS("functions_math", T(extremes_keep_their_kind), T(numbers_are_rounded),
           T(signs_and_kinds_are_asked), T(bits_are_turned_and_moved),
           T(ints_are_parsed_in_any_base))
