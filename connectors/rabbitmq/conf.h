/*
 * conf.h - the options of source and sink as the link reads them: which broker, with TLS or not,
 * who.
 *
 * Thread: any; nothing here reaches outside.
 */
#ifndef LEAT_CONNECTORS_RABBITMQ_CONF_H
#define LEAT_CONNECTORS_RABBITMQ_CONF_H

#include "link.h"

#define RABBIT_SASL_BYTES 1024 /* of user and password, as the login has them */

struct rabbit_broker {
    char host[256];
    int port;
};

bool rabbit_has_tls(const struct rabbit_tls *tls);

/* The n-th of the list, round and round. False: *b is not an address; text says which. */
bool rabbit_find_broker(const struct rabbit_conf *conf, uint32_t n, struct rabbit_broker *b,
                        struct leat_slice *text, uint32_t *count);

/* NULL: there is none, which rabbit_conf_check() refuses. */
const char *rabbit_password(const struct rabbit_conf *conf);

#endif
