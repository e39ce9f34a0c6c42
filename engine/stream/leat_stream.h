/*
 * leat_stream.h - Spark Streaming's DStreams for C programs, over leat's one plan and engine.
 *
 *     struct leat_context *ctx = leat_context_new("wordcount", 1000);
 *     struct leat_stream *lines = leat_socket_text_stream(ctx, "localhost", 9999);
 *     struct leat_stream *words = leat_flat_map(lines, split_words, NULL);
 *     struct leat_stream *pairs = leat_map_to_pair(words, pair_with_one, NULL);
 *     leat_print(leat_reduce_by_key(pairs, sum, NULL), 10);
 *     if (leat_start(ctx, &err) != LEAT_OK || leat_await_termination(ctx, &err) != LEAT_OK)
 *         fprintf(stderr, "%s\n", err.text);
 *     leat_context_free(ctx);
 *
 * Builders return a stream even after a mistake; the *first* mistake, with file and line, is kept
 * in the context, and leat_start() returns it. A builder that is given no context or no stream
 * gives NULL, which the next one takes. Streams belong to their context and go with it.
 *
 * A stream's elements are values, or pairs of a key and a value. What is said of windows and
 * operators in docs/windows.md and docs/pipeline-file.md holds here: it is the same code.
 *
 * Thread: any, for every function here, where nothing else is said; only leat_context_free() must
 * be the last. From within a function that leat calls, leat_stop() asks for the stop and returns,
 * leat_await_termination() is refused, leat_context_free() does nothing.
 */
#ifndef LEAT_STREAM_H
#define LEAT_STREAM_H

#include "expr/user_function.h"

#ifdef __cplusplus
extern "C" {
#endif

struct leat_context;
struct leat_stream;

struct leat_pair {
    struct leat_value key, value; /* key null: the stream has none */
};

/* ---- the user's functions
 *
 * Called on any worker, several at once; `arg` is theirs together. What they are given is borrowed
 * for the call, and what they give may point into it, into static memory, or into what
 * leat_call_alloc() gave. A function that fails returns leat_call_fail(): the batch ends with the
 * operator's name and these words, and none of its outputs is written (on_error: drop leaves the
 * element out instead). A call that takes longer than `batch.call_timeout` (10m) ends the process:
 * nobody can take a thread out of it. expr/user_function.h has what they may use. */

/* map: the new value. filter: a bool. flat_map: a list of the new values. */
typedef struct leat_value leat_function(struct leat_call *call, const struct leat_pair *in,
                                        void *arg);
typedef struct leat_pair leat_pair_function(struct leat_call *call, const struct leat_pair *in,
                                            void *arg);
/* Two values become one, in any order of them. An inverse: b taken away from a. */
typedef struct leat_value leat_reduce_function(struct leat_call *call, struct leat_value a,
                                               struct leat_value b, void *arg);
/* The new state of a key from its state (null: none yet) and the list of the batch's values for it;
 * null removes the key. */
typedef struct leat_value leat_update_function(struct leat_call *call, struct leat_value key,
                                               struct leat_value values, struct leat_value state,
                                               void *arg);

/* Elements of a batch, or of one of its partitions; borrowed for the call. */
struct leat_rdd {
    int64_t time_ms; /* of the batch */
    const struct leat_pair *rows;
    size_t count;
};

/* What comes out of a partition, or of a batch: a list of the new elements, which may be empty. */
typedef struct leat_value leat_partition_function(struct leat_call *call, const struct leat_rdd *in,
                                                  void *arg);
typedef struct leat_value leat_transform_function(struct leat_call *call, const struct leat_rdd *in,
                                                  size_t count, void *arg);

/* The state of a key, in a leat_mapping_function, and only while it is called. */
struct leat_key_state;
LEAT_API bool leat_key_state_exists(const struct leat_key_state *state);
/* Null: there is none. */
LEAT_API struct leat_value leat_key_state_get(const struct leat_key_state *state);
/* It becomes v, which is no null; it is removed. While it is timing out, or after it was removed,
 * both are mistakes, for which the call counts as one that failed. */
LEAT_API void leat_key_state_update(struct leat_key_state *state, struct leat_value v);
LEAT_API void leat_key_state_remove(struct leat_key_state *state);
/* Its key had no element for the timeout: it is gone after this call. */
LEAT_API bool leat_key_state_is_timing_out(const struct leat_key_state *state);

/* What comes out for an element, in the order of a key's elements; null: nothing does. `value`
 * NULL: the state is timing out. */
typedef struct leat_value leat_mapping_function(struct leat_call *call, struct leat_value key,
                                                const struct leat_value *value,
                                                struct leat_key_state *state, void *arg);

/* ---- contexts */

/* The place of a call, for messages: the macros below give it to the functions that end in _at. */
#define LEAT_TEXT_OF_(x) #x
#define LEAT_TEXT_OF(x)  LEAT_TEXT_OF_(x)
#define LEAT_HERE        __FILE__ ":" LEAT_TEXT_OF(__LINE__)

enum leat_context_state { LEAT_INITIALIZED, LEAT_ACTIVE, LEAT_STOPPED };

/* A context whose batches are so long; `name` has small letters, digits and '-'. To be freed. NULL:
 * out of memory. */
#define leat_context_new(name, batch_ms) leat_context_new_at(name, batch_ms, LEAT_HERE)
LEAT_API struct leat_context *leat_context_new_at(const char *name, int64_t batch_ms,
                                                  const char *where);
/* Stops what runs, as leat_stop() without grace, and frees context and streams. NULL is fine. */
LEAT_API void leat_context_free(struct leat_context *ctx);

/* A setting of the pipeline file by its path: "partitions", "memory", "on_error", "delivery",
 * "batch.max_records", "commit.every", "checkpoint.dir", ...; or "threads"; or "modules", the
 * folder of loadable modules for what this context names, in place of the installed one. */
#define leat_set(ctx, path, value) leat_set_at(ctx, path, value, LEAT_HERE)
LEAT_API void leat_set_at(struct leat_context *ctx, const char *path, const char *value,
                          const char *where);
/* Log and state live in this directory, and a program that starts again goes on there. Without one
 * they live in a temporary directory that goes with the context. */
#define leat_checkpoint(ctx, dir) leat_set_at(ctx, "checkpoint.dir", dir, LEAT_HERE)

/* The first mistake so far; LEAT_OK: none. */
LEAT_API LEAT_CHECKED enum leat_status leat_context_error(struct leat_context *ctx,
                                                          struct leat_error *err);
LEAT_API enum leat_context_state leat_get_state(struct leat_context *ctx);

/* Check the graph and begin. The first mistake, or that there is no output, is LEAT_E_CONFIG or
 * LEAT_E_MISUSE; after a failure the context is stopped. When it is active: nothing, LEAT_OK. When
 * it was stopped: LEAT_E_MISUSE. Does not wait for sources and sinks to answer. */
LEAT_API LEAT_CHECKED enum leat_status leat_start(struct leat_context *ctx, struct leat_error *err);
/* Ends behind the batch that is under way, and waits for that. `graceful`: first receivers are
 * stopped, and everything that they stored or that was put into queue streams is worked off, unless
 * the job fails. The failure of what ran, if it failed. Again: the same answer. Before
 * leat_start(): LEAT_OK, and it cannot be started. */
LEAT_API LEAT_CHECKED enum leat_status leat_stop(struct leat_context *ctx, bool graceful,
                                                 struct leat_error *err);
/* Wait until it has stopped, by leat_stop() elsewhere or a failure, which is returned. Before
 * leat_start(): LEAT_E_MISUSE. */
LEAT_API LEAT_CHECKED enum leat_status leat_await_termination(struct leat_context *ctx,
                                                              struct leat_error *err);
/* So long at most; *ended (which may be NULL) false with LEAT_OK: it still runs. */
LEAT_API LEAT_CHECKED enum leat_status leat_await_termination_or_timeout(struct leat_context *ctx,
                                                                         int64_t timeout_ms,
                                                                         bool *ended,
                                                                         struct leat_error *err);

/* ---- inputs */

/* Lines from a server that leat connects to, again and again if need be. Elements are strings. */
#define leat_socket_text_stream(ctx, host, port)                                                   \
    leat_socket_text_stream_at(ctx, host, port, LEAT_HERE)
LEAT_API struct leat_stream *leat_socket_text_stream_at(struct leat_context *ctx, const char *host,
                                                        int port, const char *where);

/* Lines of the files that appear in a directory, or in all those that fit a pattern ("in/day-?");
 * what is below them is not looked at. They are written elsewhere and renamed into it, and not
 * changed any more: .gz, .zst and .lz4, too. Elements are strings.
 *
 * A file is in the batch of the tick behind the time of its last change, or, seen later, of the
 * next one; when it was seen a minute (as whole batches) behind that time it is never read. Nothing
 * is read twice; another file of the same name is, a minute after the first. With leat_checkpoint()
 * the ticks between the last batch and the restart get their files then, as batches of their time.
 * new_files_only: none that was last changed before the first leat_start(); else those of the
 * minute before, too. `filter` says of a path whether it is wanted; NULL: names that begin with '.'
 * or '_' or end in ".tmp" are not. It is called on one thread, for the same path again and again,
 * and must not wait. For another time than a minute: leat_source_stream() of "files" with "path",
 * "select" and "remember". A directory that is not there is waited for. */
typedef bool leat_path_function(const char *path, void *arg);
#define leat_text_file_stream(ctx, directory) leat_text_file_stream_at(ctx, directory, LEAT_HERE)
LEAT_API struct leat_stream *leat_text_file_stream_at(struct leat_context *ctx,
                                                      const char *directory, const char *where);
#define leat_file_stream(ctx, directory, filter, arg, new_files_only)                              \
    leat_file_stream_at(ctx, directory, filter, arg, new_files_only, LEAT_HERE)
LEAT_API struct leat_stream *leat_file_stream_at(struct leat_context *ctx, const char *directory,
                                                 leat_path_function *filter, void *arg,
                                                 bool new_files_only, const char *where);

/* The same of files that are records of so many bytes each, without anything between them: elements
 * are bytes. What is left behind the last whole record of a file is an error of that record: the
 * job ends, or does what `on_error` says. Compressed files are refused. A length that is no
 * record's (1 to LEAT_RECORD_LENGTH_MAX) is a mistake. */
#define LEAT_RECORD_LENGTH_MAX (INT64_C(1) << 28)
#define leat_binary_records_stream(ctx, directory, record_length)                                  \
    leat_binary_records_stream_at(ctx, directory, record_length, LEAT_HERE)
LEAT_API struct leat_stream *leat_binary_records_stream_at(struct leat_context *ctx,
                                                           const char *directory,
                                                           int64_t record_length,
                                                           const char *where);

/* What the program pushes. one_at_a_time: what came with one push is one batch; else a batch has
 * all that there is. Not with leat_checkpoint(): what is in a queue is gone with the program. */
#define leat_queue_stream(ctx, one_at_a_time) leat_queue_stream_at(ctx, one_at_a_time, LEAT_HERE)
LEAT_API struct leat_stream *leat_queue_stream_at(struct leat_context *ctx, bool one_at_a_time,
                                                  const char *where);
#define leat_queue_pair_stream(ctx, one_at_a_time)                                                 \
    leat_queue_pair_stream_at(ctx, one_at_a_time, LEAT_HERE)
LEAT_API struct leat_stream *leat_queue_pair_stream_at(struct leat_context *ctx, bool one_at_a_time,
                                                       const char *where);
/* Copies of these, before or after leat_start(), which are kept until their batch is committed,
 * beside what `memory` limits. None make an empty batch of it. LEAT_E_MISUSE: it is no queue, or a
 * queue of the other kind, or has stopped, or one of them is an error or has one in it.
 * LEAT_E_DATA: one has a string that is not UTF-8, or is nested more than 64 deep. In both cases
 * nothing was pushed. */
LEAT_API LEAT_CHECKED enum leat_status leat_queue_push(struct leat_stream *queue,
                                                       const struct leat_value *values,
                                                       size_t count, struct leat_error *err);
LEAT_API LEAT_CHECKED enum leat_status leat_queue_push_pairs(struct leat_stream *queue,
                                                             const struct leat_pair *pairs,
                                                             size_t count, struct leat_error *err);

/* No dataset for a batch, as Spark's input streams may give none: less than an empty one. Without
 * one_at_a_time it says something only where nothing else was pushed for that batch. A stream that
 * is made of it element by element, by partition or by key has none either: its outputs are not
 * called, and write nothing. leat_count() gives 0; for leat_repartition(), windows, and what has a
 * state, the batch is empty. leat_union(), joins and leat_transform() need a dataset of each of
 * their streams: the batch fails, and with it the job. Errors as above. */
LEAT_API LEAT_CHECKED enum leat_status leat_queue_push_none(struct leat_stream *queue,
                                                            struct leat_error *err);

/* A batch of this queue has `count` partitions, 1 to 1024 (else LEAT_E_CONFIG): partition i gets
 * its elements from i * length / count on, up to those of the next one. Without it there is one.
 * With leat_event_time() each has its own greatest time, and one that gets no elements holds the
 * others back until it is idle. Gives the stream. */
#define leat_queue_partitions(queue, count) leat_queue_partitions_at(queue, count, LEAT_HERE)
LEAT_API struct leat_stream *leat_queue_partitions_at(struct leat_stream *queue, int count,
                                                      const char *where);

/* Any connector of a pipeline file, built in or a loadable module, with its options: { "topic", "t"
 * }. An option of a group is "roll.every"; "format" is the source's, with options
 * "format.avro.framing", and so are "time.at", an expression, "time.lateness", "time.idle". An
 * option that is given again and again is a list. Elements are as the file's: pairs where the
 * connector has keys. */
struct leat_option {
    const char *name, *value;
};
#define leat_source_stream(ctx, connector, options, count)                                         \
    leat_source_stream_at(ctx, connector, options, count, LEAT_HERE)
LEAT_API struct leat_stream *leat_source_stream_at(struct leat_context *ctx, const char *connector,
                                                   const struct leat_option *options, size_t count,
                                                   const char *where);

/* Elements of this input, of any of the functions above or a receiver's, happened when `fn` says:
 * it gives an int, milliseconds since 1970. From here on windows and joins go by these times
 * (docs/windows.md). An element may come lateness_ms behind the greatest time so far; a partition
 * that has been read to its end and stays silent for idle_ms holds nobody back, 0: it always does.
 * To be said before leat_start(), once. Gives the same stream. */
#define leat_event_time(input, fn, arg, lateness_ms, idle_ms)                                      \
    leat_event_time_at(input, fn, arg, lateness_ms, idle_ms, LEAT_HERE)
LEAT_API struct leat_stream *leat_event_time_at(struct leat_stream *input, leat_function *fn,
                                                void *arg, int64_t lateness_ms, int64_t idle_ms,
                                                const char *where);

/* ---- operators
 *
 * Each gives a new stream. `arg` must last until the context has stopped. */

/* Name a stream: what it remembers is kept under that name. Gives the same stream. */
#define leat_named(stream, name) leat_named_at(stream, name, LEAT_HERE)
LEAT_API struct leat_stream *leat_named_at(struct leat_stream *stream, const char *name,
                                           const char *where);

/* Element by element: behind map and flat_map there is no key, behind the others the same, or the
 * one that map_to_pair gave. */
#define leat_map(stream, fn, arg)             leat_map_at(stream, fn, arg, LEAT_HERE)
#define leat_flat_map(stream, fn, arg)        leat_flat_map_at(stream, fn, arg, LEAT_HERE)
#define leat_filter(stream, fn, arg)          leat_filter_at(stream, fn, arg, LEAT_HERE)
#define leat_map_values(stream, fn, arg)      leat_map_values_at(stream, fn, arg, LEAT_HERE)
#define leat_flat_map_values(stream, fn, arg) leat_flat_map_values_at(stream, fn, arg, LEAT_HERE)
#define leat_map_to_pair(stream, fn, arg)     leat_map_to_pair_at(stream, fn, arg, LEAT_HERE)
LEAT_API struct leat_stream *leat_map_at(struct leat_stream *stream, leat_function *fn, void *arg,
                                         const char *where);
LEAT_API struct leat_stream *leat_flat_map_at(struct leat_stream *stream, leat_function *fn,
                                              void *arg, const char *where);
LEAT_API struct leat_stream *leat_filter_at(struct leat_stream *stream, leat_function *fn,
                                            void *arg, const char *where);
LEAT_API struct leat_stream *leat_map_values_at(struct leat_stream *stream, leat_function *fn,
                                                void *arg, const char *where);
LEAT_API struct leat_stream *leat_flat_map_values_at(struct leat_stream *stream, leat_function *fn,
                                                     void *arg, const char *where);
LEAT_API struct leat_stream *leat_map_to_pair_at(struct leat_stream *stream, leat_pair_function *fn,
                                                 void *arg, const char *where);

/* An operator of a pipeline file by its name there, with its argument as options: { "key", "this.n"
 * }. One without a name is the whole argument, { "", "this > 2" }; one that is given again is a
 * list; a count of 0: it has no argument. Names and values are copied. What an operator needs
 * beside its stream, as `with:` does, cannot be said so. Expressions see an element as `this` and
 * its key as `key`. What is wrong is the error of leat_start(). */
#define leat_apply(stream, op, options, count) leat_apply_at(stream, op, options, count, LEAT_HERE)
LEAT_API struct leat_stream *leat_apply_at(struct leat_stream *stream, const char *op,
                                           const struct leat_option *options, size_t count,
                                           const char *where);

/* The elements of both; nothing is left out. */
#define leat_union(a, b) leat_union_at(a, b, LEAT_HERE)
LEAT_API struct leat_stream *leat_union_at(struct leat_stream *a, struct leat_stream *b,
                                           const char *where);
/* Spread over so many partitions. */
#define leat_repartition(stream, partitions) leat_repartition_at(stream, partitions, LEAT_HERE)
LEAT_API struct leat_stream *leat_repartition_at(struct leat_stream *stream, int partitions,
                                                 const char *where);

/* A function that gets all elements of a partition: it is called for each partition that has rows
 * in a batch; of a queue, and behind what works per key or repartition, for empty ones too. glom
 * makes one list of them (pairs: lists of two). What it gives has no key; of _to_pair it gives
 * lists of two, which become pairs. All of a partition is in memory meanwhile. */
#define leat_map_partitions(stream, fn, arg) leat_map_partitions_at(stream, fn, arg, LEAT_HERE)
#define leat_map_partitions_to_pair(stream, fn, arg)                                               \
    leat_map_partitions_to_pair_at(stream, fn, arg, LEAT_HERE)
#define leat_glom(stream) leat_glom_at(stream, LEAT_HERE)
LEAT_API struct leat_stream *leat_map_partitions_at(struct leat_stream *stream,
                                                    leat_partition_function *fn, void *arg,
                                                    const char *where);
LEAT_API struct leat_stream *leat_map_partitions_to_pair_at(struct leat_stream *stream,
                                                            leat_partition_function *fn, void *arg,
                                                            const char *where);
LEAT_API struct leat_stream *leat_glom_at(struct leat_stream *stream, const char *where);

/* A function that gets whole batches, once for each, also an empty one: of this stream; of this and
 * the other (`in` has 2); of `count` streams of one context. What it gives has no key, as above.
 * A whole batch is in memory, in one place. A function that fails, or gives no list, fails the
 * batch whatever on_error says. */
#define leat_transform(stream, fn, arg) leat_transform_at(stream, fn, arg, LEAT_HERE)
#define leat_transform_to_pair(stream, fn, arg)                                                    \
    leat_transform_to_pair_at(stream, fn, arg, LEAT_HERE)
#define leat_transform_with(a, b, fn, arg) leat_transform_with_at(a, b, fn, arg, LEAT_HERE)
#define leat_transform_with_to_pair(a, b, fn, arg)                                                 \
    leat_transform_with_to_pair_at(a, b, fn, arg, LEAT_HERE)
#define leat_transform_all(streams, count, fn, arg)                                                \
    leat_transform_all_at(streams, count, fn, arg, LEAT_HERE)
#define leat_transform_all_to_pair(streams, count, fn, arg)                                        \
    leat_transform_all_to_pair_at(streams, count, fn, arg, LEAT_HERE)
LEAT_API struct leat_stream *leat_transform_at(struct leat_stream *stream,
                                               leat_transform_function *fn, void *arg,
                                               const char *where);
LEAT_API struct leat_stream *leat_transform_to_pair_at(struct leat_stream *stream,
                                                       leat_transform_function *fn, void *arg,
                                                       const char *where);
LEAT_API struct leat_stream *leat_transform_with_at(struct leat_stream *a, struct leat_stream *b,
                                                    leat_transform_function *fn, void *arg,
                                                    const char *where);
LEAT_API struct leat_stream *leat_transform_with_to_pair_at(struct leat_stream *a,
                                                            struct leat_stream *b,
                                                            leat_transform_function *fn, void *arg,
                                                            const char *where);
LEAT_API struct leat_stream *leat_transform_all_at(struct leat_stream *const *streams, size_t count,
                                                   leat_transform_function *fn, void *arg,
                                                   const char *where);
LEAT_API struct leat_stream *leat_transform_all_to_pair_at(struct leat_stream *const *streams,
                                                           size_t count,
                                                           leat_transform_function *fn, void *arg,
                                                           const char *where);

/* Per batch, or per window behind leat_window(). reduce works on values, and gives nothing for no
 * elements; count gives 0. count_by_value gives pairs of a value and how often it was there.
 * combine_by_key makes of each key's values something of another kind: of the first one by `create`
 * (which gets the pair), of it and a further value by `merge_value`, of two of these by `merge`,
 * since partitions begin alone. */
#define leat_reduce(stream, fn, arg)        leat_reduce_at(stream, fn, arg, LEAT_HERE)
#define leat_reduce_by_key(stream, fn, arg) leat_reduce_by_key_at(stream, fn, arg, LEAT_HERE)
#define leat_combine_by_key(stream, create, merge_value, merge, arg)                               \
    leat_combine_by_key_at(stream, create, merge_value, merge, arg, LEAT_HERE)
#define leat_count(stream)          leat_count_at(stream, LEAT_HERE)
#define leat_count_by_value(stream) leat_count_by_value_at(stream, LEAT_HERE)
#define leat_group_by_key(stream)   leat_group_by_key_at(stream, LEAT_HERE)
LEAT_API struct leat_stream *leat_reduce_at(struct leat_stream *stream, leat_reduce_function *fn,
                                            void *arg, const char *where);
LEAT_API struct leat_stream *leat_reduce_by_key_at(struct leat_stream *stream,
                                                   leat_reduce_function *fn, void *arg,
                                                   const char *where);
LEAT_API struct leat_stream *leat_combine_by_key_at(struct leat_stream *stream,
                                                    leat_function *create,
                                                    leat_reduce_function *merge_value,
                                                    leat_reduce_function *merge, void *arg,
                                                    const char *where);
LEAT_API struct leat_stream *leat_count_at(struct leat_stream *stream, const char *where);
LEAT_API struct leat_stream *leat_count_by_value_at(struct leat_stream *stream, const char *where);
LEAT_API struct leat_stream *leat_group_by_key_at(struct leat_stream *stream, const char *where);

/* Streams of pairs that meet by key. The value is a list of two: the two values, null where an
 * outer join has none; for cogroup the two lists of values. */
#define leat_join(a, b)             leat_join_at(a, b, LEAT_HERE)
#define leat_left_outer_join(a, b)  leat_left_outer_join_at(a, b, LEAT_HERE)
#define leat_right_outer_join(a, b) leat_right_outer_join_at(a, b, LEAT_HERE)
#define leat_full_outer_join(a, b)  leat_full_outer_join_at(a, b, LEAT_HERE)
#define leat_cogroup(a, b)          leat_cogroup_at(a, b, LEAT_HERE)
LEAT_API struct leat_stream *leat_join_at(struct leat_stream *a, struct leat_stream *b,
                                          const char *where);
LEAT_API struct leat_stream *leat_left_outer_join_at(struct leat_stream *a, struct leat_stream *b,
                                                     const char *where);
LEAT_API struct leat_stream *leat_right_outer_join_at(struct leat_stream *a, struct leat_stream *b,
                                                      const char *where);
LEAT_API struct leat_stream *leat_full_outer_join_at(struct leat_stream *a, struct leat_stream *b,
                                                     const char *where);
LEAT_API struct leat_stream *leat_cogroup_at(struct leat_stream *a, struct leat_stream *b,
                                             const char *where);

/* Pairs of the same key whose times are at most within_ms apart, each once: in the batch in which
 * the second one comes. With leat_event_time() (of both, or of none) the times are theirs, else
 * those of their batches. What may come alone, of an outer join, does when nothing can meet it any
 * more. Elements are kept until then, within "memory". `within_ms` below 1: LEAT_E_CONFIG. */
#define leat_join_within(a, b, within_ms) leat_join_within_at(a, b, within_ms, LEAT_HERE)
#define leat_left_outer_join_within(a, b, within_ms)                                               \
    leat_left_outer_join_within_at(a, b, within_ms, LEAT_HERE)
#define leat_right_outer_join_within(a, b, within_ms)                                              \
    leat_right_outer_join_within_at(a, b, within_ms, LEAT_HERE)
#define leat_full_outer_join_within(a, b, within_ms)                                               \
    leat_full_outer_join_within_at(a, b, within_ms, LEAT_HERE)
LEAT_API struct leat_stream *leat_join_within_at(struct leat_stream *a, struct leat_stream *b,
                                                 int64_t within_ms, const char *where);
LEAT_API struct leat_stream *leat_left_outer_join_within_at(struct leat_stream *a,
                                                            struct leat_stream *b,
                                                            int64_t within_ms, const char *where);
LEAT_API struct leat_stream *leat_right_outer_join_within_at(struct leat_stream *a,
                                                             struct leat_stream *b,
                                                             int64_t within_ms, const char *where);
LEAT_API struct leat_stream *leat_full_outer_join_within_at(struct leat_stream *a,
                                                            struct leat_stream *b,
                                                            int64_t within_ms, const char *where);

/* Windows of the last `size`, one every `slide`; a slide of 0 is the stream's: a batch, or the
 * slide of the windows that it came out of. Size and slide are multiples of that, unless elements
 * have times of their own. */
#define leat_window(stream, size_ms, slide_ms) leat_window_at(stream, size_ms, slide_ms, LEAT_HERE)
#define leat_count_by_window(stream, size_ms, slide_ms)                                            \
    leat_count_by_window_at(stream, size_ms, slide_ms, LEAT_HERE)
#define leat_count_by_value_and_window(stream, size_ms, slide_ms)                                  \
    leat_count_by_value_and_window_at(stream, size_ms, slide_ms, LEAT_HERE)
#define leat_group_by_key_and_window(stream, size_ms, slide_ms)                                    \
    leat_group_by_key_and_window_at(stream, size_ms, slide_ms, LEAT_HERE)
#define leat_reduce_by_window(stream, fn, inverse, arg, size_ms, slide_ms)                         \
    leat_reduce_by_window_at(stream, fn, inverse, arg, size_ms, slide_ms, LEAT_HERE)
#define leat_reduce_by_key_and_window(stream, fn, inverse, filter, arg, size_ms, slide_ms)         \
    leat_reduce_by_key_and_window_at(stream, fn, inverse, filter, arg, size_ms, slide_ms, LEAT_HERE)
LEAT_API struct leat_stream *leat_window_at(struct leat_stream *stream, int64_t size_ms,
                                            int64_t slide_ms, const char *where);
LEAT_API struct leat_stream *leat_count_by_window_at(struct leat_stream *stream, int64_t size_ms,
                                                     int64_t slide_ms, const char *where);
LEAT_API struct leat_stream *leat_count_by_value_and_window_at(struct leat_stream *stream,
                                                               int64_t size_ms, int64_t slide_ms,
                                                               const char *where);
LEAT_API struct leat_stream *leat_group_by_key_and_window_at(struct leat_stream *stream,
                                                             int64_t size_ms, int64_t slide_ms,
                                                             const char *where);
/* `inverse` takes away what leaves the window, so that a slide costs what came and left; NULL: each
 * window is made of its panes. `filter`, with an inverse: keys that it does not want are dropped;
 * NULL: a key stays with what is left of it. */
LEAT_API struct leat_stream *leat_reduce_by_window_at(struct leat_stream *stream,
                                                      leat_reduce_function *fn,
                                                      leat_reduce_function *inverse, void *arg,
                                                      int64_t size_ms, int64_t slide_ms,
                                                      const char *where);
LEAT_API struct leat_stream *
leat_reduce_by_key_and_window_at(struct leat_stream *stream, leat_reduce_function *fn,
                                 leat_reduce_function *inverse, leat_function *filter, void *arg,
                                 int64_t size_ms, int64_t slide_ms, const char *where);

/* The state of every key, in every batch: `fn` is called for keys with values and for those that
 * have a state. Gives pairs of key and state. */
#define leat_update_state_by_key(stream, fn, arg)                                                  \
    leat_update_state_by_key_at(stream, fn, arg, LEAT_HERE)
LEAT_API struct leat_stream *leat_update_state_by_key_at(struct leat_stream *stream,
                                                         leat_update_function *fn, void *arg,
                                                         const char *where);

/* A function with each element of a stream of pairs and the state of its key: it costs what comes,
 * however many keys there are. What it gives has no key. States to begin with are there before the
 * first element, and go in once: a program that goes on from a checkpoint has what became of them.
 * They are as old as the batch that they came with, also where elements have times of their own. */
struct leat_state_spec {
    leat_mapping_function *fn;
    void *arg;
    int64_t timeout_ms; /* a key without an element for so long is removed; 0: none is */
    const struct leat_pair *initial; /* states to begin with, none null; copied */
    size_t initial_count;
};
#define leat_map_with_state(stream, ...) /* a spec, which may be written there with braces */      \
    leat_map_with_state_at(stream, (__VA_ARGS__), LEAT_HERE)
LEAT_API struct leat_stream *leat_map_with_state_at(struct leat_stream *stream,
                                                    const struct leat_state_spec *spec,
                                                    const char *where);
/* Of a stream that leat_map_with_state() gave: pairs of all keys and their states, after every
 * batch. */
#define leat_state_snapshots(stream) leat_state_snapshots_at(stream, LEAT_HERE)
LEAT_API struct leat_stream *leat_state_snapshots_at(struct leat_stream *stream, const char *where);

/* ---- outputs: a context needs one */

/* The first `num` elements of every batch on standard output, as Spark shows them. */
#define leat_print(stream, num) leat_print_at(stream, num, LEAT_HERE)
LEAT_API void leat_print_at(struct leat_stream *stream, int num, const char *where);

/* Gets every batch, also an empty one. */
typedef enum leat_status leat_rdd_function(const struct leat_rdd *rdd, void *arg,
                                           struct leat_error *err);
/* Calls fn with every batch, in order, on one thread of its own, before the batch is committed: at
 * least once, since the rows come again when the program dies behind the call and before the commit
 * and goes on from its checkpoint. A failure that may pass is tried again, with a new call; any
 * other ends the job, and the batch is not committed. `fn` sets err by leat_fail(). */
#define leat_foreach_rdd(stream, fn, arg) leat_foreach_rdd_at(stream, fn, arg, LEAT_HERE)
LEAT_API void leat_foreach_rdd_at(struct leat_stream *stream, leat_rdd_function *fn, void *arg,
                                  const char *where);

/* Any sink of a pipeline file by its name there, with its options: { "path", "out/{key}.txt" };
 * "format" is the sink's, with options "format.csv.header". Both are copied, and one that is given
 * again is a list. What is wrong is the error of leat_start(). */
#define leat_write_to(stream, sink, options, count)                                                \
    leat_write_to_at(stream, sink, options, count, LEAT_HERE)
LEAT_API void leat_write_to_at(struct leat_stream *stream, const char *sink,
                               const struct leat_option *options, size_t count, const char *where);

/* A directory PREFIX-TIME[.SUFFIX] per batch, with a file part-NNNNN per partition and _SUCCESS.
 * Both may be NULL or "": without a prefix it is TIME[.SUFFIX], in the working directory. */
#define leat_save_as_text_files(stream, prefix, suffix)                                            \
    leat_save_as_text_files_at(stream, prefix, suffix, LEAT_HERE)
LEAT_API void leat_save_as_text_files_at(struct leat_stream *stream, const char *prefix,
                                         const char *suffix, const char *where);

/* The same with Avro container files, which other languages read: a record of `key`, null where the
 * stream has none, and `value` for each element. What they may be, and how they are read again, is
 * in docs/avro.md. */
#define leat_save_as_object_files(stream, prefix, suffix)                                          \
    leat_save_as_object_files_at(stream, prefix, suffix, LEAT_HERE)
LEAT_API void leat_save_as_object_files_at(struct leat_stream *stream, const char *prefix,
                                           const char *suffix, const char *where);

/* The same with Hadoop's SequenceFiles, of a stream of pairs. Options are those of the format
 * sequence_file: { "value", "bytes" }, { "compress", "block" }; see docs/hadoop.md. Both are
 * copied; a count of 0 needs none. A wrong option is the error of leat_start(). */
#define leat_save_as_hadoop_files(stream, prefix, suffix, options, count)                          \
    leat_save_as_hadoop_files_at(stream, prefix, suffix, options, count, LEAT_HERE)
LEAT_API void leat_save_as_hadoop_files_at(struct leat_stream *stream, const char *prefix,
                                           const char *suffix, const struct leat_option *options,
                                           size_t count, const char *where);

#ifdef __cplusplus
}
#endif

#include "leat_keep.h"
#include "leat_listener.h"
#include "leat_receiver.h"

#endif
