/*
 * error.h - librdkafka's errors as leat says them: a status for the program, and for the person
 * what is wrong and what leat does about it.
 */
#ifndef LEAT_KAFKA_ERROR_H
#define LEAT_KAFKA_ERROR_H

#include "base/error.h"

#include <librdkafka/rdkafka.h>

/* What the text is about. Members that are not known are NULL. */
struct leat_kafka_about {
    const char *brokers, *topic, *user;
    bool writes;        /* a sink: other words for what is refused */
    const char *detail; /* librdkafka's own words for the last trouble with a connection */
};

/* Everything that can heal is LEAT_E_UNREACHABLE: the broker away, a topic missing, a refusal that
 * an administrator can take back. A record that the broker will never take is LEAT_E_DATA, a
 * position that is gone LEAT_E_LOST. Returns the status. Thread: any. */
enum leat_status leat_kafka_fail(struct leat_error *err, rd_kafka_resp_err_t code,
                                 const struct leat_kafka_about *about);

/* Whether a global error of librdkafka explains why nothing goes forward (a broker that does not
 * answer, a refused login), rather than something it deals with by itself. */
bool leat_kafka_is_trouble(rd_kafka_resp_err_t code);

/* Whether access rules stand in the way. */
bool leat_kafka_is_refused(rd_kafka_resp_err_t code);

/* Whether a batch was refused for what is in it: the same will be refused again. */
bool leat_kafka_is_bad_record(rd_kafka_resp_err_t code);

/* Whether it only says that the topic is not there (yet, any more). */
bool leat_kafka_is_missing(rd_kafka_resp_err_t code);

#endif
