/*
 * topics.h - the topics a sink writes to: found once, made if the pipeline says so.
 */
#ifndef LEAT_SINKS_KAFKA_TOPICS_H
#define LEAT_SINKS_KAFKA_TOPICS_H

#include "producer.h"

/* The topic of this name, which exists; looked for, or made, at its first use. */
LEAT_CHECKED enum leat_status kafka_topic_get(struct kafka_producer *p, struct leat_slice name,
                                              struct kafka_out_topic **topic,
                                              struct leat_error *err);

/* Look for it again at its next use. */
void kafka_topic_forget(struct kafka_out_topic *t);

/* The handle is about to go: forget them all. */
void kafka_topics_forget(struct kafka_producer *p);
void kafka_topics_free(struct kafka_producer *p);

/* What the broker says is the largest batch it takes for the topic; 0: it did not say. */
int64_t kafka_topic_limit(struct kafka_producer *p, const char *topic);

#endif
