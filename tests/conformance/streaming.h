/*
 * streaming.h - the parts of conformance_streaming, which runs cases of stream semantics over the
 * C library. A case comes as JSON; values of elements are made of it and back, so that what came
 * out is compared as JSON.
 */
#ifndef LEAT_TESTS_CONFORMANCE_STREAMING_H
#define LEAT_TESTS_CONFORMANCE_STREAMING_H

#include "leat_stream.h"

#include "base/arena.h"
#include "base/clock.h"

#include <jansson.h>
#include <pthread.h>

#define STREAMING_INPUTS_MAX 8

/* Why a case did not pass. */
struct failure {
    char text[600];
};

/* Always false. The first is kept. */
LEAT_PRINTF(2, 3) bool differs(struct failure *why, const char *fmt, ...);

/* ---- streaming_json.c */

struct leat_value value_of_json(json_t *j, struct leat_arena *arena);
json_t *json_of_value(struct leat_value v); /* a new reference */
json_t *json_of_row(const struct leat_pair *row, bool pairs);
/* Two lists; `sorted`: in any order. */
bool same_rows(json_t *a, json_t *b, bool sorted);
/* In any order, and so the values of each key: pairs of a key and a list, or of two lists. */
bool same_groups(json_t *a, json_t *b, bool cogroup);
/* The text of j, cut to the room. */
void json_text(json_t *j, char *into, size_t room);

/* ---- streaming_functions.c: the vocabulary. NULL: there is no such function */

/* What a function of elements makes, if the elements are pairs or not. */
enum element_form { FORM_VALUE, FORM_PAIR, FORM_SAME };
struct element_function {
    const char *name;
    leat_function *fn; /* gets an element: a value, or a pair; of a pair gives a list of two */
    enum element_form form;
};
const struct element_function *element_function(const char *name);
leat_reduce_function *reduce_function(const char *name);
leat_update_function *update_function(const char *name);
leat_pair_function pair_of_result;  /* arg: leat_function, of which a list of two is made a pair */
leat_pair_function pair_of_list;    /* the value, a list of two */
leat_function tag_value, tag_state; /* for state to begin with */

/* ---- streaming_run.c */

struct manual_clock {
    struct leat_clock clock; /* first */
    _Atomic int64_t now_ms;
};

/* What an output got, batch by batch: { "time": ms, "rows": [...] }. */
struct run {
    struct leat_context *ctx;
    struct manual_clock clock;
    int64_t batch_ms, begin_ms;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    json_t *batches;
    int64_t completed_ms; /* of the last batch that is committed, with an output or without */
    bool pairs;
    /* NULL, or told of every batch, before it counts; and asked before the clock goes on to it. */
    void (*each)(json_t *batch, void *arg);
    bool (*before)(size_t number, void *arg, struct failure *why);
    void *arg;
    struct leat_error ended; /* status LEAT_OK: it ran until it was stopped */
};

/* A context with a clock that stands at begin_ms. False: why is set. */
bool run_init(struct run *r, int64_t batch_ms, int64_t begin_ms, int partitions,
              struct failure *why);
void run_collect(struct run *r, struct leat_stream *s, bool pairs); /* what comes out is seen */
/* So many batches, then stops. `ended` says whether it failed before. False: it hangs. */
bool run_batches(struct run *r, size_t count, struct failure *why);
/* Of one that has begun: the clock goes there, and the batch of this time is waited for. */
bool run_to(struct run *r, int64_t clock_ms, int64_t batch_ms, struct failure *why);
void run_free(struct run *r);

/* ---- streaming_build.c */

/* A queue with the batches of each source that is used. */
struct sources {
    struct leat_context *ctx;
    json_t *inputs; /* by name: a list of batches */
    struct {
        const char *name;
        struct leat_stream *stream;
        bool pairs;
    } list[STREAMING_INPUTS_MAX];
    size_t count;
    size_t from;    /* so many batches were in an earlier life */
    int partitions; /* of each queue; 0: as it is made */
    bool states;    /* of the last mapWithState all states are looked at, not what it gives */
    json_t *asked;  /* which that is; NULL: none */
};

/* A stream and what its elements are. */
struct flow {
    struct leat_stream *stream;
    bool pairs;
};

bool source_flow(struct sources *s, const char *name, bool pairs, struct flow *f,
                 struct failure *why);
/* streaming_rdds.c: behind f; of `count` flows, `name` is the function. False: why. */
bool build_map_partitions(const char *name, struct flow *f, struct failure *why);
bool build_transform(const char *name, const struct flow *flows, size_t count, struct flow *f,
                     struct failure *why);
/* streaming_mapped.c */
bool build_mapped(json_t *stage, bool states, struct flow *f, struct failure *why);
/* The stages behind f. False: why. */
bool build_stages(struct sources *s, json_t *stages, struct flow *f, struct failure *why);
bool push_batch(struct leat_stream *queue, bool pairs, json_t *rows, struct failure *why);
/* As many as the case says for its inputs; 0: it says nothing. */
int input_partitions(json_t *c);
/* "in" and "in2" of a case and its pipeline. */
bool build_case(json_t *c, struct sources *s, struct flow *f, struct failure *why);

/* ---- streaming_kinds.c, streaming_recovery.c. True: as expected */

bool run_streams(json_t *c, int partitions, struct failure *why);
bool run_multi(json_t *c, int partitions, struct failure *why); /* a transform of many */
bool run_queue(json_t *c, int partitions, struct failure *why);
bool run_error(json_t *c, int partitions, struct failure *why);
bool run_text(json_t *c, int partitions, struct failure *why);
bool run_statemap(json_t *c, int partitions, struct failure *why); /* streaming_statemap.c */
bool run_vector(json_t *c, int partitions, struct failure *why);
bool run_recovery(json_t *c, int partitions, struct failure *why);
/* A life in a process of its own, which is to kill itself or not. What it writes into `out`, a list
 * a line, is put behind `lines`. */
typedef bool child_life(void *arg, int out, struct failure *why);
bool run_child(child_life *fn, void *arg, bool dies, json_t *lines, struct failure *why);
bool run_table(json_t *c, int partitions, struct failure *why); /* streaming_table.c */

/* streaming_without.c: why leat has nothing like it; NULL: it has */
const char *has_no_counterpart(json_t *c);
/* streaming_by_hand.c: that it is skipped, and which tests cover it */
void print_by_hand(const char *id);

/* What a vector gives for its `in`: a new reference; NULL: why. */
typedef json_t *answer(json_t *c, json_t *in, int partitions, struct failure *why);

bool run_tracker(json_t *c, int partitions, struct failure *why); /* streaming_blocks.c */

answer block_record_count, oversize_block, tracker_wal; /* streaming_stored.c */

answer pid_estimate, rate_limit; /* streaming_rate.c */

/* ---- streaming_refused.c: an error without a pipeline */

bool run_refused(json_t *c, int partitions, struct failure *why);

/* ---- streaming_kept.c */

answer slice;
/* Of "slice(FROM,TO) ..."; *err is what the library says. False: why. */
bool slice_too_early(const char *operation, int partitions, struct leat_error *err,
                     struct failure *why);

/* ---- streaming_retention.c, streaming_validate.c */

answer retention, mapped_checkpoint, validate;

/* ---- streaming_initial.c */

answer mapped_create;

/* ---- streaming_checkpoint.c */

answer checkpoint_listing, checkpoint_order;

/* ---- streaming_filestream.c */

bool run_filestream(json_t *c, int partitions, struct failure *why);
answer file_remember_window, binary_records;
/* A file whose only line is its name, with this time of its last change. False: why. */
bool make_file(const char *dir, const char *name, int64_t changed_ms, struct failure *why);
bool make_file_of(const char *dir, const char *name, struct leat_slice bytes, int64_t changed_ms,
                  struct failure *why);

/* ---- streaming_times.c, streaming_told.c */

answer duration_answer, time_floor, recurring_timer, timer_start;
answer batch_info_phases, failure_reasons;

/* ---- streaming_progress.c */

bool run_progress(json_t *c, int partitions, struct failure *why);
answer retained_batches;

answer slice_parts; /* streaming_parts.c */

/* ---- streaming_files.c: what leat_save_as_text_files() writes */

answer file_name, text_layout;

/* A new directory, of which the first has room; false: why. */
bool make_dir(char dir[32], struct failure *why);
void remove_dir(const char *dir);
/* How many part-NNNNN there are; -1: there is no such directory. */
int count_parts(const char *dir);

/* ---- streaming_saved.c */

/* Does the directory PREFIX-TIME have these pairs, as texts? False: why. */
bool saved_is(const char *prefix, int64_t time_ms, json_t *expected, struct failure *why);

/* A transform that writes each batch, pairs of a text and an int, to a file and gives it on; prefix
 * outlives it. Is in the file what should be? */
struct leat_stream *saved_inside(struct leat_stream *s, char *prefix);
bool saved_inside_is(const char *prefix, int64_t time_ms, json_t *expected, struct failure *why);

const char *text_at(json_t *object, const char *key);             /* NULL: no text */
int64_t number_at(json_t *object, const char *key, int64_t none); /* none: it is not there */

#endif
