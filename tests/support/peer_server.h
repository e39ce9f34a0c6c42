/* peer_server.h - the other side of a connector in a unit test: it listens at 127.0.0.1 and serves
 * one connection after the other, on a thread of its own. */
#ifndef LEAT_TEST_PEER_SERVER_H
#define LEAT_TEST_PEER_SERVER_H

#include <pthread.h>

struct peer_server {
    int listener, port;
    void (*serve)(int fd); /* returns when the connection is over; the server closes it */
    pthread_t thread;
};

/* A listener at a port that is free; aborts when there is none. */
int peer_listen(int *port);

void peer_server_start(struct peer_server *s, void (*serve)(int fd));

/* What `serve` is in the middle of has to end by itself: who is connected goes first. */
void peer_server_stop(struct peer_server *s);

#endif
