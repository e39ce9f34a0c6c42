/*
 * stream.h - the inside of a context: what was asked for, as the nodes of a pipeline file.
 *
 * A stream is an entry of `streams:` with its operators, an input one of `sources:`, an output one
 * of `sinks:`. leat_start() puts those that an output needs together into one tree, which goes the
 * way of a file: read, planned, run.
 */
#ifndef LEAT_STREAM_STREAM_H
#define LEAT_STREAM_STREAM_H

#include "leat_stream.h"

#include "base/node.h"
#include "expr/callable.h"
#include "run/job.h"

#include <limits.h>
#include <pthread.h>

struct stream_rdd {
    struct stream_rdd *next;
    int64_t from, to;          /* positions */
    struct leat_slice *values; /* to - from of them, encoded */
    bool missing;              /* no dataset for a batch, which is less than an empty one */
};

struct stream_queue_part {
    struct leat_slice name;
    struct leat_block *block; /* of this round, until it is asked for */
    int64_t committed;        /* position */
};

/* What a program has pushed. All but `pairs` and `one` is guarded by the context's lock. */
struct stream_queue {
    struct stream_queue *next;
    struct leat_context *ctx;
    struct leat_slice name; /* of the stream, from start on */
    bool pairs, one, reads; /* reads: an output needs it */
    bool fixed; /* it holds the same in every life of the program, and no more: states */
    struct leat_stream *beside; /* fixed: the elements that have these states */
    struct stream_rdd *first, *last, *unread;
    int64_t pushed, committed;       /* positions */
    struct stream_queue_part *parts; /* so many from the start on */
    uint32_t parts_count, told;      /* told: have got what they get in this round */
};

/* Another stream that an operator names, and the node where its name goes. */
struct stream_with {
    struct stream_with *next;
    struct leat_stream *of;
    struct leat_node *node;
};

/* What is in a stream's memory from batch to batch; a window's panes alone are not meant. */
enum stream_memory {
    STREAM_REMEMBERS_NOTHING,
    STREAM_REMEMBERS_STATE,  /* also windows with an inverse */
    STREAM_REMEMBERS_MAPPED, /* leat_map_with_state() */
};

struct leat_stream {
    struct leat_stream *next;
    struct leat_context *ctx;
    const char *where;
    struct leat_slice name;
    struct leat_stream *from[2]; /* whose elements these are made of */
    struct stream_with *with;    /* and of these, beside them: a list */
    struct leat_node *source;    /* inputs: its entry; `from` is none */
    struct leat_node *ops;       /* a list */
    struct stream_queue *queue;
    bool windowed; /* has a window, one per batch, that nothing has taken the elements of yet */
    bool slow;     /* the same of one that ends more rarely */
    struct leat_stream *closed; /* windowed: the same elements, of their batches; NULL: not yet */
    struct leat_receiver *receiver;
    /* Its name is that of this stream and these letters; NULL: its own. */
    struct leat_stream *named_after;
    const char *name_end;
    struct leat_node *keeps_options; /* of leat_map_with_state(): those of the operator */
    int64_t window_ms, slide_ms;     /* of the window that its operator has; 0: none, a batch */
    enum stream_memory memory;
    const char *checkpoint_where; /* NULL: leat_checkpoint_every() was not called */
    bool wanted;
    /* intervals.c, at the start */
    bool timed; /* its elements have times of their own */
    int64_t every_ms, checkpoint_ms, remember_ms;
};

struct stream_output {
    struct stream_output *next;
    struct leat_stream *of;
    struct leat_node *sink, *from;
    leat_rdd_function *fn;
    void *arg;
    bool is_kept;       /* not the program's: of leat_persist() */
    int64_t started_ms; /* what it does now. Thread: the job's */
};

struct leat_context {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* guarded by lock, all that follows */
    struct leat_arena arena;
    struct leat_error error; /* the first; status OK: none */
    struct leat_node *root;
    struct leat_stream broken; /* what builders give after a mistake */
    struct leat_stream *streams, **streams_end;
    struct stream_output *outputs, **outputs_end;
    struct stream_queue *queues;
    struct leat_receiver *receivers;
    struct stream_kept *kept;
    int64_t remember_ms; /* 0: not set */
    bool snapshots_set;  /* a stream has said how often */
    struct stream_listener *first_listener;
    struct leat_progress *first_progress;
    struct stream_listeners *listeners; /* set before the job begins; NULL: there are none */
    struct leat_job_watch watch;
    uint32_t count; /* names given */
    enum leat_context_state state;
    int64_t threads;
    bool keeps;          /* has a checkpoint.dir */
    const char *modules; /* the folder that was set; NULL: none was */

    /* Tests set these before the start. NULL: the system's. Queues: have what they had, from the
     * positions that are committed on, and so may be part of a checkpoint. */
    const struct leat_clock *clock;
    bool queues_last;

    struct leat_diags diags;
    struct leat_spec spec;
    struct leat_plan *plan;
    struct leat_job_thread *job;
    char dir[64]; /* of the job, to be removed; "": there is none */
    bool ended, joined;
    struct leat_error result;
};

/* tree.c. NULL: out of memory, which is the context's error then; NULL may be put and put into. */
struct leat_node *stream_map(struct leat_context *ctx, const char *where);
struct leat_node *stream_list(struct leat_context *ctx, const char *where);
struct leat_node *stream_text(struct leat_context *ctx, const char *where, const char *text);
struct leat_node *stream_number(struct leat_context *ctx, const char *where, int64_t n,
                                const char *unit);
/* Behind the others; of a map under this key. */
void stream_put(struct leat_node *into, const char *key, struct leat_node *child);
/* Under a path "a.b": maps on the way are made, what was there is replaced. */
void stream_put_path(struct leat_context *ctx, const char *where, struct leat_node *root,
                     const char *path, const char *text);
/* Options by their paths, into `given`, or into `part` where is_of_part (which may be NULL) says
 * so. What is wrong with them is the context's mistake, of the function `what`. */
void stream_put_options(struct leat_context *ctx, const char *where, const char *what,
                        struct leat_node *part, struct leat_node *given,
                        bool (*is_of_part)(const char *option), const struct leat_option *options,
                        size_t count);
/* Streams that outputs need, under the root. */
void stream_assemble(struct leat_context *ctx);

/* modules.c. From here on this thread looks for modules where the context has them, which is in
 * `into`, until leat_modules_from(NULL). */
void stream_find_modules(const struct leat_context *ctx, char into[PATH_MAX]);

/* context.c. Lock: ctx->lock held, for all. */
LEAT_PRINTF(4, 5)
void stream_mistake(struct leat_context *ctx, const char *where, enum leat_status status,
                    const char *fmt, ...);
void *stream_alloc(struct leat_context *ctx, size_t size);
/* May something be added now? Else it is a mistake. */
bool stream_open(struct leat_context *ctx, const char *where, const char *what);
/* The calling thread is in a user's function from here to there; in those that operators call it is
 * without being told. */
void stream_enter(void);
void stream_leave(void);
bool stream_is_within(void);

/* functions.c: a node for a user's function; `text` stands for it in messages. */
enum stream_form {
    STREAM_MAP,
    STREAM_MAP_VALUES,
    STREAM_PAIR,
    STREAM_REDUCE,
    STREAM_MERGE_VALUE, /* of combine_by_key */
    STREAM_KEEP,        /* `filter` of a window */
    STREAM_UPDATE,
    STREAM_TIME, /* of an input's element; PACKED: of what a queue has */
    STREAM_PACKED_TIME,
    STREAM_PACKED_PAIR_TIME,
    STREAM_PARTITION,
    STREAM_TRANSFORM,
    STREAM_TRANSFORM_ALL, /* of several streams */
    STREAM_MAPPING,
};
struct leat_node *stream_function(struct leat_context *ctx, const char *where,
                                  enum stream_form form, void (*fn)(void), void *arg,
                                  const char *text);
/* s, a new stream, is of the elements that a program packed into the rows of `in`. Lock: held. */
void stream_unpack(struct leat_stream *s, struct leat_stream *in, bool pairs, const char *where);

struct stream_user_function {
    struct leat_callable callable; /* first */
    void (*fn)(void);              /* of the type that goes with `callable.call` */
    void *arg;
};
typedef struct leat_value stream_call(const struct leat_callable *self, struct leat_call *call,
                                      const struct leat_value *args, uint32_t count);
/* whole.c: what calls those of map_partitions and transform: values, keys, time. */
stream_call stream_call_partition, stream_call_transform, stream_call_transform_all;

stream_call stream_call_mapping; /* mapped.c */
/* mapped.c. States to begin with get a time where their elements have one. Lock: held. */
void stream_time_first_states(struct leat_context *ctx);

/* streams.c: a new stream, or the broken one. */
struct leat_stream *stream_add(struct leat_context *ctx, const char *where, const char *what);
/* The operator that makes a pair of a list of two. */
struct leat_node *stream_take_apart(struct leat_context *ctx, const char *where);
/* The stream for what takes no window. Lock: held. */
struct leat_stream *stream_closed(struct leat_stream *s, const char *where);
/* Lock: held, and given back. A stream of `from` with this operator, and `more` behind it (NULL:
 * nothing). */
struct leat_stream *stream_end_with(struct leat_stream *from, const char *where, const char *what,
                                    const char *op, struct leat_node *arg, struct leat_node *more);
/* The same of other streams too. */
struct leat_stream *stream_end_beside(struct leat_stream *from, struct stream_with *with,
                                      const char *where, const char *what, const char *op,
                                      struct leat_node *arg, struct leat_node *more);
/* Does an operator or an output make sense here? `s` is not NULL; the lock is taken if so. */
bool stream_begin(struct leat_stream *s, const char *where, const char *what);

/* outputs.c: sinks: NAME: { from: STREAM, SINK: { given } }. Lock: held. NULL after an error. */
struct stream_output *stream_add_output(struct leat_stream *s, const char *where, const char *sink,
                                        struct leat_node *given);

/* queue.c */
void stream_queues_free(struct leat_context *ctx);
bool stream_queues_are_empty(const struct leat_context *ctx); /* all is committed */

/* receiver_store.c. Lock: ctx->lock held. */
void stream_receiver_wanted(struct leat_receiver *r); /* an output needs it */
void stream_receiver_named(struct leat_receiver *r, const char *name, const char *source);
enum leat_status stream_receivers_check(const struct leat_context *ctx, struct leat_error *err);
void stream_receivers_end(struct leat_context *ctx);               /* ask them all to stop */
bool stream_receivers_are_drained(const struct leat_context *ctx); /* and all they stored is safe */
void stream_receivers_free(struct leat_context *ctx);
/* Lock: none is needed, from the start on. */
struct leat_receiver *stream_receiver_of(const struct leat_context *ctx, const char *source);
void stream_receiver_committed(const struct leat_context *ctx, const char *source, int64_t next);

/* outputs.c. Lock: held. A function that gets every batch; NULL: it was noted. */
struct stream_output *stream_foreach(struct leat_stream *s, const char *where,
                                     leat_rdd_function *fn, void *arg);

/* intervals.c. Gives s. */
struct leat_stream *stream_has_window(struct leat_stream *s, int64_t size_ms, int64_t slide_ms);
struct leat_stream *stream_remembers(struct leat_stream *s, enum stream_memory memory);
/* Of all streams, when the settings have been read and it is known which are wanted. LEAT_E_CONFIG:
 * some do not fit together. Lock: held. */
enum leat_status stream_find_intervals(struct leat_context *ctx, struct leat_error *err);

/* slice.c. Lock: held. */
void stream_kept_outputs(struct leat_context *ctx); /* behind those of the program */
void stream_kept_free(struct leat_context *ctx);

/* listener.c. Fills ctx->watch and begins the thread, if there are listeners; heard() is called
 * when they have heard all. Lock: held. */
enum leat_status stream_listeners_start(struct leat_context *ctx,
                                        void (*heard)(struct leat_context *ctx),
                                        struct leat_error *err);
bool stream_listeners_over(struct leat_context *ctx); /* heard() comes; false: there are none */
void stream_listeners_join(struct leat_context *ctx, bool quietly); /* quietly: no job was there */
void stream_listeners_free(struct leat_context *ctx);

/* elements.c. Pairs, or values. LEAT_E_DATA, LEAT_E_MISUSE: one of them cannot be an element. */
LEAT_CHECKED enum leat_status stream_check_elements(const struct leat_value *values,
                                                    const struct leat_pair *pairs, size_t count,
                                                    struct leat_error *err);

/* progress.c. `completed` NULL: no batch is over. Thread: the listeners' */
void stream_progress_heard(const struct leat_context *ctx,
                           const struct leat_progress_counts *counts,
                           const struct leat_batch_info *completed);
void stream_progress_free(struct leat_context *ctx);
/* Thread: any. */
void stream_tell(struct leat_context *ctx, enum leat_job_watch_receiver what, const char *stream,
                 const char *why);

#define STREAM_OUTPUT_NAME "output-%" PRIu32

#endif
