/*
 * socket_address.h - "host:port" or "unix:/path" to sockets that listen or connect, without
 * waiting.
 */
#ifndef LEAT_CONNECTORS_SOCKET_ADDRESS_H
#define LEAT_CONNECTORS_SOCKET_ADDRESS_H

#include "leat.h"

#include <netdb.h>

bool socket_is_unix(const char *address); /* begins with "unix:" */

/* Is it written as an address? Asks nobody. LEAT_E_CONFIG: it is not; said of the option `listen`
 * or `connect`. */
LEAT_CHECKED enum leat_status socket_check_address(const char *address, bool listening,
                                                   struct leat_error *err);

/* The same for who takes no "unix:". */
LEAT_CHECKED enum leat_status socket_check_host_port(const char *address, bool listening,
                                                     struct leat_error *err);

/* "host:port", "[::1]:port", for listening also "*:port" or ":port"; no "unix:". *found is freed
 * with freeaddrinfo(). Asks a name server where host is a name, and so may wait. LEAT_E_CONFIG:
 * this is no address; LEAT_E_UNREACHABLE: the name is not known now. */
LEAT_CHECKED enum leat_status socket_resolve(const char *address, bool listening,
                                             struct addrinfo **found, struct leat_error *err);

/* A socket that listens and does not block; -1: err says why. The path of a Unix socket that was
 * left behind by a process that ended is taken over. */
int socket_listen(const char *address, struct leat_error *err);

/* Close it, and remove the path of a Unix socket. */
void socket_end_listen(int fd, const char *address);

/* A socket whose connect has begun; negative: errno. When it is writable, socket_error() says how
 * it ended. */
int socket_connect(const struct addrinfo *to);
int socket_connect_unix(const char *address); /* the same for "unix:/path" */

int socket_error(int fd); /* 0, or an errno */

#endif
