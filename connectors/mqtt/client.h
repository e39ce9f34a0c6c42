/*
 * client.h - talks to the broker: greets, subscribes, takes messages, acknowledges, keeps alive.
 *
 * It is driven: mqtt_client_turn() does what can be done now, and never waits. What it cannot go on
 * with (no credit, no room to send) stays in the connection's buffer until the next turn. A
 * connection that fails is said once and made again, at first soon, then every RETRY_MAX_MS.
 *
 * Thread: run's.
 */
#ifndef LEAT_CONNECTORS_MQTT_CLIENT_H
#define LEAT_CONNECTORS_MQTT_CLIENT_H

#include "session.h"
#include "wire.h"

enum mqtt_phase {
    MQTT_OFFLINE,     /* until until_ms */
    MQTT_CONNECTING,  /* TCP and TLS */
    MQTT_GREETING,    /* CONNECT was sent */
    MQTT_SUBSCRIBING, /* SUBSCRIBE of filters[subscribed] was sent */
    MQTT_ONLINE,
};

struct mqtt_client {
    /* Set by the owner. */
    const struct leat_env *env;
    const char *url;
    enum mqtt_version version;
    struct mqtt_connect connect;
    const char *const *filters;
    size_t filters_count;
    uint8_t qos;
    int64_t retry_ms;
    size_t payload_max;

    struct mqtt_wire wire;
    struct mqtt_session session;
    struct leat_arena scratch; /* of one row's headers */
    enum mqtt_phase phase;
    size_t subscribed;
    bool had_session;  /* these filters were subscribed in the session that the broker knows */
    bool full;         /* no credit, or too much waits: nothing is read */
    bool stalled;      /* no room to send the answers to what is in the buffer */
    bool said;         /* that there is no connection, and why */
    size_t skip;       /* bytes of a payload's rest that are still to come */
    int64_t wait_ms;   /* the next pause */
    int64_t until_ms;  /* of the pause, or of the time to get ready */
    int64_t online_ms; /* since when */
    int64_t keep_ms, heard_ms, pinged_ms;
};

/* The connection and the session must have been made. */
void mqtt_client_start(struct mqtt_client *c);

/* `ready`: what poll() said about the connection. What cannot heal comes back as an error; all else
 * is dealt with here. */
LEAT_CHECKED enum leat_status mqtt_client_turn(struct mqtt_client *c, struct leat_inbox *inbox,
                                               short ready, struct leat_error *err);

/* How long poll() may wait; -1: for ever. */
int mqtt_client_timeout_ms(const struct mqtt_client *c);

/* Say good-bye: the acknowledgements that are due, then DISCONNECT, as far as it goes at once. */
void mqtt_client_end(struct mqtt_client *c);

#endif
