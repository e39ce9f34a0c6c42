/* fuzz_flume_calls.c - feeds bytes to the reader of the calls that a log record holds. */
#include "../../sinks/flume/calls.h"
#include "section.h"

static struct flume_calls calls = {.max_records = 1, .max_bytes = 1};

FUZZ_SECTION(calls, &calls.box, flume_calls_read, flume_calls_write)
