/*
 * request.c - one request: at the door, its body, its records, its answer.
 *
 * A request is looked at before its body is read, and the body as a whole before any record of it
 * is taken. When there is no room for its first record the sender is told to come again; when there
 * is none for a later one, the rest waits, and everybody else is told to come again. So a request
 * is taken once or not at all, unless leat ends in between.
 */
#include "http.h"

#include <gnutls/x509.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define BODY_FIRST  ((size_t)4096)
#define BODIES_MOST 4 /* times max_body: of all requests that are being received */
#define SAY_MS      60000

/* ---- the answer */

static void refuse(struct http *h, struct http_request *q, unsigned status, const char *text)
{
    int64_t now_ms = leat_clock_monotonic_ms(h->env->clock);

    q->status = status;
    snprintf(q->text, sizeof q->text, "%s\n", text);
    h->refused++;
    if (status != 429 && status != 503)
        leat_bad_input(h->env);
    if (status == 429 || status == 503 || (h->said_ms && now_ms - h->said_ms < SAY_MS))
        return;
    leat_warn(h->env->log, "%" PRIu64 " requests were refused, the last with %u: %s", h->refused,
              status, text);
    h->said_ms = now_ms;
    h->refused = 0;
}

static bool add_header(struct MHD_Response *r, const char *name, const char *value)
{
    return MHD_add_response_header(r, name, value) == MHD_YES;
}

static bool add_headers(struct MHD_Response *r, unsigned status)
{
    if (status == 429 || status == 503)
        return add_header(r, "Retry-After", "1");
    if (status == 401)
        return add_header(r, "WWW-Authenticate", "Bearer");
    if (status == 405)
        return add_header(r, "Allow", "POST");
    return true;
}

static enum MHD_Result answer(struct http *h, struct http_request *q)
{
    struct MHD_Response *r =
        MHD_create_response_from_buffer(strlen(q->text), q->text, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result result = MHD_NO;

    if (r && (q->status == 204 || add_header(r, "Content-Type", "text/plain; charset=utf-8")) &&
        add_headers(r, q->status))
        result = MHD_queue_response(q->connection, q->status, r);
    if (r)
        MHD_destroy_response(r);
    http_set_state(h, q->conn, HTTP_SENDS); /* the answer has to be read within `receive` */
    return result;
}

/* ---- at the door */

static const char *header(const struct http_request *q, const char *name)
{
    return MHD_lookup_connection_value(q->connection, MHD_HEADER_KIND, name);
}

/* Takes as long for any token of a length. */
static bool is_allowed(const struct http *h, const char *given)
{
    static const char scheme[] = "Bearer ";
    const size_t skip = sizeof scheme - 1;
    size_t len = strlen(h->auth.bearer);
    unsigned char differs = 0;

    if (!given || strncasecmp(given, scheme, skip) != 0 || strlen(given + skip) != len)
        return false;
    for (size_t i = 0; i < len; i++)
        differs |= (unsigned char)(given[skip + i] ^ h->auth.bearer[i]);
    return differs == 0;
}

/* The server asks for a certificate and lets everybody in; looked at once per connection. One that
 * is for servers only does not count: the same authority may have signed those of other hosts. */
static bool shows_certificate(const struct http_request *q)
{
    gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
                                     .data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT};
    unsigned wrong = 1;

    if (q->conn->is_known)
        return true;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(q->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    q->conn->is_known =
        info && info->tls_session &&
        gnutls_certificate_verify_peers(info->tls_session, &purpose, 1, &wrong) == 0 && wrong == 0;
    return q->conn->is_known;
}

static bool says_lines(const char *type)
{
    static const char *const names[] = {"application/x-ndjson", "application/ndjson",
                                        "application/jsonl", "application/x-jsonlines",
                                        "application/jsonlines"};
    size_t len = type ? strcspn(type, "; \t") : 0;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == len && strncasecmp(type, names[i], len) == 0)
            return true;
    return false;
}

static enum MHD_Result count_framing(void *arg, enum MHD_ValueKind kind, const char *name,
                                     const char *value)
{
    unsigned *count = arg;

    (void)kind, (void)value;
    *count += strcasecmp(name, "Content-Length") == 0 || strcasecmp(name, "Transfer-Encoding") == 0;
    return MHD_YES;
}

/* Where two headers say how long the body is, somebody on the way may have heeded the other one. */
static bool is_ambiguous(const struct http_request *q)
{
    unsigned count = 0;

    MHD_get_connection_values(q->connection, MHD_HEADER_KIND, count_framing, &count);
    return count > 1;
}

static void look_at(struct http *h, struct http_request *q, const char *url, const char *method)
{
    const char *length = header(q, "Content-Length"), *coding = header(q, "Content-Encoding");
    char text[160];

    q->is_lines = says_lines(header(q, "Content-Type"));
    if (is_ambiguous(q)) {
        refuse(h, q, 400, "one header may say how long the body is, these are several");
    } else if (h->tls.ca && !shows_certificate(q)) {
        refuse(h, q, 403, "a certificate is needed that is signed as `tls: { ca }` says");
    } else if (h->auth.bearer && !is_allowed(h, header(q, "Authorization"))) {
        refuse(h, q, 401, "a token is needed: 'Authorization: Bearer TOKEN'");
    } else if (strcmp(url, h->path) != 0) {
        snprintf(text, sizeof text, "records are taken at '%.100s'", h->path);
        refuse(h, q, 404, text);
    } else if (strcmp(method, "POST") != 0) {
        refuse(h, q, 405, "records come with POST");
    } else if (coding && strcasecmp(coding, "identity") != 0) {
        refuse(h, q, 415, "the body must not be compressed: leave Content-Encoding out");
    } else if (length && strtoull(length, NULL, 10) > (uint64_t)h->max_body.bytes) {
        snprintf(text, sizeof text, "%.20s bytes, the most that is taken is %" PRId64, length,
                 h->max_body.bytes);
        refuse(h, q, 413, text);
    }
}

/* Who is refused and asks first, or would send more than we care to read, is told at once; then the
 * server closes the connection. Others may keep theirs. */
static bool at_once(const struct http *h, const struct http_request *q)
{
    if (!q->status)
        return false;
    const char *length = header(q, "Content-Length");
    return header(q, "Expect") || is_ambiguous(q) ||
           (length && strtoull(length, NULL, 10) > (uint64_t)h->max_body.bytes);
}

static enum MHD_Result begin(struct http *h, struct MHD_Connection *connection, const char *url,
                             const char *method, void **request)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct http_request *q;

    if (!info || !info->socket_context)
        return MHD_NO; /* there was no memory for the connection */
    q = leat_mem_alloc(sizeof *q);
    if (!q) {
        leat_fail(&h->error, LEAT_E_NOMEM, "out of memory");
        return MHD_NO;
    }
    q->connection = connection;
    q->conn = info->socket_context;
    http_set_state(h, q->conn, HTTP_SENDS);
    *request = q;
    look_at(h, q, url, method);
    return at_once(h, q) ? answer(h, q) : MHD_YES;
}

/* ---- the body */

static void drop_body(struct http *h, struct http_request *q)
{
    leat_mem_free(q->body);
    leat_budget_give(h->env->budget, q->room);
    h->bodies -= q->room;
    q->body = NULL;
    q->len = q->room = 0;
}

/* LEAT_E_FULL: too much is being received, or `memory` is used up. */
static enum leat_status grow(struct http *h, struct http_request *q, size_t need,
                             struct leat_error *err)
{
    size_t room = q->room ? q->room : BODY_FIRST;

    while (room < need)
        room *= 2;
    if (h->bodies + room > BODIES_MOST * (size_t)h->max_body.bytes + BODY_FIRST ||
        !leat_budget_take(h->env->budget, room))
        return leat_fail(err, LEAT_E_FULL, "no room for a body");
    char *body = leat_mem_alloc_raw(room);
    if (!body) {
        leat_budget_give(h->env->budget, room);
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    }
    size_t len = q->len;
    if (len)
        memcpy(body, q->body, len);
    drop_body(h, q);
    h->bodies += room;
    q->body = body;
    q->len = len;
    q->room = room;
    return LEAT_OK;
}

static void no_room(struct http *h, struct http_request *q)
{
    refuse(h, q, 429, "no room at the moment: send it again");
}

static enum MHD_Result add(struct http *h, struct http_request *q, const char *bytes, size_t len)
{
    struct leat_error err;
    char text[100];

    if (!q->status && len > (size_t)h->max_body.bytes - q->len) {
        snprintf(text, sizeof text, "the most that is taken is %" PRId64 " bytes",
                 h->max_body.bytes);
        refuse(h, q, 413, text);
    }
    if (!q->status && q->len + len > q->room && grow(h, q, q->len + len, &err) != LEAT_OK) {
        if (err.status == LEAT_E_NOMEM) {
            h->error = err;
            return MHD_NO;
        }
        no_room(h, q);
    }
    if (q->status) { /* thrown away, within reason, so that the sender gets to read why */
        drop_body(h, q);
        q->unread += len;
        return q->unread <= (size_t)h->max_body.bytes ? MHD_YES : MHD_NO;
    }
    memcpy(q->body + q->len, bytes, len);
    q->len += len;
    return MHD_YES;
}

/* ---- the records */

/* The next records, until there is no credit. */
static enum leat_status put_records(struct http *h, struct http_request *q, struct leat_error *err)
{
    struct leat_row row = {.time_ms = LEAT_NO_TIME};
    const char *why;

    for (;;) {
        struct http_split before = q->split;
        int64_t position;
        if (!http_split_next(&q->split, &row.value, &why))
            return LEAT_OK;
        if (leat_inbox_append(h->inbox, 0, &row, &position, err) != LEAT_OK) {
            q->split = before;
            return err->status;
        }
        q->upto = position + 1;
    }
}

static void wait_for_safety(struct http *h, struct http_request *q)
{
    drop_body(h, q);
    *(h->last ? &h->last->next : &h->first) = q;
    h->last = q;
}

/* Its connection waits from here on, or it has a status. */
static void take(struct http *h, struct http_request *q)
{
    struct http_verdict verdict;
    struct leat_error err;

    if (h->half || h->stopping) {
        no_room(h, q);
        return;
    }
    if (h->body.index == HTTP_JSON && q->len == 0) {
        refuse(h, q, 400, "the body is empty");
        return;
    }
    http_split_init(&q->split, (struct leat_slice){q->body ? q->body : "", q->len},
                    (enum http_form)h->body.index, q->is_lines);
    http_split_check(q->split, h->plan, (size_t)h->env->max_record_bytes, &h->arena, &verdict);
    if (verdict.status) {
        refuse(h, q, verdict.status, verdict.text);
        return;
    }
    q->status = verdict.records ? 0 : 204;
    if (verdict.records == 0)
        return;
    enum leat_status status = put_records(h, q, &err);
    if (status == LEAT_E_FULL && q->split.records == 0) {
        no_room(h, q);
        return;
    }
    http_set_state(h, q->conn, HTTP_WAITS);
    MHD_suspend_connection(q->connection);
    if (status == LEAT_OK)
        wait_for_safety(h, q);
    else
        h->half = q;
    if (status != LEAT_OK && status != LEAT_E_FULL)
        h->error = err;
}

void http_go_on(struct http *h)
{
    struct http_request *q = h->half;
    struct leat_error err;

    if (!q)
        return;
    enum leat_status status = put_records(h, q, &err);
    if (status == LEAT_OK) {
        h->half = NULL;
        wait_for_safety(h, q);
    } else if (status != LEAT_E_FULL) {
        h->error = err;
    }
}

void http_safe(struct http *h, int64_t upto)
{
    for (struct http_request *q = h->first; q && q->upto <= upto; q = h->first) {
        h->first = q->next;
        if (!h->first)
            h->last = NULL;
        q->status = 204;
        MHD_resume_connection(q->connection);
    }
}

static void send_away(struct http *h, struct http_request *q)
{
    refuse(h, q, 503, "leat stops: send it again");
    MHD_resume_connection(q->connection);
}

void http_dismiss(struct http *h)
{
    if (h->half)
        send_away(h, h->half);
    for (struct http_request *q = h->first; q; q = q->next)
        send_away(h, q);
    h->half = h->first = h->last = NULL;
}

/* ---- called by the server */

void http_on_log(void *cls, const char *format, va_list args)
{
    static const char refused[] = "Error processing request";
    const struct http *h = cls;

    (void)args;
    if (strncmp(format, refused, sizeof refused - 1) == 0)
        leat_bad_input(h->env);
}

enum MHD_Result http_on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *upload,
                                size_t *upload_len, void **request)
{
    struct http *h = cls;
    struct http_request *q = *request;

    (void)version;
    if (!q)
        return begin(h, connection, url, method, request);
    if (*upload_len) {
        size_t len = *upload_len;
        *upload_len = 0;
        return add(h, q, upload, len);
    }
    if (!q->status)
        take(h, q);
    return q->status ? answer(h, q) : MHD_YES;
}

void http_on_completed(void *cls, struct MHD_Connection *connection, void **request,
                       enum MHD_RequestTerminationCode why)
{
    struct http *h = cls;
    struct http_request *q = *request;

    (void)connection;
    if (!q)
        return;
    bool cut_short = why == MHD_REQUEST_TERMINATED_CLIENT_ABORT ||
                     why == MHD_REQUEST_TERMINATED_READ_ERROR ||
                     why == MHD_REQUEST_TERMINATED_TIMEOUT_REACHED;
    if (cut_short && !q->status && q->conn->state == HTTP_SENDS)
        leat_bad_input(h->env);
    http_set_state(h, q->conn, HTTP_IDLE);
    drop_body(h, q);
    leat_mem_free(q);
    *request = NULL;
}
