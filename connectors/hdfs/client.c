#include "client.h"

#include "reply.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define URL_BYTES  ((size_t)16384)
#define CONNECT_MS 10000L
#define LOOK_MS    60000L  /* a NameNode may pause; longer than that it counts as away */
#define MOVE_MS    300000L /* of at most some MiB */
#define STALLED_S  60L
#define LAST_MS    1000 /* of a request while the job ends */

enum leat_status hdfs_client_init(struct hdfs_client *c, const struct leat_env *env,
                                  struct leat_error *err)
{
    struct passwd own, *found = NULL;
    char text[1024];

    *c = (struct hdfs_client){.log = env->log, .over = env->over, .arena.budget = env->budget};
    if (getpwuid_r(geteuid(), &own, text, sizeof text, &found) == 0 && found)
        snprintf(c->user, sizeof c->user, "%.63s", own.pw_name);
    c->curl = curl_easy_init();
    c->headers = curl_slist_append(NULL, "Content-Type: application/octet-stream");
    if (c->curl && c->headers && curl_slist_append(c->headers, "Expect:"))
        return LEAT_OK;
    hdfs_client_fini(c);
    return leat_fail(err, LEAT_E_NOMEM, "no memory for an HTTP client");
}

void hdfs_client_fini(struct hdfs_client *c)
{
    curl_easy_cleanup(c->curl);
    curl_slist_free_all(c->headers);
    leat_arena_reset(&c->arena);
    leat_mem_free(c->reply);
    *c = (struct hdfs_client){0};
}

struct leat_slice hdfs_reply(const struct hdfs_client *c)
{
    return (struct leat_slice){c->reply ? c->reply : "", c->reply_len};
}

/* ---- what is said of failures */

LEAT_PRINTF(3, 4)
static void tell(struct hdfs_client *c, const struct hdfs_call *call, const char *fmt, ...)
{
    char text[sizeof c->said], why[sizeof c->said];
    size_t op = strcspn(call->op, "&");
    va_list args;

    va_start(args, fmt);
    vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    snprintf(text, sizeof text, "%.*s of '%.120s': %.160s", (int)op, call->op, call->path, why);
    if (strcmp(text, c->said) != 0)
        leat_warn(c->log, "%s", text);
    memcpy(c->said, text, sizeof text);
}

/* 0: there was enough. */
static int too_little(struct hdfs_client *c, const struct hdfs_call *call,
                      const struct leat_arena *of_answer)
{
    if (!of_answer->refused && !of_answer->lacked)
        return 0;
    tell(c, call, "there is not enough memory for it");
    return of_answer->refused ? -ENOSPC : -ENOMEM;
}

int hdfs_nonsense(struct hdfs_client *c, const struct hdfs_call *call,
                  const struct leat_arena *of_answer)
{
    int result = too_little(c, call, of_answer);

    if (result)
        return result;
    tell(c, call, "this is not what WebHDFS answers; is it the NameNode's web server (port 9870)?");
    return -EPROTO;
}

/* ---- the URL */

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != 0 && strchr("-._~", c));
}

/* False: it is longer than any URL we make. */
static bool put_escaped(char url[URL_BYTES], size_t *used, const char *text, const char *keep)
{
    for (; *text; text++) {
        if (*used + 4 > URL_BYTES)
            return false;
        if (is_unreserved(*text) || strchr(keep, *text))
            url[(*used)++] = *text;
        else
            *used += (size_t)snprintf(url + *used, 4, "%%%02X", (unsigned char)*text);
    }
    url[*used] = 0;
    return true;
}

static bool make_url(const struct hdfs_client *c, const struct hdfs_call *call, char url[URL_BYTES])
{
    struct hdfs_place place;
    struct leat_error err;

    if (hdfs_place_read(call->path, &place, &err) != LEAT_OK)
        return false;
    size_t used = (size_t)snprintf(url, URL_BYTES, "http://%s/webhdfs/v1", place.address);
    const char *user = place.user[0] ? place.user : c->user;
    if (!put_escaped(url, &used, place.path, "/") || used + strlen(call->op) + 100 > URL_BYTES)
        return false;
    used += (size_t)snprintf(url + used, URL_BYTES - used, "?op=%s", call->op);
    if (user[0]) {
        used += (size_t)snprintf(url + used, URL_BYTES - used, "&user.name=");
        if (!put_escaped(url, &used, user, ""))
            return false;
    }
    if (!call->option)
        return true;
    if (used + strlen(call->option) + 8 > URL_BYTES)
        return false;
    used += (size_t)snprintf(url + used, URL_BYTES - used, "&%s=", call->option);
    return put_escaped(url, &used, call->value, "/");
}

/* ---- one request */

static size_t on_reply(char *bytes, size_t size, size_t count, void *arg)
{
    struct hdfs_client *c = arg;
    size_t len = size * count;

    if (len > HDFS_REPLY_BYTES - c->reply_len)
        return 0;
    if (len > c->reply_room - c->reply_len) {
        size_t room = c->reply_room ? c->reply_room : 4096;
        while (room - c->reply_len < len)
            room *= 2;
        char *grown = leat_mem_alloc_raw(room);
        c->no_memory = !grown;
        if (!grown)
            return 0;
        if (c->reply_len)
            memcpy(grown, c->reply, c->reply_len);
        leat_mem_free(c->reply);
        c->reply = grown;
        c->reply_room = room;
    }
    memcpy(c->reply + c->reply_len, bytes, len);
    c->reply_len += len;
    return len;
}

struct opened {
    struct hdfs_client *client;
    struct hdfs_call *call;
};

/* Bytes of the file, or why there are none. */
static size_t on_bytes(char *bytes, size_t size, size_t count, void *arg)
{
    struct opened *o = arg;
    long status = 0;
    size_t len = size * count;

    curl_easy_getinfo(o->client->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200)
        return on_reply(bytes, size, count, o->client);
    if (len > o->call->room - o->call->got)
        return 0;
    memcpy(o->call->into + o->call->got, bytes, len);
    o->call->got += len;
    return len;
}

/* Asked about once a second, also while nothing comes; true ends the request. */
static int gives_way(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct hdfs_client *client = arg;

    (void)a, (void)b, (void)c, (void)d;
    return client->over && atomic_load(client->over) &&
           leat_clock_monotonic_ms(NULL) - client->began_ms >= LAST_MS;
}

static bool set_method(CURL *curl, const struct hdfs_call *call, bool with_body,
                       struct curl_slist *headers)
{
    struct leat_slice body = with_body ? call->body : (struct leat_slice){0};
    bool has_body = strcmp(call->method, "GET") != 0 && strcmp(call->method, "DELETE") != 0;

    if (!has_body)
        return curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L) == CURLE_OK &&
               curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call->method) == CURLE_OK;
    return curl_easy_setopt(curl, CURLOPT_POST, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call->method) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.ptr ? body.ptr : "") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len) == CURLE_OK;
}

/* Connections stay open from one request to the next; nothing else of it does. Bytes go over a new
 * one: what was sent over one that turns out to be dead curl sends again by itself. */
static CURLcode perform(struct hdfs_client *c, struct hdfs_call *call, const char *url,
                        bool with_body, long *status)
{
    CURL *curl = c->curl;
    struct opened opened = {c, call};
    bool bytes = with_body && call->into;

    curl_easy_reset(curl);
    c->reply_len = 0;
    c->no_memory = false;
    c->began_ms = leat_clock_monotonic_ms(NULL);
    call->got = 0;
    leat_arena_rewind(&c->arena, (struct leat_arena_mark){0});
    if (curl_easy_setopt(curl, CURLOPT_URL, url) != CURLE_OK ||
        curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK ||
        curl_easy_setopt(curl, CURLOPT_NOPROXY, "*") != CURLE_OK ||
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) != CURLE_OK ||
        curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, with_body ? 1L : 0L) != CURLE_OK ||
        curl_easy_setopt(curl, CURLOPT_USERAGENT, "leat") != CURLE_OK ||
        curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS) != CURLE_OK ||
        curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, with_body ? MOVE_MS : LOOK_MS) != CURLE_OK ||
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L) != CURLE_OK ||
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, STALLED_S) != CURLE_OK ||
        curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L) != CURLE_OK ||
        curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, gives_way) != CURLE_OK ||
        curl_easy_setopt(curl, CURLOPT_XFERINFODATA, c) != CURLE_OK ||
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, bytes ? on_bytes : on_reply) != CURLE_OK ||
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, bytes ? (void *)&opened : (void *)c) !=
            CURLE_OK ||
        !set_method(curl, call, with_body, c->headers))
        return CURLE_OUT_OF_MEMORY;
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status);
    return c->no_memory ? CURLE_OUT_OF_MEMORY : code;
}

static int errno_of(CURLcode code)
{
    switch ((int)code) {
    case CURLE_OUT_OF_MEMORY:
        return ENOMEM;
    case CURLE_ABORTED_BY_CALLBACK:
        return ECANCELED;
    case CURLE_OPERATION_TIMEDOUT:
        return ETIMEDOUT;
    case CURLE_COULDNT_CONNECT:
        return ECONNREFUSED;
    case CURLE_COULDNT_RESOLVE_HOST:
        return EHOSTUNREACH;
    case CURLE_WRITE_ERROR: /* more than was asked for, or than there is room for */
        return EMSGSIZE;
    default:
        return ECONNRESET;
    }
}

/* A status that is none of success. */
static int refused(struct hdfs_client *c, const struct hdfs_call *call, long status)
{
    char said[200];
    int number = hdfs_reply_refusal(hdfs_reply(c), &c->arena, said, sizeof said), result;

    if (number == ENOENT || number == ERANGE)
        return -number;
    if (number)
        tell(c, call, "%s", said);
    else if ((result = too_little(c, call, &c->arena)) != 0)
        return result;
    else if (status == 401)
        tell(c, call, "the NameNode wants to know who we are (401): Kerberos is not spoken here");
    else
        tell(c, call,
             "answered with %ld and no error of WebHDFS; is it the NameNode's web server "
             "(port 9870)?",
             status);
    return number ? -number : status == 401 ? -EACCES : -EREMOTEIO;
}

/* To a DataNode; a Location that leads anywhere but over HTTP is none. */
static const char *location(struct hdfs_client *c, char url[URL_BYTES])
{
    const char *to = NULL;

    curl_easy_getinfo(c->curl, CURLINFO_REDIRECT_URL, &to);
    if (!to || strlen(to) >= URL_BYTES ||
        (strncmp(to, "http://", 7) != 0 && strncmp(to, "https://", 8) != 0))
        return NULL;
    snprintf(url, URL_BYTES, "%s", to); /* curl's own goes with the next request */
    return url;
}

/* HttpFS, which speaks the same protocol, gives the bytes of a file itself. */
static int answered_at_once(struct hdfs_client *c, struct hdfs_call *call, long status)
{
    if (status != 200 || !call->into || c->reply_len > call->room)
        return hdfs_nonsense(c, call, &c->arena);
    if (c->reply_len)
        memcpy(call->into, c->reply, c->reply_len);
    call->got = c->reply_len;
    return 0;
}

int hdfs_call(struct hdfs_client *c, struct hdfs_call *call, bool *doubtful)
{
    char url[URL_BYTES];
    long status = 0;
    bool second = false;

    *doubtful = false;
    if (!make_url(c, call, url))
        return -EINVAL;
    CURLcode code = perform(c, call, url, false, &status);
    if (code == CURLE_OK && call->redirected && status == 307) {
        if (!location(c, url))
            return hdfs_nonsense(c, call, &c->arena);
        second = true;
        status = 0;
        code = perform(c, call, url, true, &status);
    } else if (code == CURLE_OK && call->redirected && status < 400)
        return answered_at_once(c, call, status);
    if (code != CURLE_OK) {
        *doubtful = code != CURLE_COULDNT_CONNECT && code != CURLE_COULDNT_RESOLVE_HOST &&
                    (second || !call->redirected);
        if (code == CURLE_OUT_OF_MEMORY)
            tell(c, call, "there is not enough memory for it");
        else if (code != CURLE_ABORTED_BY_CALLBACK)
            tell(c, call, "%s%s", second ? "DataNode: " : "",
                 code == CURLE_WRITE_ERROR ? "the answer is longer than it may be"
                                           : curl_easy_strerror(code));
        return -errno_of(code);
    }
    if (status == 200 || status == 201)
        return 0;
    *doubtful = status >= 500; /* of a proxy, for example */
    return refused(c, call, status);
}
