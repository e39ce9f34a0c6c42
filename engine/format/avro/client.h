/* client.h - one request to a schema registry. */
#ifndef LEAT_AVRO_CLIENT_H
#define LEAT_AVRO_CLIENT_H

#include "registry.h"

#include <stdatomic.h>

struct avro_client {
    const struct avro_server *server;
    const atomic_bool *stop; /* set: give up what is under way; NULL: nobody sets it */
    void *curl;              /* libcurl's handle, made at the first request */
    struct leat_bytes body;  /* of the last answer; its arena is the caller's */
};

/* GET, or POST where there is something to send, of the server's URL (AVRO_URL_BYTES at most) with
 * `path` behind it.
 * LEAT_OK: there is an answer, with *status and c->body. LEAT_E_UNREACHABLE: there is none, err
 * says why. */
LEAT_CHECKED enum leat_status avro_client_ask(struct avro_client *c, const char *path,
                                              struct leat_slice send, long *status,
                                              struct leat_error *err);

void avro_client_close(struct avro_client *c);

#endif
