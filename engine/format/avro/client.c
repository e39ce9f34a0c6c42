/* client.c - one request to a schema registry, with libcurl. */
#include "client.h"

#include <curl/curl.h>
#include <stdio.h>

#define TIMEOUT_MS   10000L
#define ANSWER_BYTES (2 * AVRO_SCHEMA_BYTES) /* a schema is text inside the text of the answer */

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    struct avro_client *c = arg;

    if (c->body.len + size * n > ANSWER_BYTES)
        return 0; /* ends the request */
    leat_bytes_put(&c->body, data, size * n);
    return c->body.failed ? 0 : size * n;
}

static int on_progress(void *arg, curl_off_t total, curl_off_t now, curl_off_t up_total,
                       curl_off_t up_now)
{
    const struct avro_client *c = arg;

    (void)total;
    (void)now;
    (void)up_total;
    (void)up_now;
    return c->stop && atomic_load(c->stop);
}

static bool set_up(struct avro_client *c)
{
    const struct avro_server *s = c->server;
    CURL *h = c->curl = curl_easy_init();

    return h && curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(h, CURLOPT_USERAGENT, "leat") == CURLE_OK &&
           curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, TIMEOUT_MS) == CURLE_OK &&
           curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           curl_easy_setopt(h, CURLOPT_WRITEDATA, c) == CURLE_OK &&
           curl_easy_setopt(h, CURLOPT_NOPROGRESS, 0L) == CURLE_OK &&
           curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, on_progress) == CURLE_OK &&
           curl_easy_setopt(h, CURLOPT_XFERINFODATA, c) == CURLE_OK &&
           (!s->tls.ca || curl_easy_setopt(h, CURLOPT_CAINFO, s->tls.ca) == CURLE_OK) &&
           (!s->tls.cert || curl_easy_setopt(h, CURLOPT_SSLCERT, s->tls.cert) == CURLE_OK) &&
           (!s->tls.key || curl_easy_setopt(h, CURLOPT_SSLKEY, s->tls.key) == CURLE_OK) &&
           (!s->auth.user ||
            (curl_easy_setopt(h, CURLOPT_USERNAME, s->auth.user) == CURLE_OK &&
             curl_easy_setopt(h, CURLOPT_PASSWORD, s->auth.password ? s->auth.password : "") ==
                 CURLE_OK));
}

static bool set_request(struct avro_client *c, const char *url, struct leat_slice send,
                        struct curl_slist *headers)
{
    CURL *h = c->curl;

    if (curl_easy_setopt(h, CURLOPT_URL, url) != CURLE_OK ||
        curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers) != CURLE_OK)
        return false;
    if (!send.ptr)
        return curl_easy_setopt(h, CURLOPT_HTTPGET, 1L) == CURLE_OK;
    return curl_easy_setopt(h, CURLOPT_POST, 1L) == CURLE_OK &&
           curl_easy_setopt(h, CURLOPT_POSTFIELDS, send.ptr) == CURLE_OK &&
           curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)send.len) == CURLE_OK;
}

enum leat_status avro_client_ask(struct avro_client *c, const char *path, struct leat_slice send,
                                 long *status, struct leat_error *err)
{
    char accept[] = "Accept: application/vnd.schemaregistry.v1+json, application/json",
         type[] = "Content-Type: application/vnd.schemaregistry.v1+json";
    struct curl_slist second = {type, NULL}, first = {accept, send.ptr ? &second : NULL};
    char url[AVRO_URL_BYTES + 3 * AVRO_SUBJECT_BYTES + 32];
    size_t len = strlen(c->server->url);

    while (len && c->server->url[len - 1] == '/')
        len--;
    snprintf(url, sizeof url, "%.*s%s", (int)len, c->server->url, path);
    c->body.len = 0;
    c->body.failed = false;
    if (!c->curl && !set_up(c)) {
        avro_client_close(c);
        return leat_fail(err, LEAT_E_NOMEM, "no memory for an HTTP client");
    }
    if (!set_request(c, url, send, &first))
        return leat_fail(err, LEAT_E_NOMEM, "no memory for an HTTP request");
    CURLcode code = curl_easy_perform(c->curl);
    curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, NULL); /* they end here */
    if (code == CURLE_OUT_OF_MEMORY || c->body.failed)
        return leat_fail(err, LEAT_E_NOMEM, "no memory for an answer of the schema registry");
    if (code != CURLE_OK)
        return leat_fail(err, LEAT_E_UNREACHABLE, "schema registry '%s': %s", c->server->url,
                         code == CURLE_WRITE_ERROR ? "its answer is too long"
                                                   : curl_easy_strerror(code));
    curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, status);
    return LEAT_OK;
}

void avro_client_close(struct avro_client *c)
{
    curl_easy_cleanup(c->curl);
    c->curl = NULL;
}
