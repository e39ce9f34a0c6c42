/* reason.c - what the codes in a broker's answers mean, and whether waiting can help. */
#include "packet.h"

struct reason {
    uint8_t code;
    bool passes; /* it may be different in a while */
    const char *text;
};

static const struct reason of_5[] = {
    {0x80, true, "unspecified error"},
    {0x81, true, "malformed packet"},
    {0x82, true, "protocol error"},
    {0x83, true, "implementation specific error"},
    {0x84, false, "MQTT 5 is not supported: try `version: 3.1.1`"},
    {0x85, false, "the client id is not valid there: set `client_id`"},
    {0x86, false, "wrong user name or password"},
    {0x87, false, "not authorized"},
    {0x88, true, "the server is not available"},
    {0x89, true, "the server is busy"},
    {0x8a, false, "leat is banned there"},
    {0x8b, true, "the server is shutting down"},
    {0x8c, false, "it wants another authentication method"},
    {0x8d, true, "it heard nothing for too long"},
    {0x8e, false, "another client has connected with the same client id: set `client_id`"},
    {0x8f, false, "the topic filter is not valid there"},
    {0x93, true, "receive maximum exceeded"},
    {0x95, true, "packet too large"},
    {0x96, true, "too many messages"},
    {0x97, true, "quota exceeded"},
    {0x98, true, "administrative action"},
    {0x9c, false, "use another server"},
    {0x9d, false, "the server has moved"},
    {0x9e, false, "shared subscriptions are not supported"},
    {0x9f, true, "too many connections at once"},
    {0xa0, true, "maximum connect time"},
    {0xa1, false, "subscription identifiers are not supported"},
    {0xa2, false, "wildcards are not supported"},
};

static const struct reason of_3[] = {
    {1, false, "this version of MQTT is not supported"},
    {2, false, "the client id is not valid there: set `client_id`"},
    {3, true, "the server is not available"},
    {4, false, "wrong user name or password"},
    {5, false, "not authorized"},
    {0x80, false, "the topic filter is refused"},
};

static const struct reason *find(enum mqtt_version version, uint8_t code)
{
    const struct reason *list = version == MQTT_5 ? of_5 : of_3;
    size_t count = version == MQTT_5 ? sizeof of_5 / sizeof *of_5 : sizeof of_3 / sizeof *of_3;

    for (size_t i = 0; i < count; i++)
        if (list[i].code == code)
            return &list[i];
    return NULL;
}

const char *mqtt_reason_text(enum mqtt_version version, uint8_t reason)
{
    const struct reason *r = find(version, reason);

    return r ? r->text : "a reason that MQTT does not name";
}

bool mqtt_reason_passes(enum mqtt_version version, uint8_t reason)
{
    const struct reason *r = find(version, reason);

    return !r || r->passes;
}
