/* Tests expr/watch.c: functions that crash or do not come back are named before the process ends.
 */
#include "expr/watch.h"

#include "leat_test.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct leat_watched watched = {
    {"streams.s.ops[0].map", sizeof "streams.s.ops[0].map" - 1},
    {"./f.so#x of map", sizeof "./f.so#x of map" - 1}};

/* What a process of its own says on stderr, and how it ends. */
static int in_child(void (*body)(void), char *said, size_t room)
{
    int ends[2], status = 0;
    size_t len = 0;
    ssize_t n;

    fflush(NULL);
    CU_ASSERT_FATAL(pipe(ends) == 0);
    pid_t child = fork();
    CU_ASSERT_FATAL(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        body();
        _exit(0);
    }
    close(ends[1]);
    while (len + 1 < room && (n = read(ends[0], said + len, room - 1 - len)) > 0)
        len += (size_t)n;
    said[len] = '\0';
    close(ends[0]);
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    return status;
}

static void never_come_back(void)
{
    struct leat_watch_run run;

    leat_watch_begin(&run, leat_watch_new(LEAT_LIT("clicks"), 1));
    leat_watch_enter(&run, &watched);
    for (;;)
        pause();
}

static void a_call_that_does_not_come_back_ends_the_process_by_its_name(void)
{
    char said[2048];
    int status = in_child(never_come_back, said, sizeof said);

    CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == leat_status_exit_code(LEAT_E_BROKEN));
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "error clicks functions: streams.s.ops[0].map: ./f.so#x of "
                                        "map does not come back: a call takes longer than 1s "));
}

static void abandon(void)
{
    struct leat_watch_run run;

    leat_watch_crashes();
    leat_watch_begin(&run, NULL);
    leat_watch_enter(&run, &watched);
    abort();
}

static void abandon_elsewhere(void)
{
    struct leat_watch_run run;

    leat_watch_crashes();
    leat_watch_begin(&run, NULL);
    leat_watch_enter(&run, &watched);
    leat_watch_leave(&run);
    abort();
}

static void a_crash_within_a_call_says_whose_it_is(void)
{
    char said[2048];
    int status = in_child(abandon, said, sizeof said);

    CU_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "leat: streams.s.ops[0].map: ./f.so#x of map crashed: "
                                        "SIGABRT; nothing of the batch counts\n"));
}

static void a_crash_outside_of_calls_is_nobodys(void)
{
    char said[2048];
    int status = in_child(abandon_elsewhere, said, sizeof said);

    CU_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    CU_ASSERT_PTR_NULL(strstr(said, "crashed"));
}

static void *come_and_go(void *arg)
{
    for (int i = 0; i < 100; i++) {
        struct leat_watch *w = leat_watch_new(LEAT_LIT("clicks"), 3600);
        struct leat_watch_run run;
        leat_watch_begin(&run, w);
        for (int k = 0; w && k < 100; k++) {
            leat_watch_enter(&run, &watched);
            leat_watch_leave(&run);
        }
        if (w)
            leat_watch_free(w);
    }
    return arg;
}

static void workers_come_and_go_and_with_the_last_one_who_watches(void)
{
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        CU_ASSERT_FATAL(pthread_create(&threads[i], NULL, come_and_go, NULL) == 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

static void without_memory_nobody_is_watched(void)
{
    LEAT_OOM_SWEEP {
        struct leat_watch *w = leat_watch_new(LEAT_LIT("clicks"), 3600);
        CU_ASSERT(w || leat_oom_hit());
        if (w)
            leat_watch_free(w);
    }
}

LEAT_TESTS("watch", T(a_call_that_does_not_come_back_ends_the_process_by_its_name),
           T(a_crash_within_a_call_says_whose_it_is), T(a_crash_outside_of_calls_is_nobodys),
           T(workers_come_and_go_and_with_the_last_one_who_watches),
           T(without_memory_nobody_is_watched))
