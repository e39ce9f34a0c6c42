/*
 * split.h - the body of a request as records: one, one per line, or the elements of a JSON array.
 *
 * Nothing is built: a record is a piece of the body, and the walk remembers where it stands, so its
 * memory is the same for any body, and depth is a counter. The body is looked at as a whole first
 * (http_split_check), so that of a body with a mistake nothing is taken.
 *
 * Thread: any; nothing is shared.
 */
#ifndef LEAT_CONNECTORS_HTTP_SPLIT_H
#define LEAT_CONNECTORS_HTTP_SPLIT_H

#include "leat.h"

/* What `body:` says: JSON in any of its three shapes, or bytes that are not looked at. */
enum http_form { HTTP_JSON, HTTP_LINES, HTTP_ONE };

enum http_shape { HTTP_SHAPE_ONE, HTTP_SHAPE_LINES, HTTP_SHAPE_ARRAY };

struct http_split {
    struct leat_slice body;
    enum http_shape shape;
    bool is_json; /* lines without anything in them are passed over */
    size_t at;
    uint64_t records; /* found up to here */
};

/* Borrows body. `lines`: the sender says that it is JSON by lines; heeded for HTTP_JSON only. */
void http_split_init(struct http_split *s, struct leat_slice body, enum http_form form, bool lines);

/* The next record, borrowed from the body. False: there is none; *why is NULL at the end, or says
 * what is wrong with the array that ends here. */
bool http_split_next(struct http_split *s, struct leat_slice *record, const char **why);

struct http_verdict {
    unsigned status; /* of the answer: 400, 413, 503 (no memory); 0: all is well */
    uint64_t records;
    char text[240]; /* for the sender */
};

/* Walk through all of a split that has just been made: is each record JSON, where that is asked
 * for, and none longer than max_record (0: any length)? `plan` is one without paths; `arena` is
 * rewound. */
void http_split_check(struct http_split s, const struct leat_json_plan *plan, size_t max_record,
                      struct leat_arena *arena, struct http_verdict *verdict);

#endif
