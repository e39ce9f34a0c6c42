/*
 * job_set_loop.c - what the main thread waits for while jobs run: signals, jobs that end, and what
 * was attached.
 */
#include "run/job_set_in.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define STATUS_EVERY_MS 1000
#define LOG_EVERY_MS    30000
#define TURNS_MAX       32

enum leat_status leat_set_open_fds(struct leat_job_set *set, struct leat_error *err)
{
    sigset_t wanted;

    sigemptyset(&wanted);
    sigaddset(&wanted, SIGINT);
    sigaddset(&wanted, SIGTERM);
    if (set->hooks.reload)
        sigaddset(&wanted, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &wanted, &set->signals_before);
    set->signals_taken = true;
    set->signal_fd = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    if (set->signal_fd < 0)
        return leat_fail(err, LEAT_E_IO, "signalfd: %s", strerror(errno));
    set->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (set->ended_fd < 0)
        return leat_fail(err, LEAT_E_IO, "eventfd: %s", strerror(errno));
    return LEAT_OK;
}

/* SIGHUP because the terminal that it was typed at is closed: that is the end, as ever. */
static bool is_hangup(const struct leat_job_set *set, const struct signalfd_siginfo *info)
{
    FILE *terminal = set->options->status;

    return info->ssi_code == SI_KERNEL || (terminal && !isatty(fileno(terminal)));
}

/* The first lets every batch end; nothing is lost by the second: what was not committed comes
 * again. */
static void take_signals(struct leat_job_set *set)
{
    struct signalfd_siginfo info;

    while (read(set->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGHUP && !is_hangup(set, &info)) {
            set->reload = true;
            continue;
        }
        if (set->stopping)
            _exit(128 + (int)info.ssi_signo);
        leat_set_stop_all(set);
    }
}

static void reload_if_asked(struct leat_job_set *set)
{
    if (set->reload && !set->stopping)
        set->hooks.reload(set->hooks.arg);
    set->reload = false;
}

/* ---- what else is waited for */

enum leat_status leat_job_set_attach(struct leat_job_set *set, struct leat_turn *turn,
                                     struct leat_error *err)
{
    if (set->turns_count == TURNS_MAX)
        return leat_fail(err, LEAT_E_FULL, "more than %d addresses to listen on", TURNS_MAX);
    turn->next = set->turns;
    set->turns = turn;
    set->turns_count++;
    return LEAT_OK;
}

void leat_job_set_detach(struct leat_job_set *set, struct leat_turn *turn)
{
    for (struct leat_turn **at = &set->turns; *at; at = &(*at)->next)
        if (*at == turn) {
            *at = turn->next;
            set->turns_count--;
            return;
        }
}

void leat_job_set_reload(struct leat_job_set *set)
{
    set->reload = true;
}

static void give_turns(struct leat_job_set *set)
{
    for (struct leat_turn *t = set->turns; t; t = t->next)
        t->turn(t->arg);
}

static int wait_ms(const struct leat_job_set *set)
{
    int64_t wait_ms = set->options->status ? STATUS_EVERY_MS : LOG_EVERY_MS,
            now = leat_set_now_ms(set);

    for (const struct member *m = set->members; m; m = m->next) {
        if (m->job || set->stopping || m->idle != LEAT_MEMBER_WAITING)
            continue;
        int64_t left_ms = m->again_ms > now ? m->again_ms - now : 0;
        wait_ms = left_ms < wait_ms ? left_ms : wait_ms;
    }
    for (const struct leat_turn *t = set->turns; t; t = t->next) {
        int64_t due_ms = t->wait_ms(t->arg);
        wait_ms = due_ms >= 0 && due_ms < wait_ms ? due_ms : wait_ms;
    }
    return (int)wait_ms;
}

static void show_status(struct leat_job_set *set)
{
    size_t count = 0;

    for (const struct member *m = set->members; m; m = m->next)
        if (m->job)
            set->shown[count++] = m->job;
    leat_job_status_show(&set->status, set->options->status, set->shown, count,
                         leat_set_now_ms(set));
}

static void wait_for_something(struct leat_job_set *set)
{
    struct pollfd fds[2 + TURNS_MAX] = {{.fd = set->signal_fd, .events = POLLIN},
                                        {.fd = set->ended_fd, .events = POLLIN}};
    nfds_t count = 2;

    for (const struct leat_turn *t = set->turns; t; t = t->next)
        fds[count++] = (struct pollfd){.fd = t->fd, .events = POLLIN};
    if (poll(fds, count, wait_ms(set)) < 0 && errno != EINTR)
        leat_set_stop_all(set);
}

void leat_set_loop(struct leat_job_set *set)
{
    leat_set_start_due(set);
    while (leat_set_any_alive(set, NULL)) {
        eventfd_t ended;
        wait_for_something(set);
        (void)eventfd_read(set->ended_fd, &ended); /* which ones say their members */
        leat_set_reap(set);
        take_signals(set);
        give_turns(set);
        reload_if_asked(set);
        leat_set_start_due(set);
        show_status(set);
    }
    leat_job_status_end(&set->status, set->options->status);
}
