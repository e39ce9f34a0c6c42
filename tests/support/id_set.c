#include "id_set.h"

#include <stdlib.h>
#include <string.h>

void id_set_add(struct id_set *s, const void *id, size_t len)
{
    char text[sizeof s->ids[0]] = {0};
    size_t i = 0;

    if (len >= sizeof text)
        abort();
    memcpy(text, id, len);
    pthread_mutex_lock(&s->lock);
    while (i < s->count && memcmp(s->ids[i], text, sizeof text) != 0)
        i++;
    if (i == sizeof s->ids / sizeof *s->ids)
        abort();
    if (i == s->count)
        memcpy(s->ids[s->count++], text, sizeof text);
    pthread_mutex_unlock(&s->lock);
}

size_t id_set_count(struct id_set *s)
{
    pthread_mutex_lock(&s->lock);
    size_t count = s->count;
    pthread_mutex_unlock(&s->lock);
    return count;
}

void id_set_clear(struct id_set *s)
{
    pthread_mutex_lock(&s->lock);
    s->count = 0;
    pthread_mutex_unlock(&s->lock);
}
