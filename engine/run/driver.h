/*
 * driver.h - a pipeline driven by hand: rows in, one batch, outputs out.
 *
 * For `leat test`, for tests that compare results, and for the C library. There is no clock,
 * source, sink, log or commit here: times are given, outputs stay where they were sealed. It runs
 * the same batches as the job thread does, on as many workers as asked for; with one there is no
 * thread.
 *
 *     new  part*  ( row | feed | at_end )*  batch  output*  ...  free
 *
 * Thread: one at a time.
 */
#ifndef LEAT_RUN_DRIVER_H
#define LEAT_RUN_DRIVER_H

#include "run/batch.h"

struct leat_driver;

struct leat_driver_counts {
    uint64_t batches, rows_in, rows_out, errors, late;
    uint64_t state_keys, state_bytes;
};

/* The plan outlives the driver. memory_bytes: for everything that runs. */
LEAT_CHECKED enum leat_status leat_driver_new(const struct leat_plan *plan, uint32_t threads,
                                              size_t memory_bytes, struct leat_driver **driver,
                                              struct leat_error *err);
void leat_driver_free(struct leat_driver *d); /* NULL is fine */

/* A partition of a source: "orders/3". Its id is *id, dense from 0 per source. */
LEAT_CHECKED enum leat_status leat_driver_part(struct leat_driver *d, uint32_t source,
                                               struct leat_slice name, int64_t clock_ms,
                                               uint32_t *id, struct leat_error *err);

/* For the next batch: a copy of the row, at the next position of the partition (row->position is
 * not looked at); or a sealed block with positions, of which the driver takes the reference. */
LEAT_CHECKED enum leat_status leat_driver_row(struct leat_driver *d, uint32_t source, uint32_t part,
                                              const struct leat_row *row, struct leat_error *err);
void leat_driver_feed(struct leat_driver *d, uint32_t source, uint32_t part,
                      struct leat_block *block);

/* The next row stands at this position: for a run that goes on where another one was. Nothing is
 * fed. */
void leat_driver_seek(struct leat_driver *d, uint32_t source, uint32_t part, int64_t position);

/* For those who look at state between batches. */
struct leat_flow *leat_driver_flow(struct leat_driver *d);

/* The next row begins a new block: results must not depend on where blocks are cut. */
void leat_driver_cut_block(struct leat_driver *d, uint32_t source, uint32_t part);

/* The partition has been read to its end; it may become idle. True until said otherwise. */
void leat_driver_at_end(struct leat_driver *d, uint32_t source, uint32_t part, bool at_end);

/* Run what was fed as a batch of this time. *ran false: nothing was fed, nothing is due, the
 * pipeline does not speak on an empty batch, so there is none. close: the input ends here, all
 * windows close. Outputs of the batch before are gone. After a failure only free. */
LEAT_CHECKED enum leat_status leat_driver_batch(struct leat_driver *d, int64_t time_ms,
                                                int64_t clock_ms, bool close, bool *ran,
                                                struct leat_error *err);

/* The encoded rows for a sink, in order; borrowed until the next batch. Not before the first. */
const struct leat_sealed_list *leat_driver_output(const struct leat_driver *d, uint32_t sink);

struct leat_driver_counts leat_driver_counts(const struct leat_driver *d);

/* Watermark of a source; LEAT_NO_TIME: none yet. */
int64_t leat_driver_watermark(const struct leat_driver *d, uint32_t source);

/* As leat_flow_set_tables(). */
void leat_driver_set_tables(struct leat_driver *d, const struct leat_lookup_table *const *tables);

#endif
