/*
 * streaming_by_hand.c - cases that are told in words are skipped; by_hand.json has the tests that
 * cover them, or why leat has nothing of the kind. test_by_hand.py looks that these are there.
 */
#include "streaming.h"

#include <stdio.h>

static json_t *row_of(const char *id)
{
    static json_t *table;
    json_error_t unused;

    if (!table)
        table = json_load_file(BY_HAND, 0, &unused);
    return id ? json_object_get(table, id) : NULL;
}

void print_by_hand(const char *id)
{
    json_t *row = row_of(id), *tests = json_object_get(row, "tests"), *test;
    const char *none = text_at(row, "none"), *but = text_at(row, "but");
    size_t i;

    fprintf(stderr, "skipped %s: ", id ? id : "?");
    if (none)
        fprintf(stderr, "%s", none);
    else if (!json_array_size(tests))
        fprintf(stderr, "it is told in words, and no test names it");
    json_array_foreach(tests, i, test)
        fprintf(stderr, "%s%s", i ? "; " : "see ", json_string_value(test));
    if (but)
        fprintf(stderr, " (%s)", but);
    fprintf(stderr, "\n");
}
