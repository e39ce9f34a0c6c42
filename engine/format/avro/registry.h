/*
 * registry.h - a schema registry (Confluent's API): numbers to schemas that are ready to read with.
 *
 * Nobody who reads records waits for it: who meets a number that is not known asks for it and comes
 * back; a thread of its own asks the registry, again and again while that is away. What was found
 * is kept: the registry never changes what a number stands for.
 */
#ifndef LEAT_AVRO_REGISTRY_H
#define LEAT_AVRO_REGISTRY_H

#include "plan.h"

#define AVRO_REGISTRY_SCHEMAS 1000                        /* that are kept */
#define AVRO_REGISTRY_BYTES   ((size_t)256 * 1024 * 1024) /* that they take, read */
#define AVRO_SUBJECT_BYTES    255
#define AVRO_URL_BYTES        1024

struct avro_auth {
    const char *user, *password;
};

struct avro_tls {
    const char *ca, *cert, *key;
};

struct avro_server {
    const char *url; /* may end in a path */
    struct avro_auth auth;
    struct avro_tls tls;
};

/* What schemas are made ready for: set before the first question, read-only afterwards. */
struct avro_target {
    const struct avro_schema *wanted; /* NULL: as they were written */
    const struct leat_path *paths;
    size_t paths_count;
};

struct avro_registry;

/* Touches no network. It ends with the arena, which may take as long as a request under way needs
 * to notice. `server` and `target` outlive it. LEAT_E_NOMEM. */
LEAT_CHECKED enum leat_status avro_registry_new(const struct avro_server *server,
                                                const struct avro_target *target,
                                                struct leat_arena *arena,
                                                struct avro_registry **registry,
                                                struct leat_error *err);

/* LEAT_OK: it is settled what this number is, perhaps that it is nothing. LEAT_E_UNREACHABLE: it is
 * being asked for, err says with what luck; LEAT_E_FULL: it was not answered yet. Never waits.
 * Thread: any. */
LEAT_CHECKED enum leat_status avro_registry_ask(struct avro_registry *r, uint32_t id,
                                                struct leat_error *err);

/* How to read a record of this number; NULL: it cannot be, *why is an error value (text in arena).
 * What is not settled is waited for, a few seconds, and where that was in vain not again until
 * there is an answer: only who did not ask before meets that. The plan lives as long as the
 * registry. Thread: any. */
const struct avro_plan *avro_registry_find(struct avro_registry *r, uint32_t id,
                                           struct leat_arena *arena, struct leat_value *why);

/* The number that the registry gives this schema text under `subject`, which is made where it is
 * new. Always asked with the same ones. LEAT_OK: *id; LEAT_E_UNREACHABLE, LEAT_E_FULL: being asked
 * for; LEAT_E_CONFIG: the registry refuses it. Never waits. Thread: any. */
LEAT_CHECKED enum leat_status avro_registry_enroll(struct avro_registry *r, const char *subject,
                                                   struct leat_slice schema, uint32_t *id,
                                                   struct leat_error *err);

#endif
