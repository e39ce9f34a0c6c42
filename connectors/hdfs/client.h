/*
 * client.h - requests of WebHDFS, one after the other.
 *
 * Metadata is the NameNode's. Where bytes are due (CREATE, APPEND, OPEN) it is asked first, without
 * them, and names the DataNode that takes or gives them. Nothing here is tried again: after a
 * request that failed on the way nobody knows whether it was carried out, or will be, and only the
 * caller knows how to find out.
 *
 * When the job is to end, a request that has taken more than a second gives way (-ECANCELED).
 *
 * Answers are bounded: HDFS_REPLY_BYTES of JSON, and of a file not a byte more than was asked for.
 * Thread: one at a time.
 */
#ifndef LEAT_CONNECTORS_HDFS_CLIENT_H
#define LEAT_CONNECTORS_HDFS_CLIENT_H

#include "leat.h"

#include <curl/curl.h>

#define HDFS_PATH_BYTES  2048
#define HDFS_REPLY_BYTES ((size_t)4 << 20)

/* hdfs://[user@]host:port/path: the port is that of the NameNode's web server. */
struct hdfs_place {
    char user[64]; /* empty: none was written */
    char address[300];
    const char *path; /* in the text; "/" at least */
};

/* LEAT_E_CONFIG says what is wrong. */
LEAT_CHECKED enum leat_status hdfs_place_read(const char *text, struct hdfs_place *place,
                                              struct leat_error *err);

struct hdfs_client {
    const struct leat_log *log;
    CURL *curl;
    struct curl_slist *headers; /* of a body */
    char user[64];              /* where a path names none */
    const atomic_bool *over;    /* set: a request that takes long gives way; NULL: none does */
    int64_t began_ms;           /* the one under way */
    bool no_memory;             /* for its answer */
    struct leat_arena arena;    /* of the last answer */
    char *reply;                /* its JSON */
    size_t reply_len, reply_room;
    char said[320]; /* the last failure that was logged: the same one is not said again */
};

enum leat_status hdfs_client_init(struct hdfs_client *c, const struct leat_env *env,
                                  struct leat_error *err);
void hdfs_client_fini(struct hdfs_client *c);

struct hdfs_call {
    const char *path;           /* as it was written: hdfs://... */
    const char *method;         /* GET, PUT, POST, DELETE */
    const char *op;             /* "CREATE&overwrite=true" */
    const char *option, *value; /* one whose value is a path or a name, escaped here; or NULL */
    bool redirected;            /* the DataNode does it */
    struct leat_slice body;
    char *into; /* of an OPEN: where the bytes go */
    size_t room, got;
};

/* 0, with the answer in c->reply (until the next call) or call->into. Or a negative errno: HDFS has
 * refused (-ENOENT, -EACCES, ...), or the request failed on the way (*doubtful: it may have been
 * carried out all the same). What it was is logged, except -ENOENT and
 * -ERANGE (an OPEN at or behind the end). */
int hdfs_call(struct hdfs_client *c, struct hdfs_call *call, bool *doubtful);

/* The answer was not what WebHDFS answers: logged; -EPROTO. Or there was no memory for what was to
 * be read from it: logged, too; -ENOSPC or -ENOMEM. */
int hdfs_nonsense(struct hdfs_client *c, const struct hdfs_call *call,
                  const struct leat_arena *of_answer);

struct leat_slice hdfs_reply(const struct hdfs_client *c);

#endif
