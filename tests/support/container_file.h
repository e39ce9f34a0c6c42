/*
 * container_file.h - container files in memory, Avro's above all, and what a format reads in them.
 */
#ifndef LEAT_CONTAINER_FILE_H
#define LEAT_CONTAINER_FILE_H

#include "instance.h"

#define CF_RECORD                                                                                  \
    "{\"type\":\"record\",\"name\":\"O\",\"fields\":[{\"name\":\"id\",\"type\":\"long\"},"         \
    "{\"name\":\"city\",\"type\":[\"null\",\"string\"]}]}"
#define CF_SYNC "0123456789abcdef"
#define CF_ALL  ((size_t)1 << 20) /* as many bytes as there are, to a fetch */

/* Five records of that schema as JSON, NULL at the end, and how they are read. */
extern const char *const cf_some[];
#define CF_SOME                                                                                    \
    "0 {\"id\":1,\"city\":\"Rom\"}\n1 {\"id\":-2,\"city\":null}\n2 {\"id\":3,\"city\":\"Ulm\"}\n"  \
    "3 {\"id\":400000,\"city\":\"\"}\n4 {\"id\":5,\"city\":\"Bern\"}\n"

extern const char *const cf_codecs[];     /* the four of the option `codec` */
extern const char *const cf_as_written[]; /* settings of a format that reads */

/* Of malloc(): the caller frees ptr. */
struct container_bytes {
    char *ptr;
    size_t len, room;
};

struct container_world {
    struct instance i;
    const struct leat_format *format;
    const struct leat_container *container;
    struct leat_chunk chunk;
    void *reader;
    uint32_t max_rows; /* of a fetch; 0: any number */
};

/* ---- a file by hand */

enum leat_status cf_put(void *arg, struct leat_slice s, struct leat_error *e);
void cf_put_str(struct container_bytes *b, const char *bytes, size_t len);
void cf_put_long(struct container_bytes *b, int64_t v);
void cf_put_text(struct container_bytes *b, const char *text);
struct container_bytes cf_begin(const char *codec, const char *schema);
void cf_put_block(struct container_bytes *b, int64_t count, const char *bytes, size_t len);
enum leat_status cf_read_bytes(void *arg, int64_t at, char *into, size_t room, size_t *n,
                               struct leat_error *e);

/* ---- the format */

void cf_init(struct container_world *w, const char *const *settings, enum leat_format_use use);
void cf_init_as(struct container_world *w, const char *name, const char *const *settings,
                enum leat_format_use use); /* of another format */
void cf_fini(struct container_world *w);

/* NULL: *e says why. */
struct leat_block *cf_fetch(struct container_world *w, struct container_bytes *b, int64_t from,
                            size_t max_bytes, bool whole, struct leat_error *e);

/* A line for each row: its position, and its value as JSON or `error` and why. */
void cf_show_block(struct container_world *w, const struct leat_block *b,
                   struct container_bytes *text);

/* All rows from a position on, or NULL. Freed by the caller. */
char *cf_read_from(struct container_world *w, struct container_bytes *b, int64_t from,
                   size_t max_bytes, bool whole);
char *cf_read_with(const char *const *settings, struct container_bytes *b, bool whole);

/* It must be read as that. The file is freed. */
void cf_reads(struct container_bytes b, const char *wanted);

/* What a sink makes of values, which are JSON, NULL at the end. */
struct container_bytes cf_write_file(const char *codec, const char *schema,
                                     const char *const *values, size_t in_block);

#endif
