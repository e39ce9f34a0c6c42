/* Tests connectors/http_stream.c: the contract of all push sources, against a feed without end.
 * What becomes of feeds that end, fail or fall silent is tested from outside, in
 * e2e/test_http_stream.py. */
#include "instance.h"
#include "leat_test.h"
#include "peer_server.h"
#include "source_contract.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static struct leat_error err;

static void answer(int fd)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    char request[4096];
    size_t len = 0;

    for (ssize_t n; len < sizeof request - 1; len += (size_t)n) {
        request[len] = '\0';
        if (strstr(request, "\r\n\r\n"))
            break;
        n = recv(fd, request + len, sizeof request - 1 - len, 0);
        if (n <= 0)
            return;
    }
    if (send(fd, head, sizeof head - 1, MSG_NOSIGNAL) < 0)
        return;
    while (send(fd, SOURCE_TEXT, strlen(SOURCE_TEXT), MSG_NOSIGNAL) > 0)
        ;
}

static char url_setting[64];
static const char *const settings[] = {url_setting, "retry=10ms", NULL};
static const struct source_case source = {.name = "http_stream", .good = settings};

LEAT_PUSH_CONTRACT(source)

static void wrong_settings_are_refused(void)
{
    static const char *const bad[][5] = {
        {"url=ftp://x", NULL},
        {"url=http://x", "auth.bearer=t", NULL},
        {"url=https://x", "auth.bearer=t", "auth.user=u", "auth.password=p", NULL},
        {"url=https://x", "auth.user=u", NULL},
        {"url=https://x", "tls.key=k", NULL},
        {"url=https://x", "headers.a b=c", NULL},
        {"url=https://x", "headers.a=c\r\nd: e", NULL},
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct instance in;
        instance_init(&in, "http_stream", bad[i]);
        CU_ASSERT_EQUAL(in.module->check(in.self, &err), LEAT_E_CONFIG);
        CU_ASSERT_EQUAL(in.module->push->open(in.self, &in.env, &err), LEAT_E_CONFIG);
        in.module->push->close(in.self);
        instance_fini(&in);
    }
}

int main(void)
{
    struct peer_server peer;

    peer_server_start(&peer, answer);
    snprintf(url_setting, sizeof url_setting, "url=http://127.0.0.1:%d/", peer.port);
    int result = leat_test_main("http_stream",
                                (CU_TestInfo[]){LEAT_PUSH_CONTRACT_TESTS,
                                                T(wrong_settings_are_refused), CU_TEST_INFO_NULL});
    peer_server_stop(&peer);
    return result;
}
