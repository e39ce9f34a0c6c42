/*
 * lines.h - rows that a pipeline gave, in a form that compares: doubles are equal within 1e-9.
 */
#ifndef LEAT_TEST_LINES_H
#define LEAT_TEST_LINES_H

#include "pipeline.h"

struct lines {
    struct leat_arena arena;
    const char **list;
    size_t count, room;
};

/* What all sinks but those named tap... got in the last batch; "sink key: value", with the doubles
 * behind a byte 1. */
void lines_collect(struct lines *into, struct pipeline *p);
/* A row that came out elsewhere. */
void lines_add(struct lines *into, struct leat_slice value);
void lines_sort(struct lines *l);
void lines_free(struct lines *l);

/* The same rows, in this order? Else prints the first that differ. */
bool lines_same(const struct lines *a, const struct lines *b);

#endif
