/*
 * packet.h - MQTT 3.1.1 and 5 on the wire, as a client that only receives sees it.
 *
 * Reading is strict and bounded: every length, flag, property and text is checked before it is
 * used, and nothing is copied or allocated. A PUBLISH whose payload is longer than the caller wants
 * is handed out with the beginning of it, so that a record that is too long is an error of that
 * record and not of the connection. Any other packet above MQTT_SMALL_MAX is refused.
 *
 * No state, no thread.
 */
#ifndef LEAT_CONNECTORS_MQTT_PACKET_H
#define LEAT_CONNECTORS_MQTT_PACKET_H

#include "leat.h"

#define MQTT_SMALL_MAX ((size_t)65536) /* of a packet that is no PUBLISH, and of properties */
#define MQTT_HEAD_MAX  ((size_t)2 * 65536 + 16) /* of a PUBLISH, all before its payload */
#define MQTT_TEXT_MAX  65535

enum mqtt_version { MQTT_3_1_1, MQTT_5 };

enum mqtt_type {
    MQTT_CONNECT = 1,
    MQTT_CONNACK = 2,
    MQTT_PUBLISH = 3,
    MQTT_PUBACK = 4,
    MQTT_PUBREC = 5,
    MQTT_PUBREL = 6,
    MQTT_PUBCOMP = 7,
    MQTT_SUBSCRIBE = 8,
    MQTT_SUBACK = 9,
    MQTT_PINGREQ = 12,
    MQTT_PINGRESP = 13,
    MQTT_DISCONNECT = 14,
};

/* Reasons of MQTT 5 that mean something to us. */
enum {
    MQTT_REASON_OK = 0,
    MQTT_REASON_FAILED = 0x80, /* and all above */
    MQTT_REASON_MALFORMED = 0x81,
    MQTT_REASON_TAKEN_OVER = 0x8e,
    MQTT_REASON_UNKNOWN_ID = 0x92,
};

struct mqtt_packet {
    enum mqtt_type type;
    bool dup, retain;
    bool session_present; /* CONNACK */
    uint8_t qos;
    uint8_t reason;            /* CONNACK, PUBREL, DISCONNECT, SUBACK (of its only filter) */
    uint16_t id;               /* 0: none */
    uint16_t keep_alive_s;     /* CONNACK: the broker's wish; 0: it has none */
    struct leat_slice topic;   /* of a PUBLISH; all slices are borrowed from the bytes read */
    struct leat_slice payload; /* its beginning, when `cut` */
    bool cut;
    struct leat_slice properties; /* checked; see mqtt_take_user_property() */
    struct leat_slice text;       /* the broker's own words about the reason, or empty */
    uint32_t user_properties;
};

enum mqtt_read { MQTT_READ_MORE, MQTT_READ_PACKET, MQTT_READ_BAD };

/* The packet that `bytes` begin with. PACKET: *taken bytes are done with, and *skip more, which may
 * not have come yet, are the rest of a payload that was cut at payload_max. MORE: it is not there
 * yet; *taken says how many bytes it takes to be sure, 0 when even that is unknown. BAD: *why is a
 * phrase for people. */
enum mqtt_read mqtt_read(struct leat_slice bytes, enum mqtt_version version, size_t payload_max,
                         struct mqtt_packet *packet, size_t *taken, size_t *skip, const char **why);

/* The next user property in checked properties. False: there is none left. */
bool mqtt_take_user_property(struct leat_slice *properties, struct leat_slice *name,
                             struct leat_slice *value);

/* Phrases for codes of CONNACK, SUBACK and DISCONNECT. */
const char *mqtt_reason_text(enum mqtt_version version, uint8_t reason);

/* Can trying again later help after this answer to CONNECT, or this DISCONNECT? */
bool mqtt_reason_passes(enum mqtt_version version, uint8_t reason);

/* ---- writing: the caller has made sure of the room that MQTT_*_ROOM or mqtt_*_len() tells */

#define MQTT_ACK_ROOM 5 /* of any packet without a text */

struct mqtt_connect {
    const char *client_id, *user, *password; /* the latter two may be NULL */
    uint16_t keep_alive_s;
    uint32_t session_expiry_s; /* 0: a new session that ends with the connection */
    uint16_t receive_max;
    bool clean; /* forget a session that is there */
};

size_t mqtt_connect_len(const struct mqtt_connect *c);
size_t mqtt_write_connect(char *to, enum mqtt_version version, const struct mqtt_connect *c);
size_t mqtt_subscribe_len(const char *filter);
/* A session that has the filter already gets no retained messages again (MQTT 5). */
size_t mqtt_write_subscribe(char *to, enum mqtt_version version, uint16_t id, const char *filter,
                            uint8_t qos);
/* PUBACK, PUBREC or PUBCOMP. */
size_t mqtt_write_ack(char *to, enum mqtt_version version, enum mqtt_type type, uint16_t id,
                      uint8_t reason);
size_t mqtt_write_ping(char *to);
size_t mqtt_write_disconnect(char *to, enum mqtt_version version, uint8_t reason);

/* Is it text that MQTT takes: UTF-8 without NUL and surrogates, and short enough? */
bool mqtt_is_text(struct leat_slice s);

/* Is it a topic filter? "$share/group/filter" is one too. *why: what is wrong. */
bool mqtt_is_filter(struct leat_slice s, const char **why);

#endif
