/*
 * flume.c - sink that sends records to a Flume agent's Avro source, many in one call.
 *
 * A Flume source takes part in no transaction, so calls are an outbox: prepare() writes their
 * events into the batch's log record, commit() sends them when the batch counts, in order, each
 * until it is answered with OK. After a crash recover() sends those of the last record again, byte
 * for byte, unless the job was stopped in good order: at least once. Each event has the header
 * `leat-id`, the same whenever it is sent, by which somebody behind Flume can drop repeats.
 *
 * The value is the body; a record's headers are the event's, and its key is the header `key`, where
 * Flume's Kafka sink looks for one. Thread: the sink's.
 */
#include "../../connectors/socket_address.h"
#include "client.h"

#include <inttypes.h>
#include <stdio.h>

struct flume_batch {
    int64_t records;
    struct leat_size bytes;
};

struct sink {
    const char *connect;
    struct leat_choice compression;
    struct leat_duration timeout;
    struct flume_batch batch;
    struct flume_tls tls;
    bool secure;

    const struct leat_env *env;
    struct flume_client client;
    struct flume_calls calls;
    const struct flume_call *next; /* to be sent */
};

static const char *const compressions[] = {"none", "zlib", NULL};

enum { COMPRESSION_NONE, COMPRESSION_ZLIB };

/* clang-format off */
static const struct leat_opt batch_options[] = {
    LEAT_OPT(struct flume_batch, records, .def = "1000", .min = 1, .max = 100000,
             .help = "Events in one call at most."),
    LEAT_OPT(struct flume_batch, bytes, .def = "1MiB", .min = 1, .max = 16 << 20,
             .help = "Bytes in one call at most; a larger record goes alone."),
    {0},
};

static const struct leat_opt tls_options[] = {
    LEAT_OPT(struct flume_tls, ca, .optional = true,
             .help = "File with the certificates that are trusted; else the system's."),
    LEAT_OPT(struct flume_tls, cert, .optional = true, .help = "File with leat's own certificate."),
    LEAT_OPT(struct flume_tls, key, .optional = true, .help = "File with its key."),
    {0},
};

static const struct leat_opt options[] = {
    LEAT_OPT(struct sink, connect, .help = "host:port of a Flume agent's Avro source."),
    LEAT_OPT(struct sink, compression, .def = "none", .choices = compressions,
             .help = "zlib where the source has `compression-type = deflate`."),
    LEAT_OPT(struct sink, timeout, .def = "20s", .min = 100, .max = 300000,
             .help = "How long one call may take; a stop may have to wait for it."),
    LEAT_OPT_GROUPED(struct sink, batch, batch_options, .help = "How much goes into one call."),
    LEAT_OPT(struct sink, secure, .def = "false", .help = "Speak TLS; a setting of tls implies it."),
    LEAT_OPT_GROUPED(struct sink, tls, tls_options, .optional = true, .help = "Certificates."),
    {0},
};
/* clang-format on */

static bool is_secure(const struct sink *s)
{
    return s->secure || s->tls.ca || s->tls.cert;
}

static enum leat_status flume_check(const void *self, struct leat_error *err)
{
    const struct sink *s = self;

    if (!s->tls.cert != !s->tls.key)
        return leat_fail(err, LEAT_E_CONFIG, "tls: 'cert' and 'key' belong together");
    return socket_check_host_port(s->connect, false, err);
}

static enum leat_status flume_open(void *self, const struct leat_env *env, struct leat_error *err)
{
    struct sink *s = self;

    if (flume_check(s, err) != LEAT_OK)
        return err->status;
    s->env = env;
    s->calls = (struct flume_calls){.max_records = s->batch.records,
                                    .max_bytes = s->batch.bytes.bytes,
                                    .box.arena.budget = env->budget};
    s->client = (struct flume_client){.address = s->connect,
                                      .env = env,
                                      .security.budget = env->budget,
                                      .zlib = s->compression.index == COMPRESSION_ZLIB,
                                      .timeout_ms = s->timeout.ms};
    flume_client_init(&s->client);
    return is_secure(s) ? flume_security_init(&s->client.security, &s->tls, false, err) : LEAT_OK;
}

/* From where the last try got to. */
static enum leat_status send_all(struct sink *s, struct leat_error *err)
{
    for (; s->next; s->next = s->next->item.next)
        if (flume_client_send(&s->client, s->next, err) != LEAT_OK)
            return err->status;
    return LEAT_OK;
}

static enum leat_status flume_recover(void *self, uint64_t n, struct leat_slice section,
                                      struct leat_error *err)
{
    struct sink *s = self;

    if (n == 0 || section.len == 0 || n <= s->env->finished)
        return LEAT_OK;
    if (flume_calls_read(&s->calls, section, err) != LEAT_OK)
        return err->status;
    s->next = s->calls.box.first;
    enum leat_status status = send_all(s, err);
    flume_calls_clear(&s->calls); /* they borrow from the section */
    s->next = NULL;
    return status;
}

static enum leat_status flume_write(void *self, uint64_t n, const struct leat_chunk *chunk,
                                    struct leat_error *err)
{
    struct sink *s = self;
    char id[160];

    for (uint32_t i = 0; i < chunk->selected; i++) {
        int len = snprintf(id, sizeof id, "%.100s-%08x-%" PRIu64 "-%" PRIu64, s->env->job,
                           s->env->epoch, n, s->calls.events);
        if (flume_calls_add(&s->calls, chunk, chunk->selection[i],
                            (struct leat_slice){id, (size_t)len}, err) != LEAT_OK)
            return err->status;
    }
    return LEAT_OK;
}

static enum leat_status flume_prepare(void *self, uint64_t n,
                                      const struct leat_positions *positions,
                                      struct leat_bytes *section, struct leat_error *err)
{
    struct sink *s = self;

    (void)n, (void)positions, (void)err;
    flume_calls_write(&s->calls, section);
    s->next = s->calls.box.first;
    return LEAT_OK;
}

static enum leat_status flume_commit(void *self, uint64_t n, struct leat_error *err)
{
    struct sink *s = self;

    (void)n;
    if (send_all(s, err) != LEAT_OK)
        return err->status;
    flume_calls_clear(&s->calls);
    return LEAT_OK;
}

static enum leat_status flume_abort(void *self, uint64_t n, struct leat_error *err)
{
    struct sink *s = self;

    (void)n, (void)err; /* nothing was sent */
    flume_calls_clear(&s->calls);
    s->next = NULL;
    return LEAT_OK;
}

static void flume_close(void *self)
{
    struct sink *s = self;

    flume_client_close(&s->client);
    flume_security_fini(&s->client.security);
    leat_outbox_free(&s->calls.box);
    s->next = NULL;
}

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "flume",
    .summary = "sends events to a Flume agent's Avro source",
    .self_size = sizeof(struct sink),
    .opts = options,
    .check = flume_check,
    .sink =
        &(const struct leat_sink){
            .writes_headers = true,
            .promise = LEAT_SINK_REPEATS,
            .open = flume_open,
            .recover = flume_recover,
            .write = flume_write,
            .prepare = flume_prepare,
            .commit = flume_commit,
            .abort = flume_abort,
            .close = flume_close,
        },
};

LEAT_MODULE(module);
