/*
 * http_stream.c - push source of a feed: one GET whose answer does not end, with a record per line.
 *
 * Lines end with LF or CR LF; empty ones are signs of life and no records. When the answer ends,
 * fails, or is silent for `idle`, the request is made again: at first soon, then after pauses that
 * double up to RETRY_MAX_MS; Retry-After is heeded. What the service sent in between is lost, as is
 * what was received and is not stored yet when the process ends: a feed is not told what became of
 * its records. Without a credit nothing is read, and the service has to wait.
 *
 * An answer that the next request would get again (401, 404, ...) stops the job, unless the feed
 * has worked before: then it is taken for a passing state of the service. Left out: redirects are
 * not followed, credentials would go with them.
 *
 * Thread: run's; it sleeps in curl_multi_poll() for the service and for the inbox.
 */
#include "framing.h"

#include <curl/curl.h>
#include <stdio.h>

#define CONNECT_MS   10000L
#define RETRY_MAX_MS 60000
#define ASKED_MAX_MS 3600000 /* of Retry-After */
#define FULL_MS      250     /* the inbox wakes us for a credit, nobody does for memory */
#define WAIT_MAX_MS  60000
#define HEADER_BYTES 4096

struct auth {
    const char *user, *password, *bearer;
};

struct tls {
    const char *ca, *cert, *key;
};

struct feed {
    const char *url;
    struct leat_pairs headers;
    struct leat_duration idle, retry;
    struct auth auth;
    struct tls tls;
    bool insecure;

    const struct leat_env *env;
    struct leat_inbox *inbox; /* while run is there */
    struct framing_rules rules;
    struct framing lines;
    CURLM *multi;
    CURL *easy;
    struct curl_slist *fixed;
    bool active;  /* the request is under way */
    bool full;    /* no credit or no memory: the request is paused */
    size_t taken; /* of the bytes that a paused request will give again */
    bool has_worked, said;
    int64_t heard_ms, again_ms, pause_ms;
    struct leat_error error; /* what ends run; LEAT_OK: nothing */
};

/* clang-format off */
static const struct leat_opt auth_options[] = {
    LEAT_OPT(struct auth, user, .optional = true, .help = "Name, for basic authentication."),
    LEAT_OPT(struct auth, password, .optional = true, .secret = true,
             .help = "Password, for basic authentication."),
    LEAT_OPT(struct auth, bearer, .optional = true, .secret = true,
             .help = "Token, sent as `Authorization: Bearer`."),
    {0},
};

static const struct leat_opt tls_options[] = {
    LEAT_OPT(struct tls, ca, .optional = true,
             .help = "File with the certificates that are trusted; else the system's."),
    LEAT_OPT(struct tls, cert, .optional = true, .help = "File with leat's own certificate."),
    LEAT_OPT(struct tls, key, .optional = true, .help = "File with its key."),
    {0},
};

static const struct leat_opt options[] = {
    LEAT_OPT(struct feed, url, .help = "Of the feed: https://host/path."),
    LEAT_OPT(struct feed, headers, .optional = true, .secret = true,
             .help = "More headers of the request: { X-Tenant: shop }."),
    LEAT_OPT(struct feed, idle, .def = "90s", .min = 100, .max = 86400000,
             .help = "After so long without a byte the request is made again."),
    LEAT_OPT(struct feed, retry, .def = "1s", .min = 1, .max = RETRY_MAX_MS,
             .help = "First pause before the request is made again; it doubles up to 1 m."),
    LEAT_OPT_GROUPED(struct feed, auth, auth_options, .optional = true, .help = "Who leat is."),
    LEAT_OPT_GROUPED(struct feed, tls, tls_options, .optional = true, .help = "Certificates."),
    LEAT_OPT(struct feed, insecure, .def = "false",
             .help = "Send credentials over http://, where everybody on the way can read them."),
    {0},
};
/* clang-format on */

static bool is_line(struct leat_slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7f)
            return false;
    return true;
}

static enum leat_status check(const void *self, struct leat_error *err)
{
    const struct feed *f = self;
    bool plain = strncmp(f->url, "http://", 7) == 0;

    if (!plain && strncmp(f->url, "https://", 8) != 0)
        return leat_fail(err, LEAT_E_CONFIG, "url: begins with http:// or https://");
    if (f->auth.bearer && f->auth.user)
        return leat_fail(err, LEAT_E_CONFIG, "auth: 'user' or 'bearer', not both");
    if (!f->auth.user != !f->auth.password)
        return leat_fail(err, LEAT_E_CONFIG, "auth: 'user' and 'password' belong together");
    if (plain && !f->insecure && (f->auth.bearer || f->auth.user))
        return leat_fail(err, LEAT_E_CONFIG,
                         "auth: credentials would go over http:// in the clear: use https://, or "
                         "say 'insecure: true'");
    if (!f->tls.cert != !f->tls.key)
        return leat_fail(err, LEAT_E_CONFIG, "tls: 'cert' and 'key' belong together");
    for (size_t i = 0; i < f->headers.count; i++) {
        struct leat_slice name = f->headers.list[i].name, value = f->headers.list[i].value;
        if (name.len == 0 || name.len + value.len + 4 > HEADER_BYTES || !is_line(name) ||
            !is_line(value) || memchr(name.ptr, ':', name.len) || memchr(name.ptr, ' ', name.len))
            return leat_fail(err, LEAT_E_CONFIG, "headers: '%.*s' is no header of one line",
                             LEAT_FMT(name));
    }
    return LEAT_OK;
}

static int64_t now_ms(const struct feed *f)
{
    return leat_clock_monotonic_ms(f->env->clock);
}

/* ---- the request */

/* All whole lines, until there is no credit. */
static void take_lines(struct feed *f, bool ended)
{
    struct leat_error err;
    enum leat_status status = framing_take(&f->lines, &f->rules, ended, f->inbox, &err);

    f->full = status == LEAT_E_FULL;
    if (status != LEAT_OK && !f->full)
        f->error = err;
}

static void heard(struct feed *f)
{
    f->heard_ms = now_ms(f);
    f->pause_ms = f->retry.ms;
    f->has_worked = true;
    if (f->said)
        leat_info(f->env->log, "'%s' sends again", f->url);
    f->said = false;
}

/* Called by curl. Where there is no room for all, it is asked to come again with the same bytes,
 * and those that were taken are passed over then. */
static size_t on_bytes(char *bytes, size_t size, size_t count, void *arg)
{
    struct feed *f = arg;
    size_t len = size * count, passed = len < f->taken ? len : f->taken, done = passed, room;
    struct leat_error err;
    long status = 0;
    char *into;

    curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200 || status >= 300)
        return CURL_WRITEFUNC_ERROR; /* the text of a refusal is no record */
    heard(f);
    while (done < len && !f->full) {
        enum leat_status got = framing_room(&f->lines, &f->rules, &into, &room, &err);
        f->full = got == LEAT_E_FULL; /* of memory */
        if (got != LEAT_OK && !f->full)
            f->error = err;
        if (got != LEAT_OK)
            break;
        room = len - done < room ? len - done : room;
        memcpy(into, bytes + done, room);
        f->lines.used += room;
        done += room;
        take_lines(f, false);
    }
    if (f->error.status != LEAT_OK)
        return CURL_WRITEFUNC_ERROR;
    f->taken = done < len ? done : f->taken - passed;
    return done < len ? CURL_WRITEFUNC_PAUSE : len;
}

static bool add_headers(struct feed *f)
{
    char line[HEADER_BYTES + 8];

    for (size_t i = 0; i < f->headers.count; i++) {
        struct leat_slice name = f->headers.list[i].name, value = f->headers.list[i].value;
        snprintf(line, sizeof line, "%.*s:%s%.*s", LEAT_FMT(name), value.len ? " " : "",
                 LEAT_FMT(value));
        struct curl_slist *longer = curl_slist_append(f->fixed, line);
        if (!longer)
            return false;
        f->fixed = longer;
    }
    return true;
}

#define SET(option, value) (curl_easy_setopt(f->easy, option, value) == CURLE_OK)

static bool set_credentials(struct feed *f)
{
    return (!f->auth.bearer || (SET(CURLOPT_XOAUTH2_BEARER, f->auth.bearer) &&
                                SET(CURLOPT_HTTPAUTH, CURLAUTH_BEARER))) &&
           (!f->auth.user ||
            (SET(CURLOPT_USERNAME, f->auth.user) && SET(CURLOPT_PASSWORD, f->auth.password))) &&
           (!f->tls.ca || SET(CURLOPT_CAINFO, f->tls.ca)) &&
           (!f->tls.cert || SET(CURLOPT_SSLCERT, f->tls.cert)) &&
           (!f->tls.key || SET(CURLOPT_SSLKEY, f->tls.key));
}

static bool set_up(struct feed *f)
{
    f->multi = curl_multi_init();
    f->easy = curl_easy_init();
    return f->multi && f->easy && SET(CURLOPT_URL, f->url) &&
           SET(CURLOPT_PROTOCOLS_STR, "http,https") && SET(CURLOPT_NOSIGNAL, 1L) &&
           SET(CURLOPT_USERAGENT, "leat") && SET(CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS) &&
           SET(CURLOPT_WRITEFUNCTION, on_bytes) && SET(CURLOPT_WRITEDATA, f) &&
           set_credentials(f) && add_headers(f) && SET(CURLOPT_HTTPHEADER, f->fixed);
}

static enum leat_status feed_open(void *self, const struct leat_env *env, struct leat_error *err)
{
    struct feed *f = self;

    if (check(f, err) != LEAT_OK)
        return err->status;
    f->env = env;
    f->error.status = LEAT_OK;
    f->active = f->full = f->has_worked = f->said = false;
    f->again_ms = 0;
    f->pause_ms = f->retry.ms;
    f->rules = (struct framing_rules){.kind = FRAMING_LINES,
                                      .max_record = framing_max_record(env),
                                      .skip_empty = true,
                                      .drop_last = true,
                                      .budget = env->budget};
    if (!set_up(f))
        return leat_fail(err, LEAT_E_NOMEM, "no memory for an HTTP client");
    return LEAT_OK;
}

/* ---- again and again */

/* The request is over: when is the next one? */
static void pause_feed(struct feed *f, const char *why)
{
    curl_off_t asked_s = 0;

    curl_easy_getinfo(f->easy, CURLINFO_RETRY_AFTER, &asked_s);
    curl_multi_remove_handle(f->multi, f->easy);
    f->active = false;
    if (!f->said)
        leat_warn(f->env->log, "'%s': %s; trying again until it works", f->url, why);
    f->said = true;
    int64_t asked_ms = asked_s > 0 ? asked_s * 1000 : 0;
    asked_ms = asked_ms < ASKED_MAX_MS ? asked_ms : ASKED_MAX_MS;
    f->again_ms = now_ms(f) + (asked_ms > f->pause_ms ? asked_ms : f->pause_ms);
    f->pause_ms = f->pause_ms < RETRY_MAX_MS / 2 ? 2 * f->pause_ms : RETRY_MAX_MS;
}

static bool may_pass(long status)
{
    return status == 408 || status == 425 || status == 429 || status >= 500;
}

/* The answer has come to its end, or never began. */
static void request_ended(struct feed *f, CURLcode code)
{
    char text[60];
    long status = 0;

    curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
    if (f->error.status != LEAT_OK)
        return;
    if (code == CURLE_OUT_OF_MEMORY) {
        leat_fail(&f->error, LEAT_E_NOMEM, "no memory for a request");
    } else if (status == 0 || (code != CURLE_OK && status >= 200 && status < 300)) {
        pause_feed(f, curl_easy_strerror(code));
    } else if (status >= 200 && status < 300) {
        f->rules.drop_last = false; /* a whole answer, and so a whole line */
        pause_feed(f, "the feed has ended");
    } else if (may_pass(status) || f->has_worked) {
        snprintf(text, sizeof text, "the answer is %ld", status);
        pause_feed(f, text);
    } else {
        leat_fail(&f->error, LEAT_E_CONFIG, "'%s' answers %ld: it will not give the feed", f->url,
                  status);
    }
}

static void begin_request(struct feed *f)
{
    f->rules.drop_last = true;
    f->taken = 0;
    f->again_ms = 0;
    f->heard_ms = now_ms(f);
    f->active = curl_multi_add_handle(f->multi, f->easy) == CURLM_OK;
    if (!f->active)
        leat_fail(&f->error, LEAT_E_NOMEM, "no memory for a request");
}

/* What is left of an answer that is over, before the next one begins. */
static void end_lines(struct feed *f)
{
    if (f->lines.used == 0 && !f->lines.skipping)
        return;
    take_lines(f, true);
    if (!f->full)
        f->lines.skipping = false;
}

static void progress(struct feed *f)
{
    int running, left;
    struct CURLMsg *m;

    if (f->full) {
        take_lines(f, false);
        if (!f->full && f->active)
            curl_easy_pause(f->easy, CURLPAUSE_CONT);
    }
    if (!f->active && !f->full)
        end_lines(f);
    if (!f->active && !f->full && f->error.status == LEAT_OK && now_ms(f) >= f->again_ms)
        begin_request(f);
    if (f->full)
        f->heard_ms = now_ms(f); /* it is us who are silent */
    if (f->active && curl_multi_perform(f->multi, &running) != CURLM_OK)
        leat_fail(&f->error, LEAT_E_NOMEM, "no memory for a request");
    while (f->active && (m = curl_multi_info_read(f->multi, &left)))
        if (m->msg == CURLMSG_DONE)
            request_ended(f, m->data.result);
    if (f->active && now_ms(f) - f->heard_ms > f->idle.ms)
        pause_feed(f, "the feed is silent");
}

static int wait_ms(const struct feed *f)
{
    int64_t until = f->active ? f->heard_ms + f->idle.ms + 1 : f->again_ms;
    int64_t left = until - now_ms(f);

    if (f->full)
        return FULL_MS;
    return left < 0 ? 0 : left < WAIT_MAX_MS ? (int)left : WAIT_MAX_MS;
}

static enum leat_status feed_run(void *self, struct leat_inbox *inbox, struct leat_error *err)
{
    struct feed *f = self;
    struct curl_waitfd wake = {.fd = leat_inbox_fd(inbox), .events = CURL_WAIT_POLLIN};

    f->inbox = inbox;
    while (f->error.status == LEAT_OK && leat_inbox_turn(inbox)) {
        progress(f);
        if (f->error.status == LEAT_OK &&
            curl_multi_poll(f->multi, &wake, 1, wait_ms(f), NULL) != CURLM_OK)
            leat_fail(&f->error, LEAT_E_NOMEM, "no memory to wait for a request");
    }
    if (f->active)
        curl_multi_remove_handle(f->multi, f->easy);
    f->active = false;
    f->inbox = NULL;
    if (f->error.status != LEAT_OK)
        *err = f->error;
    return f->error.status;
}

static enum leat_status feed_acked(void *self, uint32_t part, int64_t upto, struct leat_error *err)
{
    (void)self, (void)part, (void)upto, (void)err; /* the service is not told */
    return LEAT_OK;
}

static void feed_close(void *self)
{
    struct feed *f = self;

    curl_easy_cleanup(f->easy);
    curl_multi_cleanup(f->multi);
    curl_slist_free_all(f->fixed);
    f->easy = NULL;
    f->multi = NULL;
    f->fixed = NULL;
    if (f->env)
        framing_fini(&f->lines, &f->rules);
}

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "http_stream",
    .summary = "reads a feed over HTTP, one record per line",
    .by_lines = true,
    .self_size = sizeof(struct feed),
    .opts = options,
    .check = check,
    .push =
        &(const struct leat_push){
            .store = LEAT_STORE_DISK,
            .untold = true,
            .open = feed_open,
            .run = feed_run,
            .acked = feed_acked,
            .close = feed_close,
        },
};

LEAT_MODULE(module);
