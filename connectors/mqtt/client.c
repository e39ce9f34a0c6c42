#include "client.h"

#include <stdio.h>

#define READY_MS     10000 /* from the first byte to the last SUBACK */
#define RETRY_MAX_MS 10000
#define FULL_MS      250          /* the inbox wakes us for a credit, nobody does for memory */
#define READS_MAX    16           /* buffers in a row, then acknowledgements have their turn */
#define OUT_KEEP     ((size_t)64) /* room for the answers to one packet */

static int64_t now_ms(const struct mqtt_client *c)
{
    return leat_clock_monotonic_ms(c->env->clock);
}

/* ---- a connection that fails */

static void go_offline(struct mqtt_client *c, const char *why)
{
    int64_t now = now_ms(c);
    bool lived = c->phase == MQTT_ONLINE && now - c->online_ms >= RETRY_MAX_MS;

    if (lived)
        c->wait_ms = c->retry_ms;
    if (!c->said)
        leat_warn(c->env->log, "'%s': %s; trying again until it works", c->url, why);
    c->said = true;
    mqtt_wire_close(&c->wire);
    c->phase = MQTT_OFFLINE;
    c->full = c->stalled = false;
    c->skip = 0;
    /* not all clients of a broker that was restarted at the same moment */
    c->until_ms = now + c->wait_ms + (now * 7919) % (c->wait_ms / 4 + 1);
    c->wait_ms = c->wait_ms < RETRY_MAX_MS / 2 ? 2 * c->wait_ms : RETRY_MAX_MS;
}

static void send_disconnect(struct mqtt_client *c, uint8_t reason)
{
    struct leat_error ignored;
    char *to = mqtt_wire_reserve(&c->wire, MQTT_ACK_ROOM);

    if (!to || c->phase < MQTT_SUBSCRIBING)
        return;
    c->wire.out_len += mqtt_write_disconnect(to, c->version, reason);
    if (mqtt_wire_flush(&c->wire, &ignored) != LEAT_OK)
        return; /* it is closed either way */
}

/* The broker does what the protocol does not allow. */
static void protocol_error(struct mqtt_client *c, const char *what)
{
    char text[200];

    leat_bad_input(c->env);
    send_disconnect(c, MQTT_REASON_MALFORMED);
    snprintf(text, sizeof text, "the broker sent %s", what);
    go_offline(c, text);
}

static enum leat_status refused(struct mqtt_client *c, const char *what, uint8_t reason,
                                struct leat_slice text, struct leat_error *err)
{
    int len = text.len > 100 ? 100 : (int)text.len;

    leat_fail(err, LEAT_E_BROKEN, "'%s' %s: %s%s%.*s", c->url, what,
              mqtt_reason_text(c->version, reason), len ? ": " : "", len, text.ptr ? text.ptr : "");
    if (!mqtt_reason_passes(c->version, reason))
        return err->status;
    go_offline(c, err->text);
    return LEAT_OK;
}

/* ---- getting ready */

static enum leat_status connect_next(struct mqtt_client *c, struct leat_error *err)
{
    if (mqtt_wire_connect(&c->wire, err) == LEAT_OK) {
        c->phase = MQTT_CONNECTING;
        c->until_ms = now_ms(c) + READY_MS;
        return LEAT_OK;
    }
    if (err->status != LEAT_E_UNREACHABLE)
        return err->status;
    go_offline(c, err->text);
    return LEAT_OK;
}

static enum leat_status step(struct mqtt_client *c, struct leat_error *err)
{
    if (mqtt_wire_step(&c->wire, err) != LEAT_OK) {
        if (err->status != LEAT_E_UNREACHABLE)
            return err->status;
        if (c->wire.next)
            return connect_next(c, err);
        go_offline(c, err->text);
        return LEAT_OK;
    }
    if (c->wire.state == WIRE_OPEN) {
        char *to = mqtt_wire_reserve(&c->wire, mqtt_connect_len(&c->connect));
        c->wire.out_len += mqtt_write_connect(to, c->version, &c->connect);
        c->phase = MQTT_GREETING;
    }
    return LEAT_OK;
}

static void subscribe_next(struct mqtt_client *c)
{
    const char *filter = c->filters[c->subscribed];
    char *to = mqtt_wire_reserve(&c->wire, mqtt_subscribe_len(filter));

    if (!to) {
        go_offline(c, "it does not take what leat sends");
        return;
    }
    uint16_t id = (uint16_t)(c->subscribed + 1);
    c->wire.out_len += mqtt_write_subscribe(to, c->version, id, filter, c->qos);
    c->phase = MQTT_SUBSCRIBING;
}

static void now_online(struct mqtt_client *c)
{
    if (c->said || !c->had_session)
        leat_info(c->env->log, "receives from '%s' as '%s'", c->url, c->connect.client_id);
    c->said = false;
    c->had_session = true;
    c->phase = MQTT_ONLINE;
    c->online_ms = now_ms(c);
}

static enum leat_status take_connack(struct mqtt_client *c, const struct mqtt_packet *p,
                                     struct leat_error *err)
{
    int64_t keep_s = c->connect.keep_alive_s;

    if (p->reason != MQTT_REASON_OK)
        return refused(c, "refuses the connection", p->reason, p->text, err);
    if (p->keep_alive_s && p->keep_alive_s < keep_s)
        keep_s = p->keep_alive_s;
    c->keep_ms = keep_s * 1000;
    c->pinged_ms = now_ms(c);
    if (c->had_session && !p->session_present && !c->connect.clean)
        leat_warn(c->env->log,
                  "'%s' has forgotten the session of '%s': what was sent meanwhile "
                  "may be missing",
                  c->url, c->connect.client_id);
    mqtt_session_connected(&c->session, p->session_present);
    c->subscribed = 0;
    if (c->had_session && p->session_present)
        now_online(c);
    else
        subscribe_next(c);
    return LEAT_OK;
}

static enum leat_status take_suback(struct mqtt_client *c, const struct mqtt_packet *p,
                                    struct leat_error *err)
{
    char what[160];

    if (c->phase != MQTT_SUBSCRIBING || p->id != c->subscribed + 1) {
        protocol_error(c, "a SUBACK that nobody waits for");
        return LEAT_OK;
    }
    const char *filter = c->filters[c->subscribed];
    snprintf(what, sizeof what, "refuses the topic '%.120s'", filter);
    if (p->reason >= MQTT_REASON_FAILED)
        return refused(c, what, p->reason, p->text, err);
    if (p->reason < c->qos)
        leat_warn(c->env->log, "'%s' grants '%s' with QoS %d only", c->url, filter, p->reason);
    if (++c->subscribed < c->filters_count)
        subscribe_next(c);
    else
        now_online(c);
    return LEAT_OK;
}

/* ---- messages */

static bool put_headers(struct mqtt_client *c, const struct mqtt_packet *p,
                        struct leat_slice *headers)
{
    struct leat_bytes bytes = {.arena = &c->scratch};
    struct leat_slice rest = p->properties, name, value;

    leat_bytes_put_u32(&bytes, p->user_properties);
    while (mqtt_take_user_property(&rest, &name, &value)) {
        leat_bytes_put_slice(&bytes, name);
        leat_bytes_put_slice(&bytes, value);
    }
    *headers = leat_bytes_slice(&bytes);
    return !bytes.failed;
}

static enum leat_status append(struct mqtt_client *c, struct leat_inbox *inbox,
                               const struct mqtt_packet *p, struct leat_error *err)
{
    struct leat_row row = {.key = p->topic, .time_ms = LEAT_NO_TIME};
    int64_t position;

    if (p->payload.len)
        row.value = p->payload;
    if (p->user_properties) {
        leat_arena_rewind(&c->scratch, (struct leat_arena_mark){0});
        if (!put_headers(c, p, &row.headers))
            return leat_arena_failed(&c->scratch, err);
    }
    if (leat_inbox_append(inbox, 0, &row, &position, err) != LEAT_OK)
        return err->status;
    if (p->qos)
        mqtt_session_enter(&c->session, p, position);
    return LEAT_OK;
}

static void answer(struct mqtt_client *c, enum mqtt_type type, uint16_t id, uint8_t reason)
{
    char *to = mqtt_wire_reserve(&c->wire, MQTT_ACK_ROOM);

    c->wire.out_len += mqtt_write_ack(to, c->version, type, id, reason);
}

static enum leat_status take_publish(struct mqtt_client *c, struct leat_inbox *inbox,
                                     const struct mqtt_packet *p, struct leat_error *err)
{
    enum mqtt_arrival arrival = p->qos ? mqtt_session_arrive(&c->session, p) : MQTT_NEW;

    switch (arrival) {
    case MQTT_NEW:
        return append(c, inbox, p, err);
    case MQTT_SAFE:
        answer(c, p->qos == 1 ? MQTT_PUBACK : MQTT_PUBREC, p->id, MQTT_REASON_OK);
        return LEAT_OK;
    case MQTT_FULL:
        return leat_fail(err, LEAT_E_FULL, "'inflight' messages wait");
    case MQTT_KNOWN:
        break;
    }
    return LEAT_OK;
}

/* LEAT_E_FULL: not now; anything else but LEAT_OK ends the source. */
static enum leat_status take_packet(struct mqtt_client *c, struct leat_inbox *inbox,
                                    const struct mqtt_packet *p, struct leat_error *err)
{
    if ((c->phase == MQTT_GREETING) != (p->type == MQTT_CONNACK)) {
        protocol_error(c, "a packet before or after its time");
        return LEAT_OK;
    }
    switch ((int)p->type) {
    case MQTT_CONNACK:
        return take_connack(c, p, err);
    case MQTT_SUBACK:
        return take_suback(c, p, err);
    case MQTT_PUBLISH:
        return take_publish(c, inbox, p, err);
    case MQTT_PUBREL:
        answer(c, MQTT_PUBCOMP, p->id,
               mqtt_session_release(&c->session, p->id) ? MQTT_REASON_OK : MQTT_REASON_UNKNOWN_ID);
        return LEAT_OK;
    case MQTT_DISCONNECT:
        return refused(c, "ends the connection", p->reason, p->text, err);
    default: /* PINGRESP: that it came is enough */
        return LEAT_OK;
    }
}

/* All whole packets of the buffer, as far as their answers have room and there is a credit. */
static enum leat_status take_packets(struct mqtt_client *c, struct leat_inbox *inbox,
                                     struct leat_error *err)
{
    struct mqtt_wire *w = &c->wire;
    enum leat_status status = LEAT_OK;
    size_t at = 0, taken = 0, skip;
    const char *why;

    while (w->state == WIRE_OPEN && mqtt_wire_reserve(w, OUT_KEEP)) {
        struct mqtt_packet packet;
        size_t drop = c->skip < w->in_len - at ? c->skip : w->in_len - at;
        at += drop;
        c->skip -= drop;
        struct leat_slice rest = {w->in + at, w->in_len - at};
        enum mqtt_read read =
            mqtt_read(rest, c->version, c->payload_max, &packet, &taken, &skip, &why);
        if (read == MQTT_READ_BAD) {
            protocol_error(c, why);
            return LEAT_OK;
        }
        if (read == MQTT_READ_MORE)
            break;
        status = take_packet(c, inbox, &packet, err);
        size_t done = taken;
        taken = 0;
        if (status != LEAT_OK)
            break;
        at += done;
        c->skip = skip;
        c->heard_ms = now_ms(c);
    }
    if (w->state != WIRE_OPEN)
        return status;
    memmove(w->in, w->in + at, w->in_len - at);
    w->in_len -= at;
    c->stalled = !mqtt_wire_reserve(w, OUT_KEEP);
    if (status == LEAT_OK)
        status = mqtt_wire_make_room(w, taken, err);
    c->full = status == LEAT_E_FULL;
    return c->full ? LEAT_OK : status;
}

static enum leat_status receive(struct mqtt_client *c, struct leat_inbox *inbox,
                                struct leat_error *err)
{
    enum leat_status status, read = LEAT_OK;
    struct leat_error gone;

    for (int i = 0; i < READS_MAX && read == LEAT_OK; i++) {
        if (!c->full)
            read = mqtt_wire_read(&c->wire, &gone);
        bool filled = c->wire.in_len == c->wire.in_room;
        status = take_packets(c, inbox, err);
        if (status != LEAT_OK)
            return status;
        if (c->wire.state != WIRE_OPEN || c->full || !filled)
            break;
    }
    if (read != LEAT_OK && c->wire.state == WIRE_OPEN)
        go_offline(c, gone.text);
    return LEAT_OK;
}

/* False: there was no room for all that is due. */
static bool acknowledge(struct mqtt_client *c)
{
    enum mqtt_type type;
    uint16_t id;

    if (c->phase < MQTT_SUBSCRIBING)
        return true;
    while (mqtt_wire_reserve(&c->wire, MQTT_ACK_ROOM + OUT_KEEP)) {
        if (!mqtt_session_take_due(&c->session, &type, &id))
            return true;
        answer(c, type, id, MQTT_REASON_OK);
    }
    return false;
}

static void send_all(struct mqtt_client *c)
{
    struct leat_error gone;
    bool all = false;

    while (!all && c->wire.state == WIRE_OPEN) {
        all = acknowledge(c);
        if (mqtt_wire_flush(&c->wire, &gone) != LEAT_OK)
            go_offline(c, gone.text);
        else if (c->wire.out_len)
            return; /* poll() tells when it goes on */
    }
}

/* ---- time */

static void keep_alive(struct mqtt_client *c)
{
    int64_t now = now_ms(c);

    if (c->phase < MQTT_SUBSCRIBING)
        return;
    if (c->full)
        c->heard_ms = now; /* nobody listens */
    if (now - c->heard_ms >= c->keep_ms + c->keep_ms / 2) {
        go_offline(c, "it says nothing any more");
        return;
    }
    char *to = mqtt_wire_reserve(&c->wire, OUT_KEEP);
    if (now - c->pinged_ms < c->keep_ms / 2 || !to)
        return;
    c->wire.out_len += mqtt_write_ping(to);
    c->pinged_ms = now;
}

int mqtt_client_timeout_ms(const struct mqtt_client *c)
{
    int64_t now = now_ms(c), until = c->until_ms;

    if ((mqtt_wire_has_more(&c->wire) && !c->full) || (c->stalled && !c->wire.out_len))
        return 0;
    if (c->phase == MQTT_ONLINE) {
        until = c->heard_ms + c->keep_ms + c->keep_ms / 2;
        until = until < c->pinged_ms + c->keep_ms / 2 ? until : c->pinged_ms + c->keep_ms / 2;
    }
    int64_t left = until > now ? until - now : 0;
    return c->full && left > FULL_MS ? FULL_MS : (int)left;
}

/* ---- turns */

void mqtt_client_start(struct mqtt_client *c)
{
    c->phase = MQTT_OFFLINE;
    c->wait_ms = c->retry_ms;
    c->until_ms = 0;
    c->had_session = c->said = false;
}

enum leat_status mqtt_client_turn(struct mqtt_client *c, struct leat_inbox *inbox, short ready,
                                  struct leat_error *err)
{
    enum leat_status status = LEAT_OK;

    if (c->phase == MQTT_OFFLINE && now_ms(c) >= c->until_ms)
        return connect_next(c, err);
    if (c->phase == MQTT_CONNECTING && ready)
        status = step(c, err);
    if (status == LEAT_OK && c->wire.state == WIRE_OPEN) {
        c->heard_ms = c->phase == MQTT_GREETING ? now_ms(c) : c->heard_ms;
        if (ready || c->full || c->stalled || mqtt_wire_has_more(&c->wire))
            status = receive(c, inbox, err);
    }
    if (status != LEAT_OK)
        return status;
    if (c->phase != MQTT_OFFLINE && c->phase != MQTT_ONLINE && now_ms(c) >= c->until_ms)
        go_offline(c, "it does not answer");
    keep_alive(c);
    send_all(c);
    return LEAT_OK;
}

void mqtt_client_end(struct mqtt_client *c)
{
    if (c->wire.state == WIRE_OPEN) {
        send_all(c);
        send_disconnect(c, MQTT_REASON_OK);
    }
    mqtt_wire_close(&c->wire);
}
