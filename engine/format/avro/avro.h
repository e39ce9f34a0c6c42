/* avro.h - what the halves of the avro format share: its options and the schemas behind them. */
#ifndef LEAT_AVRO_AVRO_H
#define LEAT_AVRO_AVRO_H

#include "registry.h"

#define AVRO_MARK_BYTES   10 /* of single-object encoding: C3 01 and the fingerprint */
#define AVRO_NUMBER_BYTES 5  /* of a registry's framing: 0 and a number */

enum avro_framing { AVRO_RAW, AVRO_SINGLE_OBJECT, AVRO_CONTAINER };

/* One schema that records are written with. */
struct avro_source {
    struct avro_schema schema;
    const struct avro_node *node;
    const struct avro_plan *plan;
};

struct avro {
    const char *schema;
    struct leat_texts writer_schema;
    struct leat_choice framing, codec;
    const char *registry, *subject;
    struct avro_auth auth;
    struct avro_tls tls;
    bool insecure;

    bool has_schema;
    struct leat_slice text;    /* of `schema` */
    struct avro_schema parsed; /* the same */
    struct avro_source *sources;
    uint32_t sources_count;
    char mark[AVRO_MARK_BYTES]; /* in front of what is written, of single objects */
    const struct leat_path *paths;
    size_t paths_count;

    struct avro_server server;
    struct avro_target target;
    struct avro_registry *asks; /* NULL: there is no registry */
    struct avro_files *files;   /* that are read as containers; else NULL */
    struct leat_slice head;     /* of containers that are written */
};

/* Is there what registries and the codec snappy need? See without.c. */
extern const bool avro_is_whole;

/* The options as a whole: of struct leat_module and struct leat_format. */
enum leat_status avro_check(const void *self, struct leat_error *err);
enum leat_status avro_load(void *self, enum leat_format_use use, struct leat_arena *arena,
                           struct leat_error *err);

#endif
