/*
 * http.h - what the files of the connector `http` share.
 *
 * A connection is between requests, sends one, or waits for its answer until the records it sent
 * are safe. Connections are in a list, the one whose state is oldest first. Thread: run's; open and
 * close have the job's, while run is not there.
 */
#ifndef LEAT_CONNECTORS_HTTP_H
#define LEAT_CONNECTORS_HTTP_H

#include "split.h"

#include <microhttpd.h>
#include <stdarg.h>

#define HTTP_TEXT_BYTES 280

enum http_state { HTTP_IDLE, HTTP_SENDS, HTTP_WAITS };

struct http_conn {
    struct http_conn *prev, *next;
    int fd;
    enum http_state state;
    int64_t since_ms; /* in this state */
    bool cut;         /* its socket was shut: the server will notice */
    bool is_known;    /* it has shown a certificate that is trusted */
};

struct http_request {
    struct http_request *next; /* waiting: the next one by position */
    struct MHD_Connection *connection;
    struct http_conn *conn;
    char *body; /* until its records are taken */
    size_t len, room;
    size_t unread; /* of a body that is refused: bytes thrown away */
    bool is_lines;
    struct http_split split; /* where taking stands */
    int64_t upto;            /* its records are safe when this position is */
    unsigned status;         /* of the answer; 0: none yet */
    char text[HTTP_TEXT_BYTES];
};

struct http_auth {
    const char *bearer;
};

struct http_tls {
    const char *cert, *key, *ca;
};

struct http {
    const char *listen, *path;
    struct leat_choice body;
    struct leat_size max_body;
    int64_t max_connections;
    struct leat_duration idle, receive;
    struct http_auth auth;
    struct http_tls tls;
    bool insecure;

    const struct leat_env *env;
    struct MHD_Daemon *daemon;
    int epoll_fd;
    struct leat_arena arena; /* plan, and scratch behind it */
    const struct leat_json_plan *plan;
    struct leat_inbox *inbox; /* while run is there */
    struct leat_error error;  /* what ends run; LEAT_OK: nothing */
    struct http_conn *oldest, *newest;
    uint32_t conns;
    size_t bodies;             /* bytes of all bodies */
    struct http_request *half; /* some of its records are taken, for the others there is no room */
    struct http_request *first, *last; /* all of their records are taken and not safe yet */
    bool stopping;
    uint64_t refused; /* requests, since it was said last */
    int64_t said_ms;
};

/* ---- request.c */

/* The server's call for each piece of a request, MHD_AccessHandlerCallback. */
enum MHD_Result http_on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *upload,
                                size_t *upload_len, void **request);

/* What the server says of itself, MHD_LogCallback: which requests it has refused without asking. */
void http_on_log(void *cls, const char *format, va_list args);

/* A request is over, whatever became of it. */
void http_on_completed(void *cls, struct MHD_Connection *connection, void **request,
                       enum MHD_RequestTerminationCode why);

/* There may be room again for the records of the request that is taken by half. */
void http_go_on(struct http *h);

/* Records below upto are safe: answer those who sent them. */
void http_safe(struct http *h, int64_t upto);

/* Nobody is left waiting: they are told to come again. */
void http_dismiss(struct http *h);

/* ---- connections.c */

void http_on_connection(void *cls, struct MHD_Connection *connection, void **context,
                        enum MHD_ConnectionNotificationCode what);

void http_set_state(struct http *h, struct http_conn *c, enum http_state state);

/* Cut those that have been silent or slow for too long; how many ms until the next may be due, -1:
 * there is none. */
int http_cut_slow(struct http *h);

#endif
