/*
 * failpoint.h - named places in the program where a test kills, stops or fails it.
 *
 * The environment says where and how: LEAT_FAILPOINT=name[@k][:kill|stop|error], at the k-th time
 * that the place is reached (1), and kill if nothing is said. Before it does so it writes
 * "failpoint NAME reached" to standard error: proof for the test. Where nothing is set a place
 * costs a load and a branch; none is on the way of a record.
 *
 * kill and stop send the process SIGKILL or SIGSTOP. error makes leat_failpoint() true, once: the
 * caller fails as if the outside had.
 *
 * Thread: any.
 */
#ifndef LEAT_BASE_FAILPOINT_H
#define LEAT_BASE_FAILPOINT_H

#include "base/error.h"

/* name: a literal such as "log.synced". */
LEAT_API bool leat_failpoint(const char *name);

/* Read LEAT_FAILPOINT. Thread: the main thread, before others. LEAT_E_CONFIG: it makes no sense. */
LEAT_CHECKED enum leat_status leat_failpoint_init(const char *setting, struct leat_error *err);

#endif
