/* Tests connectors/http: the contract of all push sources, against a sender that never stops. What
 * it says to senders is tested from outside, in e2e/test_http_source.py. */
#include "instance.h"
#include "leat_test.h"
#include "source_contract.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define REPEATS 100 /* a body of 3,500 bytes, 500 lines */

static struct leat_error err;
static atomic_bool over;
static int port;

static struct sockaddr_in address_of(int at)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)at)};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static int free_port(void)
{
    struct sockaddr_in at = address_of(0);
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) != 0)
        abort();
    close(fd);
    return ntohs(at.sin_port);
}

/* One connection: a request, its answer, the next one; until the source closes it. */
static void send_requests(int fd, const char *request, size_t len)
{
    char answer[1024];

    while (!atomic_load(&over) && send(fd, request, len, MSG_NOSIGNAL) == (ssize_t)len &&
           recv(fd, answer, sizeof answer, 0) > 0)
        ;
}

static void *send_for_ever(void *arg)
{
    static char request[8192];
    struct sockaddr_in at = address_of(port);
    int head = snprintf(request, sizeof request,
                        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
                        REPEATS * strlen(SOURCE_TEXT));
    size_t len = (size_t)head;

    for (int i = 0; i < REPEATS; i++, len += strlen(SOURCE_TEXT))
        memcpy(request + len, SOURCE_TEXT, strlen(SOURCE_TEXT));
    while (!atomic_load(&over)) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0)
            send_requests(fd, request, len);
        close(fd);
    }
    return arg;
}

static char listen_setting[64];
static const char *const settings[] = {listen_setting, "body=lines", NULL};
static const struct source_case source = {.name = "http", .good = settings};

LEAT_PUSH_CONTRACT(source)

static void wrong_settings_are_refused(void)
{
    static const char *const bad[][4] = {
        {"listen=nocolon", NULL},
        {"listen=:8080", NULL},
        {"listen=127.0.0.1:0", NULL},
        {"listen=unix:8080", NULL},
        {"path=orders", NULL},
        {"path=/a?b", NULL},
        {"tls.cert=x", NULL},
        {"tls.ca=x", NULL},
        {"auth.bearer=t", "listen=*:8080", NULL},
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct instance in;
        instance_init(&in, "http", bad[i]);
        CU_ASSERT_EQUAL(in.module->check(in.self, &err), LEAT_E_CONFIG);
        CU_ASSERT_EQUAL(in.module->push->open(in.self, &in.env, &err), LEAT_E_CONFIG);
        in.module->push->close(in.self);
        instance_fini(&in);
    }
}

static void a_token_over_loopback_or_tls_is_fine(void)
{
    static const char *const good[][4] = {
        {"auth.bearer=t", NULL},
        {"auth.bearer=t", "listen=*:8080", "insecure=true", NULL},
    };

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct instance in;
        instance_init(&in, "http", good[i]);
        OK(in.module->check(in.self, &err));
        instance_fini(&in);
    }
}

int main(void)
{
    pthread_t sender;

    port = free_port();
    snprintf(listen_setting, sizeof listen_setting, "listen=127.0.0.1:%d", port);
    pthread_create(&sender, NULL, send_for_ever, NULL);
    int result = leat_test_main(
        "http_source", (CU_TestInfo[]){LEAT_PUSH_CONTRACT_TESTS, T(wrong_settings_are_refused),
                                       T(a_token_over_loopback_or_tls_is_fine), CU_TEST_INFO_NULL});
    atomic_store(&over, true);
    pthread_join(sender, NULL);
    return result;
}
