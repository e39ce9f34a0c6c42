/* Tests sinks/flume: the contract of sinks with an outbox, against a source of the test's own,
 * which answers what it has noted and shares no code with what is tested. */
#include "id_set.h"
#include "leat_test.h"
#include "peer_server.h"
#include "sink_contract.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define HASH_BYTES 16

static struct id_set ids = ID_SET_INIT;
static char connect_to[64];
static const char *const settings[] = {connect_to, NULL};

/* ---- the source */

static bool read_all(int fd, void *to, size_t len)
{
    return len == 0 || recv(fd, to, len, MSG_WAITALL) == (ssize_t)len;
}

static uint32_t number(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* A frame of one buffer; its bytes, or 0: the client has gone. */
static size_t read_call(int fd, uint8_t serial[4], uint8_t *call, size_t room)
{
    uint8_t head[12];

    if (!read_all(fd, head, sizeof head) || number(head + 4) != 1 || number(head + 8) > room)
        return 0;
    memcpy(serial, head, 4);
    return read_all(fd, call, number(head + 8)) ? number(head + 8) : 0;
}

/* A number as Avro has it, none of ours below zero. */
static size_t take_number(const uint8_t **at)
{
    size_t v = 0;

    for (int shift = 0;; shift += 7) {
        v |= (size_t)(**at & 0x7f) << shift;
        if (!(*(*at)++ & 0x80))
            return v / 2;
    }
}

static const uint8_t *take_text(const uint8_t **at, size_t *len)
{
    *len = take_number(at);
    *at += *len;
    return *at - *len;
}

/* The headers of one event, and its body. */
static void take_event(const uint8_t **at)
{
    static const char mark[] = "leat-id";
    size_t len, name_len, headers = take_number(at);

    for (; headers > 0; headers--) {
        const uint8_t *name = take_text(at, &name_len), *value = take_text(at, &len);
        if (name_len == sizeof mark - 1 && memcmp(name, mark, name_len) == 0)
            id_set_add(&ids, value, len);
    }
    take_number(at); /* no more headers */
    take_text(at, &len);
}

/* Every call of a connection until the client goes; its first has a hello before it. */
static void serve(int fd)
{
    static const uint8_t first[] = {0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t next[] = {0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0};
    uint8_t call[8192], serial[4];

    for (bool greeted = false; read_call(fd, serial, call, sizeof call); greeted = true) {
        const uint8_t *at = call + (greeted ? 0 : HASH_BYTES + 1 + HASH_BYTES + 1);
        size_t len;
        at++; /* no meta */
        const uint8_t *name = take_text(&at, &len);
        if (len != 11 || memcmp(name, "appendBatch", len) != 0)
            break;
        for (size_t events = take_number(&at); events > 0; events--)
            take_event(&at);
        const uint8_t *answer = greeted ? next : first;
        size_t bytes = greeted ? sizeof next : sizeof first;
        if (send(fd, serial, 4, MSG_NOSIGNAL | MSG_MORE) != 4 ||
            send(fd, answer, bytes, MSG_NOSIGNAL) != (ssize_t)bytes)
            break;
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
    .name = "flume", .settings = settings, .visible = visible, .clear = clear};

LEAT_OUTBOX_SINK_CONTRACT(c)

int main(void)
{
    struct peer_server peer;

    peer_server_start(&peer, serve);
    snprintf(connect_to, sizeof connect_to, "connect=127.0.0.1:%d", peer.port);
    int result = leat_test_main(
        "flume_sink", (CU_TestInfo[]){LEAT_OUTBOX_SINK_CONTRACT_TESTS, CU_TEST_INFO_NULL});
    peer_server_stop(&peer);
    return result;
}
