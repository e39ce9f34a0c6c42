/*
 * spec.h - a pipeline as it is written: names, options and expressions with their places.
 *
 * leat_spec_read() makes it from the node tree of a pipeline file, which the C library makes by
 * hand. What is said here is the shape of the file and its names: keys, units, who reads whom. That
 * modules and operators exist and know their options, that tables are there and that expressions
 * make sense is the planner's work (plan_build.c). Lists are in the order of the file.
 */
#ifndef LEAT_PLAN_SPEC_H
#define LEAT_PLAN_SPEC_H

#include "base/diag.h"
#include "base/option.h"

enum { LEAT_DELIVERY_AT_LEAST_ONCE, LEAT_DELIVERY_EXACTLY_ONCE };
enum { LEAT_SPEC_FAIL, LEAT_SPEC_DROP, LEAT_SPEC_DLQ };
enum { LEAT_TRIGGER_INTERVAL, LEAT_TRIGGER_CAUGHT_UP, LEAT_TRIGGER_ONCE };

/* A part that names a module with a one-key map: `kafka: { topic: t }`. name ptr NULL: none, or one
 * that was refused; that was said. */
struct leat_spec_module {
    struct leat_slice name;       /* "kafka" */
    const struct leat_node *node; /* its key in the file */
    const struct leat_node
        *given; /* its options, those of `use:` merged in and `use` taken out; NULL: none */
};

struct leat_spec_time {
    const struct leat_node *at;                      /* NULL: batch time */
    struct leat_duration lateness, idle, max_future; /* idle, max_future: 0 is off */
};

struct leat_spec_store {
    const struct leat_node *node; /* NULL: not given, the connector has one that is usual for it */
    bool disk;
    struct leat_size quota;
    struct leat_spec_module keep; /* outside: "kafka" with its settings; name ptr NULL: not */
};

struct leat_spec_source {
    struct leat_spec_source *next;
    struct leat_slice name;
    const struct leat_node *node;
    struct leat_spec_module connector;
    struct leat_spec_module format; /* name ptr NULL: the connector's default */
    const struct leat_node *key_format;
    struct leat_spec_time time;
    const struct leat_node *schema; /* NULL: none */
    struct leat_size max_record;
    struct leat_choice on_lost; /* fail, earliest */
    struct leat_spec_store store;
};

struct leat_spec_table {
    struct leat_spec_table *next;
    struct leat_slice name;
    const struct leat_node *node;
    struct leat_spec_module connector, format;
    bool is_topic;
    const struct leat_node *schema;
    const struct leat_node *key; /* expression or list of fields */
};

struct leat_spec_op {
    struct leat_spec_op *next;
    struct leat_slice name;
    const struct leat_node *node; /* for errors: the key, or the bare name */
    const struct leat_node *arg;  /* NULL: nothing said */
};

struct leat_spec_from {
    struct leat_spec_from *next;
    struct leat_slice name;
    const struct leat_node *node;
};

struct leat_spec_stream {
    struct leat_spec_stream *next;
    struct leat_slice
        name; /* empty: an operator was refused, so what readers would get is unknown */
    const struct leat_node *node;
    struct leat_spec_from *from;
    struct leat_spec_op *ops; /* up to the one that was refused */
    bool is_cut;              /* one was refused */
};

struct leat_spec_sink {
    struct leat_spec_sink *next;
    struct leat_slice name;
    const struct leat_node *node;
    struct leat_spec_from *from;
    struct leat_spec_module connector, format; /* format.name ptr NULL: the connector's default */
};

/* A rate that follows what can be worked off. */
struct leat_spec_backpressure {
    bool used;
    double proportional, integral, derived;
    struct leat_rate min_rate;
};

struct leat_spec {
    const char *file; /* as given on the command line, for messages */
    struct leat_slice name, description;
    struct leat_choice delivery;
    struct leat_size memory;
    int64_t partitions;
    struct {
        struct leat_duration every;
        int64_t max_records; /* 0: no limit */
        struct leat_rate max_rate;
        struct leat_spec_backpressure backpressure;
        struct leat_size max_bytes;
        struct leat_choice trigger;
        struct leat_duration call_timeout;
    } batch;
    struct {
        struct leat_duration every; /* 0: every batch */
    } commit;
    struct {
        const char *dir; /* NULL: ./state/NAME */
        struct leat_duration snapshot_every;
        struct leat_duration keep; /* of the log: what `leat replay` can go back to */
    } checkpoint;
    struct {
        const char *listen; /* NULL: nobody is answered */
    } http;
    struct leat_choice on_error;
    struct leat_spec_module dlq;
    struct leat_spec_source *sources;
    struct leat_spec_table *tables;
    struct leat_spec_stream *streams;
    struct leat_spec_sink *sinks;
    const struct leat_node *tests;
    const struct leat_node *root;
};

/* Read all of it; what is wrong goes to diags, and what could be read is in *spec all the same, so
 * that the planner can go on and find more. Defaults are those of the language. */
void leat_spec_read(const struct leat_node *root, struct leat_spec *spec, struct leat_arena *arena,
                    struct leat_diags *diags);

#endif
