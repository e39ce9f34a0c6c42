/*
 * pipeline.h - a pipeline file as text, driven by hand: rows in, one batch, lines out.
 *
 * Runs the real thing from the YAML text to the encoded rows, without clock, threads (unless asked
 * for) and services. Results are lines "key|value|time", in the order in which a sink gets them.
 */
#ifndef LEAT_TEST_PIPELINE_H
#define LEAT_TEST_PIPELINE_H

#include "config/pipeline_file.h"
#include "plan/plan.h"
#include "run/driver.h"

struct pipeline {
    struct leat_arena arena;
    struct leat_diags diags;
    struct config_file file;
    struct leat_spec spec;
    struct leat_plan *plan;
    struct leat_driver *driver;
    struct leat_error error; /* of the last batch */
    struct leat_lookup_table *tables[8];
    struct {
        uint32_t source, id;
        char name[32];
    } parts[64];
    uint32_t parts_count;
};

/* Fails the test and prints what is wrong with the file, unless `errors` wants it: then the
 * messages are there and nothing runs. */
void pipeline_open(struct pipeline *p, const char *yaml, uint32_t threads);
void pipeline_check(const char *yaml, char *messages, size_t room);
void pipeline_close(struct pipeline *p);

/* A row of a source's partition ("orders/0" is made when it is first named). */
void pipeline_row(struct pipeline *p, const char *source, const char *partition, const char *key,
                  const char *value, int64_t time_ms);
/* The partition exists from now on, rows or not; the next row goes into a new block. */
void pipeline_part(struct pipeline *p, const char *source, const char *partition);
void pipeline_cut(struct pipeline *p, const char *source, const char *partition);
/* It has been read to its end: it may become idle. */
void pipeline_at_end(struct pipeline *p, const char *source, const char *partition);
/* Run what was fed. False: it failed, see p->error. */
bool pipeline_batch(struct pipeline *p, int64_t time_ms, bool close);
/* What the sink got in that batch, into `room` bytes. `keys`, `times`: show them. */
enum { PIPELINE_KEYS = 1, PIPELINE_TIMES = 2 };
const char *pipeline_output(struct pipeline *p, const char *sink, unsigned show, char *into,
                            size_t room);

#endif
