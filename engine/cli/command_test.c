/*
 * command_test.c - `leat test`: the tests in a pipeline file, with no broker, network or clock.
 *
 * The plan is made once per file with sources that are fed by hand and, in place of sinks, one
 * output for every sink or stream that a test expects something of; these outputs keep values as
 * they are. Batches run as they do in a job, in this thread.
 */
#include "cli/test_match.h"

#include "cli/cli.h"
#include "config/interpolate.h"
#include "config/message.h"
#include "data/json.h"
#include "data/value_ops.h"
#include "run/driver.h"

#include <argp.h>
#include <inttypes.h>
#include <stdio.h>

#define OUTPUTS_MAX 64

struct output {
    struct leat_slice name;
    struct cli_got_row *rows;
    uint32_t count, room;
};

/* One file with its tests. */
struct testing {
    struct leat_arena arena; /* of the file, its plan and what is expected */
    struct leat_diags diags;
    struct config_file file;
    struct leat_spec spec;
    struct leat_plan *plan;
    struct config_test *tests;
    struct output outputs[OUTPUTS_MAX];
    uint32_t outputs_count;

    struct leat_arena rows; /* of one test: what came out */
    struct leat_driver *driver;
    uint32_t parts[64]; /* the one partition of each source */
    struct leat_lookup_table *tables[64];
    uint32_t passed, failed;
};

/* ---- a plan to test with */

static bool add_output(struct testing *t, struct leat_slice name)
{
    for (uint32_t i = 0; i < t->outputs_count; i++)
        if (leat_slice_eq(t->outputs[i].name, name))
            return true;
    if (t->outputs_count == OUTPUTS_MAX)
        return false;
    t->outputs[t->outputs_count++].name = name;
    return true;
}

static const struct leat_spec_sink *find_sink(const struct leat_spec *spec, struct leat_slice name)
{
    for (const struct leat_spec_sink *s = spec->sinks; s; s = s->next)
        if (leat_slice_eq(s->name, name))
            return s;
    return NULL;
}

/* What a sink reads, or the stream itself. */
static struct leat_spec_from *from_of(struct testing *t, const struct leat_spec *spec,
                                      struct leat_slice name, const struct leat_node *node)
{
    const struct leat_spec_sink *sink = find_sink(spec, name);
    struct leat_spec_from *from;

    if (sink)
        return sink->from;
    from = leat_arena_alloc(&t->arena, sizeof *from);
    if (from)
        *from = (struct leat_spec_from){NULL, name, node};
    return from;
}

/* The sinks of the file stay too, so that what is wrong with them is told; nothing reads theirs. */
static bool add_test_sinks(struct testing *t)
{
    const struct leat_spec_module memory = {.name = LEAT_LIT("memory")},
                                  values = {.name = LEAT_LIT("_values")};
    struct leat_spec_sink *first = NULL;

    for (const struct config_test *test = t->tests; test; test = test->next)
        for (const struct config_test_expect *e = test->expects; e; e = e->next)
            if (!add_output(t, e->name))
                return false;
    for (uint32_t i = t->outputs_count; i-- > 0;) {
        struct leat_spec_sink *s = leat_arena_alloc(&t->arena, sizeof *s);
        if (!s)
            return false;
        *s = (struct leat_spec_sink){.next = first,
                                     .name = t->outputs[i].name,
                                     .node = t->spec.root,
                                     .connector = memory,
                                     .format = values};
        s->from = from_of(t, &t->spec, s->name, t->spec.root);
        first = s;
    }
    t->spec.sinks = first;
    return true;
}

/* What is computed has no format: its values are data. */
static struct leat_slice usual_format(const struct leat_spec_source *s)
{
    char name[64];

    snprintf(name, sizeof name, "%.*s", LEAT_FMT(s->connector.name));
    const struct leat_module *m = leat_module_find_source(name);
    return leat_slice_str(m && m->usual_format && !m->computed ? m->usual_format : "json");
}

/* Rows are data: values go in as JSON, text as it is. */
static void replace_sources(struct testing *t)
{
    for (struct leat_spec_source *s = t->spec.sources; s; s = s->next) {
        struct leat_slice format = s->format.name.ptr ? s->format.name : usual_format(s);
        bool plain =
            leat_slice_eq(format, LEAT_LIT("text")) || leat_slice_eq(format, LEAT_LIT("raw"));
        s->connector = (struct leat_spec_module){0}; /* fed by hand */
        if (!plain)
            s->format = (struct leat_spec_module){.name = LEAT_LIT("json")};
        else if (!s->format.name.ptr)
            s->format = (struct leat_spec_module){.name = LEAT_LIT("text")};
    }
}

static bool make_plan(struct testing *t)
{
    struct leat_diags again = {.arena = &t->arena};

    leat_plan_free(t->plan);
    replace_sources(t);
    t->spec.delivery.index = LEAT_DELIVERY_AT_LEAST_ONCE; /* nothing is delivered here */
    if (!add_test_sinks(t))
        return false;
    t->plan = leat_plan_build(&t->spec, &again);
    if (t->plan && again.errors)
        config_message_print(&t->file, &again, stderr);
    return t->plan && !again.errors;
}

/* ---- running one test */

static void say_failed(struct testing *t, const struct config_test *test)
{
    t->failed++;
    cli_say(stdout, "FAILED %s:%u: %.*s\n", t->file.name, test->node->mark.line,
            LEAT_FMT(test->name));
}

static bool add_row(struct testing *t, struct output *o, struct cli_got_row row)
{
    if (o->count == o->room) {
        uint32_t room = o->room ? o->room * 2 : 16;
        struct cli_got_row *rows = leat_arena_array(&t->rows, room, sizeof *rows);
        if (!rows)
            return false;
        if (o->count)
            memcpy(rows, o->rows, o->count * sizeof *rows);
        o->rows = rows;
        o->room = room;
    }
    o->rows[o->count++] = row;
    return true;
}

/* What the batch put out, decoded and kept. */
static enum leat_status collect(struct testing *t, struct leat_error *err)
{
    for (uint32_t i = 0; i < t->outputs_count; i++) {
        const struct leat_sealed_list *list = leat_driver_output(t->driver, i);
        for (const struct leat_sealed *s = list->first; s; s = s->next)
            for (uint32_t r = 0; r < s->chunk.selected; r++) {
                uint16_t at = s->chunk.selection[r];
                struct leat_slice pair = leat_arena_copy(&t->rows, s->chunk.values[at]);
                struct cli_got_row row = {.time_ms = s->chunk.times_ms[at]};
                if (!pair.ptr)
                    return leat_arena_failed(&t->rows, err);
                if (leat_value_decode(&pair, &t->rows, &row.value, err) != LEAT_OK ||
                    leat_value_decode(&pair, &t->rows, &row.key, err) != LEAT_OK)
                    return err->status;
                if (!add_row(t, &t->outputs[i], row))
                    return leat_arena_failed(&t->rows, err);
            }
    }
    return LEAT_OK;
}

static enum leat_status batch(struct testing *t, int64_t time_ms, struct leat_error *err)
{
    bool ran;

    if (leat_driver_batch(t->driver, time_ms, time_ms, false, &ran, err) != LEAT_OK)
        return err->status;
    return ran ? collect(t, err) : LEAT_OK;
}

static struct leat_slice as_text(struct leat_value v, bool plain, struct leat_arena *arena)
{
    struct leat_bytes text = {.arena = arena};
    struct leat_value why;

    if (v.tag == LEAT_NULL)
        return (struct leat_slice){0};
    if (plain && v.tag == LEAT_STRING)
        return leat_value_text(v);
    if (!leat_json_write(v, &text, &why))
        return (struct leat_slice){0};
    return leat_bytes_slice(&text);
}

static struct leat_slice headers_of(struct leat_value map, struct leat_arena *arena)
{
    struct leat_bytes b = {.arena = arena};

    if (map.tag != LEAT_MAP)
        return (struct leat_slice){0};
    leat_bytes_put_u32(&b, map.len);
    for (uint32_t i = 0; i < map.len; i++) {
        leat_bytes_put_slice(&b, leat_value_text(map.as.items[2 * i]));
        leat_bytes_put_slice(&b, as_text(map.as.items[2 * i + 1], true, arena));
    }
    return leat_bytes_slice(&b);
}

static enum leat_status feed(struct testing *t, const struct config_test_step *step,
                             int64_t time_ms, struct leat_error *err)
{
    for (const struct config_test_feed *f = step->feeds; f; f = f->next) {
        uint32_t source = 0;
        while (source < t->plan->sources_count &&
               !leat_slice_eq(t->plan->sources[source].name, f->name))
            source++;
        if (source == t->plan->sources_count)
            continue; /* told when the tests were read */
        const struct leat_segment *s = t->plan->stages[t->plan->sources[source].stage].nodes[0].in;
        bool plain = s->is_text;
        for (const struct config_test_row *r = f->rows.first; r; r = r->next) {
            struct leat_row row = {.key = as_text(r->key, true, &t->rows),
                                   .value = as_text(r->value, plain, &t->rows),
                                   .headers = headers_of(r->headers, &t->rows),
                                   .time_ms = r->has_time ? r->time_ms : time_ms};
            if (leat_driver_row(t->driver, source, t->parts[source], &row, err) != LEAT_OK)
                return err->status;
        }
    }
    return batch(t, time_ms, err);
}

static enum leat_status load_tables(struct testing *t, const struct config_test *test,
                                    struct leat_error *err)
{
    for (uint32_t i = 0; i < t->plan->tables_count; i++) {
        const struct config_test_feed *f = test->tables;
        uint32_t count = 0;
        while (f && !leat_slice_eq(f->name, t->plan->tables[i].name))
            f = f->next;
        struct leat_row *rows =
            leat_arena_array(&t->rows, (f ? f->rows.count : 0) + 1, sizeof *rows);
        if (!rows)
            return leat_arena_failed(&t->rows, err);
        for (const struct config_test_row *r = f ? f->rows.first : NULL; r; r = r->next)
            rows[count++] = (struct leat_row){.key = as_text(r->key, true, &t->rows),
                                              .value = as_text(r->value, false, &t->rows),
                                              .time_ms = LEAT_NO_TIME};
        if (leat_lookup_from_rows(&t->plan->tables[i], rows, count, &t->tables[i], err) != LEAT_OK)
            return err->status;
    }
    leat_driver_set_tables(t->driver, (const struct leat_lookup_table *const *)t->tables);
    return LEAT_OK;
}

static enum leat_status run_steps(struct testing *t, const struct config_test *test,
                                  struct leat_error *err)
{
    int64_t every_ms = t->spec.batch.every.ms, now_ms = test->clock_ms;

    if (leat_driver_new(t->plan, 1, (size_t)t->spec.memory.bytes, &t->driver, err) != LEAT_OK ||
        load_tables(t, test, err) != LEAT_OK)
        return err->status;
    for (uint32_t i = 0; i < t->plan->sources_count; i++) {
        char *name = leat_arena_alloc(&t->rows, t->plan->sources[i].name.len + 3);
        if (!name)
            return leat_arena_failed(&t->rows, err);
        int len = sprintf(name, "%.*s/0", LEAT_FMT(t->plan->sources[i].name));
        if (leat_driver_part(t->driver, i, (struct leat_slice){name, (size_t)len}, now_ms,
                             &t->parts[i], err) != LEAT_OK)
            return err->status;
        leat_driver_at_end(t->driver, i, t->parts[i], true);
    }
    for (const struct config_test_step *s = test->steps; s; s = s->next) {
        if (s->advance_ms == 0) {
            if (feed(t, s, now_ms, err) != LEAT_OK)
                return err->status;
            now_ms += every_ms;
            continue;
        }
        for (int64_t end_ms = now_ms + s->advance_ms; now_ms < end_ms; now_ms += every_ms)
            if (batch(t, now_ms, err) != LEAT_OK)
                return err->status;
    }
    return LEAT_OK;
}

/* ---- what was expected */

/* Rows for which `where` is true, in place. False after an error that was printed. */
static bool keep_where(struct testing *t, const struct config_test_expect *e, struct output *o)
{
    struct leat_diags diags = {.arena = &t->rows};
    struct leat_value key, value, *columns[] = {&key, &value};
    struct leat_chunk chunk = {.arena = &t->rows, .columns = columns, .columns_count = 2};
    uint32_t kept = 0;

    const struct leat_program *p = cli_where_compile(e->where, &t->plan->shapes, &t->rows, &diags);
    struct leat_eval *ev = leat_eval_new();
    if (!p || !ev) {
        config_message_print(&t->file, &diags, stdout);
        leat_eval_free(ev);
        return false;
    }
    for (uint32_t i = 0; i < o->count; i++) {
        key = o->rows[i].key;
        value = o->rows[i].value;
        struct leat_value v = leat_eval_row(p, ev, &chunk, 0);
        if (v.tag == LEAT_BOOL && v.as.b)
            o->rows[kept++] = o->rows[i];
    }
    o->count = kept;
    leat_eval_free(ev);
    return true;
}

static void print_row(struct testing *t, const char *what, uint32_t line,
                      const struct cli_got_row *row, struct cli_row_shown shown)
{
    struct leat_slice text = cli_row_text(row, shown, &t->rows);

    if (line)
        cli_say(stdout, "    %-8s %.*s   (line %u)\n", what, LEAT_FMT(text), line);
    else
        cli_say(stdout, "    %-8s %.*s\n", what, LEAT_FMT(text));
}

static void print_rest(struct testing *t, const struct output *o, struct cli_row_shown shown)
{
    for (uint32_t i = 0; i < o->count; i++)
        if (!o->rows[i].is_matched)
            print_row(t, "got", 0, &o->rows[i], shown);
}

/* The got row for an expected one; in order, only the next one will do. */
static struct cli_got_row *find_match(struct testing *t, const struct config_test_expect *e,
                                      const struct config_test_row *want, struct output *o,
                                      uint32_t at)
{
    bool ordered = e->match == CONFIG_TEST_ORDERED;

    for (uint32_t i = ordered ? at : 0; i < (ordered && at < o->count ? at + 1 : o->count); i++)
        if (!o->rows[i].is_matched && cli_row_matches(want, &o->rows[i], e->exact, &t->rows))
            return &o->rows[i];
    return NULL;
}

static bool check_rows(struct testing *t, const struct config_test_expect *e, struct output *o)
{
    uint32_t at = 0, missing = 0, matched = 0;
    struct cli_row_shown shown = {false, false};

    for (const struct config_test_row *r = e->rows.first; r; r = r->next, at++) {
        struct cli_got_row *got = find_match(t, e, r, o, at);
        shown.key = shown.key || r->has_key;
        shown.time = shown.time || r->has_time;
        if (got) {
            got->is_matched = true;
            matched++;
            continue;
        }
        if (missing++ == 0)
            cli_say(stdout, "  %.*s:\n", LEAT_FMT(e->name));
        print_row(t, "expected", r->node->mark.line,
                  &(struct cli_got_row){.key = r->key, .value = r->value, .time_ms = r->time_ms},
                  (struct cli_row_shown){r->has_key, r->has_time});
    }
    bool extra = e->match != CONFIG_TEST_CONTAINS && matched < o->count;
    if (missing == 0 && !extra)
        return true;
    if (missing == 0)
        cli_say(stdout, "  %.*s: %u more than expected (line %u)\n", LEAT_FMT(e->name),
                o->count - matched, e->node->mark.line);
    print_rest(t, o, shown);
    if (o->count == 0)
        cli_say(stdout, "    %-8s nothing\n", "got");
    return false;
}

static bool check_expect(struct testing *t, const struct config_test_expect *e, uint64_t errors)
{
    struct output *all = NULL;

    for (uint32_t i = 0; i < t->outputs_count; i++)
        if (leat_slice_eq(t->outputs[i].name, e->name))
            all = &t->outputs[i];
    struct output o = *all;
    o.rows = leat_arena_array(&t->rows, o.count + 1, sizeof *o.rows);
    if (!o.rows)
        return false;
    if (o.count)
        memcpy(o.rows, all->rows, o.count * sizeof *o.rows);
    if (e->where && !keep_where(t, e, &o))
        return false;
    if (e->count >= 0 && e->count != o.count) {
        cli_say(stdout, "  %.*s: expected %" PRId64 " records, got %u (line %u)\n",
                LEAT_FMT(e->name), e->count, o.count, e->node->mark.line);
        print_rest(t, &o, (struct cli_row_shown){false, false});
        return false;
    }
    if (e->errors >= 0 && (uint64_t)e->errors != errors) {
        cli_say(stdout, "  %.*s: expected %" PRId64 " errors, got %" PRIu64 " (line %u)\n",
                LEAT_FMT(e->name), e->errors, errors, e->node->mark.line);
        return false;
    }
    return e->match == CONFIG_TEST_ANY || check_rows(t, e, &o);
}

static bool wants_errors(const struct config_test *test)
{
    for (const struct config_test_expect *e = test->expects; e; e = e->next)
        if (e->errors >= 0)
            return true;
    return false;
}

static void end_test(struct testing *t)
{
    leat_driver_free(t->driver);
    t->driver = NULL;
    for (uint32_t i = 0; i < 64; i++) {
        leat_lookup_free(t->tables[i]);
        t->tables[i] = NULL;
    }
    for (uint32_t i = 0; i < t->outputs_count; i++)
        t->outputs[i] = (struct output){.name = t->outputs[i].name};
    leat_arena_reset(&t->rows);
}

static void run_test(struct testing *t, const struct config_test *test)
{
    enum leat_on_error usual = t->plan->on_error;
    struct leat_error err = {0};
    bool ok = true;

    if (wants_errors(test))
        t->plan->on_error = LEAT_ON_ERROR_DROP; /* they are counted, not the end of the test */
    if (run_steps(t, test, &err) != LEAT_OK) {
        say_failed(t, test);
        cli_say(stdout, "  %s\n", err.text);
    } else {
        uint64_t errors = leat_driver_counts(t->driver).errors;
        for (const struct config_test_expect *e = test->expects; e; e = e->next)
            ok = check_expect(t, e, errors) && ok;
        if (ok) {
            t->passed++;
            cli_say(stdout, "ok     %s:%u: %.*s\n", t->file.name, test->node->mark.line,
                    LEAT_FMT(test->name));
        } else {
            say_failed(t, test);
        }
    }
    t->plan->on_error = usual;
    end_test(t);
}

/* ---- the command */

static int load(struct testing *t, const char *path)
{
    const struct config_outside outside = {.files_may_miss = true};
    struct leat_error err;

    t->arena.cap = (size_t)256 << 20;
    t->diags.arena = &t->arena;
    if (config_file_load(path, &t->file, &t->arena, &t->diags, &err) != LEAT_OK) {
        cli_say(stderr, "leat: %s\n", err.text);
        return CLI_FILE_WRONG;
    }
    if (t->file.root) {
        config_interpolate(t->file.root, &outside, &t->arena, &t->diags);
        leat_spec_read(t->file.root, &t->spec, &t->arena, &t->diags);
        t->spec.file = t->file.name;
        t->tests = config_tests_read(&t->spec, &t->arena, &t->diags);
        t->plan = leat_plan_build(&t->spec, &t->diags);
        if (t->plan)
            cli_where_check(t->tests, &t->plan->shapes, &t->diags);
    }
    config_message_print(&t->file, &t->diags, stderr);
    if (t->diags.errors || !t->plan)
        return CLI_FILE_WRONG;
    return make_plan(t) ? CLI_OK : CLI_FILE_WRONG;
}

static int test_file(const char *path, const char *only, uint32_t *passed, uint32_t *failed)
{
    static struct testing t; /* too large for a stack */

    t = (struct testing){0};
    int code = load(&t, path);
    for (const struct config_test *test = code == CLI_OK ? t.tests : NULL; test; test = test->next)
        if (!only || memmem(test->name.ptr, test->name.len, only, strlen(only)))
            run_test(&t, test);
    if (code == CLI_OK && !t.tests)
        cli_say(stderr, "leat: %s has no tests\n", path);
    *passed += t.passed;
    *failed += t.failed;
    leat_plan_free(t.plan);
    leat_arena_reset(&t.arena);
    return code;
}

static bool is_file(const char *word)
{
    size_t len = strlen(word);

    return len > 4 && (strcmp(word + len - 4, ".yml") == 0 ||
                       (len > 5 && strcmp(word + len - 5, ".yaml") == 0));
}

int cli_test(int argc, char **argv)
{
    uint32_t passed = 0, failed = 0;
    const char *only = NULL;
    int worst = CLI_OK, files = 0;

    for (int i = 1; i < argc; i++) {
        files += is_file(argv[i]);
        if (!is_file(argv[i]))
            only = argv[i];
    }
    if (files == 0 || (only && only[0] == '-')) {
        cli_say(
            stdout,
            "usage: leat test FILE... [NAME]\n\nRun the tests in pipeline files; with NAME those "
            "that have it in their name.\n");
        return only && strcmp(only, "--help") == 0 ? CLI_OK : CLI_USAGE;
    }
    for (int i = 1; i < argc; i++) {
        int code = is_file(argv[i]) ? test_file(argv[i], only, &passed, &failed) : CLI_OK;
        worst = code > worst ? code : worst;
    }
    cli_say(stdout, "%u passed, %u failed\n", passed, failed);
    if (only && worst == CLI_OK && passed + failed == 0) {
        cli_say(stderr, "leat: no test has '%s' in its name\n", only);
        return CLI_USAGE;
    }
    return worst != CLI_OK ? worst : failed ? CLI_TEST_FAILED : CLI_OK;
}
