/* load.c - the options of the avro format: schemas from files, and whether all of it makes sense.
 */
#include "container.h"

#include <endian.h>
#include <stdio.h>

static bool is_url(const char *url)
{
    size_t scheme = strncmp(url, "https://", 8) == 0 ? 8 : strncmp(url, "http://", 7) == 0 ? 7 : 0;

    for (const char *c = url; *c; c++)
        if ((unsigned char)*c <= ' ' || *c == '@' || *c == '?' || *c == '#')
            return false;
    return strlen(url) <= AVRO_URL_BYTES && scheme && url[scheme] != '\0' && url[scheme] != '/';
}

static enum leat_status check_container(const struct avro *a, struct leat_error *err)
{
    if (a->framing.index != AVRO_CONTAINER && a->codec.index != AVRO_CODEC_NULL)
        return leat_fail(err, LEAT_E_CONFIG, "codec is for framing: container");
    if (a->framing.index == AVRO_CONTAINER && a->writer_schema.count)
        return leat_fail(err, LEAT_E_CONFIG,
                         "a container says itself what it was written with: take out "
                         "writer_schema");
    return LEAT_OK;
}

static enum leat_status check_alone(const struct avro *a, struct leat_error *err)
{
    if (!a->schema && a->framing.index != AVRO_CONTAINER)
        return leat_fail(err, LEAT_E_CONFIG,
                         "`schema` is missing: a file or JSON; or the `registry` that has it");
    if (a->subject || a->auth.user || a->auth.password || a->tls.ca || a->tls.cert || a->tls.key ||
        a->insecure)
        return leat_fail(err, LEAT_E_CONFIG,
                         "subject, auth, tls and insecure are for a `registry`: there is none");
    if (a->framing.index == AVRO_RAW && a->writer_schema.count > 1)
        return leat_fail(err, LEAT_E_CONFIG,
                         "nothing says which of %zu schemas a record was written with: give one "
                         "writer_schema, or framing: single_object",
                         a->writer_schema.count);
    return check_container(a, err);
}

enum leat_status avro_check(const void *self, struct leat_error *err)
{
    const struct avro *a = self;

    if (!avro_is_whole && (a->registry || a->codec.index == AVRO_CODEC_SNAPPY))
        return leat_fail(err, LEAT_E_CONFIG, "the C library has no registry and no codec snappy");
    if (!a->registry)
        return check_alone(a, err);
    if (!is_url(a->registry))
        return leat_fail(err, LEAT_E_CONFIG,
                         "registry: '%s' is no URL such as https://host:8081 (user and password go "
                         "into `auth`)",
                         a->registry);
    if (a->framing.index != AVRO_RAW || a->writer_schema.count || a->codec.index)
        return leat_fail(err, LEAT_E_CONFIG,
                         "with a registry each record names its schema: take out framing, codec "
                         "and writer_schema");
    if (a->subject && (!a->subject[0] || strlen(a->subject) > AVRO_SUBJECT_BYTES))
        return leat_fail(err, LEAT_E_CONFIG, "subject: a name of 1 to %d bytes is wanted",
                         AVRO_SUBJECT_BYTES);
    if (a->auth.password && !a->auth.user)
        return leat_fail(err, LEAT_E_CONFIG, "auth: a password needs a `user`");
    if (a->auth.user && strncmp(a->registry, "https://", 8) != 0 && !a->insecure)
        return leat_fail(err, LEAT_E_CONFIG,
                         "auth over http:// can be read by everybody on the way: use https://, or "
                         "say `insecure: true`");
    return LEAT_OK;
}

/* ---- schemas */

/* JSON begins with one of these, a path hardly. */
static bool is_inline(const char *given)
{
    given += strspn(given, " \t\r\n");
    return given[0] == '{' || given[0] == '[' || given[0] == '"';
}

static enum leat_status load_schema(const char *given, struct leat_arena *arena,
                                    struct avro_schema *schema, struct leat_slice *keep,
                                    struct leat_error *err)
{
    struct leat_arena scratch = {0};
    struct leat_slice text = leat_slice_str(given);
    enum leat_status status = LEAT_OK;

    if (!is_inline(given))
        status = leat_file_read(given, AVRO_SCHEMA_BYTES, &scratch, &text, err);
    if (status == LEAT_E_IO) { /* the pipeline's mistake, not something to wait for */
        err->status = status = LEAT_E_CONFIG;
        leat_error_prefix(err, "schema");
    }
    if (status == LEAT_OK && keep) {
        *keep = leat_arena_copy(arena, text);
        status = keep->ptr ? LEAT_OK : leat_arena_failed(arena, err);
    }
    if (status == LEAT_OK) {
        status = avro_schema_parse(text, arena, schema, err);
        if (status != LEAT_OK && !is_inline(given))
            leat_error_prefix(err, "'%s'", given);
    }
    leat_arena_reset(&scratch);
    return status;
}

static enum leat_status load_sources(struct avro *a, struct leat_arena *arena,
                                     struct leat_error *err)
{
    size_t given = a->writer_schema.count;

    a->sources = leat_arena_array(arena, given + 1, sizeof *a->sources);
    if (!a->sources)
        return leat_arena_failed(arena, err);
    for (size_t i = 0; i < given; i++)
        if (load_schema(a->writer_schema.list[i], arena, &a->sources[a->sources_count++].schema,
                        NULL, err) != LEAT_OK)
            return err->status;
    if (given == 0 || a->framing.index == AVRO_SINGLE_OBJECT)
        a->sources[a->sources_count++].schema = a->parsed;
    for (uint32_t i = 0; i < a->sources_count; i++)
        if (avro_resolve(&a->sources[i].schema, &a->parsed, arena, &a->sources[i].node, err) !=
            LEAT_OK)
            return err->status;
    return LEAT_OK;
}

static enum leat_status load_registry(struct avro *a, enum leat_format_use use,
                                      struct leat_arena *arena, struct leat_error *err)
{
    if (use == LEAT_FORMAT_READS_ONCE)
        return leat_fail(err, LEAT_E_CONFIG,
                         "a registry may have to be waited for, which only a source can do that "
                         "can be read again, such as kafka, or any with `store: kafka`: or name "
                         "the `schema` instead");
    if (use == LEAT_FORMAT_WRITES && (!a->schema || !a->subject))
        return leat_fail(err, LEAT_E_CONFIG,
                         "a sink with a registry wants `schema`, and the `subject` to register it "
                         "under, such as orders-value");
    a->server = (struct avro_server){.url = a->registry, .auth = a->auth, .tls = a->tls};
    a->target.wanted = a->has_schema ? &a->parsed : NULL;
    return avro_registry_new(&a->server, &a->target, arena, &a->asks, err);
}

static enum leat_status load_container(struct avro *a, enum leat_format_use use,
                                       struct leat_arena *arena, struct leat_error *err)
{
    a->target.wanted = a->has_schema ? &a->parsed : NULL;
    if (use != LEAT_FORMAT_WRITES) {
        a->files = avro_files_new(a, arena);
        return a->files ? LEAT_OK : leat_arena_failed(arena, err);
    }
    if (!a->has_schema)
        return leat_fail(err, LEAT_E_CONFIG, "`schema` is missing: what a sink writes");
    return avro_head_make(a->text, (enum avro_codec)a->codec.index, arena, &a->head)
               ? LEAT_OK
               : leat_arena_failed(arena, err);
}

enum leat_status avro_load(void *self, enum leat_format_use use, struct leat_arena *arena,
                           struct leat_error *err)
{
    struct avro *a = self;

    a->has_schema = a->schema != NULL;
    if (a->has_schema && load_schema(a->schema, arena, &a->parsed, &a->text, err) != LEAT_OK)
        return err->status;
    uint64_t print = htole64(a->parsed.fingerprint);
    memcpy(a->mark, "\xc3\x01", 2);
    memcpy(a->mark + 2, &print, sizeof print);
    if (a->framing.index == AVRO_CONTAINER)
        return load_container(a, use, arena, err);
    return a->registry ? load_registry(a, use, arena, err) : load_sources(a, arena, err);
}
