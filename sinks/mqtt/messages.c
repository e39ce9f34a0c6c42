#include "messages.h"

#define TOPIC_MAX 65535
#define NO_TOPIC  "is no topic to publish to: text without '+', '#' and NUL"

static bool is_topic(struct leat_slice s)
{
    return s.len > 0 && s.len <= TOPIC_MAX && !memchr(s.ptr, '\0', s.len) &&
           !memchr(s.ptr, '+', s.len) && !memchr(s.ptr, '#', s.len) &&
           leat_utf8_valid(s.ptr, s.ptr + s.len);
}

enum leat_status mqtt_check_topic(struct leat_slice topic, struct leat_error *err)
{
    const char *brace = memchr(topic.ptr, '{', topic.len);
    struct leat_slice start = {topic.ptr, brace ? (size_t)(brace - topic.ptr) : topic.len};

    if (start.len == 0)
        return leat_fail(err, LEAT_E_CONFIG,
                         "topic: needs a name, or a template that starts with text: alerts/{hall}");
    if (!is_topic(start))
        return leat_fail(err, LEAT_E_CONFIG, "topic: '%.*s' " NO_TOPIC,
                         (int)(topic.len < 100 ? topic.len : 100), topic.ptr);
    return LEAT_OK;
}

enum leat_status mqtt_messages_add(struct mqtt_messages *m, struct leat_slice topic,
                                   struct leat_slice payload, struct leat_error *err)
{
    if (!is_topic(topic))
        return leat_fail(err, LEAT_E_DATA, "'%.*s' " NO_TOPIC,
                         (int)(topic.len < 100 ? topic.len : 100), topic.ptr ? topic.ptr : "");
    struct leat_slice copy = leat_arena_copy(&m->box.arena, topic);
    struct mqtt_message *one = copy.ptr ? leat_outbox_add(&m->box, sizeof *one) : NULL;
    if (!one)
        return leat_arena_failed(&m->box.arena, err);
    one->topic = copy;
    one->payload = payload.ptr ? payload : LEAT_LIT("");
    one->number = m->box.count - 1;
    one->owner = m->owner;
    return LEAT_OK;
}

static void put(const void *item, struct leat_bytes *section)
{
    const struct mqtt_message *one = item;

    leat_bytes_put_slice(section, one->topic);
    leat_bytes_put_slice(section, one->payload);
}

void mqtt_messages_write(const struct mqtt_messages *m, struct leat_bytes *section)
{
    leat_outbox_write(&m->box, put, section);
}

static enum leat_status take(struct leat_outbox *box, struct leat_slice *from,
                             struct leat_error *err)
{
    struct leat_slice topic, payload;

    if (!leat_take_slice(from, &topic) || !leat_take_slice(from, &payload))
        return leat_outbox_damaged(err);
    enum leat_status status = mqtt_messages_add((struct mqtt_messages *)box, topic, payload, err);
    return status == LEAT_E_DATA ? leat_outbox_damaged(err) : status;
}

enum leat_status mqtt_messages_read(struct mqtt_messages *m, struct leat_slice from,
                                    struct leat_error *err)
{
    return leat_outbox_read(&m->box, from, take, err);
}
