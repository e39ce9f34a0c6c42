/*
 * zeromq_rate.c - ZeroMQ's own rate, as its local_thr and remote_thr measure it, and a sender for
 * whoever receives.
 *
 *     zeromq_rate pull|sub ADDRESS COUNT           binds, prints `ready`, receives so many
 *     zeromq_rate push|pub ADDRESS COUNT BYTES     connects, sends so many of so many bytes
 *
 * A publisher waits for its subscriber, and for room, so that nothing is dropped.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

static void must(int result)
{
    if (result >= 0)
        return;
    fprintf(stderr, "%s\n", zmq_strerror(zmq_errno()));
    exit(EXIT_FAILURE);
}

static void receive(void *socket, const char *address, long count)
{
    zmq_msg_t message;

    must(zmq_bind(socket, address));
    puts("ready");
    fflush(stdout);
    must(zmq_msg_init(&message));
    while (count-- > 0)
        must(zmq_msg_recv(&message, socket, 0));
    zmq_msg_close(&message);
}

static void send_all(void *socket, const char *address, int is_pub, long count, size_t size)
{
    char subscription[16];
    zmq_msg_t message;
    int no_drop = 1;

    if (is_pub)
        must(zmq_setsockopt(socket, ZMQ_XPUB_NODROP, &no_drop, sizeof no_drop));
    must(zmq_connect(socket, address));
    if (is_pub)
        must(zmq_recv(socket, subscription, sizeof subscription, 0));
    while (count-- > 0) {
        must(zmq_msg_init_size(&message, size));
        memset(zmq_msg_data(&message), 'x', size);
        must(zmq_msg_send(&message, socket, 0));
    }
}

int main(int argc, char **argv)
{
    static const char *const words[] = {"pull", "sub", "push", "pub"};
    static const int types[] = {ZMQ_PULL, ZMQ_SUB, ZMQ_PUSH, ZMQ_XPUB};
    size_t which = 0;

    while (argc > 3 && which < 4 && strcmp(argv[1], words[which]) != 0)
        which++;
    if (argc < 4 || which == 4 || (which > 1 && argc < 5))
        return 2;
    void *context = zmq_ctx_new(), *socket = zmq_socket(context, types[which]);
    if (which == 1)
        must(zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "", 0));
    if (which < 2)
        receive(socket, argv[2], atol(argv[3]));
    else
        send_all(socket, argv[2], which == 3, atol(argv[3]), (size_t)atol(argv[4]));
    zmq_close(socket);
    zmq_ctx_term(context);
    return EXIT_SUCCESS;
}
