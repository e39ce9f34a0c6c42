#include "session.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define IDS ((size_t)65536)

enum { ID_FREE, ID_WAITING, ID_SAFE };

static size_t session_bytes(uint32_t window)
{
    return IDS * sizeof(struct mqtt_id) + (size_t)window * sizeof(struct mqtt_waiting);
}

enum leat_status mqtt_session_init(struct mqtt_session *s, uint32_t window,
                                   struct leat_budget *budget, struct leat_error *err)
{
    *s = (struct mqtt_session){0};
    if (!leat_budget_take(budget, session_bytes(window)))
        return leat_fail(err, LEAT_E_FULL, "no room in `memory` for %zu KiB about messages",
                         session_bytes(window) >> 10);
    s->budget = budget;
    s->window = window;
    s->ids = leat_mem_alloc(IDS * sizeof *s->ids);
    s->waiting = leat_mem_alloc((size_t)window * sizeof *s->waiting);
    return s->ids && s->waiting ? LEAT_OK : leat_fail(err, LEAT_E_NOMEM, "out of memory");
}

void mqtt_session_fini(struct mqtt_session *s)
{
    leat_mem_free(s->ids);
    leat_mem_free(s->waiting);
    if (s->budget)
        leat_budget_give(s->budget, session_bytes(s->window));
    *s = (struct mqtt_session){0};
}

void mqtt_session_connected(struct mqtt_session *s, bool present)
{
    for (size_t i = 0; i < IDS; i++) {
        if (!present)
            s->ids[i].state = ID_FREE;
        s->ids[i].seen = false;
    }
}

static uint64_t hash_of(const struct mqtt_packet *p)
{
    XXH64_hash_t topic = XXH3_64bits(p->topic.ptr, p->topic.len);

    return XXH3_64bits_withSeed(p->payload.len ? p->payload.ptr : "", p->payload.len, topic);
}

enum mqtt_arrival mqtt_session_arrive(struct mqtt_session *s, const struct mqtt_packet *p)
{
    struct mqtt_id *id = &s->ids[p->id];

    if (id->state != ID_FREE && id->qos == p->qos && (p->qos == 2 || p->dup) &&
        id->hash == hash_of(p)) {
        bool safe = id->state == ID_SAFE;
        id->seen = true;
        if (safe && p->qos == 1)
            id->state = ID_FREE;
        return safe ? MQTT_SAFE : MQTT_KNOWN;
    }
    return s->count == s->window ? MQTT_FULL : MQTT_NEW;
}

void mqtt_session_enter(struct mqtt_session *s, const struct mqtt_packet *p, int64_t position)
{
    uint64_t number = s->first + s->count++;

    s->waiting[number % s->window] = (struct mqtt_waiting){.position = position, .id = p->id};
    s->ids[p->id] = (struct mqtt_id){.hash = hash_of(p),
                                     .number = (uint32_t)number,
                                     .state = ID_WAITING,
                                     .qos = p->qos,
                                     .seen = true};
}

bool mqtt_session_release(struct mqtt_session *s, uint16_t id)
{
    bool known = s->ids[id].state != ID_FREE;

    s->ids[id].state = ID_FREE;
    return known;
}

void mqtt_session_safe(struct mqtt_session *s, int64_t upto)
{
    if (upto > s->safe)
        s->safe = upto;
}

bool mqtt_session_take_due(struct mqtt_session *s, enum mqtt_type *type, uint16_t *id)
{
    while (s->count && s->waiting[s->first % s->window].position < s->safe) {
        uint64_t number = s->first++;
        s->count--;
        *id = s->waiting[number % s->window].id;
        struct mqtt_id *entry = &s->ids[*id];
        if (entry->state != ID_WAITING || entry->number != (uint32_t)number)
            continue; /* the broker has forgotten it, or used the id for another */
        *type = entry->qos == 1 ? MQTT_PUBACK : MQTT_PUBREC;
        entry->state = entry->seen && entry->qos == 1 ? ID_FREE : ID_SAFE;
        if (entry->seen)
            return true;
    }
    return false;
}
