/*
 * window.h - the argument of `window` and of the operators that bring a window of their own.
 */
#ifndef LEAT_OP_WINDOW_H
#define LEAT_OP_WINDOW_H

#include "op/build.h"

/* What may be said; operators put it first into their options. */
struct leat_window_options {
    struct leat_duration size, slide, offset, session;
    const char *zone, *late;
    struct {
        struct leat_duration every;
    } emit;
};

extern const struct leat_opt leat_window_emit_options[];

/* Entries for the table of a struct whose member `window` is a struct leat_window_options. */
/* clang-format off */
#define LEAT_WINDOW_OPTS(type) \
    {.name = "size", .kind = LEAT_OPT_DURATION, .offset = offsetof(type, window.size), \
     .optional = true, .min = 1, .max = LEAT_OPT_NO_MAX, \
     .help = "How long a window is."}, \
    {.name = "slide", .kind = LEAT_OPT_DURATION, .offset = offsetof(type, window.slide), \
     .optional = true, .min = 1, .max = LEAT_OPT_NO_MAX, \
     .help = "How far apart windows begin; default: size."}, \
    {.name = "zone", .kind = LEAT_OPT_TEXT, .offset = offsetof(type, window.zone), \
     .optional = true, .help = "Time zone whose calendar days size and slide count."}, \
    {.name = "offset", .kind = LEAT_OPT_DURATION, .offset = offsetof(type, window.offset), \
     .def = "0ms", .max = LEAT_OPT_NO_MAX, .help = "How far the grid of windows is moved."}, \
    {.name = "emit", .kind = LEAT_OPT_GROUP, .offset = offsetof(type, window.emit), \
     .group = leat_window_emit_options, .help = "Early results."}
/* clang-format on */

/* The window that `o` asks for. kind NONE after an error in diags. */
struct leat_window_spec leat_window_spec_of(struct leat_build *b,
                                            const struct leat_window_options *o);

#endif
