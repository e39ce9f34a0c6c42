/*
 * session.h - which messages wait for what: from PUBLISH to the acknowledgement that leat owes.
 *
 * Every message of QoS 1 and 2 is entered with the position that its row was given. When a position
 * is safe, the acknowledgements up to there are due, in order. They are made when there is room to
 * send them, so what is due needs no memory of its own.
 *
 * Over a lost connection the session stays, here as in the broker, which sends again what was not
 * acknowledged. A message that is here already is known by its packet id and by a hash of topic and
 * payload: a broker that was restored from an older state may have given the id to another message,
 * and that one must not be taken for ours. With QoS 1 the broker's own word that it is a repetition
 * is needed too. An acknowledgement only goes out on a connection on which the message was seen.
 *
 *     free -- PUBLISH --> waiting -- safe --> (QoS 1) free; (QoS 2) released by PUBREL --> free
 *                            `-- safe, not seen on this connection --> safe -- PUBLISH again -->
 * ...
 *
 * Thread: run's.
 */
#ifndef LEAT_CONNECTORS_MQTT_SESSION_H
#define LEAT_CONNECTORS_MQTT_SESSION_H

#include "packet.h"

struct mqtt_id {
    uint64_t hash;
    uint32_t number; /* of its entry in `waiting`, the low half */
    uint8_t state;
    uint8_t qos;
    bool seen; /* on this connection */
};

struct mqtt_waiting {
    int64_t position;
    uint16_t id;
};

struct mqtt_session {
    struct leat_budget *budget;
    struct mqtt_id *ids;          /* 65,536, by packet id */
    struct mqtt_waiting *waiting; /* a ring of `window`, in the order of positions */
    uint32_t window;
    uint32_t count; /* how many wait */
    uint64_t first; /* number of the oldest */
    int64_t safe;   /* all below is */
};

/* LEAT_E_FULL, LEAT_E_NOMEM. fini takes a zeroed one. */
LEAT_CHECKED enum leat_status mqtt_session_init(struct mqtt_session *s, uint32_t window,
                                                struct leat_budget *budget, struct leat_error *err);
void mqtt_session_fini(struct mqtt_session *s);

/* There is a new connection; the broker says whether it knows the session. */
void mqtt_session_connected(struct mqtt_session *s, bool present);

enum mqtt_arrival {
    MQTT_NEW,   /* hand it in, then mqtt_session_enter() */
    MQTT_KNOWN, /* it is on its way; its acknowledgement will come */
    MQTT_SAFE,  /* it is safe: acknowledge at once */
    MQTT_FULL,  /* more than `window` wait: do not take it yet */
};

/* `p` is a PUBLISH of QoS 1 or 2. */
enum mqtt_arrival mqtt_session_arrive(struct mqtt_session *s, const struct mqtt_packet *p);
void mqtt_session_enter(struct mqtt_session *s, const struct mqtt_packet *p, int64_t position);

/* PUBREL has come. False: this id is not known. */
bool mqtt_session_release(struct mqtt_session *s, uint16_t id);

/* All below `upto` is safe. */
void mqtt_session_safe(struct mqtt_session *s, int64_t upto);

/* Take the next acknowledgement that is due: MQTT_PUBACK or MQTT_PUBREC. False: none is. */
bool mqtt_session_take_due(struct mqtt_session *s, enum mqtt_type *type, uint16_t *id);

#endif
