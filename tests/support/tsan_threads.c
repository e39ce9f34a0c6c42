/*
 * tsan_threads.c - C11 threads over pthreads, for thread-sanitizer builds only.
 *
 * Debian's librdkafka starts its threads with thrd_create(), which the thread sanitizer does not
 * intercept: the first event in such a thread crashes. Linked into a program that exports its
 * symbols (-rdynamic), these take the place of the C library's. Run with
 * TSAN_OPTIONS=ignore_noninstrumented_modules=1.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#pragma GCC visibility push(default) /* librdkafka has to find them */
#include <threads.h>
#pragma GCC visibility pop

struct start {
    thrd_start_t function;
    void *arg;
};

static void *run(void *arg)
{
    struct start start = *(struct start *)arg;

    free(arg);
    return (void *)(intptr_t)start.function(start.arg);
}

int thrd_create(thrd_t *thread, thrd_start_t function, void *arg)
{
    struct start *start = malloc(sizeof *start);

    if (!start)
        return thrd_nomem;
    *start = (struct start){function, arg};
    if (pthread_create(thread, NULL, run, start) == 0)
        return thrd_success;
    free(start);
    return thrd_error;
}

int thrd_join(thrd_t thread, int *result)
{
    void *value;

    if (pthread_join(thread, &value) != 0)
        return thrd_error;
    if (result)
        *result = (int)(intptr_t)value;
    return thrd_success;
}
