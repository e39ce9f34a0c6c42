/*
 * custom_receiver HOST PORT - counts words of lines that the program receives by itself.
 *
 * leat has a socket source; this one shows what a receiver of one's own has to do: begin a thread,
 * store what comes, ask to be started again when the peer goes, and end the thread when told to.
 */
/* getaddrinfo(), fdopen(), getline(): without this plain C11 has none of them. */
#define _POSIX_C_SOURCE 200809L

#include "word_count.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct peer {
    const char *host, *port;
    struct leat_receiver *receiver;
    pthread_t thread;
    int fd;
};

static void *receive(void *arg)
{
    struct peer *p = arg;
    enum leat_status status = LEAT_OK;
    struct leat_error err;
    FILE *in = fdopen(p->fd, "r");
    char *line = NULL;
    size_t room = 0;
    ssize_t len;

    while (in && status == LEAT_OK && (len = getline(&line, &room, in)) > 0) {
        struct leat_slice s = {line, (size_t)len - (line[len - 1] == '\n')};
        /* Waits when leat has no room: nothing is read from the peer then. */
        status = leat_receiver_store(p->receiver, leat_string(s), NULL, &err);
    }
    free(line);
    if (status != LEAT_OK && status != LEAT_E_ABORTED)
        leat_receiver_report_error(p->receiver, err.text);
    if (!leat_receiver_is_stopped(p->receiver))
        leat_receiver_restart(p->receiver, "the peer closed the connection", 200);
    return in;
}

static enum leat_status start(struct leat_receiver *receiver, void *arg, struct leat_error *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct peer *p = arg;
    struct addrinfo *found;

    if (getaddrinfo(p->host, p->port, &hints, &found) != 0)
        return leat_fail(err, LEAT_E_UNREACHABLE, "%s is not known", p->host);
    p->fd = socket(found->ai_family, SOCK_STREAM, 0);
    bool ok = p->fd >= 0 && connect(p->fd, found->ai_addr, found->ai_addrlen) == 0;
    int why = errno;
    freeaddrinfo(found);
    p->receiver = receiver;
    if (ok && pthread_create(&p->thread, NULL, receive, p) == 0)
        return LEAT_OK;
    if (p->fd >= 0)
        close(p->fd);
    /* A failure that may pass: it is tried again. */
    return leat_fail(err, LEAT_E_UNREACHABLE, "%s:%s: %s", p->host, p->port, strerror(why));
}

static void stop(struct leat_receiver *receiver, void *arg)
{
    struct peer *p = arg;
    void *in;

    (void)receiver;
    shutdown(p->fd, SHUT_RDWR); /* wakes the thread */
    pthread_join(p->thread, &in);
    if (in)
        fclose(in);
    else
        close(p->fd);
}

int main(int argc, char **argv)
{
    const struct leat_receiver_functions functions = {.on_start = start, .on_stop = stop};

    if (argc != 3) {
        fprintf(stderr, "usage: %s HOST PORT\n", argv[0]);
        return 2;
    }
    struct peer peer = {.host = argv[1], .port = argv[2], .fd = -1};
    struct leat_context *ctx = leat_context_new("custom-receiver", 1000);
    struct leat_stream *lines = leat_receiver_stream(ctx, &functions, &peer);
    struct leat_stream *pairs =
        leat_map_to_pair(leat_flat_map(lines, split_words, NULL), pair_with_one, NULL);
    leat_print(leat_reduce_by_key(pairs, sum, NULL), 10);
    return run_until_signal(ctx);
}
