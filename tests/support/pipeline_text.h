/*
 * pipeline_text.h - everything that reading a pipeline file says, as its author would see it.
 */
#ifndef PIPELINE_TEXT_H
#define PIPELINE_TEXT_H

#include "config/interpolate.h"
#include "config/message.h"
#include "config/pipeline_test.h"

struct pipeline_text {
    struct leat_arena arena;
    struct leat_diags diags;
    struct config_file file;
    struct leat_spec spec;
    struct config_test *tests;
    char *messages; /* as printed for a file named "f.yaml" */
};

/* Text to tree to spec and tests; the planner is not asked. The environment has USER_NAME=ada,
 * BRACES={x} and EMPTY= in it. */
void pipeline_text_read(struct pipeline_text *p, const char *text, size_t len);
void pipeline_text_fini(struct pipeline_text *p);

/* One that is good but for what a test puts behind it: sources `in`, sinks `out`. */
#define PIPELINE_HEAD                                                                              \
    "leat: 1\nname: p\nsources:\n  in: { memory: {} }\nsinks:\n  out: { from: in, memory: {} }\n"

#endif
