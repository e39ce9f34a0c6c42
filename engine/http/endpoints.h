/*
 * endpoints.h - the addresses at which a process answers about its pipelines: /metrics, /healthz,
 * /readyz.
 *
 * Each pipeline may name one (`http: { listen }`); those that name the same share it, and every
 * address answers for all of the process.
 *
 * Thread: main.
 */
#ifndef LEAT_HTTP_ENDPOINTS_H
#define LEAT_HTTP_ENDPOINTS_H

#include "base/module.h"
#include "http/metrics.h"

struct leat_endpoint;

struct leat_endpoints {
    struct leat_job_set *set; /* set by the owner, as is: */
    struct leat_process_metrics process;
    struct leat_endpoint *first;
};

/* Ask for an address, "127.0.0.1:4190"; those that nobody asks for between begin and end are
 * closed. want: a failure says which address and why, the others are answered at all the same. */
void leat_endpoints_begin(struct leat_endpoints *e);
LEAT_CHECKED enum leat_status leat_endpoints_want(struct leat_endpoints *e, const char *listen,
                                                  struct leat_error *err);
void leat_endpoints_end(struct leat_endpoints *e);

/* Close all. Before the set is freed. */
void leat_endpoints_fini(struct leat_endpoints *e);

#endif
