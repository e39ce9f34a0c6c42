/* registry.c - what numbers stand for: asked once, by a thread of its own, and kept. */
#include "answer.h"
#include "client.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#define BUCKETS        256
#define PAUSE_FIRST_MS 100
#define PAUSE_MAX_MS   3000
#define UNKNOWN_FIRST_MS                                                                           \
    10000                     /* so long a number that was unknown is not asked for again; then    \
                               */
#define UNKNOWN_MAX_MS 600000 /* twice as long, up to this */
#define FORGET_MS      600000 /* an unknown number that nobody met so long may make room */
#define ROOM_MS        1000   /* so often somebody looks for such room */
#define WAIT_MS        5000
#define SCHEMA_ARENA   (64 * AVRO_SCHEMA_BYTES)
#define LEAST_ARENA    ((size_t)64 * 1024)

/* A number and what it stands for. Guarded by lock; while it is asked for the answer is the
 * thread's. Once it is settled and not unknown, nothing of it changes any more. */
struct entry {
    struct entry *next;
    uint32_t id;
    bool asked;        /* the thread is to find out */
    uint32_t failures; /* of questions, since it was last settled */
    int64_t settled_ms, met_ms, unknown_ms;
    struct avro_answer answer;
};

/* A schema that is to get a number. */
struct enrolment {
    const char *subject; /* NULL: there is none */
    struct leat_slice schema;
    bool asked;
    uint32_t failures;
    uint32_t id;
    struct leat_error refused; /* status LEAT_OK: it has its number */
};

struct avro_registry {
    const struct avro_server *server;
    const struct avro_target *target;
    struct avro_client client; /* the thread's, and so is scratch */
    struct leat_arena scratch;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    atomic_bool stop;
    bool has_thread; /* guarded by lock, and so is all below */
    pthread_t thread;
    struct entry *entries[BUCKETS];
    uint32_t count;
    size_t bytes;    /* of all answers */
    int64_t full_ms; /* when there was no room for another number */
    bool is_slow;    /* somebody waited in vain: nobody else does before an answer came */
    struct enrolment enrolment;
    struct leat_error trouble; /* of the last question that failed */
};

/* ---- one question */

static enum leat_status fetch(struct avro_registry *r, struct entry *e, struct leat_error *err)
{
    char path[64];
    long status;

    leat_arena_reset(&r->scratch);
    r->client.body = (struct leat_bytes){.arena = &r->scratch};
    snprintf(path, sizeof path, "/schemas/ids/%u", e->id);
    if (avro_client_ask(&r->client, path, (struct leat_slice){0}, &status, err) != LEAT_OK)
        return err->status;
    return avro_answer_schema(r->target, r->server->url, status, leat_bytes_slice(&r->client.body),
                              &r->scratch, &e->answer, err);
}

static bool put_request(struct leat_slice schema, struct leat_bytes *into)
{
    struct leat_value why;

    leat_bytes_put(into, "{\"schema\":", 10);
    bool ok = leat_json_write(leat_string(schema), into, &why);
    leat_bytes_put(into, "}", 1);
    return ok && !into->failed;
}

/* Room is there: a subject has at most AVRO_SUBJECT_BYTES. */
static void put_path(const char *subject, char *path, size_t room)
{
    size_t n = (size_t)snprintf(path, room, "/subjects/");

    for (const char *s = subject; *s; s++) {
        bool plain = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
                     (*s >= '0' && *s <= '9') || strchr("-._", *s);
        n += (size_t)(plain ? snprintf(path + n, room - n, "%c", *s)
                            : snprintf(path + n, room - n, "%%%02X", (unsigned char)*s));
    }
    snprintf(path + n, room - n, "/versions");
}

static enum leat_status enroll(struct avro_registry *r, const struct enrolment *e, uint32_t *id,
                               struct leat_error *err)
{
    struct leat_bytes request = {.arena = &r->scratch};
    char path[3 * AVRO_SUBJECT_BYTES + 32];
    long status;

    leat_arena_reset(&r->scratch);
    r->client.body = (struct leat_bytes){.arena = &r->scratch};
    put_path(e->subject, path, sizeof path);
    if (!put_request(e->schema, &request))
        return leat_arena_failed(&r->scratch, err);
    if (avro_client_ask(&r->client, path, leat_bytes_slice(&request), &status, err) != LEAT_OK)
        return err->status;
    enum leat_status found = avro_answer_number(
        r->server->url, status, leat_bytes_slice(&r->client.body), &r->scratch, id, err);
    return found == LEAT_E_CONFIG ? leat_error_prefix(err, "subject '%s'", e->subject) : found;
}

/* ---- the thread */

/* The one that failed least often: one that always fails does not keep the others from being asked.
 * Lock: r->lock held. */
static struct entry *next_asked(struct avro_registry *r)
{
    struct entry *found = NULL;

    for (uint32_t i = 0; i < BUCKETS; i++)
        for (struct entry *e = r->entries[i]; e; e = e->next)
            if (e->asked && (!found || e->failures < found->failures))
                found = e;
    return found;
}

static void wait_ms(struct avro_registry *r, int64_t ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&r->changed, &r->lock, &until);
}

/* While the registry is away; what is asked meanwhile does not shorten it. */
static void pause_ms(struct avro_registry *r, int64_t ms)
{
    int64_t end = leat_clock_monotonic_ms(NULL) + ms;

    for (int64_t left = ms; left > 0 && !atomic_load(&r->stop);
         left = end - leat_clock_monotonic_ms(NULL))
        wait_ms(r, left);
}

/* Lock: r->lock held, but for the request. */
static enum leat_status enroll_one(struct avro_registry *r, struct leat_error *err)
{
    struct enrolment e = r->enrolment;

    pthread_mutex_unlock(&r->lock);
    enum leat_status status = enroll(r, &e, &e.id, err);
    pthread_mutex_lock(&r->lock);
    if (status != LEAT_OK && status != LEAT_E_CONFIG) {
        r->enrolment.failures++;
        return status;
    }
    r->enrolment.id = e.id;
    r->enrolment.asked = false;
    r->enrolment.refused = *err;
    r->enrolment.refused.status = status;
    return LEAT_OK;
}

/* Lock: r->lock held, but for the request. */
static enum leat_status fetch_one(struct avro_registry *r, struct entry *e, struct leat_error *err)
{
    size_t left = r->bytes < AVRO_REGISTRY_BYTES ? AVRO_REGISTRY_BYTES - r->bytes : 0;

    pthread_mutex_unlock(&r->lock);
    e->answer.arena.cap = left < LEAST_ARENA    ? LEAST_ARENA
                          : left < SCHEMA_ARENA ? left
                                                : SCHEMA_ARENA;
    enum leat_status status = fetch(r, e, err);
    pthread_mutex_lock(&r->lock);
    if (status != LEAT_OK) {
        e->failures++;
        return status;
    }
    r->bytes += e->answer.arena.bytes;
    e->asked = r->is_slow = false;
    e->failures = 0;
    e->settled_ms = leat_clock_monotonic_ms(NULL);
    e->unknown_ms = e->unknown_ms == 0                   ? UNKNOWN_FIRST_MS
                    : e->unknown_ms < UNKNOWN_MAX_MS / 2 ? e->unknown_ms * 2
                                                         : UNKNOWN_MAX_MS;
    pthread_cond_broadcast(&r->changed);
    return LEAT_OK;
}

static void *registry_main(void *arg)
{
    struct avro_registry *r = arg;
    int64_t pause = PAUSE_FIRST_MS;

    pthread_mutex_lock(&r->lock);
    while (!atomic_load(&r->stop)) {
        struct entry *e = next_asked(r);
        struct leat_error err = {0};
        enum leat_status status;
        if (r->enrolment.asked) {
            status = enroll_one(r, &err);
        } else if (e) {
            status = fetch_one(r, e, &err);
        } else {
            pthread_cond_wait(&r->changed, &r->lock);
            continue;
        }
        if (status == LEAT_OK) {
            pause = PAUSE_FIRST_MS;
            continue;
        }
        r->trouble = err;
        pause_ms(r, pause);
        pause = pause * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : pause * 2;
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

/* Lock: r->lock held */
static bool start_thread(struct avro_registry *r)
{
    sigset_t all, before;

    if (r->has_thread)
        return true;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r->has_thread = pthread_create(&r->thread, NULL, registry_main, r) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r->has_thread;
}

/* ---- asking */

/* Forget a number that nobody knows and nobody has met for long. Lock: r->lock held */
static bool make_room(struct avro_registry *r, int64_t now_ms)
{
    if (r->full_ms && now_ms - r->full_ms < ROOM_MS)
        return false;
    for (uint32_t i = 0; i < BUCKETS; i++)
        for (struct entry **link = &r->entries[i], *e; (e = *link); link = &e->next)
            if (!e->asked && e->answer.found == AVRO_UNKNOWN && now_ms - e->met_ms > FORGET_MS) {
                *link = e->next;
                leat_arena_reset(&e->answer.arena);
                leat_mem_free(e);
                r->count--;
                return true;
            }
    r->full_ms = now_ms;
    return false;
}

/* Lock: r->lock held. NULL, *status LEAT_OK: there is no room for another one. */
static struct entry *entry_of(struct avro_registry *r, uint32_t id, enum leat_status *status,
                              struct leat_error *err)
{
    struct entry **bucket = &r->entries[id % BUCKETS], *e = *bucket;
    int64_t now_ms = leat_clock_monotonic_ms(NULL);

    *status = LEAT_OK;
    while (e && e->id != id)
        e = e->next;
    if (!e && r->count == AVRO_REGISTRY_SCHEMAS && !make_room(r, now_ms))
        return NULL;
    if (!e) {
        e = leat_mem_alloc(sizeof *e);
        if (!e) {
            *status = leat_fail(err, LEAT_E_NOMEM, "out of memory");
            return NULL;
        }
        *e = (struct entry){.next = *bucket, .id = id, .asked = true};
        *bucket = e;
        r->count++;
        pthread_cond_broadcast(&r->changed);
    }
    e->met_ms = now_ms;
    return e;
}

/* Lock: r->lock held */
static enum leat_status not_yet(struct avro_registry *r, uint32_t failures, struct leat_error *err)
{
    if (!start_thread(r))
        return leat_fail(err, LEAT_E_NOMEM, "no memory for a thread");
    if (failures)
        return leat_fail(err, LEAT_E_UNREACHABLE, "%s", r->trouble.text);
    return leat_fail(err, LEAT_E_FULL, "schema registry '%s' is being asked", r->server->url);
}

enum leat_status avro_registry_ask(struct avro_registry *r, uint32_t id, struct leat_error *err)
{
    enum leat_status status;

    pthread_mutex_lock(&r->lock);
    struct entry *e = entry_of(r, id, &status, err);
    if (e && !e->asked && e->answer.found == AVRO_UNKNOWN &&
        e->met_ms - e->settled_ms > e->unknown_ms) {
        e->asked = true;
        pthread_cond_broadcast(&r->changed);
    }
    if (e && e->asked)
        status = not_yet(r, e->failures, err);
    pthread_mutex_unlock(&r->lock);
    return status;
}

enum leat_status avro_registry_enroll(struct avro_registry *r, const char *subject,
                                      struct leat_slice schema, uint32_t *id,
                                      struct leat_error *err)
{
    enum leat_status status;

    pthread_mutex_lock(&r->lock);
    struct enrolment *e = &r->enrolment;
    if (!e->subject) {
        *e = (struct enrolment){.subject = subject, .schema = schema, .asked = true};
        pthread_cond_broadcast(&r->changed);
    }
    *id = e->id;
    if (e->asked) {
        status = not_yet(r, e->failures, err);
    } else {
        status = e->refused.status;
        if (status != LEAT_OK)
            *err = e->refused;
    }
    pthread_mutex_unlock(&r->lock);
    return status;
}

static const struct avro_plan *no_plan(uint32_t id, const char *reason, struct leat_arena *arena,
                                       struct leat_value *why)
{
    char text[400];
    int n = snprintf(text, sizeof text, "Avro: schema %u of the registry: %s", id, reason);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    struct leat_slice copy = leat_arena_copy(arena, (struct leat_slice){text, len});

    *why = copy.ptr ? leat_value_fail(LEAT_V_SYNTAX, copy.ptr)
                    : leat_value_fail(LEAT_V_BUDGET, "out of memory");
    return NULL;
}

/* Lock: r->lock held, but while it waits. */
static void wait_for(struct avro_registry *r, const struct entry *e)
{
    int64_t end = leat_clock_monotonic_ms(NULL) + WAIT_MS;

    while (e->asked && e->settled_ms == 0 && !r->is_slow && start_thread(r)) {
        int64_t left = end - leat_clock_monotonic_ms(NULL);
        if (left > 0)
            wait_ms(r, left);
        else
            r->is_slow = true;
    }
}

const struct avro_plan *avro_registry_find(struct avro_registry *r, uint32_t id,
                                           struct leat_arena *arena, struct leat_value *why)
{
    const struct avro_answer *answer = NULL;
    const char *reason = "there are more schemas than are kept";
    struct leat_error err;
    enum leat_status status;

    pthread_mutex_lock(&r->lock);
    struct entry *e = entry_of(r, id, &status, &err);
    if (e) {
        wait_for(r, e);
        if (e->asked && e->settled_ms == 0)
            reason = "it does not answer";
        else if (e->asked || e->answer.found == AVRO_UNKNOWN)
            reason = "it does not have this number";
        else
            answer = &e->answer;
    }
    pthread_mutex_unlock(&r->lock);
    if (status != LEAT_OK) {
        *why = leat_value_fail(LEAT_V_BUDGET, "out of memory");
        return NULL;
    }
    if (answer && answer->found == AVRO_READY)
        return answer->plan;
    return no_plan(id, answer ? answer->why : reason, arena, why);
}

/* ---- begin and end */

static void end(void *arg)
{
    struct avro_registry *r = arg;

    pthread_mutex_lock(&r->lock);
    atomic_store(&r->stop, true);
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    if (r->has_thread)
        pthread_join(r->thread, NULL);
    for (uint32_t i = 0; i < BUCKETS; i++)
        for (struct entry *e = r->entries[i], *next; e; e = next) {
            next = e->next;
            leat_arena_reset(&e->answer.arena);
            leat_mem_free(e);
        }
    avro_client_close(&r->client);
    leat_arena_reset(&r->scratch);
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
}

enum leat_status avro_registry_new(const struct avro_server *server,
                                   const struct avro_target *target, struct leat_arena *arena,
                                   struct avro_registry **registry, struct leat_error *err)
{
    struct avro_registry *r = leat_arena_alloc(arena, sizeof *r);
    pthread_condattr_t monotonic;

    if (!r)
        return leat_arena_failed(arena, err);
    r->server = server;
    r->target = target;
    r->client = (struct avro_client){.server = server, .stop = &r->stop};
    pthread_mutex_init(&r->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&r->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (!leat_arena_on_reset(arena, end, r)) {
        pthread_cond_destroy(&r->changed);
        pthread_mutex_destroy(&r->lock);
        return leat_arena_failed(arena, err);
    }
    *registry = r;
    return LEAT_OK;
}
