/*
 * protocol.h - the description of Flume's calls, ours and what a client sends of its own.
 *
 * Each side of an Avro connection has the text of its protocol and knows it by the MD5 sum of it.
 * Flume's releases differ in comments and so in the sum: a client whose sum is not known is asked
 * for the text, and what matters in it is compared. Thread: any.
 */
#ifndef LEAT_CONNECTORS_FLUME_PROTOCOL_H
#define LEAT_CONNECTORS_FLUME_PROTOCOL_H

#include "avro.h"

extern const struct leat_slice flume_protocol;
extern const char flume_protocol_hash[FLUME_HASH_BYTES]; /* its MD5 sum */

/* Are `append` and `appendBatch`, as far as the text has them, those that we know? LEAT_E_DATA says
 * what differs; LEAT_E_NOMEM. */
LEAT_CHECKED enum leat_status flume_protocol_check(struct leat_slice json, struct leat_error *err);

#endif
