/*
 * yaml_bounds.h - what is refused before the YAML library sees a file, and where a byte stands.
 *
 * libfyaml 0.7 reads invalid UTF-8 as null, can hang on a '%' at the start of a line, queues
 * hundreds of bytes for each byte of a long line and for each open bracket, and needs quadratic
 * time for empty lines. So these are refused first, with their place.
 */
#ifndef LEAT_CONFIG_YAML_BOUNDS_H
#define LEAT_CONFIG_YAML_BOUNDS_H

#include "base/diag.h"

/* False after an error in diags. */
bool config_bounds_check(struct leat_slice text, struct leat_diags *diags);

/* Length of the UTF-8 character at the front of text, 0 when it is none. */
size_t config_utf8_len(struct leat_slice text);

/* Where lines begin, to turn offsets into marks quickly. */
struct config_lines {
    struct leat_slice text;
    size_t *starts;
    uint32_t count;
    size_t last, last_column; /* the place asked for last: the next one is often behind it */
};

/* False when memory is out. */
bool config_lines_init(struct config_lines *lines, struct leat_slice text,
                       struct leat_arena *arena);

/* Mark of bytes [from, to), cut at the end of the line; at least one character is underlined. */
struct leat_mark config_lines_mark(struct config_lines *lines, size_t from, size_t to);

/* Line `number` (from 1) without its line end; empty when there is none. */
struct leat_slice config_lines_get(const struct config_lines *lines, uint32_t number);

#endif
