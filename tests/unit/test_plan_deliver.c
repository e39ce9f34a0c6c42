/*
 * Tests engine/plan/plan_deliver.c: who decides under `delivery: exactly_once`, and which files are
 * refused. The source and the sink `ledger` are made here: they have a decider of the place `at`.
 */
#include "data/decider.h"
#include "data/sink.h"
#include "leat_test.h"
#include "pipeline.h"

struct ledger {
    const char *at, *topic;
};

static const struct leat_opt options[] = {
    LEAT_OPT(struct ledger, at, .def = "here", .help = "Where."),
    LEAT_OPT(struct ledger, topic, .optional = true, .help = "Which."),
    {0},
};

static struct leat_slice cluster(const void *self, struct leat_arena *arena)
{
    return leat_arena_copy(arena, leat_slice_str(((const struct ledger *)self)->at));
}

static struct leat_slice marker(const void *self, struct leat_arena *arena)
{
    const struct ledger *l = self;

    return l->topic ? leat_arena_copy(arena, leat_slice_str(l->topic)) : (struct leat_slice){0};
}

static const struct leat_decider decider = {.cluster = cluster, .marker = marker};
static const struct leat_pull pull;
static const struct leat_sink sink = {.promise = LEAT_SINK_REPEATS};

static const struct leat_module module = {.abi = LEAT_MODULE_ABI,
                                          .name = "ledger",
                                          .self_size = sizeof(struct ledger),
                                          .opts = options,
                                          .pull = &pull,
                                          .sink = &sink,
                                          .decider = &decider};
LEAT_MODULE_AS(ledger, module);

static const struct leat_module repeats = {.abi = LEAT_MODULE_ABI,
                                           .name = "repeats",
                                           .self_size = sizeof(struct ledger),
                                           .opts = options,
                                           .sink = &sink};
LEAT_MODULE_AS(repeats, repeats);

#define HEAD "leat: 1\nname: p\ndelivery: exactly_once\n"

static void plan_of(struct pipeline *p, const char *yaml)
{
    pipeline_open(p, yaml, 1);
}

static void the_cluster_of_the_sinks_decides(void)
{
    struct pipeline p;

    plan_of(&p, HEAD "sources:\n  a: { ledger: { at: there } }\n  b: { ledger: { at: here } }\n"
                     "sinks:\n  f: { from: a, files: { path: 'o/{file}' } }\n"
                     "  out: { from: [a, b], ledger: { at: here } }\n");
    const struct leat_plan_decider *d = &p.plan->decider;
    CU_ASSERT(p.plan->exactly_once);
    CU_ASSERT_PTR_EQUAL(d->kind, &decider);
    CU_ASSERT_PTR_EQUAL(d->self, p.plan->sinks[1].self);
    CU_ASSERT(leat_slice_eq(d->cluster, LEAT_LIT("here")));
    CU_ASSERT_PTR_NULL(d->marker.ptr); /* a partition of b */
    CU_ASSERT(!p.plan->sinks[0].in_decider && p.plan->sinks[1].in_decider);
    CU_ASSERT(!p.plan->sources[0].decided && p.plan->sources[1].decided);
    pipeline_close(&p);
}

static void without_such_a_sink_the_first_source_decides(void)
{
    struct pipeline p;

    plan_of(&p, HEAD "sources:\n  a: { ledger: { at: there } }\n  b: { ledger: {} }\n"
                     "sinks:\n  f: { from: [a, b], files: { path: 'o/{file}' } }\n");
    CU_ASSERT(leat_slice_eq(p.plan->decider.cluster, LEAT_LIT("there")));
    CU_ASSERT(p.plan->sources[0].decided && !p.plan->sources[1].decided);
    pipeline_close(&p);
}

static void without_any_the_log_decides(void)
{
    struct pipeline p;

    plan_of(&p, HEAD "sources:\n  a: { files: { path: in } }\n"
                     "sinks:\n  f: { from: a, files: { path: 'o/{file}' } }\n");
    CU_ASSERT(p.plan->exactly_once);
    CU_ASSERT_PTR_NULL(p.plan->decider.kind);
    pipeline_close(&p);
}

static void a_sink_marks_where_nothing_of_its_cluster_is_read(void)
{
    struct pipeline p;

    plan_of(&p, HEAD "sources:\n  a: { files: { path: in } }\n"
                     "sinks:\n  f: { from: a, ledger: {} }\n"
                     "  g: { from: a, ledger: { topic: t/0 } }\n");
    CU_ASSERT(leat_slice_eq(p.plan->decider.marker, LEAT_LIT("t/0")));
    pipeline_close(&p);
}

static void at_least_once_has_no_decider(void)
{
    struct pipeline p;

    plan_of(&p, "leat: 1\nname: p\nsources:\n  a: { ledger: {} }\n"
                "sinks:\n  f: { from: a, ledger: {} }\n");
    CU_ASSERT(!p.plan->exactly_once && !p.plan->decider.kind);
    CU_ASSERT(!p.plan->sources[0].decided && !p.plan->sinks[0].in_decider);
    pipeline_close(&p);
}

static void what_cannot_be_kept_is_refused_where_it_stands(void)
{
    static const struct {
        const char *yaml, *message;
    } cases[] = {
        {HEAD "sources:\n  a: { ledger: {} }\n"
              "sinks:\n  f: { from: a, ledger: {} }\n  g: { from: a, ledger: { at: x } }\n",
         "test.yaml:8:17: error: exactly_once cannot span two clusters: 'f' writes to another one "
         "than "
         "this sink\n"
         "    8 |   g: { from: a, ledger: { at: x } }\n"
         "      |                 ^~~~~~ a pipeline for each, or delivery: at_least_once\n"
         "      = sinks.g.ledger\n"
         "1 error\n"},
        {HEAD "sources:\n  a: { memory: { text: x } }\n"
              "sinks:\n  f: { from: a, files: { path: 'o/{file}' } }\n",
         "test.yaml:5:8: error: exactly_once cannot be kept from 'memory': what it sent cannot be "
         "read "
         "again\n"
         "    5 |   a: { memory: { text: x } }\n"
         "      |        ^~~~~~ `store: disk` keeps it, or delivery: at_least_once\n"
         "      = sources.a.memory\n"
         "1 error\n"},
        {HEAD "sources:\n  a: { ledger: {} }\nsinks:\n  f: { from: a, repeats: {} }\n",
         "test.yaml:7:17: error: exactly_once cannot be kept to 'repeats': it may get a record "
         "twice\n"
         "    7 |   f: { from: a, repeats: {} }\n"
         "      |                 ^~~~~~~ delivery: at_least_once\n"
         "      = sinks.f.repeats\n"
         "1 error\n"},
        {HEAD "sources:\n  a: { ledger: { at: x } }\nsinks:\n  f: { from: a, ledger: {} }\n",
         "test.yaml:7:17: error: exactly_once needs a topic that is always the same, to note which "
         "batch was the last\n"
         "    7 |   f: { from: a, ledger: {} }\n"
         "      |                 ^~~~~~ read from a topic of this cluster, or give one sink a "
         "topic "
         "without { }\n"
         "      = sinks.f.ledger\n"
         "1 error\n"},
    };
    char messages[2000];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pipeline_check(cases[i].yaml, messages, sizeof messages);
        CU_ASSERT_STRING_EQUAL(messages, cases[i].message);
        if (strcmp(messages, cases[i].message) != 0)
            printf("%s", messages);
    }
}

static const char *explained(const char *yaml)
{
    static char text[8000];
    struct pipeline p;
    FILE *out = fmemopen(text, sizeof text, "w");

    plan_of(&p, yaml);
    leat_plan_print(p.plan, out);
    fclose(out);
    pipeline_close(&p);
    return text;
}

static void explain_says_of_every_edge_what_it_promises_and_who_decides(void)
{
    const char *text = explained(
        HEAD "commit: { every: 2s }\nsources:\n  a: { ledger: {} }\n  b: { files: { path: in } }\n"
             "streams:\n  c: { from: [a, b], ops: [ { key_by: this }, "
             "{ window: { size: 10s } }, count, { key_by: this }, { window: { size: 10s } }, "
             "{ aggregate: { n: count() } } ] }\n"
             "sinks:\n  k: { from: [c, b], ledger: {} }\n  f: { from: [a, b], files: { path: "
             "'o/{file}' } }\n  s: { from: a, console: {} }\n");

    CU_ASSERT_PTR_NOT_NULL(strstr(text, "pipeline p, exactly once"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(text, "a -> k: exactly once: records and positions are in one transaction"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(text, "b -> k: exactly once: records are in a transaction, positions in the log"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(text, "a -> f: exactly once: shown when the transaction is committed"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "a -> s: shown again after a crash"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "batches share a commit every 2s"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "decides: a transaction at here"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "in the log as 'c.count.0'"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "in the log as 'c.aggregate.0'"));
    text = explained(HEAD "sources:\n  a: { files: { path: in } }\n"
                          "sinks:\n  f: { from: a, files: { path: 'o/{file}' } }\n");
    CU_ASSERT_PTR_NOT_NULL(
        strstr(text, "a -> f: exactly once: shown when the batch's record in the log is synced"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "decides: the record in the job's log"));
}

static void a_store_makes_a_push_source_one_that_exactly_once_can_be_kept_from(void)
{
    const char *text =
        explained(HEAD "sources:\n  a: { memory: { text: x }, store: { disk: { quota: 4GiB } } }\n"
                       "sinks:\n  f: { from: a, files: { path: 'o/{file}' } }\n");

    CU_ASSERT_PTR_NOT_NULL(strstr(text, "a -> its store on the disk (at most 4096MiB): "));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(text, "a, from the store on -> f: exactly once: shown when the batch's record"));
    text = explained("leat: 1\nname: p\nsources:\n  a: { socket: { listen: 'a:1' } }\n"
                     "  b: { socket: { listen: 'a:2' }, store: commit }\n"
                     "  c: { memory: { text: x } }\n"
                     "sinks:\n  f: { from: [a, b, c], files: { path: 'o/{file}' } }\n");
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "a -> its store on the disk (at most 1024MiB): at most "
                                        "once, the sender is not told"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "a, from the store on -> f: at least once: it leaves"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "b -> f: at most once: the sender is not told"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "c -> f: at least once: the sender is told when the"));
}

static void a_source_that_is_kept_in_a_topic_is_two_halves(void)
{
    static const char with[] = "sources:\n  a: { socket: { listen: 'a:1' }, store: kafka }\n"
                               "sinks:\n  f: { from: a, files: { path: 'o/{file}' } }\n";
    char yaml[600], messages[2000];

    snprintf(yaml, sizeof yaml, HEAD "connections:\n  c: { kafka: { brokers: 'k:1' } }\n%s", with);
    const char *text = explained(yaml);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "receiver a (socket)\n  -> topic 'leat-store-p-a' at k:1, "
                                        "each record on 2 brokers for 7d\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "stage 0: a (its store in kafka), one task per partition"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(text, "a -> its store in kafka: at most once, the sender is not told"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "a, from the store on -> f: exactly once: shown when the "
                                        "transaction is committed"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "decides: a transaction at k:1"));
    snprintf(yaml, sizeof yaml,
             HEAD "connections:\n  c: { kafka: { brokers: 'k:1' } }\n"
                  "  d: { kafka: { brokers: 'l:1' } }\n%s",
             with);
    pipeline_check(yaml, messages, sizeof messages);
    CU_ASSERT_PTR_NOT_NULL(strstr(messages, "there are several connections, which one is meant?"));
}

static void two_sources_that_are_kept_in_one_topic_are_refused(void)
{
    static const char with[] = "leat: 1\nname: p\nsources:\n"
                               "  a: { memory: { text: x }, store: { kafka: { brokers: 'k:1', "
                               "topic: t } } }\n"
                               "  b: { memory: { text: x }, store: { kafka: { brokers: '%s', "
                               "topic: t } } }\n"
                               "sinks:\n  f: { from: [a, b], console: {} }\n";
    char yaml[600], messages[2000];

    snprintf(yaml, sizeof yaml, with, "K:1");
    pipeline_check(yaml, messages, sizeof messages);
    CU_ASSERT_PTR_NOT_NULL(strstr(messages, "source 'a' keeps its records in 't' too"));
    snprintf(yaml, sizeof yaml, with, "other:1");
    messages[0] = 0; /* nothing is written there when nothing is said */
    pipeline_check(yaml, messages, sizeof messages);
    CU_ASSERT_STRING_EQUAL(messages, "");
}

static void a_store_that_cannot_be_is_refused_with_what_to_write(void)
{
    static const struct {
        const char *source, *message;
    } cases[] = {
        {"files: { path: in }, store: disk", "'files' can be read again, so there is nothing to"},
        {"memory: { text: x }, store: kafka", "'store: kafka': at which brokers?"},
        {"memory: { text: x }, store: { kafka: { brokers: 'a:1', topic: 'x y' } }",
         "'x y' cannot be the name of a topic"},
        {"memory: { text: x }, store: { kafka: { brokers: 'a:1', replica: 2 } }",
         "unknown key 'replica'"},
        {"memory: { text: x }, store: { kafka: { use: nobody } }",
         "there is no connection 'nobody'"},
        {"memory: { text: x }, max_record: 100MiB, store: { kafka: { brokers: 'a:1' } }",
         "'store: kafka' keeps records of 64 MiB at most"},
        {"files: { path: in }, store: { kafka: { brokers: 'a:1' } }", "there is nothing to store"},
        {"memory: { text: x }, store: dick", "did you mean 'disk'?"},
        {"memory: { text: x }, store: { disk: { quota: 5 } }", "'5' needs a unit"},
        {"memory: { text: x }, store: { disk: { quota: 5KiB } }", "1MiB"},
        {"memory: { text: x }, store: { disk: {}, commit: {} }",
         "'store' takes commit, disk, { disk: { quota: 4GiB } }, kafka, or { kafka:"},
        {"memory: { text: x }, store:", "'store' takes commit, disk"},
        {"memory: { text: x }, store: { disk: { quote: 5MiB } }", "did you mean 'quota'?"},
    };
    char messages[2000], yaml[500];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(yaml, sizeof yaml,
                 "leat: 1\nname: p\nsources:\n  a: { %s }\nsinks:\n  f: { from: a, console: {} }\n",
                 cases[i].source);
        pipeline_check(yaml, messages, sizeof messages);
        CU_ASSERT_PTR_NOT_NULL(strstr(messages, cases[i].message));
        if (!strstr(messages, cases[i].message))
            printf("%s", messages);
    }
}

LEAT_TESTS("plan_deliver", T(the_cluster_of_the_sinks_decides),
           T(without_such_a_sink_the_first_source_decides), T(without_any_the_log_decides),
           T(a_sink_marks_where_nothing_of_its_cluster_is_read), T(at_least_once_has_no_decider),
           T(what_cannot_be_kept_is_refused_where_it_stands),
           T(explain_says_of_every_edge_what_it_promises_and_who_decides),
           T(a_store_makes_a_push_source_one_that_exactly_once_can_be_kept_from),
           T(a_source_that_is_kept_in_a_topic_is_two_halves),
           T(two_sources_that_are_kept_in_one_topic_are_refused),
           T(a_store_that_cannot_be_is_refused_with_what_to_write))
