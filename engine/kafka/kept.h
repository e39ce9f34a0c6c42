/*
 * kept.h - how a row of a push source lies in the topic of its store: key, value and headers as
 * they are. The record's own time is when it was stored, so that what is removed by its age is what
 * has waited for long; the time that a row has of itself goes before its headers, in one of this
 * name, as milliseconds, and empty where a row without a time begins with a header of this name.
 */
#ifndef LEAT_KAFKA_KEPT_H
#define LEAT_KAFKA_KEPT_H

#define LEAT_KAFKA_KEPT_TIME "leat.time"

#endif
