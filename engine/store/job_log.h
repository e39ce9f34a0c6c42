/*
 * job_log.h - what a job remembers across restarts: one record per commit group, in segments.
 *
 * Record N says where the source partitions stand that moved, which batches made up the group, how
 * far time has come, what each sink wants to read at recovery, and what changed in the state of the
 * operators. It is appended and synced before the group counts. A record that was not written to
 * its end is cut off at the next open; what is damaged elsewhere is LEAT_E_CORRUPT with its place.
 *
 * DIR/log/<first n>.leatlog is a segment. It begins with a base record, which holds everything that
 * was known before its first record, so that older segments can go without anything being written
 * anew. Its layout is in log_segment.h.
 *
 * Thread: one at a time: the job's while it starts, then the log's. Functions that only read
 * segments say so.
 */
#ifndef LEAT_STORE_JOB_LOG_H
#define LEAT_STORE_JOB_LOG_H

#include "base/bytes.h"
#include "base/fs.h"

/* Of a source: as in run/watermark.h. */
struct leat_log_watermark {
    struct leat_slice source;
    int64_t now_ms; /* W(N) */
    int64_t max_ms; /* greatest event time of all its partitions */
};

/* A source partition that moved; in a base record: every one that is known. One without a name is
 * none: its `next` is when the job's first life began, where a source goes by that. */
struct leat_log_position {
    struct leat_slice source, partition;
    int64_t from; /* where record N-1 had it */
    int64_t next;
    int64_t time_max_ms; /* greatest event time seen there so far */
};

/* What one batch of the group read of record->positions[position]: from where the batch before it
 * in the group ended, or from that position's `from`. */
struct leat_log_range {
    uint32_t position;
    int64_t to;
};

struct leat_log_cut {
    int64_t batch_time_ms, clock_ms;
    bool close; /* a bounded run ended here: all windows were fired */
    struct leat_log_range *ranges;
    uint32_t ranges_count;
};

/* The file of a lookup table, as it was for this group; or a partition of the topic of one, which
 * was read up to position `bytes`. */
struct leat_log_table {
    struct leat_slice name;
    int64_t changed_ns, bytes;
};
#define LEAT_LOG_TABLE_TOPIC INT64_MIN /* changed_ns of a partition */

struct leat_log_section {
    struct leat_slice sink, bytes;
};

/* What changed of an operator's memory in state partition q, or (in a snapshot) all of it. */
struct leat_log_state {
    struct leat_slice name; /* "<stream>.<op>.<k>" */
    uint64_t shape;         /* XXH3 of what gives the bytes their meaning */
    uint32_t q;
    struct leat_slice bytes;
};

struct leat_log_record {
    struct leat_slice job;
    uint32_t epoch, slot;
    uint64_t n;
    uint64_t confirmed;              /* the greatest group known to be committed: n or less */
    uint32_t partitions;             /* of state: every q is below it; 0: the job keeps none */
    int64_t batch_time_ms, clock_ms; /* of the last batch of the group */
    struct leat_slice marker; /* source partition, or sink topic/0, that carries N; may be empty */

    struct leat_log_position *positions;
    struct leat_log_watermark *watermarks;
    struct leat_log_cut *cuts;
    struct leat_log_table *tables;
    struct leat_log_section *sections;
    struct leat_log_state *states; /* entries of one q are one behind the other */
    uint32_t positions_count, watermarks_count, cuts_count, tables_count, sections_count,
        states_count;
};

/* ---- bytes of a record: log_record.c */

/* False: out of memory. */
LEAT_CHECKED bool leat_log_record_write(const struct leat_log_record *r, struct leat_bytes *into);

/* What the bytes say; texts are borrowed from them, lists are in the arena. LEAT_E_CORRUPT: these
 * are no record's bytes. */
LEAT_CHECKED enum leat_status leat_log_record_read(struct leat_slice bytes,
                                                   struct leat_log_record *r,
                                                   struct leat_arena *arena,
                                                   struct leat_error *err);

/* ---- the log */

struct leat_job_log;

/* `dir` is made if need be; a new log gets the job's name, fresh_epoch (not 0) and when it was
 * begun, which is `clock_ms` of its last record while there is none; one that is there keeps its
 * own. LEAT_E_CONFIG: it is another job's. LEAT_E_CORRUPT says where. Transient: LEAT_E_FULL
 * (disk). */
LEAT_CHECKED enum leat_status leat_job_log_open(const struct leat_fs *fs, const char *dir,
                                                const char *job, uint32_t fresh_epoch,
                                                int64_t begun_ms, struct leat_job_log **log,
                                                struct leat_error *err);
void leat_job_log_close(struct leat_job_log *log); /* NULL is fine */

/* How many bytes open cut off: a record that was not written to its end. */
int64_t leat_job_log_torn(const struct leat_job_log *log);

/* Was a log begun in `dir`? No, when there is no such directory. What has another name than a
 * segment, and a directory of such a name, is none. */
LEAT_CHECKED enum leat_status leat_job_log_is_there(const struct leat_fs *fs, const char *dir,
                                                    bool *there, struct leat_error *err);

/* Only to look at it: nothing is made, cut or written, and the job may be running; what is not
 * whole at its end is passed over. LEAT_E_LOST: there is no log in `dir`. */
LEAT_CHECKED enum leat_status leat_job_log_view(const struct leat_fs *fs, const char *dir,
                                                struct leat_job_log **log, struct leat_error *err);

/* The last record, without its states. n is 0 when there never was a group; job and epoch are set
 * even then, and `confirmed` is what is known now. Borrowed until the next append or drop_last. */
const struct leat_log_record *leat_job_log_last(const struct leat_job_log *log);

/* Where the partition stands after all records. False: it is not in the log. */
bool leat_job_log_position(const struct leat_job_log *log, struct leat_slice source,
                           struct leat_slice partition, int64_t *next);

/* All that is known about the partition: `from` is that of the last record it moved in. NULL: it is
 * not in the log. Borrowed until the next append or drop_last. */
const struct leat_log_position *leat_job_log_find(const struct leat_job_log *log,
                                                  struct leat_slice source,
                                                  struct leat_slice partition);

/* Every partition in the log, in no order. */
void leat_job_log_each_position(const struct leat_job_log *log,
                                void (*fn)(void *arg, const struct leat_log_position *position),
                                void *arg);

/* Append and sync record last + 1; job and epoch are the log's, whatever r says. LEAT_E_FULL,
 * LEAT_E_IO: nothing was written, it may be tried again. LEAT_E_BROKEN: nobody knows what is on
 * disk; only open again. */
LEAT_CHECKED enum leat_status leat_job_log_append(struct leat_job_log *log,
                                                  const struct leat_log_record *r,
                                                  struct leat_error *err);

/* The last record's group was never committed: cut the record off (synced); last is n-1 then.
 * Only while the job starts. LEAT_E_BROKEN as above. */
LEAT_CHECKED enum leat_status leat_job_log_drop_last(struct leat_job_log *log,
                                                     struct leat_error *err);

/* Group n (the last record's) is known to be committed. Not synced unless `sync`: what gets lost is
 * asked of the other side again. Failures as of append. */
LEAT_CHECKED enum leat_status leat_job_log_confirm(struct leat_job_log *log, uint64_t n, bool sync,
                                                   struct leat_error *err);

/* The least n that each() can give; last + 1 when there is none. */
uint64_t leat_job_log_oldest(const struct leat_job_log *log);

/* Was there state that records before the oldest made? Then those that are left do not tell all of
 * it. */
LEAT_CHECKED enum leat_status leat_job_log_begins_with_state(struct leat_job_log *log, bool *with,
                                                             struct leat_error *err);

/* Called with records in order; what it gets is gone when it returns. A status that is not LEAT_OK
 * ends the reading and is each()'s. */
typedef enum leat_status leat_log_record_fn(void *arg, const struct leat_log_record *r,
                                            struct leat_error *err);

/* Records from_n to upto_n, both included; what lies outside of oldest and last is left out. Reads
 * segments only: several threads may do so at once while nobody appends. */
LEAT_CHECKED enum leat_status leat_job_log_each(const struct leat_job_log *log, uint64_t from_n,
                                                uint64_t upto_n, leat_log_record_fn *fn, void *arg,
                                                struct leat_error *err);

/* As each(), but only what state partition q has in them: the bytes of others are not even read. */
typedef enum leat_status leat_log_state_fn(void *arg, uint64_t n,
                                           const struct leat_log_state *entry,
                                           struct leat_error *err);
LEAT_CHECKED enum leat_status leat_job_log_each_state(const struct leat_job_log *log, uint32_t q,
                                                      uint64_t from_n, uint64_t upto_n,
                                                      leat_log_state_fn *fn, void *arg,
                                                      struct leat_error *err);

/* Segments go in which every record is upto_n or less and was made before since_ms by the job's
 * clock. Cheap when none is. LEAT_E_IO: what is left may be tried again. */
LEAT_CHECKED enum leat_status leat_job_log_trim(struct leat_job_log *log, uint64_t upto_n,
                                                int64_t since_ms, struct leat_error *err);

/* Tests only: a segment of so many bytes is followed by another; 16 MiB else. */
void leat_job_log_set_segment_bytes(struct leat_job_log *log, int64_t bytes);

#endif
