/* Tests engine/plan/spec.c, spec_module.c and spec_names.c, over the files that they judge. */
#include "leat_test.h"
#include "pipeline_text.h"

static void defaults_are_those_of_the_language(void)
{
    struct pipeline_text p;

    pipeline_text_read(&p, PIPELINE_HEAD, strlen(PIPELINE_HEAD));
    CU_ASSERT_STRING_EQUAL(p.messages, "");
    CU_ASSERT_EQUAL(p.spec.memory.bytes, 256 << 20);
    CU_ASSERT_EQUAL(p.spec.partitions, 16);
    CU_ASSERT_EQUAL(p.spec.batch.every.ms, 1000);
    CU_ASSERT_EQUAL(p.spec.commit.every.ms, 0);
    CU_ASSERT_EQUAL(p.spec.checkpoint.snapshot_every.ms, 60000);
    CU_ASSERT_PTR_NULL(p.spec.checkpoint.dir);
    CU_ASSERT_EQUAL(p.spec.sources->max_record.bytes, 1 << 20);
    CU_ASSERT_EQUAL(p.spec.sources->on_lost.index, 0);
    CU_ASSERT_PTR_NULL(p.spec.sources->format.name.ptr);
    CU_ASSERT_PTR_NULL(p.spec.sources->time.at);
    pipeline_text_fini(&p);
}

static void commits_and_checkpoints_have_their_options(void)
{
    static const char text[] = PIPELINE_HEAD
        "delivery: exactly_once\n"
        "commit: { every: 1s }\ncheckpoint: { dir: d, snapshot_every: 2m, keep: 1h }\n";
    struct pipeline_text p;

    pipeline_text_read(&p, text, sizeof text - 1);
    CU_ASSERT_STRING_EQUAL(p.messages, "");
    CU_ASSERT_EQUAL(p.spec.delivery.index, LEAT_DELIVERY_EXACTLY_ONCE);
    CU_ASSERT_EQUAL(p.spec.commit.every.ms, 1000);
    CU_ASSERT_EQUAL(p.spec.checkpoint.snapshot_every.ms, 120000);
    CU_ASSERT_EQUAL(p.spec.checkpoint.keep.ms, 3600000);
    pipeline_text_fini(&p);
}

static void a_connection_is_merged_under_what_is_given(void)
{
    static const char text[] =
        "leat: 1\nname: p\n"
        "connections: { main: { kafka: { brokers: b, topic: of_all } } }\n"
        "sources: { in: { kafka: { use: main, topic: t, max_record: 2MiB } } }\n"
        "sinks: { out: { from: in, kafka: { use: main } } }\n";
    struct pipeline_text p;

    pipeline_text_read(&p, text, sizeof text - 1);
    CU_ASSERT_STRING_EQUAL(p.messages, "");
    const struct leat_node *in = p.spec.sources->connector.given;
    CU_ASSERT_EQUAL_FATAL(in->count, 2);
    CU_ASSERT(leat_slice_eq(leat_node_find(in, "topic")->text, LEAT_LIT("t")));
    CU_ASSERT(leat_slice_eq(leat_node_find(in, "brokers")->text, LEAT_LIT("b")));
    CU_ASSERT_EQUAL(p.spec.sources->max_record.bytes, 2 << 20);
    const struct leat_node *out = p.spec.sinks->connector.given;
    CU_ASSERT_EQUAL_FATAL(out->count, 2);
    CU_ASSERT(leat_slice_eq(leat_node_find(out, "topic")->text, LEAT_LIT("of_all")));
    pipeline_text_fini(&p);
}

static void a_stream_with_what_is_no_operator_has_no_name_for_readers(void)
{
    static const char text[] =
        PIPELINE_HEAD "streams:\n"
                      "  a: { from: in, ops: [ count, { filter: x, map: y }, count ] }\n"
                      "  b: { from: a, ops: [ [ filter ] ] }\n"
                      "  c: { from: in, ops: [ { map: { lua: x, y: z } } ] }\n";
    struct pipeline_text p;

    pipeline_text_read(&p, text, sizeof text - 1);
    CU_ASSERT_EQUAL(p.diags.errors, 2);
    const struct leat_spec_stream *a = p.spec.streams;
    CU_ASSERT_EQUAL(a->name.len, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(a->ops);
    CU_ASSERT_PTR_NULL(a->ops->next);
    CU_ASSERT_EQUAL(a->next->name.len, 0);
    CU_ASSERT_EQUAL(a->next->next->name.len, 1);
    pipeline_text_fini(&p);
}

/* Memory and time stay small whatever the names do to each other. */
static void many_names_in_a_tangle_are_no_trouble(void)
{
    static char text[CONFIG_FILE_MAX];
    struct pipeline_text p;
    size_t n = (size_t)snprintf(text, sizeof text, PIPELINE_HEAD "streams:\n");

    for (int i = 0; i < 20000; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "  s%d: { from: s%d }\n", i,
                              (i * 7919 + 1) % 20000);
    pipeline_text_read(&p, text, n);
    CU_ASSERT(p.diags.errors > 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(p.messages, "streams read each other in a circle"));
    pipeline_text_fini(&p);
}

static void reading_survives_lack_of_memory(void)
{
    static const char text[] =
        PIPELINE_HEAD "connections: { m: { kafka: { brokers: b } } }\n"
                      "streams: { a: { from: in, ops: [ count ] } }\n"
                      "tests: [ { name: n, expect: { out: [ 1, { a: b } ] } } ]\n";

    LEAT_OOM_SWEEP {
        struct pipeline_text p;
        pipeline_text_read(&p, text, sizeof text - 1);
        CU_ASSERT_EQUAL(p.diags.errors > 0 || p.diags.no_memory, leat_oom_hit());
        pipeline_text_fini(&p);
    }
}

LEAT_TESTS("spec", T(defaults_are_those_of_the_language),
           T(commits_and_checkpoints_have_their_options),
           T(a_connection_is_merged_under_what_is_given),
           T(a_stream_with_what_is_no_operator_has_no_name_for_readers),
           T(many_names_in_a_tangle_are_no_trouble), T(reading_survives_lack_of_memory))
