/* registry.c - what numbers stand for: asked once, by a thread of its own, and kept. */
#include "client.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#define BUCKETS        256
#define PAUSE_FIRST_MS 100
#define PAUSE_MAX_MS   3000
#define UNKNOWN_MS     10000 /* so long a number that was unknown is not asked for again */
#define WAIT_MS        5000
#define SCHEMA_ARENA   (64 * AVRO_SCHEMA_BYTES)

enum state {
    ASKED,   /* the thread is to find out */
    READY,   /* plan */
    UNKNOWN, /* the registry does not have it */
    UNFIT,   /* it is there and cannot be used: why */
};

struct entry {
    struct entry *next;
    uint32_t id;
    enum state state;        /* guarded by lock, and all below until it is READY or UNFIT */
    int64_t asked_ms;        /* UNKNOWN: when that was found out */
    struct leat_arena arena; /* of the rest */
    struct avro_schema schema;
    const struct avro_plan *plan;
    const char *why;
};

/* A schema that is to get a number. */
struct enrolment {
    const char *subject; /* NULL: there is none */
    struct leat_slice schema;
    enum state state;
    uint32_t id;
    struct leat_error refused; /* UNFIT */
};

struct avro_registry {
    const struct avro_server *server;
    const struct avro_target *target;
    struct avro_client client; /* the thread's, and so is scratch */
    struct leat_arena scratch;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    atomic_bool stop;
    bool has_thread; /* guarded by lock */
    pthread_t thread;
    struct entry *entries[BUCKETS]; /* guarded by lock */
    uint32_t count;                 /* guarded by lock */
    struct enrolment enrolment;     /* guarded by lock */
    struct leat_error trouble;      /* guarded by lock; status LEAT_OK: the last answer came */
};

/* ---- answers */

static struct leat_value member(struct leat_value object, const char *name,
                                struct leat_arena *arena)
{
    if (object.tag != LEAT_MAP)
        return leat_value_fail(LEAT_V_ABSENT, "");
    return leat_value_field(object, leat_slice_str(name), arena);
}

static enum leat_status strange(const struct avro_server *server, long status,
                                struct leat_slice body, struct leat_error *err)
{
    for (size_t i = 0; i < body.len; i++)
        if ((unsigned char)body.ptr[i] < ' ')
            body.len = i;
    return leat_fail(err, LEAT_E_UNREACHABLE, "schema registry '%s' answers %ld: %.*s", server->url,
                     status, body.len < 120 ? (int)body.len : 120, body.ptr ? body.ptr : "");
}

static enum leat_status unfit(struct entry *e, const char *text, struct leat_error *err)
{
    struct leat_slice copy = leat_arena_copy(&e->arena, leat_slice_str(text));

    if (!copy.ptr)
        return leat_arena_failed(&e->arena, err);
    e->why = copy.ptr;
    return LEAT_OK;
}

/* The schema of the answer, made ready. LEAT_OK also when it cannot be used: e->why. */
static enum leat_status make_ready(const struct avro_target *target, struct leat_value answer,
                                   struct leat_arena *scratch, struct entry *e,
                                   struct leat_error *err)
{
    struct leat_value schema = member(answer, "schema", scratch),
                      type = member(answer, "schemaType", scratch),
                      references = member(answer, "references", scratch);
    const struct avro_node *node;
    enum leat_status status;

    if (type.tag == LEAT_STRING && !leat_slice_eq(leat_value_text(type), LEAT_LIT("AVRO")))
        return unfit(e, "it is no schema of Avro", err);
    if (references.tag == LEAT_LIST && references.len)
        return unfit(e, "it refers to other schemas of the registry, which is not supported", err);
    if (schema.tag != LEAT_STRING)
        return leat_fail(err, LEAT_E_UNREACHABLE, "an answer of the registry without a schema");
    status = avro_schema_parse(leat_value_text(schema), &e->arena, &e->schema, err);
    if (status == LEAT_OK)
        status = avro_resolve(&e->schema, target->wanted ? target->wanted : &e->schema, &e->arena,
                              &node, err);
    if (status == LEAT_E_CONFIG || status == LEAT_E_FULL)
        return unfit(e, err->text, err);
    if (status != LEAT_OK)
        return status;
    e->plan = avro_plan_new(node, target->paths, target->paths_count, &e->arena);
    return e->plan ? LEAT_OK : leat_arena_failed(&e->arena, err);
}

/* *found: what it is. A failure: nobody knows yet. */
static enum leat_status fetch(struct avro_registry *r, struct entry *e, enum state *found,
                              struct leat_error *err)
{
    char path[64];
    long status;

    leat_arena_reset(&r->scratch);
    leat_arena_reset(&e->arena);
    r->client.body = (struct leat_bytes){.arena = &r->scratch};
    snprintf(path, sizeof path, "/schemas/ids/%u", e->id);
    if (avro_client_ask(&r->client, path, (struct leat_slice){0}, &status, err) != LEAT_OK)
        return err->status;
    struct leat_slice body = leat_bytes_slice(&r->client.body);
    struct leat_value answer = leat_json_parse(body, &r->scratch);
    struct leat_value code = member(answer, "error_code", &r->scratch);
    if (status == 404 && code.tag == LEAT_INT && code.as.i == 40403) {
        *found = UNKNOWN;
        return LEAT_OK;
    }
    if (status != 200)
        return strange(r->server, status, body, err);
    e->why = NULL;
    if (make_ready(r->target, answer, &r->scratch, e, err) != LEAT_OK)
        return err->status;
    *found = e->why ? UNFIT : READY;
    return LEAT_OK;
}

/* ---- registering */

static bool put_request(struct leat_slice schema, struct leat_bytes *into)
{
    struct leat_value why;

    leat_bytes_put(into, "{\"schema\":", 10);
    bool ok = leat_json_write(leat_string(schema), into, &why);
    leat_bytes_put(into, "}", 1);
    return ok && !into->failed;
}

static void put_path(const char *subject, char *path, size_t room)
{
    size_t n = (size_t)snprintf(path, room, "/subjects/");

    for (const char *s = subject; *s && n + 16 < room; s++) {
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
    char path[1024];
    long status;

    leat_arena_reset(&r->scratch);
    r->client.body = (struct leat_bytes){.arena = &r->scratch};
    put_path(e->subject, path, sizeof path);
    if (!put_request(e->schema, &request))
        return leat_arena_failed(&r->scratch, err);
    if (avro_client_ask(&r->client, path, leat_bytes_slice(&request), &status, err) != LEAT_OK)
        return err->status;
    struct leat_slice body = leat_bytes_slice(&r->client.body);
    struct leat_value number = member(leat_json_parse(body, &r->scratch), "id", &r->scratch);
    if (status == 200 && number.tag == LEAT_INT && number.as.i >= 0 &&
        number.as.i <= (int64_t)UINT32_MAX) {
        *id = (uint32_t)number.as.i;
        return LEAT_OK;
    }
    strange(r->server, status, body, err);
    if (status == 409 || status == 422) { /* incompatible; no schema */
        err->status = LEAT_E_CONFIG;
        leat_error_prefix(err, "subject '%s'", e->subject);
    }
    return err->status;
}

/* ---- the thread */

static struct entry *next_asked(struct avro_registry *r)
{
    for (uint32_t i = 0; i < BUCKETS; i++)
        for (struct entry *e = r->entries[i]; e; e = e->next)
            if (e->state == ASKED)
                return e;
    return NULL;
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
    if (status != LEAT_OK && status != LEAT_E_CONFIG)
        return status;
    r->enrolment.id = e.id;
    r->enrolment.state = status == LEAT_OK ? READY : UNFIT;
    r->enrolment.refused = *err;
    return LEAT_OK;
}

/* Lock: r->lock held, but for the request. */
static enum leat_status fetch_one(struct avro_registry *r, struct entry *e, struct leat_error *err)
{
    enum state found = UNKNOWN;

    pthread_mutex_unlock(&r->lock);
    enum leat_status status = fetch(r, e, &found, err);
    pthread_mutex_lock(&r->lock);
    if (status != LEAT_OK)
        return status;
    e->state = found;
    e->asked_ms = leat_clock_monotonic_ms(NULL);
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
        if (r->enrolment.subject && r->enrolment.state == ASKED) {
            status = enroll_one(r, &err);
        } else if (e) {
            status = fetch_one(r, e, &err);
        } else {
            pthread_cond_wait(&r->changed, &r->lock);
            continue;
        }
        r->trouble = err;
        r->trouble.status = status;
        if (status == LEAT_OK) {
            pause = PAUSE_FIRST_MS;
            continue;
        }
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

/* Lock: r->lock held. NULL: there is no room for another one. */
static struct entry *entry_of(struct avro_registry *r, uint32_t id)
{
    struct entry **bucket = &r->entries[id % BUCKETS], *e = *bucket;

    while (e && e->id != id)
        e = e->next;
    if (e || r->count == AVRO_REGISTRY_SCHEMAS)
        return e;
    e = leat_mem_alloc(sizeof *e);
    if (!e)
        return NULL;
    *e = (struct entry){.next = *bucket, .id = id, .arena.cap = SCHEMA_ARENA};
    *bucket = e;
    r->count++;
    pthread_cond_broadcast(&r->changed);
    return e;
}

/* Lock: r->lock held */
static enum leat_status not_yet(struct avro_registry *r, struct leat_error *err)
{
    if (!start_thread(r))
        return leat_fail(err, LEAT_E_NOMEM, "no memory for a thread");
    if (r->trouble.status != LEAT_OK)
        return leat_fail(err, LEAT_E_UNREACHABLE, "%s", r->trouble.text);
    return leat_fail(err, LEAT_E_FULL, "schema registry '%s' is being asked", r->server->url);
}

enum leat_status avro_registry_ask(struct avro_registry *r, uint32_t id, struct leat_error *err)
{
    enum leat_status status = LEAT_OK;

    pthread_mutex_lock(&r->lock);
    struct entry *e = entry_of(r, id);
    if (e && e->state == UNKNOWN && leat_clock_monotonic_ms(NULL) - e->asked_ms > UNKNOWN_MS) {
        e->state = ASKED;
        pthread_cond_broadcast(&r->changed);
    }
    if (!e && r->count < AVRO_REGISTRY_SCHEMAS)
        status = leat_fail(err, LEAT_E_NOMEM, "out of memory");
    else if (e && e->state == ASKED)
        status = not_yet(r, err);
    pthread_mutex_unlock(&r->lock);
    return status;
}

enum leat_status avro_registry_enroll(struct avro_registry *r, const char *subject,
                                      struct leat_slice schema, uint32_t *id,
                                      struct leat_error *err)
{
    enum leat_status status = LEAT_OK;

    pthread_mutex_lock(&r->lock);
    struct enrolment *e = &r->enrolment;
    if (!e->subject) {
        *e = (struct enrolment){.subject = subject, .schema = schema};
        pthread_cond_broadcast(&r->changed);
    }
    *id = e->id;
    if (e->state == ASKED) {
        status = not_yet(r, err);
    } else if (e->state == UNFIT) {
        *err = e->refused;
        status = err->status;
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

const struct avro_plan *avro_registry_find(struct avro_registry *r, uint32_t id,
                                           struct leat_arena *arena, struct leat_value *why)
{
    int64_t end = leat_clock_monotonic_ms(NULL) + WAIT_MS;

    pthread_mutex_lock(&r->lock);
    struct entry *e = entry_of(r, id);
    while (e && e->state == ASKED && e->asked_ms == 0 && start_thread(r) &&
           leat_clock_monotonic_ms(NULL) < end)
        wait_ms(r, end - leat_clock_monotonic_ms(NULL));
    enum state state = e ? e->state : UNFIT;
    bool was_asked = e && e->asked_ms != 0;
    pthread_mutex_unlock(&r->lock);
    if (!e)
        return no_plan(id, "there are more schemas than are kept", arena, why);
    if (state == READY)
        return e->plan;
    return no_plan(id,
                   state == UNFIT                  ? e->why
                   : state == UNKNOWN || was_asked ? "it does not have this number"
                                                   : "it does not answer",
                   arena, why);
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
            leat_arena_reset(&e->arena);
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
