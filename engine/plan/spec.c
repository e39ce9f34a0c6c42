/*
 * spec.c - reads the shape of a pipeline file: which sections and parts there are.
 *
 * Settings go through option tables; parts that name a module are in spec_module.c, names and who
 * reads whom in spec_names.c. Thread: any; nothing is kept.
 */
#include "plan/spec_parts.h"

enum { NAME_MAX_LEN = 100 };

static const char *const deliveries[] = {"at_least_once", "exactly_once", NULL};
static const char *const error_words[] = {"fail", "drop", "dlq", NULL};
static const char *const lost_words[] = {"fail", "earliest", NULL};

struct head {
    const char *leat, *name, *description;
    struct leat_choice delivery, on_error;
    struct leat_size memory;
    int64_t partitions;
};

static const struct leat_opt head_options[] = {
    LEAT_OPT(struct head, leat, .optional = true, .help = "Version of the language: 1."),
    LEAT_OPT(struct head, name,
             .help = "Name of the pipeline, [a-z0-9-]+; consumer group, transactional id and state "
                     "directory derive from it."),
    LEAT_OPT(struct head, description, .def = "", .help = "What it is for."),
    LEAT_OPT(struct head, delivery, .def = "at_least_once", .choices = deliveries,
             .help = "What is promised from source to sink."),
    LEAT_OPT(struct head, on_error, .def = "fail", .choices = error_words,
             .help = "What happens to records that cannot be decoded or evaluated."),
    LEAT_OPT(struct head, memory, .def = "256MiB", .min = 16 << 20, .max = INT64_MAX,
             .help = "Of the whole process, client queues included."),
    LEAT_OPT(struct head, partitions, .def = "16", .min = 1, .max = 4096,
             .help = "How many ways keyed work is split; fixed once there is state."),
    {0},
};

/* clang-format off */
static const struct leat_opt commit_options[] = {
    SPEC_OPT(LEAT_OPT_DURATION, "every", commit.every, .def = "0s", .max = 86400000,
             .help = "Several batches share one transaction and one sync; 0s: every batch."),
    {0},
};

static const struct leat_opt checkpoint_options[] = {
    SPEC_OPT(LEAT_OPT_TEXT, "dir", checkpoint.dir, .optional = true,
             .help = "Directory of log and state; without it ./state/NAME."),
    SPEC_OPT(LEAT_OPT_DURATION, "snapshot_every", checkpoint.snapshot_every, .def = "1m",
             .min = 1000, .max = INT64_MAX,
             .help = "How often all of the state is written, so that the log of changes can go."),
    SPEC_OPT(LEAT_OPT_DURATION, "keep", checkpoint.keep, .def = "10m", .max = INT64_MAX,
             .help = "How long the log of batches is kept at least, for `leat replay`."),
    {0},
};

static const struct leat_opt http_options[] = {
    SPEC_OPT(LEAT_OPT_TEXT, "listen", http.listen,
             .help = "Where /metrics, /healthz and /readyz are answered: 127.0.0.1:4190."),
    {0},
};
/* clang-format on */

static const struct leat_opt source_options[] = {
    LEAT_OPT(struct leat_spec_source, max_record, .def = "1MiB", .min = 1, .max = 1 << 30,
             .help = "A longer record is an error of that record."),
    LEAT_OPT(struct leat_spec_source, on_lost, .def = "fail", .choices = lost_words,
             .help = "What to do when the position to go on from is gone."),
    {0},
};

static const struct leat_opt time_options[] = {
    {.name = "at",
     .kind = LEAT_OPT_EXPR,
     .offset = offsetof(struct leat_spec_time, at),
     .help = "Time of a record."},
    LEAT_OPT(struct leat_spec_time, lateness, .def = "0s", .max = INT64_MAX,
             .help = "How far behind the greatest time the watermark stays."),
    LEAT_OPT(struct leat_spec_time, idle, .def = "0s", .max = INT64_MAX,
             .help = "After this long without records a partition holds nobody back; 0s: never."),
    LEAT_OPT(struct leat_spec_time, max_future, .def = "0s", .max = INT64_MAX,
             .help = "A record further ahead of the clock is an error; 0s: none is."),
    {0},
};

/* ---- the head of the file */

static void check_version(struct spec_reader *r, const struct leat_node *root,
                          const struct head *head)
{
    const struct leat_node *node = leat_node_find(root, "leat");

    if (!node) {
        struct leat_diag *d = leat_diag_error(r->diags, NULL, "'leat' is missing");
        leat_diag_hint(r->diags, d, "the first line says the version of the language: `leat: 1`");
    } else if (head->leat && strcmp(head->leat, "1") != 0) {
        leat_diag_error(r->diags, node, "this version of leat reads files with 'leat: 1'");
    }
}

static void check_name(struct spec_reader *r, const struct leat_node *root)
{
    const struct leat_node *node = leat_node_find(root, "name");
    struct leat_slice name = r->spec->name;
    bool good = name.len > 0 && name.len <= NAME_MAX_LEN;

    for (size_t i = 0; i < name.len; i++)
        good &= (name.ptr[i] >= 'a' && name.ptr[i] <= 'z') || name.ptr[i] == '-' ||
                (name.ptr[i] >= '0' && name.ptr[i] <= '9');
    if (node && name.ptr && !good)
        leat_diag_error(r->diags, node,
                        "a pipeline's name has small letters, digits and '-' only, at most %d",
                        NAME_MAX_LEN);
}

/* `dlq:` is a sink without `from` and without a format: it gets records as they came. */
static void read_letters(struct spec_reader *r, const struct leat_node *root)
{
    const struct leat_node *node = leat_node_find(root, "dlq");
    static const char *const parts[] = {NULL}; /* letters have a form of their own */
    bool wanted = r->spec->on_error.index == LEAT_SPEC_DLQ;

    if (!node && wanted) {
        struct leat_diag *d = leat_diag_error(r->diags, leat_node_find(root, "on_error"),
                                              "'on_error: dlq' needs a place: 'dlq' is missing");
        leat_diag_hint(r->diags, d, "dlq: { kafka: { brokers: ..., topic: orders.dlq } }");
    }
    if (!node)
        return;
    if (!wanted)
        leat_diag_warn(r->diags, node, "'dlq' gets nothing: 'on_error: dlq' is missing");
    if (node->kind != LEAT_NODE_MAP)
        leat_diag_error_key(r->diags, node, "'dlq' takes a map: { kafka: { topic: ... } }");
    else
        spec_read_connector(r, node, parts, "dead-letter output", &r->spec->dlq);
}

/* `http: off` is as good as none. */
static void read_http(struct spec_reader *r, const struct leat_node *node)
{
    if (!node || node->is_null ||
        (node->kind == LEAT_NODE_SCALAR && leat_slice_eq(node->text, LEAT_LIT("off"))))
        return;
    if (node->kind != LEAT_NODE_MAP)
        leat_diag_error_key(r->diags, node, "'http' takes a map: { listen: \"127.0.0.1:4190\" }");
    else
        leat_opts_read(http_options, r->spec, node, NULL, r->arena, r->diags);
}

static void read_head(struct spec_reader *r, const struct leat_node *root)
{
    static const char *const keys[] = {"leat",     "name",   "description", "delivery",
                                       "on_error", "memory", "partitions",  NULL};
    struct leat_spec *spec = r->spec;
    struct head head = {0};

    leat_opts_read(head_options, &head, spec_pick(r, root, keys, true), NULL, r->arena, r->diags);
    spec->name = leat_slice_str(head.name);
    spec->description = leat_slice_str(head.description);
    spec->delivery = head.delivery;
    spec->on_error = head.on_error;
    spec->memory = head.memory;
    spec->partitions = head.partitions;
    check_version(r, root, &head);
    check_name(r, root);
    read_letters(r, root);
    spec_read_batch(r, leat_node_find(root, "batch"));
    leat_opts_read(commit_options, spec, leat_node_find(root, "commit"), NULL, r->arena, r->diags);
    read_http(r, leat_node_find(root, "http"));
    leat_opts_read(checkpoint_options, spec, leat_node_find(root, "checkpoint"), NULL, r->arena,
                   r->diags);
}

static void check_sections(struct spec_reader *r, const struct leat_node *root)
{
    static const char *const keys[] = {
        "leat",    "name",       "description", "delivery", "memory",   "partitions",  "batch",
        "commit",  "checkpoint", "http",        "store",    "on_error", "connections", "dlq",
        "sources", "tables",     "streams",     "sinks",    "tests",    NULL};

    for (const struct leat_node *c = root->first; c; c = c->next) {
        bool is_private = c->key.len > 2 && memcmp(c->key.ptr, "x-", 2) == 0;
        if (!is_private && !spec_lists(keys, c->key))
            spec_unknown_key(r, c, keys);
    }
}

static void check_connections(struct spec_reader *r)
{
    const struct leat_node *all = r->connections;

    if (!all || all->is_null)
        return;
    if (all->kind != LEAT_NODE_MAP)
        leat_diag_error(r->diags, all, "'connections' takes a map of names");
    for (const struct leat_node *c = all->kind == LEAT_NODE_MAP ? all->first : NULL; c; c = c->next)
        if (c->kind != LEAT_NODE_MAP || c->count != 1 || c->first->kind != LEAT_NODE_MAP)
            leat_diag_error_key(
                r->diags, c, "a connection is one connector with its settings: { kafka: { ... } }");
}

/* ---- sources, tables, sinks, streams */

/* The entries of a section; each must be a map. */
static const struct leat_node *section(struct spec_reader *r, const struct leat_node *root,
                                       const char *name)
{
    const struct leat_node *all = leat_node_find(root, name);

    if (all && all->kind != LEAT_NODE_MAP && !all->is_null)
        leat_diag_error(r->diags, all, "'%s' takes a map of names", name);
    if (!all || all->kind != LEAT_NODE_MAP)
        return NULL;
    for (const struct leat_node *c = all->first; c; c = c->next) {
        if (c->kind != LEAT_NODE_MAP)
            leat_diag_error_key(r->diags, c, "'%.*s' takes a map of settings", LEAT_FMT(c->key));
        if (c->key.len == 0)
            leat_diag_error_key(r->diags, c, "a name is due here");
    }
    return all->first;
}

static void read_time(struct spec_reader *r, const struct leat_node *node,
                      struct leat_spec_time *time)
{
    if (!node)
        return;
    if (node->kind == LEAT_NODE_SCALAR)
        time->at = node; /* the short form: an expression */
    else
        leat_opts_read(time_options, time, node, NULL, r->arena, r->diags);
}

/* What all sources have may stand beside the connector or among its settings. */
static void read_source(struct spec_reader *r, const struct leat_node *node,
                        struct leat_spec_source *source)
{
    static const char *const parts[] = {"format",  "time",       "schema", "key_format",
                                        "on_lost", "max_record", "store",  NULL};
    static const char *const common[] = {"key_format", "on_lost", "max_record", "store", NULL};
    static const char *const elsewhere[] = {"key_format", "store", NULL};

    *source = (struct leat_spec_source){.name = node->key, .node = node};
    spec_read_connector(r, node, parts, "source", &source->connector);
    const struct leat_node *given = source->connector.given;
    const struct leat_node *set =
        spec_merge(r, spec_pick(r, node, common, true), spec_pick(r, given, common, true));
    source->connector.given = spec_pick(r, given, common, false);
    spec_read_format(r, leat_node_find(node, "format"), &source->format);
    read_time(r, leat_node_find(node, "time"), &source->time);
    source->schema = leat_node_find(node, "schema");
    source->key_format = leat_node_find(set, "key_format");
    leat_opts_read(source_options, source, set, elsewhere, r->arena, r->diags);
    spec_read_store(r, leat_node_find(set, "store"), &source->store);
}

static void read_table(struct spec_reader *r, const struct leat_node *node,
                       struct leat_spec_table *table)
{
    static const char *const parts[] = {"format", "schema", "key", NULL};

    *table = (struct leat_spec_table){.name = node->key, .node = node};
    spec_read_connector(r, node, parts, "table", &table->connector);
    table->is_topic = leat_slice_eq(table->connector.name, LEAT_LIT("kafka"));
    if (table->connector.name.ptr && !table->is_topic &&
        !leat_slice_eq(table->connector.name, LEAT_LIT("file"))) {
        const struct leat_slice known[] = {LEAT_LIT("file"), LEAT_LIT("kafka")};
        struct leat_diag *d =
            leat_diag_error_key(r->diags, table->connector.node,
                                "a table comes from a 'file' or a topic of 'kafka', not from "
                                "'%.*s'",
                                LEAT_FMT(table->connector.name));
        leat_diag_nearest(r->diags, d, table->connector.name, known, 2);
    }
    spec_read_format(r, leat_node_find(node, "format"), &table->format);
    table->schema = leat_node_find(node, "schema");
    table->key = leat_node_find(node, "key");
    if (!table->key && node->kind == LEAT_NODE_MAP)
        leat_diag_error_key(r->diags, node, "'key' is missing");
}

struct leat_spec_from *spec_read_from(struct spec_reader *r, const struct leat_node *part,
                                      const char *what)
{
    const struct leat_node *node = leat_node_find(part, "from");
    struct leat_spec_from *first = NULL, **end = &first;
    bool is_list = node && node->kind == LEAT_NODE_LIST;

    if (!node && part->kind == LEAT_NODE_MAP)
        leat_diag_error_key(r->diags, part, "'from' is missing: which stream does this %s read?",
                            what);
    if (is_list && node->count == 0)
        leat_diag_error(r->diags, node, "'from' is an empty list");
    for (const struct leat_node *n = is_list ? node->first : node; n;
         n = is_list ? n->next : NULL) {
        struct leat_slice name = leat_node_value(n);
        if (n->kind == LEAT_NODE_SCALAR && !leat_diag_filled(r->diags, n))
            continue;
        if (n->kind != LEAT_NODE_SCALAR || n->is_null) {
            leat_diag_error(r->diags, n, "'from' takes a name or a list of names");
            continue;
        }
        struct leat_spec_from *from = spec_take(r, sizeof *from);
        if (!from)
            break;
        *from = (struct leat_spec_from){.name = name, .node = n};
        *end = from;
        end = &from->next;
    }
    return first;
}

static void read_sink(struct spec_reader *r, const struct leat_node *node,
                      struct leat_spec_sink *sink)
{
    static const char *const parts[] = {"from", "format", NULL};

    *sink = (struct leat_spec_sink){.name = node->key, .node = node};
    sink->from = spec_read_from(r, node, "sink");
    spec_read_connector(r, node, parts, "sink", &sink->connector);
    spec_read_format(r, leat_node_find(node, "format"), &sink->format);
}

static void refuse_shape(struct spec_reader *r, const struct leat_node *node)
{
    if (node->kind == LEAT_NODE_MAP && node->count > 1) {
        const struct leat_node *second = node->first->next;
        struct leat_diag *d =
            leat_diag_error_key(r->diags, second, "one entry of 'ops' is one operator");
        leat_diag_hint(r->diags, d, "a `- ` is missing in front of it");
    } else {
        leat_diag_error(r->diags, node, "an operator is due here: `- count`, or `- filter: EXPR`");
    }
}

/* NULL: the entry is no operator, or one that is refused; that was said. */
static struct leat_spec_op *read_op(struct spec_reader *r, const struct leat_node *node,
                                    bool *refused)
{
    const struct leat_node *one = node->kind == LEAT_NODE_MAP ? node->first : NULL;
    bool is_bare = node->kind == LEAT_NODE_SCALAR && !node->is_null;

    *refused = true;
    if (!is_bare && (!one || one->next)) {
        refuse_shape(r, node);
        return NULL;
    }
    struct leat_slice name = is_bare ? node->text : one->key;
    const struct leat_node *place = is_bare ? node : one;
    const struct leat_node *arg = one && !(one->kind == LEAT_NODE_SCALAR && one->is_null &&
                                           one->text.len == 0 && !one->tag.ptr)
                                      ? one
                                      : NULL;
    struct leat_spec_op *op = spec_take(r, sizeof *op);
    if (!op)
        return NULL;
    *op = (struct leat_spec_op){.name = name, .node = place, .arg = arg};
    *refused = false;
    return op;
}

/* Reading of operators ends at the first that is refused: what would come out of it is unknown. */
static bool read_ops(struct spec_reader *r, const struct leat_node *node,
                     struct leat_spec_stream *stream)
{
    struct leat_spec_op **end = &stream->ops;
    bool refused, any = false;

    if (!node || node->is_null)
        return true;
    if (node->kind != LEAT_NODE_LIST) {
        struct leat_diag *d = leat_diag_error_key(r->diags, node, "'ops' takes a list");
        if (node->kind == LEAT_NODE_MAP)
            leat_diag_hint(r->diags, d, "put `- ` in front of each operator");
        return false;
    }
    for (const struct leat_node *n = node->first; n; n = n->next) {
        struct leat_spec_op *op = read_op(r, n, &refused);
        any |= refused;
        if (!op || any)
            continue;
        *end = op;
        end = &op->next;
    }
    return !any;
}

/* *complete: what comes out of it is known. */
static void read_stream(struct spec_reader *r, const struct leat_node *node,
                        struct leat_spec_stream *stream, bool *complete)
{
    static const char *const parts[] = {"from", "ops", NULL};

    *stream = (struct leat_spec_stream){.name = node->key, .node = node};
    stream->from = spec_read_from(r, node, "stream");
    for (const struct leat_node *c = node->kind == LEAT_NODE_MAP ? node->first : NULL; c;
         c = c->next)
        if (!spec_lists(parts, c->key))
            spec_unknown_key(r, c, parts);
    *complete = read_ops(r, leat_node_find(node, "ops"), stream);
}

/* ---- all of it */

static void refuse_none(struct spec_reader *r, const struct leat_node *root, const char *name)
{
    const struct leat_node *all = leat_node_find(root, name);

    if (!all || all->is_null || (all->kind == LEAT_NODE_MAP && all->count == 0))
        leat_diag_error(r->diags, NULL, "a pipeline needs '%s'", name);
}

static void read_sections(struct spec_reader *r, const struct leat_node *root)
{
    struct leat_spec *spec = r->spec;
    struct leat_spec_source **source = &spec->sources;
    struct leat_spec_table **table = &spec->tables;
    struct leat_spec_sink **sink = &spec->sinks;

    for (const struct leat_node *n = section(r, root, "sources"); n; n = n->next)
        if ((*source = spec_take(r, sizeof **source))) {
            read_source(r, n, *source);
            source = &(*source)->next;
        }
    for (const struct leat_node *n = section(r, root, "tables"); n; n = n->next)
        if ((*table = spec_take(r, sizeof **table))) {
            read_table(r, n, *table);
            table = &(*table)->next;
        }
    for (const struct leat_node *n = section(r, root, "sinks"); n; n = n->next)
        if ((*sink = spec_take(r, sizeof **sink))) {
            read_sink(r, n, *sink);
            sink = &(*sink)->next;
        }
    refuse_none(r, root, "sources");
    refuse_none(r, root, "sinks");
}

/* Streams whose end is unknown lose their name once the names are checked. */
static void read_streams(struct spec_reader *r, const struct leat_node *root)
{
    const struct leat_node *first = section(r, root, "streams");
    struct leat_spec_stream **stream = &r->spec->streams;
    bool complete, all_complete = true;

    for (const struct leat_node *n = first; n; n = n->next)
        if ((*stream = spec_take(r, sizeof **stream))) {
            read_stream(r, n, *stream, &complete);
            all_complete &= complete;
            (*stream)->is_cut = !complete;
            stream = &(*stream)->next;
        }
    spec_check_names(r);
    for (struct leat_spec_stream *s = r->spec->streams; s && !all_complete; s = s->next)
        if (s->is_cut)
            s->name = LEAT_LIT("");
}

void leat_spec_read(const struct leat_node *root, struct leat_spec *spec, struct leat_arena *arena,
                    struct leat_diags *diags)
{
    struct spec_reader r = {.spec = spec,
                            .arena = arena,
                            .diags = diags,
                            .connections = leat_node_find(root, "connections")};

    spec->root = root;
    spec->tests = leat_node_find(root, "tests");
    check_sections(&r, root);
    read_head(&r, root);
    check_connections(&r);
    read_sections(&r, root);
    read_streams(&r, root);
}
