/*
 * http.c - sink that sends records to a web service, several in one request.
 *
 * A web service takes part in no transaction, so requests are an outbox: prepare() writes their
 * bodies into the batch's log record, commit() sends them when the batch counts, in order, each
 * until it is answered with 2xx. After a crash recover() sends those of the last record again, byte
 * for byte and with the same `Idempotency-Key`, unless the job was stopped in good order: at least
 * once, and a service that remembers keys sees each request once.
 *
 * What can pass (no connection, 408, 425, 429, 5xx) is tried again, `Retry-After` heeded. Any other
 * answer means that the service will never take the request: `refused` says what then.
 *
 * Left out: redirects are not followed, bodies are not compressed. Thread: the sink's.
 */
#include "requests.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <stdio.h>

#define ANSWER_BYTES 120 /* of a refusal, for the message */
#define RETRY_MAX_S  3600
#define HEADER_BYTES 4096

struct http_batch {
    int64_t records;
    struct leat_size bytes;
};

struct http_auth {
    const char *user, *password, *bearer;
};

struct http_tls {
    const char *ca, *cert, *key;
};

struct http {
    const char *url;
    struct leat_choice method, body, refused;
    const char *content_type;
    struct leat_pairs headers;
    struct leat_duration timeout;
    struct http_batch batch;
    struct http_auth auth;
    struct http_tls tls;
    bool insecure;

    const struct leat_env *env;
    CURL *curl;
    struct curl_slist *fixed; /* headers of every request */
    struct http_requests requests;
    const struct http_request *next; /* to be sent */
    uint32_t sent;
    int64_t not_before_ms; /* monotonic; asked for by Retry-After */
    char answer[ANSWER_BYTES + 1];
    size_t answer_len;
};

static const char *const methods[] = {"POST", "PUT", NULL};
static const char *const forms[] = {"lines", "array", "each", NULL};
static const char *const refusals[] = {"fail", "drop", NULL};
static const char *const types[] = {"application/x-ndjson", "application/json", "application/json"};

enum { REFUSED_FAIL, REFUSED_DROP };

/* clang-format off */
static const struct leat_opt batch_options[] = {
    LEAT_OPT(struct http_batch, records, .def = "1000", .min = 1, .max = 1000000,
             .help = "Records in one request at most."),
    LEAT_OPT(struct http_batch, bytes, .def = "1MiB", .min = 1, .max = 64 << 20,
             .help = "Bytes in one request at most; a larger record goes alone."),
    {0},
};

static const struct leat_opt auth_options[] = {
    LEAT_OPT(struct http_auth, user, .optional = true, .help = "Name, for basic authentication."),
    LEAT_OPT(struct http_auth, password, .optional = true, .secret = true,
             .help = "Password, for basic authentication."),
    LEAT_OPT(struct http_auth, bearer, .optional = true, .secret = true,
             .help = "Token, sent as `Authorization: Bearer`."),
    {0},
};

static const struct leat_opt tls_options[] = {
    LEAT_OPT(struct http_tls, ca, .optional = true,
             .help = "File with the certificates that are trusted; else the system's."),
    LEAT_OPT(struct http_tls, cert, .optional = true, .help = "File with leat's own certificate."),
    LEAT_OPT(struct http_tls, key, .optional = true, .help = "File with its key."),
    {0},
};

static const struct leat_opt options[] = {
    LEAT_OPT(struct http, url, .help = "Where requests go: https://host/path."),
    LEAT_OPT(struct http, method, .def = "POST", .choices = methods, .help = "Of the requests."),
    LEAT_OPT(struct http, body, .def = "lines", .choices = forms,
             .help = "lines: a record per line; array: a JSON array of records; each: a request "
                     "per record."),
    LEAT_OPT(struct http, content_type, .optional = true,
             .help = "Of the body; else application/x-ndjson for lines, application/json for the "
                     "others."),
    LEAT_OPT(struct http, headers, .optional = true, .secret = true,
             .help = "More headers: { X-Tenant: shop }."),
    LEAT_OPT(struct http, timeout, .def = "5s", .min = 100, .max = 300000,
             .help = "How long one request may take; a stop may have to wait for it."),
    LEAT_OPT_GROUPED(struct http, batch, batch_options, .help = "How much goes into one request."),
    LEAT_OPT_GROUPED(struct http, auth, auth_options, .optional = true, .help = "Who leat is."),
    LEAT_OPT_GROUPED(struct http, tls, tls_options, .optional = true, .help = "Certificates."),
    LEAT_OPT(struct http, insecure, .def = "false",
             .help = "Send credentials over http://, where everybody on the way can read them."),
    LEAT_OPT(struct http, refused, .def = "fail", .choices = refusals,
             .help = "A request that the service will never take (400, 404, 413, ...): fail stops "
                     "the job, drop goes on and says so."),
    {0},
};
/* clang-format on */

static bool is_secure(const struct http *h)
{
    return strncmp(h->url, "https://", 8) == 0;
}

static bool is_header(struct leat_slice name, struct leat_slice value)
{
    bool good = name.len > 0 && name.len + value.len + 4 < HEADER_BYTES;

    for (size_t i = 0; i < name.len; i++)
        good = good && name.ptr[i] > ' ' && name.ptr[i] < 0x7f && name.ptr[i] != ':';
    for (size_t i = 0; i < value.len; i++)
        good = good && (unsigned char)value.ptr[i] >= ' ' && value.ptr[i] != 0x7f;
    return good;
}

static enum leat_status check_headers(const struct http *h, struct leat_error *err)
{
    struct leat_slice type = leat_slice_str(h->content_type);

    if (h->content_type && !is_header(LEAT_LIT("Content-Type"), type))
        return leat_fail(err, LEAT_E_CONFIG, "content_type: one line of text");
    for (size_t i = 0; i < h->headers.count; i++)
        if (!is_header(h->headers.list[i].name, h->headers.list[i].value))
            return leat_fail(err, LEAT_E_CONFIG, "headers: '%.*s' is no header of one line",
                             LEAT_FMT(h->headers.list[i].name));
    return LEAT_OK;
}

static enum leat_status check(const void *self, struct leat_error *err)
{
    const struct http *h = self;
    bool plain = strncmp(h->url, "http://", 7) == 0;

    if (!plain && !is_secure(h))
        return leat_fail(err, LEAT_E_CONFIG, "url: begins with http:// or https://");
    if (h->auth.bearer && h->auth.user)
        return leat_fail(err, LEAT_E_CONFIG, "auth: 'user' or 'bearer', not both");
    if (!h->auth.user != !h->auth.password)
        return leat_fail(err, LEAT_E_CONFIG, "auth: 'user' and 'password' belong together");
    if (plain && !h->insecure && (h->auth.bearer || h->auth.user))
        return leat_fail(err, LEAT_E_CONFIG,
                         "auth: credentials would go over http:// in the clear: use https://, or "
                         "say 'insecure: true'");
    if (!h->tls.cert != !h->tls.key)
        return leat_fail(err, LEAT_E_CONFIG, "tls: 'cert' and 'key' belong together");
    return check_headers(h, err);
}

/* ---- the client */

static size_t on_answer(char *bytes, size_t size, size_t count, void *arg)
{
    struct http *h = arg;
    size_t len = size * count, room = ANSWER_BYTES - h->answer_len;

    for (size_t i = 0; i < len && i < room; i++)
        h->answer[h->answer_len++] = bytes[i] >= ' ' && bytes[i] < 0x7f ? bytes[i] : ' ';
    h->answer[h->answer_len] = '\0';
    return len;
}

static bool add_header(struct http *h, struct leat_slice name, struct leat_slice value)
{
    char line[HEADER_BYTES];

    snprintf(line, sizeof line, "%.*s:%s%.*s", LEAT_FMT(name), value.len ? " " : "",
             LEAT_FMT(value));
    struct curl_slist *longer = curl_slist_append(h->fixed, line);
    h->fixed = longer ? longer : h->fixed;
    return longer;
}

static bool set_headers(struct http *h)
{
    const char *type = h->content_type ? h->content_type : types[h->body.index];
    bool ok = add_header(h, LEAT_LIT("Content-Type"), leat_slice_str(type)) &&
              add_header(h, LEAT_LIT("Expect"), (struct leat_slice){0});

    for (size_t i = 0; ok && i < h->headers.count; i++)
        ok = add_header(h, h->headers.list[i].name, h->headers.list[i].value);
    return ok;
}

static bool set_tls(struct http *h)
{
    CURL *c = h->curl;

    return (!h->tls.ca || curl_easy_setopt(c, CURLOPT_CAINFO, h->tls.ca) == CURLE_OK) &&
           (!h->tls.cert || curl_easy_setopt(c, CURLOPT_SSLCERT, h->tls.cert) == CURLE_OK) &&
           (!h->tls.key || curl_easy_setopt(c, CURLOPT_SSLKEY, h->tls.key) == CURLE_OK);
}

static bool set_auth(struct http *h)
{
    CURL *c = h->curl;

    if (h->auth.bearer)
        return curl_easy_setopt(c, CURLOPT_XOAUTH2_BEARER, h->auth.bearer) == CURLE_OK &&
               curl_easy_setopt(c, CURLOPT_HTTPAUTH, CURLAUTH_BEARER) == CURLE_OK;
    return !h->auth.user || (curl_easy_setopt(c, CURLOPT_USERNAME, h->auth.user) == CURLE_OK &&
                             curl_easy_setopt(c, CURLOPT_PASSWORD, h->auth.password) == CURLE_OK);
}

static bool set_up(struct http *h)
{
    CURL *c = h->curl = curl_easy_init();
    const char *method = methods[h->method.index];

    return c && curl_easy_setopt(c, CURLOPT_URL, h->url) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_POST, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, method) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_USERAGENT, "leat") == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)h->timeout.ms) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_answer) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEDATA, h) == CURLE_OK && set_tls(h) && set_auth(h) &&
           set_headers(h);
}

/* ---- one request */

static bool may_pass(long status)
{
    return status == 408 || status == 425 || status == 429 || status >= 500;
}

static enum leat_status answered(struct http *h, long status, const char *id,
                                 struct leat_error *err)
{
    curl_off_t wait_s = 0;

    if (status >= 200 && status < 300)
        return LEAT_OK;
    if (may_pass(status)) {
        curl_easy_getinfo(h->curl, CURLINFO_RETRY_AFTER, &wait_s);
        wait_s = wait_s > RETRY_MAX_S ? RETRY_MAX_S : wait_s;
        h->not_before_ms = leat_clock_monotonic_ms(h->env->clock) + wait_s * 1000;
        return leat_fail(err, LEAT_E_UNREACHABLE, "'%s' answers %ld", h->url, status);
    }
    if (h->refused.index == REFUSED_DROP) {
        leat_warn(h->env->log, "'%s' answers %ld: request %s is dropped: %s", h->url, status, id,
                  h->answer);
        return LEAT_OK;
    }
    return leat_fail(err, LEAT_E_DATA,
                     "'%s' answers %ld and will never take request %s ('refused: drop' passes over "
                     "it): %.60s",
                     h->url, status, id, h->answer);
}

static enum leat_status post(struct http *h, uint64_t n, const struct http_request *q,
                             struct leat_error *err)
{
    char id[160], line[200];

    if (leat_clock_monotonic_ms(h->env->clock) < h->not_before_ms)
        return leat_fail(err, LEAT_E_UNREACHABLE, "'%s' has asked for a pause", h->url);
    snprintf(id, sizeof id, "%.100s-%08x-%" PRIu64 "-%u", h->env->job, h->env->epoch, n, h->sent);
    snprintf(line, sizeof line, "Idempotency-Key: %s", id);
    struct curl_slist own = {.data = line, .next = h->fixed};
    h->answer_len = 0;
    h->answer[0] = '\0';
    if (curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, &own) != CURLE_OK ||
        curl_easy_setopt(h->curl, CURLOPT_POSTFIELDS, q->body.ptr ? q->body.ptr : "") != CURLE_OK ||
        curl_easy_setopt(h->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body.len) != CURLE_OK)
        return leat_fail(err, LEAT_E_NOMEM, "no memory for a request");
    CURLcode code = curl_easy_perform(h->curl);
    curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, NULL); /* `own` ends here */
    if (code == CURLE_OUT_OF_MEMORY)
        return leat_fail(err, LEAT_E_NOMEM, "no memory for a request");
    if (code != CURLE_OK)
        return leat_fail(err, LEAT_E_UNREACHABLE, "'%s': %s", h->url, curl_easy_strerror(code));
    long status = 0;
    curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
    return answered(h, status, id, err);
}

/* From where the last call got to. */
static enum leat_status post_all(struct http *h, uint64_t n, struct leat_error *err)
{
    for (; h->next; h->next = h->next->item.next, h->sent++)
        if (post(h, n, h->next, err) != LEAT_OK)
            return err->status;
    return LEAT_OK;
}

static void rewind_requests(struct http *h)
{
    h->next = h->requests.box.first;
    h->sent = 0;
}

/* ---- the sink */

static enum leat_status http_open(void *self, const struct leat_env *env, struct leat_error *err)
{
    struct http *h = self;

    if (check(self, err) != LEAT_OK)
        return err->status;
    h->env = env;
    h->requests = (struct http_requests){.form = (enum http_body)h->body.index,
                                         .max_records = h->batch.records,
                                         .max_bytes = h->batch.bytes.bytes,
                                         .box.arena.budget = env->budget};
    if (!set_up(h))
        return leat_fail(err, LEAT_E_NOMEM, "no memory for an HTTP client");
    return LEAT_OK;
}

static enum leat_status http_recover(void *self, uint64_t n, struct leat_slice section,
                                     struct leat_error *err)
{
    struct http *h = self;

    if (n == 0 || section.len == 0 || n <= h->env->finished)
        return LEAT_OK;
    if (http_requests_read(&h->requests, section, err) != LEAT_OK)
        return err->status;
    rewind_requests(h);
    enum leat_status status = post_all(h, n, err);
    leat_outbox_clear(&h->requests.box); /* they borrow from the section */
    h->next = NULL;
    return status;
}

static enum leat_status http_write(void *self, uint64_t n, const struct leat_chunk *chunk,
                                   struct leat_error *err)
{
    struct http *h = self;

    (void)n;
    for (uint32_t i = 0; i < chunk->selected; i++)
        if (http_requests_add(&h->requests, chunk->values[chunk->selection[i]], err) != LEAT_OK)
            return err->status;
    return LEAT_OK;
}

static enum leat_status http_prepare(void *self, uint64_t n, const struct leat_positions *positions,
                                     struct leat_bytes *section, struct leat_error *err)
{
    struct http *h = self;

    (void)n, (void)positions;
    if (http_requests_end(&h->requests, err) != LEAT_OK)
        return err->status;
    http_requests_write(&h->requests, section);
    rewind_requests(h);
    return LEAT_OK;
}

static enum leat_status http_commit(void *self, uint64_t n, struct leat_error *err)
{
    struct http *h = self;

    if (post_all(h, n, err) != LEAT_OK)
        return err->status;
    leat_outbox_clear(&h->requests.box);
    return LEAT_OK;
}

static enum leat_status http_abort(void *self, uint64_t n, struct leat_error *err)
{
    struct http *h = self;

    (void)n, (void)err; /* nothing was sent */
    leat_outbox_clear(&h->requests.box);
    h->next = NULL;
    return LEAT_OK;
}

static void http_close(void *self)
{
    struct http *h = self;

    curl_easy_cleanup(h->curl);
    curl_slist_free_all(h->fixed);
    leat_outbox_free(&h->requests.box);
    h->curl = NULL;
    h->fixed = NULL;
    h->next = NULL;
}

static bool by_text(const void *self)
{
    return ((const struct http *)self)->body.index != HTTP_EACH;
}

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "http",
    .summary = "sends records to a web service, several in one request",
    .by_text = by_text,
    .any_bytes = "body: each",
    .self_size = sizeof(struct http),
    .opts = options,
    .check = check,
    .sink =
        &(const struct leat_sink){
            .promise = LEAT_SINK_REPEATS,
            .open = http_open,
            .recover = http_recover,
            .write = http_write,
            .prepare = http_prepare,
            .commit = http_commit,
            .abort = http_abort,
            .close = http_close,
        },
};

LEAT_MODULE(module);
