/* Tests sinks/mqtt: the contract of sinks with an outbox, against a broker of the test's own, which
 * acknowledges what it has noted and shares no code with what is tested. */
#include "id_set.h"
#include "leat_test.h"
#include "peer_server.h"
#include "sink_contract.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { CONNECT = 1, PUBLISH = 3, PINGREQ = 12, DISCONNECT = 14 };

static struct id_set ids = ID_SET_INIT;
static char url[64];
static const char *const settings[] = {url, "topic=t", NULL};

/* ---- the broker */

static bool read_all(int fd, void *to, size_t len)
{
    return len == 0 || recv(fd, to, len, MSG_WAITALL) == (ssize_t)len;
}

/* The type of the next packet, and its body; 0: the client has gone. */
static int read_packet(int fd, uint8_t *body, size_t room)
{
    uint8_t first, byte = 0x80;
    size_t len = 0;

    if (!read_all(fd, &first, 1))
        return 0;
    for (int shift = 0; byte & 0x80; shift += 7) {
        if (!read_all(fd, &byte, 1))
            return 0;
        len |= (size_t)(byte & 0x7f) << shift;
    }
    return len <= room && read_all(fd, body, len) ? first >> 4 : 0;
}

/* Topic, packet id, and properties with nothing but "leat-id" in them. */
static bool take_message(int fd, const uint8_t *body)
{
    static const char name[] = "\x26\0\7leat-id";
    const uint8_t *id = body + 2 + (body[0] << 8 | body[1]), *mark = id + 3 + sizeof name - 1;
    const uint8_t puback[] = {0x40, 2, id[0], id[1]};

    if (memcmp(id + 3, name, sizeof name - 1) != 0)
        return false;
    id_set_add(&ids, mark + 2, (size_t)(mark[0] << 8 | mark[1]));
    return send(fd, puback, sizeof puback, MSG_NOSIGNAL) == sizeof puback;
}

static void serve(int fd)
{
    static const uint8_t connack[] = {0x20, 3, 0, 0, 0}, pingresp[] = {0xd0, 0};
    uint8_t body[4096];
    bool good = true;

    while (good) {
        switch (read_packet(fd, body, sizeof body)) {
        case CONNECT:
            good = send(fd, connack, sizeof connack, MSG_NOSIGNAL) > 0;
            break;
        case PUBLISH:
            good = take_message(fd, body);
            break;
        case PINGREQ:
            good = send(fd, pingresp, sizeof pingresp, MSG_NOSIGNAL) > 0;
            break;
        default:
            good = false;
        }
    }
}

/* ---- the contract */

static int visible(void)
{
    return (int)id_set_count(&ids);
}

static void clear(void)
{
    id_set_clear(&ids);
}

static const struct sink_case c = {
    .name = "mqtt", .settings = settings, .visible = visible, .clear = clear};

LEAT_OUTBOX_SINK_CONTRACT(c)

int main(void)
{
    struct peer_server peer;

    peer_server_start(&peer, serve);
    snprintf(url, sizeof url, "url=mqtt://127.0.0.1:%d", peer.port);
    int result = leat_test_main(
        "mqtt_sink", (CU_TestInfo[]){LEAT_OUTBOX_SINK_CONTRACT_TESTS, CU_TEST_INFO_NULL});
    peer_server_stop(&peer);
    return result;
}
