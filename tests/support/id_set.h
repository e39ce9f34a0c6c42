/*
 * id_set.h - the ids of messages that a broker of the tests has seen: one that comes again is
 * known.
 *
 * Thread: any.
 */
#ifndef LEAT_TEST_ID_SET_H
#define LEAT_TEST_ID_SET_H

#include <pthread.h>
#include <stddef.h>

struct id_set {
    pthread_mutex_t lock;
    size_t count;
    char ids[256][64];
};

#define ID_SET_INIT                                                                                \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER                                                          \
    }

/* Aborts the test when there are too many, or one is too long. */
void id_set_add(struct id_set *s, const void *id, size_t len);
size_t id_set_count(struct id_set *s);
void id_set_clear(struct id_set *s);

#endif
