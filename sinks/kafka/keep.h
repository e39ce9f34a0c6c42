/*
 * keep.h - topics as a place where rows of push sources are kept: `store: kafka`.
 */
#ifndef LEAT_SINKS_KAFKA_KEEP_H
#define LEAT_SINKS_KAFKA_KEEP_H

#include "leat.h"

extern const struct leat_keeper kafka_keep;

#endif
