#include "scripted_decider.h"

#include "base/failpoint.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct scripted_side scripted_side;

struct memory {
    const struct leat_env *env;
    uint32_t generation;
    struct leat_position positions[SCRIPTED_DECIDER_PARTS];
    char names[SCRIPTED_DECIDER_PARTS][40];
    uint32_t count;
};

/* True: this call fails now. *done: do the work first. */
static bool fails(enum scripted_call call, struct leat_error *err, bool *done)
{
    int seen = ++scripted_side.calls[call];

    *done = false;
    if (scripted_side.fail[call].at == 0 || --scripted_side.fail[call].at > 0)
        return false;
    *done = scripted_side.fail[call].done;
    enum leat_status status = scripted_side.fail[call].status;
    leat_fail(err, status, "%scall %d fails",
              status == LEAT_E_FENCED ? "fenced by a newer instance: " : "", seen);
    return true;
}

static bool is_fenced(const struct memory *m, struct leat_error *err)
{
    if (m->generation == scripted_side.generation)
        return false;
    leat_fail(err, LEAT_E_FENCED, "fenced by a newer instance: it has recovered since");
    return true;
}

static struct leat_slice decider_cluster(const void *self, struct leat_arena *arena)
{
    (void)self;
    return leat_arena_copy(arena, LEAT_LIT("memory"));
}

static struct leat_slice decider_marker(const void *self, struct leat_arena *arena)
{
    (void)self;
    return leat_arena_copy(arena, LEAT_LIT("out/0"));
}

static enum leat_status decider_open(void *memory, const void *self, const struct leat_env *env,
                                     struct leat_error *err)
{
    struct memory *m = memory;
    bool done;

    (void)self;
    m->env = env;
    return fails(SCRIPTED_OPEN, err, &done) ? err->status : LEAT_OK;
}

static enum leat_status decider_recover(void *memory,
                                        void (*each)(void *arg, const struct leat_decided *d),
                                        void *arg, struct leat_error *err)
{
    struct memory *m = memory;
    bool done;

    if (fails(SCRIPTED_RECOVER, err, &done))
        return err->status;
    m->generation = ++scripted_side.generation;
    scripted_side.is_open = false;
    scripted_side.pending[0] = 0;
    for (uint32_t i = 0; i < scripted_side.parts_count; i++)
        each(arg,
             &(struct leat_decided){.partition = leat_slice_str(scripted_side.parts[i].partition),
                                    .next = scripted_side.parts[i].next,
                                    .by = scripted_side.parts[i].by,
                                    .epoch = scripted_side.parts[i].epoch,
                                    .slot = scripted_side.parts[i].slot,
                                    .n = scripted_side.parts[i].n});
    return LEAT_OK;
}

static enum leat_status decider_begin(void *memory, uint64_t n, struct leat_error *err)
{
    struct memory *m = memory;
    bool done;

    if (is_fenced(m, err) || fails(SCRIPTED_BEGIN, err, &done))
        return err->status;
    assert(!scripted_side.is_open);
    scripted_side.is_open = true;
    scripted_side.pending_n = n;
    scripted_side.pending[0] = 0;
    m->count = 0;
    return LEAT_OK;
}

static void add(struct memory *m, struct leat_slice partition, int64_t next)
{
    assert(m->count < SCRIPTED_DECIDER_PARTS);
    snprintf(m->names[m->count], sizeof m->names[0], "%.*s", LEAT_FMT(partition));
    m->positions[m->count++].next = next;
}

static enum leat_status decider_prepare(void *memory, uint64_t n,
                                        const struct leat_positions *positions,
                                        struct leat_slice marker, int64_t marker_next,
                                        struct leat_error *err)
{
    struct memory *m = memory;
    bool done;

    if (is_fenced(m, err) || fails(SCRIPTED_PREPARE, err, &done))
        return err->status;
    assert(scripted_side.is_open && scripted_side.pending_n == n && marker.len);
    add(m, marker, marker_next);
    for (size_t i = 0; i < positions->count; i++)
        add(m, positions->list[i].partition, positions->list[i].next);
    if (leat_failpoint("prepare.offsets"))
        return leat_fail(err, LEAT_E_ABORTED, "the positions were refused");
    return LEAT_OK;
}

static void set(const char *partition, int64_t next, enum leat_decided_by by, uint32_t epoch,
                uint32_t slot, uint64_t n)
{
    uint32_t i = 0;

    while (i < scripted_side.parts_count &&
           strcmp(scripted_side.parts[i].partition, partition) != 0)
        i++;
    assert(i < SCRIPTED_DECIDER_PARTS);
    scripted_side.parts_count += i == scripted_side.parts_count;
    snprintf(scripted_side.parts[i].partition, sizeof scripted_side.parts[i].partition, "%s",
             partition);
    scripted_side.parts[i].next = next;
    scripted_side.parts[i].by = by;
    scripted_side.parts[i].epoch = epoch;
    scripted_side.parts[i].slot = slot;
    scripted_side.parts[i].n = n;
}

static void commit_all(struct memory *m, uint64_t n)
{
    size_t have = strlen(scripted_side.text);

    snprintf(scripted_side.text + have, sizeof scripted_side.text - have, "%s",
             scripted_side.pending);
    for (uint32_t i = 0; i < m->count; i++)
        set(m->names[i], m->positions[i].next, LEAT_DECIDED_OURS, m->env->epoch, m->env->slot, n);
    scripted_side.commits++;
}

static enum leat_status decider_commit(void *memory, uint64_t n, struct leat_error *err)
{
    struct memory *m = memory;
    bool done, failed;

    while (scripted_side.hangs)
        pause();
    if (is_fenced(m, err))
        return err->status;
    if (leat_failpoint("commit.before")) {
        scripted_side.is_open = false;
        return leat_fail(err, LEAT_E_ABORTED, "the transaction was aborted");
    }
    failed = fails(SCRIPTED_COMMIT, err, &done);
    if (leat_failpoint("commit.sent") || leat_failpoint("commit.after")) {
        failed = done = true;
        leat_fail(err, LEAT_E_UNCLEAR, "the answer was lost");
    }
    assert(scripted_side.is_open && scripted_side.pending_n == n);
    if (!failed || done)
        commit_all(m, n);
    if (failed && done)
        for (uint32_t i = 0; i < scripted_side.parts_count; i++)
            scripted_side.parts[i].next += scripted_side.elsewhere;
    scripted_side.is_open = false;
    return failed ? err->status : LEAT_OK;
}

static enum leat_status decider_abort(void *memory, uint64_t n, struct leat_error *err)
{
    bool done;

    (void)n;
    if (is_fenced(memory, err) || fails(SCRIPTED_ABORT, err, &done))
        return err->status;
    scripted_side.is_open = false;
    scripted_side.pending[0] = 0;
    return LEAT_OK;
}

static int64_t decider_patience_ms(const void *memory)
{
    (void)memory;
    return scripted_side.patience_ms ? scripted_side.patience_ms : 60000;
}

static void decider_close(void *memory)
{
    (void)memory;
}

const struct leat_decider scripted_decider = {.size = sizeof(struct memory),
                                              .cluster = decider_cluster,
                                              .marker = decider_marker,
                                              .open = decider_open,
                                              .recover = decider_recover,
                                              .begin = decider_begin,
                                              .prepare = decider_prepare,
                                              .commit = decider_commit,
                                              .abort = decider_abort,
                                              .patience_ms = decider_patience_ms,
                                              .close = decider_close};

void scripted_side_clear(void)
{
    memset(&scripted_side, 0, sizeof scripted_side);
}

void scripted_decider_write(void *memory, struct leat_slice row)
{
    size_t have = strlen(scripted_side.pending);

    (void)memory;
    assert(scripted_side.is_open);
    snprintf(scripted_side.pending + have, sizeof scripted_side.pending - have, "%.*s\n",
             LEAT_FMT(row));
}

int64_t scripted_side_position(const char *partition)
{
    for (uint32_t i = 0; i < scripted_side.parts_count; i++)
        if (strcmp(scripted_side.parts[i].partition, partition) == 0)
            return scripted_side.parts[i].next;
    return -1;
}

void scripted_side_move(const char *partition, int64_t next, enum leat_decided_by by)
{
    set(partition, next, by, 0, 0, 0);
}

/* ---- the sink */

struct sink {
    struct memory *decider;
};

static enum leat_status sink_open(void *self, const struct leat_env *env, struct leat_error *err)
{
    (void)err;
    assert(env->decider);
    ((struct sink *)self)->decider = env->decider;
    return LEAT_OK;
}

static enum leat_status sink_recover(void *self, uint64_t n, struct leat_slice section,
                                     struct leat_error *err)
{
    (void)self, (void)n, (void)section, (void)err;
    return LEAT_OK;
}

static enum leat_status sink_write(void *self, uint64_t n, const struct leat_chunk *chunk,
                                   struct leat_error *err)
{
    bool done;

    if (is_fenced(((struct sink *)self)->decider, err) || fails(SCRIPTED_WRITE, err, &done))
        return err->status;
    assert(scripted_side.is_open && scripted_side.pending_n == n);
    for (uint32_t i = 0; i < chunk->selected; i++)
        scripted_decider_write(((struct sink *)self)->decider, chunk->values[chunk->selection[i]]);
    return LEAT_OK;
}

static enum leat_status sink_prepare(void *self, uint64_t n, const struct leat_positions *positions,
                                     struct leat_bytes *section, struct leat_error *err)
{
    (void)self, (void)n, (void)positions, (void)section, (void)err;
    return LEAT_OK;
}

static enum leat_status sink_nothing(void *self, uint64_t n, struct leat_error *err)
{
    (void)self, (void)n, (void)err;
    return LEAT_OK;
}

static void sink_close(void *self)
{
    (void)self;
}

const struct leat_module scripted_decider_sink = {
    .abi = LEAT_MODULE_ABI,
    .name = "scripted_decider",
    .self_size = sizeof(struct sink),
    .sink = &(const struct leat_sink){.promise = LEAT_SINK_REPEATS,
                                      .open = sink_open,
                                      .recover = sink_recover,
                                      .write = sink_write,
                                      .prepare = sink_prepare,
                                      .commit = sink_nothing,
                                      .abort = sink_nothing,
                                      .close = sink_close},
    .decider = &scripted_decider,
};
