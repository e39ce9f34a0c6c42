#include "memory_decider.h"

#include "leat_test.h"

#include <stdio.h>

#define SIDES_MAX 8

struct instance_memory {
    struct memory_side *side;
    const struct leat_env *env;
    uint64_t generation; /* that recover got; 0: it has not run */
};

/* ---- the other side */

struct memory_side *memory_side(const char *at)
{
    static struct memory_side all[SIDES_MAX];
    int i = 0;

    while (i < SIDES_MAX && all[i].name[0] && strcmp(all[i].name, at) != 0)
        i++;
    CU_ASSERT_FATAL(i < SIDES_MAX);
    struct memory_side *s = &all[i];
    if (!s->name[0]) {
        snprintf(s->name, sizeof s->name, "%s", at);
        pthread_mutex_init(&s->lock, NULL);
        leat_memory_source_init(&s->source, &s->arena);
    }
    return s;
}

static void text_clear(struct side_text *t)
{
    free(t->ptr);
    *t = (struct side_text){0};
}

static void text_add(struct side_text *t, const char *bytes, size_t len)
{
    if (t->len + len + 2 > t->room) {
        t->room = t->room * 2 + len + 64;
        t->ptr = realloc(t->ptr, t->room);
        CU_ASSERT_PTR_NOT_NULL_FATAL(t->ptr);
    }
    memcpy(t->ptr + t->len, bytes, len);
    t->len += len;
    t->ptr[t->len] = 0;
}

void memory_side_clear(struct memory_side *s)
{
    char name[32];

    text_clear(&s->committed);
    text_clear(&s->pending);
    leat_arena_reset(&s->arena);
    pthread_mutex_destroy(&s->lock);
    memcpy(name, s->name, sizeof name);
    memset(s, 0, sizeof *s);
    memcpy(s->name, name, sizeof name);
    pthread_mutex_init(&s->lock, NULL);
    leat_memory_source_init(&s->source, &s->arena);
}

void memory_side_script(struct memory_side *s, enum side_call call, uint64_t at,
                        enum side_fault fault)
{
    pthread_mutex_lock(&s->lock);
    CU_ASSERT_FATAL(s->script_count < SIDE_SCRIPT_MAX);
    s->script[s->script_count].call = call;
    s->script[s->script_count].at = s->calls[call] + at;
    s->script[s->script_count++].fault = fault;
    pthread_mutex_unlock(&s->lock);
}

static struct side_position *find(struct side_position *list, int count,
                                  struct leat_slice partition)
{
    for (int i = 0; i < count; i++)
        if (leat_slice_eq(leat_slice_str(list[i].partition), partition))
            return &list[i];
    return NULL;
}

static void set(struct side_position *list, int *count, struct side_position p)
{
    struct side_position *old = find(list, *count, leat_slice_str(p.partition));

    CU_ASSERT_FATAL(old || *count < SIDE_KNOWN_MAX);
    *(old ? old : &list[(*count)++]) = p;
}

void memory_side_move(struct memory_side *s, const char *partition, int64_t next)
{
    struct side_position p = {.next = next, .by = LEAT_DECIDED_FOREIGN};

    snprintf(p.partition, sizeof p.partition, "%s", partition);
    pthread_mutex_lock(&s->lock);
    set(s->known, &s->known_count, p);
    if (next < 0) {
        struct side_position *gone = find(s->known, s->known_count, leat_slice_str(partition));
        *gone = s->known[--s->known_count];
    }
    pthread_mutex_unlock(&s->lock);
}

int memory_side_rows(struct memory_side *s, const char **text)
{
    pthread_mutex_lock(&s->lock);
    int rows = s->committed.rows;
    if (text)
        *text = s->committed.ptr ? s->committed.ptr : "";
    pthread_mutex_unlock(&s->lock);
    return rows;
}

const struct side_position *memory_side_known(struct memory_side *s, const char *partition)
{
    pthread_mutex_lock(&s->lock);
    const struct side_position *p = find(s->known, s->known_count, leat_slice_str(partition));
    pthread_mutex_unlock(&s->lock);
    return p;
}

/* Lock: s->lock held, as for all below that take a side. */
static void roll_back(struct memory_side *s)
{
    s->is_open = false;
    s->moved_count = 0;
    text_clear(&s->pending);
}

static void roll_forward(struct memory_side *s)
{
    for (int i = 0; i < s->moved_count; i++)
        set(s->known, &s->known_count, s->moved[i]);
    if (s->pending.len)
        text_add(&s->committed, s->pending.ptr, s->pending.len);
    s->committed.rows += s->pending.rows;
    roll_back(s);
}

/* ---- the decider */

static enum side_fault count_call(struct memory_side *s, enum side_call call)
{
    enum side_fault fault = SIDE_OBEYS;

    s->calls[call]++;
    for (int i = 0; i < s->script_count; i++)
        if (s->script[i].call == call && s->script[i].at == s->calls[call])
            fault = s->script[i].fault;
    if (fault == SIDE_FENCES)
        s->generation++;
    return fault;
}

static enum leat_status say(const struct instance_memory *m, enum side_fault fault,
                            struct leat_error *err)
{
    switch (fault) {
    case SIDE_AWAY:
        return leat_fail(err, LEAT_E_UNREACHABLE, "'%s' is away", m->side->name);
    case SIDE_ABORTS:
        roll_back(m->side);
        return leat_fail(err, LEAT_E_ABORTED, "'%s' refuses", m->side->name);
    case SIDE_LOSES_CALL:
    case SIDE_LOSES_WORD:
        return leat_fail(err, LEAT_E_UNCLEAR, "'%s' does not answer", m->side->name);
    case SIDE_OBEYS:
    case SIDE_FENCES:
    default:
        break;
    }
    if (m->generation != m->side->generation)
        return leat_fail(err, LEAT_E_FENCED, "fenced by a newer instance of job '%s'", m->env->job);
    return LEAT_OK;
}

/* What comes of a call before it is carried out; *done: it is to be carried out all the same. */
static enum leat_status enter(struct instance_memory *m, enum side_call call, bool *done,
                              struct leat_error *err)
{
    pthread_mutex_lock(&m->side->lock);
    enum side_fault fault = count_call(m->side, call);
    enum leat_status status = say(m, fault, err);
    *done = (status == LEAT_OK || fault == SIDE_LOSES_WORD) && m->generation == m->side->generation;
    return status;
}

static void leave(struct instance_memory *m)
{
    pthread_mutex_unlock(&m->side->lock);
}

static struct leat_slice cluster(const void *self, struct leat_arena *arena)
{
    return leat_arena_copy(arena, leat_slice_str(((const struct ledger *)self)->at));
}

static struct leat_slice marker(const void *self, struct leat_arena *arena)
{
    const struct ledger *l = self;
    char name[80];

    if (!l->topic)
        return (struct leat_slice){0};
    snprintf(name, sizeof name, "%s/0", l->topic);
    return leat_arena_copy(arena, leat_slice_str(name));
}

static enum leat_status decider_open(void *memory, const void *self, const struct leat_env *env,
                                     struct leat_error *err)
{
    struct instance_memory *m = memory;

    (void)err;
    m->side = memory_side(((const struct ledger *)self)->at);
    m->env = env;
    m->generation = 0;
    return LEAT_OK;
}

static enum leat_status decider_recover(void *memory,
                                        void (*each)(void *arg, const struct leat_decided *d),
                                        void *arg, struct leat_error *err)
{
    struct instance_memory *m = memory;
    struct memory_side *s = m->side;

    pthread_mutex_lock(&s->lock);
    enum side_fault fault = count_call(s, SIDE_RECOVER);
    m->generation = s->generation;
    enum leat_status status = say(m, fault, err);
    if (status == LEAT_OK) {
        roll_back(s);
        m->generation = ++s->generation;
    }
    for (int i = 0; status == LEAT_OK && i < s->known_count; i++) {
        const struct side_position *p = &s->known[i];
        each(arg, &(struct leat_decided){.partition = leat_slice_str(p->partition),
                                         .next = p->next,
                                         .by = p->by,
                                         .epoch = p->epoch,
                                         .slot = p->slot,
                                         .n = p->n});
    }
    leave(m);
    return status;
}

static enum leat_status decider_begin(void *memory, uint64_t n, struct leat_error *err)
{
    struct instance_memory *m = memory;
    bool done;
    enum leat_status status = enter(m, SIDE_BEGIN, &done, err);

    if (status == LEAT_OK && m->side->is_open) /* the caller's mistake */
        status = leat_fail(err, LEAT_E_UNCLEAR, "batch %llu is still open",
                           (unsigned long long)m->side->n);
    else if (done) {
        m->side->is_open = true;
        m->side->n = n;
    }
    leave(m);
    return status;
}

static void move(struct instance_memory *m, struct leat_slice partition, int64_t next)
{
    struct side_position p = {.next = next,
                              .by = LEAT_DECIDED_OURS,
                              .epoch = m->env->epoch,
                              .slot = m->env->slot,
                              .n = m->side->n};

    snprintf(p.partition, sizeof p.partition, "%.*s", LEAT_FMT(partition));
    set(m->side->moved, &m->side->moved_count, p);
}

static enum leat_status decider_prepare(void *memory, uint64_t n,
                                        const struct leat_positions *positions,
                                        struct leat_slice marker_name, int64_t marker_next,
                                        struct leat_error *err)
{
    struct instance_memory *m = memory;
    bool done;
    enum leat_status status = enter(m, SIDE_PREPARE, &done, err);

    if (status == LEAT_OK && (!m->side->is_open || m->side->n != n))
        status = leat_fail(err, LEAT_E_UNCLEAR, "batch %llu is in no transaction",
                           (unsigned long long)n);
    else if (done) {
        move(m, marker_name, marker_next);
        for (size_t i = 0; i < positions->count; i++)
            move(m, positions->list[i].partition, positions->list[i].next);
    }
    leave(m);
    if (status == LEAT_OK && leat_failpoint("prepare.offsets"))
        return leat_fail(err, LEAT_E_ABORTED, "the positions of batch %llu were refused",
                         (unsigned long long)n);
    return status;
}

static enum leat_status decider_commit(void *memory, uint64_t n, struct leat_error *err)
{
    struct instance_memory *m = memory;
    bool done;

    if (leat_failpoint("commit.before"))
        return leat_fail(err, LEAT_E_ABORTED, "the commit of batch %llu was refused",
                         (unsigned long long)n);
    enum leat_status status = enter(m, SIDE_COMMIT, &done, err);
    if (status == LEAT_OK && (!m->side->is_open || m->side->n != n || !m->side->moved_count))
        status =
            leat_fail(err, LEAT_E_UNCLEAR, "batch %llu was not prepared", (unsigned long long)n);
    else if (done)
        roll_forward(m->side);
    leave(m);
    if (leat_failpoint("commit.sent") || leat_failpoint("commit.after"))
        return leat_fail(err, LEAT_E_UNCLEAR, "the answer was lost");
    return status;
}

static enum leat_status decider_abort(void *memory, uint64_t n, struct leat_error *err)
{
    struct instance_memory *m = memory;
    bool done;
    enum leat_status status = enter(m, SIDE_ABORT, &done, err);

    (void)n;
    if (done)
        roll_back(m->side);
    leave(m);
    return status;
}

static int64_t patience_ms(const void *memory)
{
    (void)memory;
    return 60000;
}

static void decider_close(void *memory)
{
    (void)memory; /* what is open stays so until somebody recovers: as after a crash */
}

const struct leat_decider memory_decider = {
    .size = sizeof(struct instance_memory),
    .cluster = cluster,
    .marker = marker,
    .open = decider_open,
    .recover = decider_recover,
    .begin = decider_begin,
    .prepare = decider_prepare,
    .commit = decider_commit,
    .abort = decider_abort,
    .patience_ms = patience_ms,
    .close = decider_close,
};

void memory_decider_write(void *memory, struct leat_slice row)
{
    struct instance_memory *m = memory;

    pthread_mutex_lock(&m->side->lock);
    if (m->generation == m->side->generation && m->side->is_open) {
        text_add(&m->side->pending, row.ptr, row.len);
        text_add(&m->side->pending, "\n", 1);
        m->side->pending.rows++;
    }
    leave(m);
}

/* ---- the sink */

static enum leat_status sink_open(void *self, const struct leat_env *env, struct leat_error *err)
{
    struct ledger *l = self;

    (void)err;
    l->side = memory_side(l->at);
    l->decider = env->decider;
    return LEAT_OK;
}

static enum leat_status sink_recover(void *self, uint64_t n, struct leat_slice section,
                                     struct leat_error *err)
{
    (void)self, (void)n, (void)section, (void)err;
    return LEAT_OK;
}

/* At least once: what is written is there. */
static void write_through(struct memory_side *s, struct leat_slice row)
{
    pthread_mutex_lock(&s->lock);
    text_add(&s->committed, row.ptr, row.len);
    text_add(&s->committed, "\n", 1);
    s->committed.rows++;
    pthread_mutex_unlock(&s->lock);
}

static enum leat_status sink_write(void *self, uint64_t n, const struct leat_chunk *chunk,
                                   struct leat_error *err)
{
    struct ledger *l = self;

    (void)n, (void)err;
    for (uint32_t i = 0; i < chunk->selected; i++) {
        struct leat_slice row = chunk->values[chunk->selection[i]];
        if (l->decider)
            memory_decider_write(l->decider, row);
        else
            write_through(l->side, row);
    }
    return LEAT_OK;
}

static enum leat_status sink_prepare(void *self, uint64_t n, const struct leat_positions *positions,
                                     struct leat_bytes *section, struct leat_error *err)
{
    (void)self, (void)n, (void)positions, (void)section, (void)err;
    return LEAT_OK;
}

static enum leat_status sink_end(void *self, uint64_t n, struct leat_error *err)
{
    (void)self, (void)n, (void)err;
    return LEAT_OK;
}

static void ledger_close(void *self)
{
    (void)self;
}

/* ---- the source */

static enum leat_status pull_open(void *self, const struct leat_env *env, struct leat_error *err)
{
    struct ledger *l = self;

    l->side = memory_side(l->at);
    return leat_memory_source_module.pull->open(&l->side->source, env, err);
}

static enum leat_status pull_partitions(void *self,
                                        void (*each)(void *arg, const struct leat_part *p),
                                        void *arg, struct leat_error *err)
{
    struct ledger *l = self;

    return leat_memory_source_module.pull->partitions(&l->side->source, each, arg, err);
}

static void pull_fetch(void *self, const struct leat_fetch *fetch, leat_fetch_done *done, void *arg)
{
    struct ledger *l = self;

    leat_memory_source_module.pull->fetch(&l->side->source, fetch, done, arg);
}

static void pull_lost(void *self, uint32_t part)
{
    (void)self, (void)part;
}

static const struct leat_opt options[] = {
    LEAT_OPT(struct ledger, at, .def = "here", .help = "Which other side."),
    LEAT_OPT(struct ledger, topic, .optional = true, .help = "Where its marker is."),
    {0},
};

const struct leat_module memory_ledger = {
    .abi = LEAT_MODULE_ABI,
    .name = "ledger",
    .summary = "reads and writes the memory of a test",
    .self_size = sizeof(struct ledger),
    .opts = options,
    .pull =
        &(const struct leat_pull){
            .open = pull_open,
            .partitions = pull_partitions,
            .fetch = pull_fetch,
            .lost = pull_lost,
            .close = ledger_close,
        },
    .sink =
        &(const struct leat_sink){
            .promise = LEAT_SINK_REPEATS,
            .open = sink_open,
            .recover = sink_recover,
            .write = sink_write,
            .prepare = sink_prepare,
            .commit = sink_end,
            .abort = sink_end,
            .close = ledger_close,
        },
    .decider = &memory_decider,
};

LEAT_MODULE_AS(memory_ledger, memory_ledger);
