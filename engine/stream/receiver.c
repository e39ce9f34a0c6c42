/*
 * receiver.c - custom receivers as a push source: their thread, which starts and stops them, moves
 * what was stored into the inbox, and tells what is safe.
 */
#include "receiver.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define FULL_MS 250 /* the inbox wakes us for a credit, nobody does for memory */

struct receiver_source {
    struct leat_expression of; /* a node that hands a struct leat_receiver */
};

static const struct leat_opt options[] = {
    LEAT_OPT(struct receiver_source, of, .optional = true,
             .help = "What the program receives with."),
    {0},
};

static struct leat_receiver *receiver_of(const void *self)
{
    const struct receiver_source *s = self;

    return (struct leat_receiver *)(uintptr_t)s->of.node->handed;
}

void receiver_wake(struct leat_receiver *r)
{
    if (r->running)
        eventfd_write(r->wake, 1);
}

static enum leat_status receiver_open(void *self, const struct leat_env *env,
                                      struct leat_error *err)
{
    struct leat_receiver *r = receiver_of(self);

    (void)err;
    pthread_mutex_lock(&r->lock);
    r->env = env;
    pthread_mutex_unlock(&r->lock);
    return LEAT_OK;
}

static void receiver_close(void *self)
{
    struct leat_receiver *r = receiver_of(self);

    pthread_mutex_lock(&r->lock);
    r->env = NULL;
    pthread_mutex_unlock(&r->lock);
}

bool receiver_is_worked_off(const struct leat_receiver *r)
{
    bool on_disk = strcmp(r->functions.store, "disk") == 0;

    return r->safe == r->stored &&
           (!on_disk || r->stored == 0 || r->committed - r->told_base >= r->stored);
}

/* leat_stop() waits for it. */
static void note_drained(struct leat_receiver *r)
{
    pthread_mutex_lock(&r->lock);
    bool news =
        !r->is_drained && r->want_stop && r->phase == RECEIVER_OFF && receiver_is_worked_off(r);
    r->is_drained = r->is_drained || news;
    pthread_mutex_unlock(&r->lock);
    if (!news)
        return;
    pthread_mutex_lock(&r->ctx->lock);
    pthread_cond_broadcast(&r->ctx->changed);
    pthread_mutex_unlock(&r->ctx->lock);
}

void stream_receiver_committed(const struct leat_context *ctx, const char *source, int64_t next)
{
    struct leat_receiver *r = stream_receiver_of(ctx, source);

    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    r->committed = next;
    pthread_mutex_unlock(&r->lock);
    note_drained(r);
}

/* ---- into the inbox */

/* The pile that was moved becomes the one that is filled. */
static void swap_piles(struct leat_receiver *r)
{
    struct receiver_pile *moved = &r->piles[r->filling == &r->piles[0]];

    if (moved->bytes.room > 8 * RECEIVER_PILE_BYTES) {
        leat_arena_reset(&moved->arena);
        moved->bytes = (struct leat_bytes){0};
    }
    moved->bytes.len = 0;
    pthread_mutex_lock(&r->lock);
    r->rest = leat_bytes_slice(&r->filling->bytes);
    r->filling = moved;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

static enum leat_status move_rest(struct leat_receiver *r, struct leat_inbox *inbox,
                                  struct leat_error *err)
{
    struct leat_row row = {.time_ms = LEAT_NO_TIME};
    struct leat_slice behind = r->rest;
    int64_t position;

    while (leat_take_slice(&behind, &row.value)) {
        enum leat_status status = leat_inbox_append(inbox, 0, &row, &position, err);
        r->is_full = status == LEAT_E_FULL;
        if (status != LEAT_OK)
            return r->is_full ? LEAT_OK : status;
        r->rest = behind;
        r->base = position - r->moved++;
    }
    return LEAT_OK;
}

static enum leat_status move(struct leat_receiver *r, struct leat_inbox *inbox,
                             struct leat_error *err)
{
    r->is_full = false;
    if (move_rest(r, inbox, err) != LEAT_OK)
        return err->status;
    if (r->is_full)
        return LEAT_OK;
    swap_piles(r);
    return move_rest(r, inbox, err);
}

static enum leat_status receiver_acked(void *self, uint32_t part, int64_t upto,
                                       struct leat_error *err)
{
    struct leat_receiver *r = receiver_of(self);
    int64_t safe = upto - r->base;

    (void)part, (void)err;
    pthread_mutex_lock(&r->lock);
    r->safe = safe;
    r->told_base = r->base;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    if (r->functions.on_safe) {
        stream_enter();
        r->functions.on_safe(r, safe, r->arg);
        stream_leave();
    }
    note_drained(r);
    return LEAT_OK;
}

/* ---- starting and stopping */

static int64_t now_ms(const struct leat_receiver *r)
{
    return leat_clock_monotonic_ms(r->env->clock);
}

/* Nobody is within a storing function. Lock: held, but for the call. */
static void end_receiving(struct leat_receiver *r)
{
    r->phase = RECEIVER_ENDING;
    pthread_mutex_unlock(&r->lock);
    stream_enter();
    r->functions.on_stop(r, r->arg);
    stream_leave();
    pthread_mutex_lock(&r->lock);
    stream_tell(r->ctx, LEAT_WATCH_STOPPED, r->name, r->why);
    r->phase = RECEIVER_OFF;
    r->again_ms = now_ms(r) + (r->want_restart ? r->delay_ms : 0);
    r->want_restart = false;
}

/* The same. */
static enum leat_status begin_receiving(struct leat_receiver *r, struct leat_error *err)
{
    struct leat_error why = {.text = "it says no reason"};

    r->phase = RECEIVER_ON;
    r->want_restart = false;
    pthread_mutex_unlock(&r->lock);
    stream_enter();
    enum leat_status status = r->functions.on_start(r, r->arg, &why);
    stream_leave();
    pthread_mutex_lock(&r->lock);
    if (status == LEAT_OK) {
        stream_tell(r->ctx, LEAT_WATCH_STARTED, r->name, "");
        return LEAT_OK;
    }
    r->phase = RECEIVER_OFF;
    return leat_fail(err, status, "on_start failed: %.400s", why.text);
}

static enum leat_status steer(struct leat_receiver *r, struct leat_error *err)
{
    enum leat_status status = LEAT_OK;

    pthread_mutex_lock(&r->lock);
    if (r->phase == RECEIVER_ON && (r->want_stop || r->want_restart))
        r->phase = RECEIVER_STOPPING;
    if (r->phase == RECEIVER_STOPPING && r->within == 0)
        end_receiving(r);
    if (r->phase == RECEIVER_OFF && !r->want_stop && now_ms(r) >= r->again_ms)
        status = begin_receiving(r, err);
    pthread_mutex_unlock(&r->lock);
    note_drained(r);
    return status;
}

/* How long to wait for others. */
static int wait_ms(struct leat_receiver *r)
{
    int64_t left_ms = -1;

    pthread_mutex_lock(&r->lock);
    if (r->phase == RECEIVER_OFF && !r->want_stop)
        left_ms = r->again_ms > now_ms(r) ? r->again_ms - now_ms(r) : 0;
    pthread_mutex_unlock(&r->lock);
    if (r->is_full && (left_ms < 0 || left_ms > FULL_MS))
        return FULL_MS;
    return left_ms > INT32_MAX ? INT32_MAX : (int)left_ms;
}

/* Those who wait in a storing function go away; then the receiver is stopped, if it runs. */
static void end_run(struct leat_receiver *r)
{
    pthread_mutex_lock(&r->lock);
    r->running = false;
    if (r->phase == RECEIVER_ON)
        r->phase = RECEIVER_STOPPING;
    pthread_cond_broadcast(&r->changed);
    while (r->within)
        pthread_cond_wait(&r->changed, &r->lock);
    if (r->phase == RECEIVER_STOPPING)
        end_receiving(r);
    pthread_mutex_unlock(&r->lock);
    close(r->wake);
    note_drained(r);
}

static enum leat_status receiver_run(void *self, struct leat_inbox *inbox, struct leat_error *err)
{
    struct leat_receiver *r = receiver_of(self);
    enum leat_status status = LEAT_OK;
    eventfd_t ignored;

    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return leat_fail(err, LEAT_E_IO, "eventfd: %s", strerror(errno));
    pthread_mutex_lock(&r->lock);
    r->wake = fd;
    r->running = true;
    pthread_mutex_unlock(&r->lock);
    struct pollfd polls[] = {{.fd = leat_inbox_fd(inbox), .events = POLLIN},
                             {.fd = fd, .events = POLLIN}};
    while (leat_inbox_turn(inbox)) {
        eventfd_read(fd, &ignored); /* first: what comes later makes it readable again */
        status = move(r, inbox, err);
        if (status == LEAT_OK)
            status = steer(r, err);
        if (status != LEAT_OK)
            break;
        if (poll(polls, 2, wait_ms(r)) < 0 && errno != EINTR) {
            status = leat_fail(err, LEAT_E_IO, "poll: %s", strerror(errno));
            break;
        }
    }
    end_run(r);
    return status;
}

static enum leat_status receiver_check(const void *self, struct leat_error *err)
{
    const struct receiver_source *s = self;

    return s->of.node && s->of.node->handed
               ? LEAT_OK
               : leat_fail(err, LEAT_E_CONFIG,
                           "cannot be asked for by its name; leat_receiver_stream() makes it");
}

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "receiver",
    .summary = "takes what a program receives",
    .usual_format = "raw",
    .encoded = true,
    .self_size = sizeof(struct receiver_source),
    .opts = options,
    .check = receiver_check,
    .push =
        &(const struct leat_push){
            .store = LEAT_STORE_COMMIT,
            .open = receiver_open,
            .run = receiver_run,
            .acked = receiver_acked,
            .close = receiver_close,
        },
};

LEAT_MODULE(module);
