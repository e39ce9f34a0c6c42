#include "packet.h"

/* ---- pieces */

static bool take_u8(struct leat_slice *from, uint8_t *v)
{
    return leat_take(from, v, 1);
}

static bool take_u16(struct leat_slice *from, uint16_t *v)
{
    uint8_t b[2];

    if (!leat_take(from, b, 2))
        return false;
    *v = (uint16_t)(b[0] << 8 | b[1]);
    return true;
}

/* 1: taken; 0: not all there; -1: longer than four bytes. */
static int take_varint(struct leat_slice *from, uint32_t *v)
{
    uint32_t n = 0;

    for (size_t i = 0; i < 4; i++) {
        if (i >= from->len)
            return 0;
        uint8_t b = (uint8_t)from->ptr[i];
        n |= (uint32_t)(b & 0x7f) << (7 * i);
        if (b & 0x80)
            continue;
        if (i > 0 && b == 0)
            return -1; /* a longer way to say the same is not allowed */
        from->ptr += i + 1;
        from->len -= i + 1;
        *v = n;
        return 1;
    }
    return -1;
}

static bool take_bytes(struct leat_slice *from, struct leat_slice *s)
{
    struct leat_slice rest = *from;
    uint16_t len;

    if (!take_u16(&rest, &len) || rest.len < len)
        return false;
    *s = (struct leat_slice){rest.ptr, len};
    *from = (struct leat_slice){rest.ptr + len, rest.len - len};
    return true;
}

bool mqtt_is_text(struct leat_slice s)
{
    return s.len == 0 || (s.len <= MQTT_TEXT_MAX && !memchr(s.ptr, '\0', s.len) &&
                          leat_utf8_valid(s.ptr, s.ptr + s.len));
}

static bool take_text(struct leat_slice *from, struct leat_slice *s)
{
    return take_bytes(from, s) && mqtt_is_text(*s);
}

bool mqtt_is_filter(struct leat_slice s, const char **why)
{
    struct leat_slice level, rest = s;
    bool more = s.len > 0;

    *why = s.len ? "is no text that MQTT takes" : "is empty";
    if (!more || !mqtt_is_text(s))
        return false;
    if (s.len >= 7 && memcmp(s.ptr, "$share/", 7) == 0) {
        *why = "needs a group and a filter: $share/group/filter";
        rest = (struct leat_slice){s.ptr + 7, s.len - 7};
        if (!leat_slice_cut(rest, '/', &level, &rest) || level.len == 0 || rest.len == 0 ||
            memchr(level.ptr, '+', level.len) || memchr(level.ptr, '#', level.len))
            return false;
    }
    while (more) {
        more = leat_slice_cut(rest, '/', &level, &rest);
        bool plus = level.len && memchr(level.ptr, '+', level.len);
        bool hash = level.len && memchr(level.ptr, '#', level.len);
        *why = "has a '+' or '#' that does not stand alone between slashes, '#' at the end only";
        if ((plus || hash) && (level.len > 1 || (hash && more)))
            return false;
    }
    return true;
}

/* ---- properties */

enum property_kind { NO_PROPERTY, OF_U8, OF_U16, OF_U32, OF_VARINT, OF_TEXT, OF_BYTES, OF_PAIR };

#define ON(type)  (1u << (type))
#define ON_ACKS   (ON(MQTT_PUBACK) | ON(MQTT_PUBREC) | ON(MQTT_PUBREL) | ON(MQTT_PUBCOMP))
#define ON_ANSWER (ON_ACKS | ON(MQTT_CONNACK) | ON(MQTT_SUBACK) | ON(MQTT_DISCONNECT))

enum { SERVER_KEEP_ALIVE = 0x13, REASON_STRING = 0x1f, TOPIC_ALIAS = 0x23, USER_PROPERTY = 0x26 };

/* What a broker may send, and where. */
static const struct {
    uint8_t kind;
    uint16_t on;
} known[0x2b] = {
    [0x01] = {OF_U8, ON(MQTT_PUBLISH)},
    [0x02] = {OF_U32, ON(MQTT_PUBLISH)},
    [0x03] = {OF_TEXT, ON(MQTT_PUBLISH)},
    [0x08] = {OF_TEXT, ON(MQTT_PUBLISH)},
    [0x09] = {OF_BYTES, ON(MQTT_PUBLISH)},
    [0x0b] = {OF_VARINT, ON(MQTT_PUBLISH)},
    [0x11] = {OF_U32, ON(MQTT_CONNACK)},
    [0x12] = {OF_TEXT, ON(MQTT_CONNACK)},
    [SERVER_KEEP_ALIVE] = {OF_U16, ON(MQTT_CONNACK)},
    [0x15] = {OF_TEXT, ON(MQTT_CONNACK)},
    [0x16] = {OF_BYTES, ON(MQTT_CONNACK)},
    [0x1a] = {OF_TEXT, ON(MQTT_CONNACK)},
    [0x1c] = {OF_TEXT, ON(MQTT_CONNACK) | ON(MQTT_DISCONNECT)},
    [REASON_STRING] = {OF_TEXT, ON_ANSWER},
    [0x21] = {OF_U16, ON(MQTT_CONNACK)},
    [0x22] = {OF_U16, ON(MQTT_CONNACK)},
    [TOPIC_ALIAS] = {OF_U16, ON(MQTT_PUBLISH)},
    [0x24] = {OF_U8, ON(MQTT_CONNACK)},
    [0x25] = {OF_U8, ON(MQTT_CONNACK)},
    [USER_PROPERTY] = {OF_PAIR, ON_ANSWER | ON(MQTT_PUBLISH)},
    [0x27] = {OF_U32, ON(MQTT_CONNACK)},
    [0x28] = {OF_U8, ON(MQTT_CONNACK)},
    [0x29] = {OF_U8, ON(MQTT_CONNACK)},
    [0x2a] = {OF_U8, ON(MQTT_CONNACK)},
};

struct property {
    uint32_t id;
    uint32_t number;
    struct leat_slice text, value; /* of a pair: both */
};

static bool take_property(struct leat_slice *from, struct property *p)
{
    uint8_t u8 = 0;
    uint16_t u16 = 0;
    uint8_t u32[4];

    if (take_varint(from, &p->id) != 1 || p->id >= sizeof known / sizeof *known)
        return false;
    switch ((enum property_kind)known[p->id].kind) {
    case OF_U8:
        return take_u8(from, &u8);
    case OF_U16:
        if (!take_u16(from, &u16))
            return false;
        p->number = u16;
        return true;
    case OF_U32:
        return leat_take(from, u32, 4);
    case OF_VARINT:
        return take_varint(from, &p->number) == 1;
    case OF_TEXT:
        return take_text(from, &p->text);
    case OF_BYTES:
        return take_bytes(from, &p->text);
    case OF_PAIR:
        return take_text(from, &p->text) && take_text(from, &p->value);
    case NO_PROPERTY:
        break;
    }
    return false;
}

/* Take the properties of a packet from *from, all of them checked. NULL: they are in order. */
static const char *take_properties(struct leat_slice *from, struct mqtt_packet *packet)
{
    struct property p;
    uint64_t seen = 0;
    uint32_t len;

    if (take_varint(from, &len) != 1 || len > from->len)
        return "properties that are longer than their packet";
    if (len > MQTT_SMALL_MAX)
        return "properties of more than 64 KiB";
    struct leat_slice rest = packet->properties = (struct leat_slice){from->ptr, len};
    *from = (struct leat_slice){from->ptr + len, from->len - len};
    while (rest.len) {
        p = (struct property){0};
        if (!take_property(&rest, &p) || !(known[p.id].on & ON(packet->type)))
            return "a property that does not belong there or is cut short";
        bool may_repeat = p.id == USER_PROPERTY || p.id == 0x0b;
        if (!may_repeat && seen & UINT64_C(1) << p.id)
            return "a property that stands there twice";
        seen |= UINT64_C(1) << p.id;
        packet->user_properties += p.id == USER_PROPERTY;
        if (p.id == SERVER_KEEP_ALIVE)
            packet->keep_alive_s = (uint16_t)p.number;
        else if (p.id == REASON_STRING)
            packet->text = p.text;
        else if (p.id == TOPIC_ALIAS)
            return "a topic alias, which leat has not allowed";
    }
    return NULL;
}

bool mqtt_take_user_property(struct leat_slice *properties, struct leat_slice *name,
                             struct leat_slice *value)
{
    struct property p;

    while (properties->len && take_property(properties, &p)) {
        if (p.id != USER_PROPERTY)
            continue;
        *name = p.text;
        *value = p.value;
        return true;
    }
    return false;
}

/* ---- packets; NULL: in order, else what is wrong */

static const char *read_connack(struct leat_slice body, enum mqtt_version version,
                                struct mqtt_packet *p)
{
    uint8_t flags;

    if (!take_u8(&body, &flags) || flags > 1 || !take_u8(&body, &p->reason))
        return "a CONNACK that is cut short or has unknown flags";
    p->session_present = flags;
    if (p->session_present && p->reason)
        return "a CONNACK that refuses and speaks of a session";
    const char *why = version == MQTT_5 ? take_properties(&body, p) : NULL;
    return why ? why : body.len ? "a CONNACK with something behind it" : NULL;
}

static const char *read_suback(struct leat_slice body, enum mqtt_version version,
                               struct mqtt_packet *p)
{
    if (!take_u16(&body, &p->id) || p->id == 0)
        return "a SUBACK without a packet id";
    const char *why = version == MQTT_5 ? take_properties(&body, p) : NULL;
    if (why)
        return why;
    if (!take_u8(&body, &p->reason) || body.len)
        return "a SUBACK that does not answer one filter";
    return p->reason > 2 && p->reason < MQTT_REASON_FAILED ? "a SUBACK with an unknown answer"
                                                           : NULL;
}

/* PUBREL, DISCONNECT: reason and properties may be left out. */
static const char *read_reason(struct leat_slice body, enum mqtt_version version, bool has_id,
                               struct mqtt_packet *p)
{
    if (has_id && (!take_u16(&body, &p->id) || p->id == 0))
        return "a PUBREL without a packet id";
    if (version == MQTT_5 && take_u8(&body, &p->reason) && body.len) {
        const char *why = take_properties(&body, p);
        if (why)
            return why;
    }
    return body.len ? "a packet with something behind its end" : NULL;
}

static bool is_topic(struct leat_slice s)
{
    return s.len && mqtt_is_text(s) && !memchr(s.ptr, '+', s.len) && !memchr(s.ptr, '#', s.len);
}

/* `body` may end in the middle of the payload. */
static const char *read_publish(struct leat_slice body, enum mqtt_version version, uint8_t flags,
                                struct mqtt_packet *p)
{
    p->dup = flags & 8;
    p->qos = flags >> 1 & 3;
    p->retain = flags & 1;
    if (p->qos == 3 || (p->qos == 0 && p->dup))
        return "a PUBLISH with an impossible QoS";
    if (!take_bytes(&body, &p->topic) || !is_topic(p->topic))
        return "a PUBLISH without a topic, or with one that is none";
    if (p->qos && (!take_u16(&body, &p->id) || p->id == 0))
        return "a PUBLISH without a packet id";
    const char *why = version == MQTT_5 ? take_properties(&body, p) : NULL;
    p->payload = body;
    return why;
}

static const char *read_body(struct leat_slice body, enum mqtt_version version, uint8_t flags,
                             struct mqtt_packet *p)
{
    if (p->type == MQTT_PUBLISH)
        return read_publish(body, version, flags, p);
    if (flags != (p->type == MQTT_PUBREL ? 2 : 0))
        return "a packet with wrong flags";
    switch ((int)p->type) {
    case MQTT_CONNACK:
        return read_connack(body, version, p);
    case MQTT_PUBREL:
        return read_reason(body, version, true, p);
    case MQTT_SUBACK:
        return read_suback(body, version, p);
    case MQTT_PINGRESP:
        return body.len ? "a PINGRESP with something in it" : NULL;
    case MQTT_DISCONNECT:
        return version == MQTT_5 ? read_reason(body, version, false, p)
                                 : "a DISCONNECT, which only a client may send";
    default:
        return "a packet that no broker sends to a subscriber";
    }
}

enum mqtt_read mqtt_read(struct leat_slice bytes, enum mqtt_version version, size_t payload_max,
                         struct mqtt_packet *packet, size_t *taken, size_t *skip, const char **why)
{
    struct leat_slice rest = bytes;
    uint8_t first;
    uint32_t len = 0;

    *packet = (struct mqtt_packet){0};
    *taken = *skip = 0;
    int have = take_u8(&rest, &first) ? take_varint(&rest, &len) : 0;
    *why = "a length that is none";
    if (have <= 0)
        return have < 0 ? MQTT_READ_BAD : MQTT_READ_MORE;
    packet->type = (enum mqtt_type)(first >> 4);
    bool is_publish = packet->type == MQTT_PUBLISH;
    *why = "a packet of more than 64 KiB that is no message";
    if (!is_publish && len > MQTT_SMALL_MAX)
        return MQTT_READ_BAD;
    size_t head = bytes.len - rest.len;
    size_t most = is_publish ? MQTT_HEAD_MAX + payload_max : MQTT_SMALL_MAX;
    size_t wanted = len < most ? len : most; /* of it, to be sure of all that is looked at */
    if (rest.len < wanted) {
        *taken = head + wanted;
        return MQTT_READ_MORE;
    }
    *why = read_body((struct leat_slice){rest.ptr, wanted}, version, first & 15, packet);
    if (*why)
        return MQTT_READ_BAD;
    *taken = head + wanted;
    *skip = len - wanted;
    packet->cut = *skip || packet->payload.len > payload_max;
    if (packet->payload.len > payload_max)
        packet->payload.len = payload_max;
    return MQTT_READ_PACKET;
}

/* ---- writing */

static char *put_u16(char *to, uint16_t v)
{
    to[0] = (char)(v >> 8);
    to[1] = (char)v;
    return to + 2;
}

static char *put_text(char *to, const char *text)
{
    size_t len = strlen(text);

    to = put_u16(to, (uint16_t)len);
    memcpy(to, text, len);
    return to + len;
}

static char *put_varint(char *to, size_t v)
{
    for (; v > 127; v >>= 7)
        *to++ = (char)((v & 0x7f) | 0x80);
    *to++ = (char)v;
    return to;
}

size_t mqtt_connect_len(const struct mqtt_connect *c)
{
    return 5 + 10 + 1 + 8 + 2 + strlen(c->client_id) + (c->user ? 2 + strlen(c->user) : 0) +
           (c->password ? 2 + strlen(c->password) : 0);
}

size_t mqtt_write_connect(char *to, enum mqtt_version version, const struct mqtt_connect *c)
{
    size_t body = mqtt_connect_len(c) - 5 - (version == MQTT_5 ? 0 : 9);
    char *at = to;

    *at++ = (char)(MQTT_CONNECT << 4);
    at = put_varint(at, body);
    at = put_text(at, "MQTT");
    *at++ = version == MQTT_5 ? 5 : 4;
    *at++ = (char)((c->user ? 0x80 : 0) | (c->password ? 0x40 : 0) | (c->clean ? 2 : 0));
    at = put_u16(at, c->keep_alive_s);
    if (version == MQTT_5) {
        *at++ = 8;
        *at++ = 0x11;
        at = put_u16(at, (uint16_t)(c->session_expiry_s >> 16));
        at = put_u16(at, (uint16_t)c->session_expiry_s);
        *at++ = 0x21;
        at = put_u16(at, c->receive_max);
    }
    at = put_text(at, c->client_id);
    if (c->user)
        at = put_text(at, c->user);
    if (c->password)
        at = put_text(at, c->password);
    return (size_t)(at - to);
}

size_t mqtt_subscribe_len(const char *filter)
{
    return 5 + 2 + 1 + 2 + strlen(filter) + 1;
}

size_t mqtt_write_subscribe(char *to, enum mqtt_version version, uint16_t id, const char *filter,
                            uint8_t qos)
{
    bool shared = strncmp(filter, "$share/", 7) == 0;
    size_t body = (version == MQTT_5 ? 5u : 4u) + strlen(filter) + 1;
    char *at = to;

    *at++ = (char)(MQTT_SUBSCRIBE << 4 | 2);
    at = put_varint(at, body);
    at = put_u16(at, id);
    if (version == MQTT_5)
        *at++ = 0;
    at = put_text(at, filter);
    /* retain handling 1: only when the subscription is new; shared ones get none anyway */
    *at++ = (char)(qos | (version == MQTT_5 && !shared ? 0x10 : 0));
    return (size_t)(at - to);
}

size_t mqtt_write_ack(char *to, enum mqtt_version version, enum mqtt_type type, uint16_t id,
                      uint8_t reason)
{
    bool with_reason = version == MQTT_5 && reason != MQTT_REASON_OK;

    to[0] = (char)(type << 4);
    to[1] = with_reason ? 3 : 2;
    put_u16(to + 2, id);
    if (with_reason)
        to[4] = (char)reason;
    return with_reason ? 5 : 4;
}

size_t mqtt_write_ping(char *to)
{
    to[0] = (char)(MQTT_PINGREQ << 4);
    to[1] = 0;
    return 2;
}

size_t mqtt_write_disconnect(char *to, enum mqtt_version version, uint8_t reason)
{
    bool with_reason = version == MQTT_5 && reason != MQTT_REASON_OK;

    to[0] = (char)(MQTT_DISCONNECT << 4);
    to[1] = with_reason;
    if (with_reason)
        to[2] = (char)reason;
    return with_reason ? 3 : 2;
}
