/*
 * job_thread.h - the inside of a running job, shared by the files that carry out its actions.
 *
 *     job_begin.c   before the first message: directory, log, settings
 *     job_thread.c  the loop: messages become events, events actions
 *     job_source.c  sources: opening, listing, fetches, push threads
 *     job_lock.c    the directory: one process, one pipeline
 *     job_part.c    their partitions
 *     job_tick.c    partitions that belong to ticks
 *     job_store.c   the block stores of push sources
 *     job_receive.c push sources whose records are kept outside
 *     job_batch.c   batches: cut, run, captured as record N
 *     job_commit.c  groups: prepare, log, commit, finish
 *     job_metric.c  counters, of the job and of its source partitions
 *     job_decide.c  the decider: recovery, the marker, transactions
 *     job_state.c   state: restored, captured, snapshots
 *     job_watch.c   who watches is told
 *     job_table.c   reference tables: files that are read again, topics that are followed
 *
 * Thread: everything here belongs to the job thread, except where said.
 */
#ifndef LEAT_RUN_JOB_THREAD_H
#define LEAT_RUN_JOB_THREAD_H

#include "op/lookup.h"
#include "run/batch.h"
#include "run/decider_thread.h"
#include "run/inbox.h"
#include "run/job.h"
#include "run/job_lock.h"
#include "run/keep_thread.h"
#include "run/log_thread.h"
#include "run/message.h"
#include "run/rate.h"
#include "run/retry.h"
#include "run/sink_thread.h"
#include "run/snapshot_thread.h"
#include "run/store_thread.h"
#include "run/table_topic.h"

#define LEAT_JOB_INBOX_BYTES ((size_t)64 * 1024)

#define LEAT_JOB_EVENTS 8 /* that carrying out the actions of one may lead to */

/* A source partition; its number in job->parts is also that in job->step.parts. */
struct leat_job_source_part {
    struct leat_part part; /* id: dense per source; name and topic are the job's copies */
    uint32_t source;
    uint32_t source_id;              /* as the source numbers it */
    int64_t logged;                  /* position in the last record, or where it began */
    int64_t committed;               /* the same, of the last group that is committed */
    struct leat_block *first, *last; /* received, in no batch yet; by msg.next */
    bool at_end, finished;           /* as of the last block received */
    bool is_noted;                   /* by tick: the log has it, or the group under way */
    bool is_behind;                  /* at least once: committed less than the log has */
    bool is_new;                     /* nobody has committed a position of it */
    bool was_lost;                   /* the next fetch is for the earliest there is */
    int64_t hungry_ms;               /* since when it gets no memory for a block; 0: it does */
    uint64_t moved_in;               /* the last group that was captured in which it moved ... */
    uint32_t moved_at;               /* ... and its place in that record's positions */
    struct leat_part_metrics metrics;
};

/* A fetch under way and its answer. */
struct leat_job_fetch {
    struct leat_msg msg;
    struct leat_job_fetch *next_free;
    struct leat_queue *job;
    uint32_t part;
    struct leat_fetch fetch;
    struct leat_block *block;
    struct leat_error error;
};

struct leat_job_source {
    const struct leat_plan_source *plan;
    struct leat_job_thread *job;
    void *self;
    struct leat_log log;
    struct leat_env env;
    uint32_t
        *part_of; /* by the source's number: job->parts; LEAT_JOB_NO_PART: none, or nothing to do */
    uint32_t part_of_room, parts_count;
    struct leat_chunk *rows;            /* of blocks that a format looks at; NULL: none was */
    bool is_open, is_listed, is_behind; /* one of its partitions */
    struct leat_retry retry;            /* again_ms: when to open or list it; LEAT_JOB_NEVER */
    int64_t hungry_said_ms;             /* when it was last said that one of them is hungry */

    /* whose partitions belong to ticks */
    int64_t begin_ms;     /* of the job's first life */
    int64_t next_tick_ms; /* the first that it was not asked about; 0: none was yet */
    int64_t due_ms;       /* its answer; was_asked: there is one */
    bool begin_is_logged, was_asked;

    /* push; where it is kept outside the source's other half, which is a pull then */
    const struct leat_push *push;
    void *push_self;
    bool push_is_open;            /* of two halves */
    struct leat_retry receive;    /* the same: when to open it again */
    struct leat_keep_thread keep; /* the same */
    struct leat_msg ended;        /* first of what run() says when it returns */
    struct leat_inbox inbox;
    struct leat_store_thread store; /* `store: disk` */
    struct leat_error run_error;
    pthread_t thread;
    bool has_inbox, has_thread;
};

struct leat_job_table {
    struct leat_table_topic topic; /* of a table that has one; what follows is for files */
    struct leat_lookup_table *rows;
    int64_t look_ms;    /* when to look at the file again; LEAT_JOB_NEVER */
    int64_t changed_ns; /* the file's time when it was read */
    int64_t file_bytes;
    bool said; /* that it cannot be read */
};

/* A batch of a group, and which partitions it moved. */
struct leat_job_move {
    struct leat_job_source_part *part;
    int64_t from, to;
};

struct leat_job_cut {
    struct leat_job_cut *next;
    struct leat_flow_batch *flow;
    struct leat_job_move *moves;
    uint32_t count;
};

struct leat_job_slot {
    uint64_t n;
    struct leat_flow_group *group; /* NULL: no batch of it was cut yet */
    struct leat_arena arena;       /* of the lists below */
    struct leat_job_cut *first, *last;
    struct leat_position *positions; /* as the record's, for sources and sinks */
    uint32_t positions_count;
    struct leat_position *decided; /* those that go into the transaction */
    uint32_t decided_count;
    struct leat_decider_work decide;
    struct leat_left_out left_out; /* of the decider's sinks */
    struct leat_sink_work *works;  /* per sink */
    struct leat_log_work log;
    uint32_t committing; /* sinks that have not answered */
    int64_t ran_ms;      /* monotonic: its last batch has run */
    int64_t sealed_ms;   /* and no more is cut for it */
    int64_t runs_ms;     /* that its batches ran, together */
};

/* The snapshot that is copied, written, or waits for its group to be committed. */
struct leat_job_snapshot {
    struct leat_snapshot_thread thread;
    struct leat_snapshot_work work;
    struct leat_arena arena; /* its bytes */
    int64_t every_ms, next_ms;
    uint32_t q; /* whose turn is next */
    bool busy, copying, written, committed;
    bool said; /* that it cannot be done */
};

struct leat_job_thread {
    const struct leat_plan *plan;
    const char *name;
    struct leat_job_options options;
    void (*ended)(void *arg);
    void *ended_arg;
    struct leat_log lines;
    struct leat_env env;
    struct leat_arena arena;
    struct leat_budget blocks, work; /* what waits never keeps a batch from running */
    struct leat_queue in;
    pthread_t thread;
    bool joined;

    struct leat_job step;
    struct leat_actions actions;
    uint32_t parts_room;
    struct leat_event events[LEAT_JOB_EVENTS];
    uint32_t events_count;
    bool in_event;
    bool ticks_asked; /* SELECT: which of these ticks have partitions? */
    int64_t ticks_first_ms, ticks_last_ms;
    bool estimates; /* the rate, behind every group */
    struct leat_rate_estimator estimator;
    int64_t finished_ms; /* monotonic: the last group was committed */
    int64_t now_ms;      /* time as decided with */
    int64_t ahead_ms;    /* of it before the monotonic clock */

    char *phase;     /* NULL: nobody wants to know */
    uint64_t logged; /* the last record that was synced */

    struct leat_flow *flow;
    struct leat_job_log *log;
    int lock_fd;                      /* of its directory; -1 */
    const char *dir;                  /* of it */
    struct leat_log_position *places; /* that the log had at the start; sorted */
    uint32_t places_count;
    struct leat_log_thread log_thread;
    struct leat_state_log *state;
    bool keeps_state;
    struct leat_job_snapshot snapshot;
    struct leat_decider_thread decider; /* kind NULL: there is none */
    struct leat_log decider_lines;
    struct leat_decider_work recover_work, mark_work, idle_work;
    struct leat_slice marker; /* ptr NULL: not known yet */
    bool needs_mark, marking; /* the other side has no marker of ours; is being told */
    bool must_mark;           /* before anything else */
    bool decider_idles;       /* idle_work is with the decider */
    uint32_t new_parts;       /* that are read from the decider's side and are not committed yet */
    int64_t marked_ms;
    bool waits_to_log; /* for the marker: the oldest group */
    uint64_t waits_to_prepare;
    uint32_t *outside; /* of job->step's sinks: which in the plan; the others are the decider's */
    struct leat_job_source *sources;
    struct leat_job_source_part **parts;
    struct leat_job_fetch *free_fetches;
    struct leat_job_table *tables;
    const struct leat_lookup_table **table_rows; /* what batches get */
    struct leat_sink_thread *sinks;
    struct leat_log *sink_lines;
    struct leat_sink_work *idle_works; /* per sink of job->step */
    bool *idles;                       /* it is with the sink */
    struct leat_job_slot batches[2];   /* N mod 2 */
    bool recovered;                    /* it is known where to go on */
    uint32_t opened; /* sinks that are, and have recovered: before that nothing is read */
    bool started, over, stop_asked;
    struct leat_msg stop, look;
    atomic_bool stop_sent, look_sent;
    struct leat_error error;
    atomic_bool has_failed; /* error is set */
    atomic_bool is_ready;   /* started */
    struct leat_metrics metrics;
    struct leat_part_metrics_list part_metrics;
};

/* job_thread.c */
void leat_job_event(struct leat_job_thread *job, struct leat_event ev);
void leat_job_fail(struct leat_job_thread *job, const struct leat_error *why);
void leat_job_drop(struct leat_msg *m); /* that nobody handles any more */

/* job_begin.c */
LEAT_CHECKED enum leat_status leat_job_begin(struct leat_job_thread *job, struct leat_error *err);
/* Log and state begin anew, as another life of the job. Nothing has been started yet. */
LEAT_CHECKED enum leat_status leat_job_reset(struct leat_job_thread *job, struct leat_error *err);

/* job_part.c */
#define LEAT_JOB_NO_PART UINT32_MAX
LEAT_CHECKED bool leat_job_parts_room(struct leat_job_thread *job);          /* for one more */
LEAT_CHECKED bool leat_job_map_room(struct leat_job_source *s, uint32_t id); /* in s->part_of */
/* For each() of a source: a partition that it names is added, unless it is known. */
struct leat_job_listing {
    struct leat_job_source *source;
    struct leat_error err; /* status LEAT_OK: none */
};
void leat_job_each_part(void *arg, const struct leat_part *p);
/* A partition that the source has named; nothing happens when it was read to its end before. */
LEAT_CHECKED enum leat_status leat_job_add_part(struct leat_job_thread *job,
                                                struct leat_job_source *s,
                                                const struct leat_part *p, struct leat_error *err);

/* A partition of a push source, which begins at `first` unless the log knows better. */
LEAT_CHECKED enum leat_status leat_job_add_push_part(struct leat_job_thread *job,
                                                     struct leat_job_source *s, uint32_t part,
                                                     int64_t first, struct leat_error *err);

/* job_format.c: have the formats that ask another service what they need? A failure may pass. Rows:
 * those of a block of this source. */
LEAT_CHECKED enum leat_status leat_job_formats_ready(const struct leat_job_thread *job,
                                                     struct leat_error *err);
LEAT_CHECKED enum leat_status
leat_job_rows_ready(struct leat_job_source *s, const struct leat_block *b, struct leat_error *err);

/* job_source.c */
LEAT_CHECKED enum leat_status leat_job_sources_init(struct leat_job_thread *job,
                                                    struct leat_error *err);
/* Open and list what is due; ask for new partitions. */
LEAT_CHECKED enum leat_status leat_job_sources_turn(struct leat_job_thread *job,
                                                    struct leat_error *err);
int64_t leat_job_sources_wake_ms(const struct leat_job_thread *job);
bool leat_job_sources_are_listed(const struct leat_job_thread *job);
size_t leat_job_fetch_bytes(const struct leat_job_thread *job);
uint32_t leat_job_fetch_rows(const struct leat_job_thread *job); /* 0: any number */
LEAT_CHECKED enum leat_status leat_job_fetch(struct leat_job_thread *job, uint32_t part,
                                             int64_t from, struct leat_error *err);
LEAT_CHECKED enum leat_status leat_job_fetched(struct leat_job_thread *job,
                                               struct leat_job_fetch *f, struct leat_error *err);
LEAT_CHECKED enum leat_status leat_job_pushed(struct leat_job_thread *job, struct leat_block *block,
                                              struct leat_error *err);
LEAT_CHECKED enum leat_status leat_job_push_ended(struct leat_job_thread *job,
                                                  struct leat_job_source *source,
                                                  struct leat_error *err);
/* Nothing of the partition waits for a batch: does it still hold time back? */
void leat_job_tell_end(struct leat_job_thread *job, struct leat_job_source_part *p);
void leat_job_rate_init(struct leat_job_thread *job);
void leat_job_rate_note(struct leat_job_thread *job, const struct leat_job_slot *slot);
void leat_job_seal(struct leat_job_thread *job);
void leat_job_sources_close(struct leat_job_thread *job);

/* The thread on which the push source receives; its inbox is ready. */
LEAT_CHECKED enum leat_status leat_job_start_push(struct leat_job_source *s,
                                                  struct leat_error *err);

/* job_tick.c */
bool leat_job_is_by_tick(const struct leat_job_source *s); /* its options are read */
LEAT_CHECKED enum leat_status leat_job_ticks_init(struct leat_job_source *s,
                                                  struct leat_error *err);
/* Tell the source what the log knows, before it is listed for the first time. */
int64_t leat_job_ticks_behind(const struct leat_job_thread *job);
LEAT_CHECKED enum leat_status leat_job_ticks_known(struct leat_job_source *s,
                                                   struct leat_error *err);
/* Answer the SELECT that was asked, if one was. */
LEAT_CHECKED enum leat_status leat_job_ticks_turn(struct leat_job_thread *job,
                                                  struct leat_error *err);
/* Need its position not be logged before it moves? */
bool leat_job_is_noted(const struct leat_job_thread *job, const struct leat_job_source_part *p);
/* Positions that say when lives began, of sources of which the log does not know; there is room for
 * one of each source. How many. */
uint32_t leat_job_note_begins(struct leat_job_thread *job, struct leat_log_position *into);

/* job_store.c */
struct leat_job_part_name {
    char text[160];
};
struct leat_slice leat_job_push_part_name(const struct leat_job_source *s, uint32_t part,
                                          struct leat_job_part_name *name);
bool leat_job_is_stored(const struct leat_job_source *s);
/* Once, before the source is opened for the first time. */
LEAT_CHECKED enum leat_status leat_job_store_open(struct leat_job_source *s,
                                                  struct leat_error *err);
/* LEAT_E_CONFIG: a source without a store has one with rows that no batch had. */
LEAT_CHECKED enum leat_status leat_job_store_refuse_rest(struct leat_job_source *s,
                                                         struct leat_error *err);
LEAT_CHECKED enum leat_status leat_job_store_news(struct leat_job_source *s,
                                                  struct leat_error *err);

/* job_receive.c */
bool leat_job_receives(const struct leat_job_source *s); /* its records are kept outside first */
LEAT_CHECKED enum leat_status leat_job_receive_init(struct leat_job_source *s,
                                                    struct leat_error *err);
LEAT_CHECKED enum leat_status leat_job_receive_turn(struct leat_job_source *s,
                                                    struct leat_error *err);
LEAT_CHECKED enum leat_status leat_job_keep_news(struct leat_job_source *s, struct leat_error *err);
/* The receiver's run() is over, `why` (status LEAT_OK: by itself). */
LEAT_CHECKED enum leat_status leat_job_receive_ended(struct leat_job_source *s,
                                                     const struct leat_error *why,
                                                     struct leat_error *err);

/* job_metric.c */
/* What is so between batches: who waits, and the memory in use. */
void leat_job_note_now(struct leat_job_thread *job);
/* Lag is what is there and in no batch yet, by the ends that the last listing told. */
void leat_job_note_lag(struct leat_job_thread *job);
/* A batch has run, for so long. */
void leat_job_note_batch(struct leat_job_thread *job, struct leat_flow_batch *batch,
                         int64_t took_ms);

/* job_watch.c: see run/watch.h. w->sink is one of job->step. */
void leat_job_watch_started(const struct leat_job_thread *job);
void leat_job_watch_cut(const struct leat_job_thread *job, int64_t batch_ms);
void leat_job_watch_begun(const struct leat_job_thread *job, const struct leat_flow_batch *b);
void leat_job_watch_committed(const struct leat_job_thread *job, const struct leat_job_slot *slot);
void leat_job_watch_failed(const struct leat_job_thread *job); /* job->error is set */
void leat_job_watch_output(const struct leat_job_thread *job, const struct leat_sink_work *w,
                           bool is_over);
void leat_job_watch_receiver(const struct leat_job_source *s, enum leat_job_watch_receiver what,
                             const struct leat_error *why);

/* job_decide.c */
LEAT_CHECKED enum leat_status leat_job_recover(struct leat_job_thread *job, struct leat_error *err);
const struct leat_log_position *leat_job_place(const struct leat_job_thread *job,
                                               struct leat_slice source,
                                               struct leat_slice partition);
bool leat_job_is_marked(struct leat_job_thread *job); /* else it is being done */
void leat_job_decider_prepare(struct leat_job_thread *job, uint64_t n);
void leat_job_decider_abort(struct leat_job_thread *job, uint64_t n);
void leat_job_decider_commit(struct leat_job_thread *job, uint64_t n);
void leat_job_decider_resolve(struct leat_job_thread *job, uint64_t n);
void leat_job_decide_turn(struct leat_job_thread *job);
void leat_job_decided(struct leat_job_thread *job, struct leat_decider_work *w);
void leat_job_decider_idle(struct leat_job_thread *job, int64_t now_ms);
/* When the decider's call is over its time; LEAT_JOB_NEVER: none is under way. */
int64_t leat_job_decider_wake_ms(const struct leat_job_thread *job);

/* job_state.c */
LEAT_CHECKED enum leat_status leat_job_restore(struct leat_job_thread *job, struct leat_error *err);
LEAT_CHECKED enum leat_status leat_job_capture_state(struct leat_job_thread *job,
                                                     struct leat_job_slot *slot,
                                                     struct leat_error *err);
void leat_job_state_committed(struct leat_job_thread *job, uint64_t n);
/* A few more bytes of the one that is being copied. Between batches. */
void leat_job_copy_snapshot(struct leat_job_thread *job);
void leat_job_snapshot_done(struct leat_job_thread *job, struct leat_snapshot_work *w);
void leat_job_state_close(struct leat_job_thread *job);

/* job_table.c */
LEAT_CHECKED enum leat_status leat_job_tables_init(struct leat_job_thread *job,
                                                   struct leat_error *err);
/* Between batches: read those again that have changed. What cannot be read stays as it was. */
void leat_job_tables_turn(struct leat_job_thread *job);
/* Those that come from topics: open, list, fetch. No batch runs. */
LEAT_CHECKED enum leat_status leat_job_topics_turn(struct leat_job_thread *job,
                                                   struct leat_error *err);
int64_t leat_job_topics_wake_ms(const struct leat_job_thread *job);
bool leat_job_topics_are_read(const struct leat_job_thread *job);
void leat_job_tables_fini(struct leat_job_thread *job);

/* job_batch.c */
LEAT_CHECKED enum leat_status leat_job_run_batch(struct leat_job_thread *job,
                                                 const struct leat_action *a,
                                                 struct leat_error *err);
/* Before anything is cut for the next group. */
LEAT_CHECKED enum leat_status leat_job_capture(struct leat_job_thread *job, uint64_t n,
                                               struct leat_error *err);
/* Before a tick: would a batch without records do something? */
void leat_job_look_at_windows(struct leat_job_thread *job);

/* job_commit.c */
struct leat_job_slot *leat_job_slot_of(struct leat_job_thread *job, uint64_t n);
LEAT_CHECKED enum leat_status leat_job_commits_init(struct leat_job_thread *job,
                                                    struct leat_error *err);
/* Sinks outside of the decider recover the last record's group; the log thread begins. */
LEAT_CHECKED enum leat_status leat_job_commits_start(struct leat_job_thread *job,
                                                     struct leat_error *err);
void leat_job_prepare(struct leat_job_thread *job, uint64_t n, uint32_t sink);
void leat_job_log_record(struct leat_job_thread *job, uint64_t n);
void leat_job_finish(struct leat_job_thread *job, uint64_t n);
void leat_job_committed(struct leat_job_thread *job, uint64_t n); /* one of its sinks */
/* What a sink is opened with: all of *env but `over`, which the caller has set. */
LEAT_CHECKED enum leat_status leat_job_sink_init(struct leat_job_thread *job, uint32_t number,
                                                 void **self, struct leat_env *env,
                                                 struct leat_error *err);
/* What a sink gets of the group, a batch each, but for those of which it gets nothing at all
 * (leat_plan_sink.missing). NULL: no memory. */
const struct leat_sink_batch *leat_job_batches_for(struct leat_job_thread *job,
                                                   struct leat_job_slot *slot, uint32_t sink,
                                                   uint32_t *count, struct leat_error *err);
/* Rows that a sink had to leave out, since this was called last: counted and said. */
void leat_job_note_left_out(struct leat_job_thread *job, uint64_t n, struct leat_left_out *l);
void leat_job_idle(struct leat_job_thread *job, int64_t now_ms);
void leat_job_commits_fini(struct leat_job_thread *job);

#endif
