#include "peer_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int peer_listen(int *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&at, len) != 0 || listen(fd, 8) != 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) != 0)
        abort();
    *port = ntohs(at.sin_port);
    return fd;
}

static void *serve_for_ever(void *arg)
{
    const struct peer_server *s = arg;

    for (int fd; (fd = accept(s->listener, NULL, NULL)) >= 0; close(fd))
        s->serve(fd);
    return NULL;
}

void peer_server_start(struct peer_server *s, void (*serve)(int fd))
{
    s->serve = serve;
    s->listener = peer_listen(&s->port);
    if (pthread_create(&s->thread, NULL, serve_for_ever, s) != 0)
        abort();
}

void peer_server_stop(struct peer_server *s)
{
    shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->listener);
}
