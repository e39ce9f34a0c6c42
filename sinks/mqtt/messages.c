#include "messages.h"

#define VERSION    1
#define ARENA_KEEP ((size_t)4 * 1024 * 1024)
#define TOPIC_MAX  65535

static bool is_topic(struct leat_slice s)
{
    return s.len > 0 && s.len <= TOPIC_MAX && !memchr(s.ptr, '\0', s.len) &&
           !memchr(s.ptr, '+', s.len) && !memchr(s.ptr, '#', s.len) &&
           leat_utf8_valid(s.ptr, s.ptr + s.len);
}

enum leat_status mqtt_messages_add(struct mqtt_messages *m, struct leat_slice topic,
                                   struct leat_slice payload, struct leat_error *err)
{
    if (!is_topic(topic))
        return leat_fail(err, LEAT_E_DATA,
                         "'%.*s' is no topic to publish to: text without '+', '#' and NUL",
                         (int)(topic.len < 100 ? topic.len : 100), topic.ptr ? topic.ptr : "");
    struct mqtt_message *one = leat_arena_alloc(&m->arena, sizeof *one);
    if (!one)
        return leat_arena_failed(&m->arena, err);
    one->topic = leat_arena_copy(&m->arena, topic);
    if (!one->topic.ptr)
        return leat_arena_failed(&m->arena, err);
    one->payload = payload.ptr ? payload : LEAT_LIT("");
    one->number = m->count++;
    one->owner = m->owner;
    if (m->last)
        m->last->next = one;
    else
        m->first = one;
    m->last = one;
    return LEAT_OK;
}

void mqtt_messages_write(const struct mqtt_messages *m, struct leat_bytes *section)
{
    uint8_t version = VERSION;

    leat_bytes_put(section, &version, 1);
    leat_bytes_put_u32(section, m->count);
    for (const struct mqtt_message *one = m->first; one; one = one->next) {
        leat_bytes_put_slice(section, one->topic);
        leat_bytes_put_slice(section, one->payload);
    }
}

enum leat_status mqtt_messages_read(struct mqtt_messages *m, struct leat_slice from,
                                    struct leat_error *err)
{
    struct leat_slice topic, payload;
    uint8_t version = 0;
    uint32_t count = 0;

    mqtt_messages_clear(m);
    bool good = leat_take(&from, &version, 1) && version == VERSION && leat_take_u32(&from, &count);
    for (; good && count > 0; count--) {
        good = leat_take_slice(&from, &topic) && leat_take_slice(&from, &payload);
        if (good && mqtt_messages_add(m, topic, payload, err) != LEAT_OK) {
            if (err->status != LEAT_E_DATA)
                return err->status;
            good = false;
        }
    }
    return good && from.len == 0 ? LEAT_OK
                                 : leat_fail(err, LEAT_E_CORRUPT, "damaged record of messages");
}

void mqtt_messages_clear(struct mqtt_messages *m)
{
    leat_arena_recycle(&m->arena, ARENA_KEEP);
    m->first = m->last = NULL;
    m->count = 0;
}

void mqtt_messages_free(struct mqtt_messages *m)
{
    m->first = m->last = NULL;
    m->count = 0;
    leat_arena_reset(&m->arena);
}
