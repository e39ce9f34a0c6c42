/*
 * fuzz_mqtt_packet.c - feeds bytes to the reader of what an MQTT broker sends.
 *
 * The first byte chooses the version and how long a payload may be. Nothing that is handed out lies
 * outside the bytes, and a packet that is whole is read alike when more bytes follow.
 */
#include "../../connectors/mqtt/packet.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void check_inside(struct leat_slice s, struct leat_slice all)
{
    assert(!s.ptr || (s.ptr >= all.ptr && s.ptr + s.len <= all.ptr + all.len));
}

static void check_properties(const struct mqtt_packet *p)
{
    struct leat_slice rest = p->properties, name, value;
    uint32_t count = 0;

    while (mqtt_take_user_property(&rest, &name, &value)) {
        check_inside(name, p->properties);
        check_inside(value, p->properties);
        assert(mqtt_is_text(name) && mqtt_is_text(value));
        count++;
    }
    assert(count == p->user_properties);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct mqtt_packet p, again;
    size_t taken, skip, taken_again;
    const char *why;

    if (size < 1)
        return 0;
    enum mqtt_version version = data[0] & 1 ? MQTT_5 : MQTT_3_1_1;
    size_t payload_max = data[0] >> 1;
    struct leat_slice rest = {(const char *)data + 1, size - 1};
    for (;;) {
        enum mqtt_read read = mqtt_read(rest, version, payload_max, &p, &taken, &skip, &why);
        if (read == MQTT_READ_BAD)
            assert(why && why[0]);
        if (read == MQTT_READ_MORE)
            assert(taken == 0 || taken > rest.len);
        if (read != MQTT_READ_PACKET)
            return 0;
        assert(taken >= 2 && taken <= rest.len && p.payload.len <= payload_max);
        struct leat_slice whole = {rest.ptr, taken};
        check_inside(p.topic, whole);
        check_inside(p.payload, whole);
        check_inside(p.text, whole);
        check_properties(&p);
        read = mqtt_read(whole, version, payload_max, &again, &taken_again, &skip, &why);
        assert(read == MQTT_READ_PACKET && taken_again == taken && again.type == p.type);
        rest = (struct leat_slice){rest.ptr + taken, rest.len - taken};
    }
}
