/*
 * requests.h - the rows of a batch as bodies of requests, and as bytes of the job log's record.
 *
 * Which rows share a request depends on the rows and the options alone, and the bytes are in the
 * record: after a crash the same requests are sent, with the same ids.
 *
 *     section: an outbox (data/outbox.h), of each request: u32 length, body
 *
 * Thread: the sink's.
 */
#ifndef LEAT_SINKS_HTTP_REQUESTS_H
#define LEAT_SINKS_HTTP_REQUESTS_H

#include "leat.h"

enum http_body { HTTP_LINES, HTTP_ARRAY, HTTP_EACH };

struct http_request {
    struct leat_outbox_item item;
    struct leat_bytes body;
    int64_t records;
};

struct http_requests {
    enum http_body form;
    int64_t max_records, max_bytes; /* of one request; a larger record goes alone */

    struct leat_outbox box;
};

/* Add a record. LEAT_E_NOMEM, LEAT_E_FULL. */
LEAT_CHECKED enum leat_status http_requests_add(struct http_requests *r, struct leat_slice value,
                                                struct leat_error *err);

/* No more records: the bodies are whole. */
LEAT_CHECKED enum leat_status http_requests_end(struct http_requests *r, struct leat_error *err);

void http_requests_write(const struct http_requests *r, struct leat_bytes *section);

/* Bodies are borrowed from the section. LEAT_E_CORRUPT. */
LEAT_CHECKED enum leat_status http_requests_read(struct http_requests *r, struct leat_slice section,
                                                 struct leat_error *err);

#endif
