/*
 * function.c - finds functions in the tables, and prints them with macros and operators.
 *
 * A search is linear: it happens while expressions are compiled. Thread: any.
 */
#include "expr/function.h"

#include "expr/check.h"

static const struct leat_function *const tables[] = {
    leat_functions_core, leat_functions_text, leat_functions_regex, leat_functions_math,
    leat_functions_time, leat_functions_list, leat_functions_codec,
};

#define TABLES (sizeof tables / sizeof *tables)

const struct leat_function *function_find_next(struct leat_slice name, enum leat_function_form form,
                                               const struct leat_function *after)
{
    bool passed = !after;

    for (size_t i = 0; i < TABLES; i++)
        for (const struct leat_function *f = tables[i]; f->name; f++) {
            if (passed && (f->form & form) && leat_slice_eq(name, leat_slice_str(f->name)))
                return f;
            passed = passed || f == after;
        }
    return NULL;
}

const struct leat_function *leat_function_find(struct leat_slice name, enum leat_function_form form)
{
    return function_find_next(name, form, NULL);
}

void leat_function_each(void (*fn)(const struct leat_function *f, void *arg), void *arg)
{
    for (size_t i = 0; i < TABLES; i++)
        for (const struct leat_function *f = tables[i]; f->name; f++)
            fn(f, arg);
}

static const struct leat_function_doc operators[] = {
    {"+", "number + number, string + string, bytes + bytes, list + list, timestamp + duration",
     "Sum; text and lists are joined. Ints that overflow are an error."},
    {"-", "number - number, timestamp - timestamp, timestamp - duration, duration - duration, -x",
     "Difference; between two times it is a duration."},
    {"*", "number * number", "Product."},
    {"/", "number / number",
     "True division, a double; between two that are known to be int (or uint) before there is "
     "data, a division without remainder."},
    {"%", "int % int, uint % uint", "Remainder, with the sign of the left side."},
    {"== !=", "any == any", "Equality; numbers are equal across int, uint and double."},
    {"< <= > >=", "x < y", "Order of numbers, text, bytes, bools, timestamps, durations."},
    {"in", "x in list, key in map", "Whether the list has the item, or the map the key."},
    {"&& || !", "bool && bool", "Logic; a side that decides hides an error of the other side."},
    {"?:", "bool ? x : y", "One or the other; only the chosen one is evaluated."},
    {".? [?]", "this.?field, list[?i]", "An optional: empty when there is no such field or item."},
};

struct doc_target {
    void (*fn)(const struct leat_function_doc *doc, void *arg);
    void *arg;
};

static void put_function(const struct leat_function *f, void *arg)
{
    struct doc_target *to = arg;

    to->fn(&(struct leat_function_doc){f->name, f->signature, f->help}, to->arg);
}

void leat_functions_each(void (*fn)(const struct leat_function_doc *doc, void *arg), void *arg)
{
    struct doc_target to = {fn, arg};

    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        fn(&operators[i], arg);
    macro_each(fn, arg);
    leat_function_each(put_function, &to);
}
