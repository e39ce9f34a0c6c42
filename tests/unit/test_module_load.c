/* Tests base/module.c: modules that are loaded, by several threads at once. Also under thread
 * sanitizer. */
#include "leat_test.h"

#include "base/module.h"

#include <pthread.h>

#define THREADS 4
#define TIMES   50

struct thread {
    pthread_t id;
    enum leat_status status;
    const struct leat_module *found;
};

static pthread_barrier_t together;

static void *load(void *arg)
{
    struct thread *t = arg;
    struct leat_error err;

    pthread_barrier_wait(&together);
    for (int i = 0; i < TIMES && t->status == LEAT_OK; i++) {
        (void)leat_module_find_source("files");
        t->status = leat_module_load(PLUGIN, &err);
        t->found = leat_module_find_source("files");
    }
    return NULL;
}

static void count(const struct leat_module *m, void *arg)
{
    *(int *)arg += m->pull && strcmp(m->name, "files") == 0;
}

static void a_module_that_several_threads_load_is_there_once(void)
{
    struct thread threads[THREADS] = {0};
    int modules = 0;

    CU_ASSERT_EQUAL(pthread_barrier_init(&together, NULL, THREADS), 0);
    for (int i = 0; i < THREADS; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i].id, NULL, load, &threads[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i].id, NULL);
        CU_ASSERT_EQUAL(threads[i].status, LEAT_OK);
        CU_ASSERT_PTR_NOT_NULL(threads[i].found);
        CU_ASSERT_PTR_EQUAL(threads[i].found, threads[0].found);
    }
    pthread_barrier_destroy(&together);
    leat_module_each(count, &modules);
    CU_ASSERT_EQUAL(modules, 1);
}

LEAT_TESTS("module_load", T(a_module_that_several_threads_load_is_there_once))
