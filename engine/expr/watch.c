#include "expr/watch.h"

#include "base/mem.h"
#include "base/thread.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- calls that do not come back */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;
static struct leat_watch *all; /* while there are any, `thread` runs */
static pthread_t thread;
static unsigned generation; /* of the thread: it ends when there is another */

static void look_at(struct leat_watch *w)
{
    const struct leat_watched *running = atomic_load(&w->mark.running);
    unsigned calls = atomic_load(&w->mark.calls);

    if (!running || calls != w->seen) {
        w->seen = calls;
        w->seconds = 0;
    } else if (++w->seconds > w->limit_s) {
        const struct leat_log log = {.job = w->job, .part = "functions"};
        leat_log_write(&log, LEAT_LOG_ERROR,
                       "%.*s: %.*s does not come back: a call takes longer than %us "
                       "(batch.call_timeout); the process ends, and the next run goes on where the "
                       "last committed batch ended",
                       LEAT_FMT(running->where), LEAT_FMT(running->what), w->limit_s);
        _exit(leat_status_exit_code(LEAT_E_BROKEN));
    }
}

/* The plan of what is looked at is there: leat_watch_free() comes before its end. */
static void *watch(void *arg)
{
    unsigned mine = *(unsigned *)arg;

    pthread_mutex_lock(&lock);
    while (generation == mine && all) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec++;
        if (pthread_cond_timedwait(&ended, &lock, &until) == ETIMEDOUT)
            for (struct leat_watch *w = generation == mine ? all : NULL; w; w = w->next)
                look_at(w);
    }
    pthread_mutex_unlock(&lock);
    leat_mem_free(arg);
    return NULL;
}

static bool start(void)
{
    unsigned *mine = leat_mem_alloc(sizeof *mine);
    struct leat_error err;

    if (!mine)
        return false;
    *mine = ++generation;
    if (leat_thread_start(&thread, "leat-watch", watch, mine, &err) == LEAT_OK)
        return true;
    leat_mem_free(mine);
    return false;
}

struct leat_watch *leat_watch_new(struct leat_slice job, unsigned limit_s)
{
    struct leat_watch *w = leat_mem_alloc(sizeof *w);

    if (!w)
        return NULL;
    w->limit_s = limit_s;
    snprintf(w->job, sizeof w->job, "%.*s", LEAT_FMT(job));
    pthread_mutex_lock(&lock);
    bool good = all || start();
    if (good) {
        w->next = all;
        all = w;
    }
    pthread_mutex_unlock(&lock);
    if (good)
        return w;
    leat_mem_free(w);
    return NULL;
}

void leat_watch_free(void *watch)
{
    struct leat_watch **at = &all;

    pthread_mutex_lock(&lock);
    while (*at != watch)
        at = &(*at)->next;
    *at = (*at)->next;
    bool last = !all;
    pthread_t its = thread;
    if (last) {
        generation++;
        pthread_cond_broadcast(&ended);
    }
    pthread_mutex_unlock(&lock);
    if (last)
        pthread_join(its, NULL);
    leat_mem_free(watch);
}

/* ---- calls that crash */

static _Thread_local const struct leat_watched *volatile here; /* for the handler, in its thread */

void leat_watch_begin(struct leat_watch_run *run, struct leat_watch *w)
{
    run->here = &here;
    atomic_init(&run->nobodys.running, NULL);
    atomic_init(&run->nobodys.calls, 0);
    run->mark = w ? &w->mark : &run->nobodys;
}

bool leat_watch_is_inside(void)
{
    return here != NULL;
}

static const struct {
    int number;
    const char *name;
} crashes[] = {{SIGSEGV, "SIGSEGV"},
               {SIGBUS, "SIGBUS"},
               {SIGFPE, "SIGFPE"},
               {SIGILL, "SIGILL"},
               {SIGABRT, "SIGABRT"}};

#define CRASHES (sizeof crashes / sizeof *crashes)

static struct sigaction before[CRASHES];

static void say(struct leat_slice text)
{
    ssize_t ignored = write(STDERR_FILENO, text.ptr, text.len);

    (void)ignored;
}

/* Behind it the instruction is run again, and the crash takes the course that it would have taken.
 * What another process sent does not come again by itself. Only what a signal handler may call. */
static void crashed(int number, siginfo_t *info, void *context)
{
    const struct leat_watched *watched = here;
    size_t i = 0;

    (void)context;
    while (i < CRASHES - 1 && crashes[i].number != number)
        i++;
    if (watched) {
        say(LEAT_LIT("leat: "));
        say(watched->where);
        say(LEAT_LIT(": "));
        say(watched->what);
        say(LEAT_LIT(" crashed: "));
        say(leat_slice_str(crashes[i].name));
        say(LEAT_LIT("; nothing of the batch counts\n"));
    }
    sigaction(number, &before[i], NULL);
    if (info->si_code <= 0)
        raise(number);
}

static void catch_crashes(void)
{
    struct sigaction action = {.sa_sigaction = crashed, .sa_flags = SA_SIGINFO};

    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < CRASHES; i++)
        sigaction(crashes[i].number, &action, &before[i]);
}

void leat_watch_crashes(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, catch_crashes);
}
