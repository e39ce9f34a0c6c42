/* fuzz_http_requests.c - feeds bytes to the reader of the requests that a log record holds. */
#include "../../sinks/http/requests.h"
#include "section.h"

static struct http_requests requests = {.max_records = 1, .max_bytes = 1};

FUZZ_SECTION(requests, &requests.box, http_requests_read, http_requests_write)
