/* Tests engine/stream/saves.c: what C programs save, and read in again. */
#include "stream_rig.h"

#include "base/fs.h"

#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

static struct leat_error err;
static char prefix[200], pattern[220];

/* A record of `key` and `value`, as files of either kind have them. */
static struct leat_pair as_pair(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)arg;
    return (struct leat_pair){leat_call_field(call, in->value, "key"),
                              leat_call_field(call, in->value, "value")};
}

static void place(const char *name)
{
    snprintf(prefix, sizeof prefix, "%s/%s/x", leat_test_dir(), name);
    snprintf(pattern, sizeof pattern, "%s-*/part-*", prefix);
}

/* What was saved in one batch, as it is read again. */
static void comes_back(const struct leat_option *options, size_t count, const char *expected)
{
    struct leat_context *ctx = new_context();
    struct seen seen;

    seen_init(&seen);
    struct leat_stream *files = leat_source_stream(ctx, "files", options, count);
    leat_foreach_rdd(leat_map_to_pair(files, as_pair, NULL), see, &seen);
    OK(leat_start(ctx, &err));
    wait_for_batches(&seen, 1);
    OK(leat_stop(ctx, false, &err));
    CU_ASSERT_STRING_EQUAL(seen.text, expected);
    leat_context_free(ctx);
}

static struct leat_stream *counted(struct leat_context *ctx)
{
    struct leat_stream *lines = leat_queue_stream(ctx, true);

    push_text(lines, "to be or not to be");
    return leat_reduce_by_key(leat_map_to_pair(leat_flat_map(lines, split, NULL), with_one, NULL),
                              sum, NULL);
}

static void works_off(struct leat_context *ctx)
{
    OK(leat_start(ctx, &err));
    OK(leat_stop(ctx, true, &err));
    leat_context_free(ctx);
}

static size_t matches(const char *of)
{
    glob_t found = {0};
    size_t count = glob(of, 0, NULL, &found) == 0 ? found.gl_pathc : 0;

    globfree(&found);
    return count;
}

static void objects_are_saved_in_a_directory_per_batch_and_read_again(void)
{
    struct leat_context *ctx = new_context();
    char success[240];

    place("objects");
    leat_save_as_object_files(counted(ctx), prefix, "avro");
    works_off(ctx);
    snprintf(success, sizeof success, "%s-*.avro/_SUCCESS", prefix);
    size_t batches = matches(success);
    CU_ASSERT(batches >= 1);
    CU_ASSERT_EQUAL(matches(pattern), 4 * batches); /* partitions */
    comes_back(
        (const struct leat_option[]){{"path", pattern}, {"format.avro.framing", "container"}}, 2,
        "be=2 not=1 or=1 to=2");
}

static void pairs_are_saved_for_hadoop_and_read_again(void)
{
    static const struct leat_option ways[][2] = {{{"compress", "none"}},
                                                 {{"compress", "record"}, {"codec", "gzip"}},
                                                 {{"compress", "block"}}};
    static const char *const names[] = {"none", "record", "block"};

    for (size_t i = 0; i < 3; i++) {
        struct leat_context *ctx = new_context();
        place(names[i]);
        leat_save_as_hadoop_files(counted(ctx), prefix, "", ways[i], i == 1 ? 2 : 1);
        works_off(ctx);
        comes_back((const struct leat_option[]){{"path", pattern}, {"format", "sequence_file"}}, 2,
                   "be=2 not=1 or=1 to=2");
    }
}

static void without_a_prefix_a_directory_has_the_name_of_its_time(void)
{
    static const struct {
        const char *prefix, *suffix, *pattern;
    } cases[] = {{NULL, NULL, "[0-9]*[0-9]/_SUCCESS"}, {"", "txt", "[0-9]*[0-9].txt/_SUCCESS"}};
    char *home = getcwd(NULL, 0);

    CU_ASSERT_PTR_NOT_NULL_FATAL(home);
    for (size_t i = 0; i < 2; i++) {
        struct leat_context *ctx = new_context();
        char dir[240];
        snprintf(dir, sizeof dir, "%s/unnamed-%zu", leat_test_dir(), i);
        CU_ASSERT_EQUAL_FATAL(mkdir(dir, 0700), 0);
        CU_ASSERT_EQUAL_FATAL(chdir(dir), 0);
        leat_save_as_text_files(counted(ctx), cases[i].prefix, cases[i].suffix);
        works_off(ctx);
        CU_ASSERT(matches(cases[i].pattern) >= 1);
        CU_ASSERT_EQUAL(matches("*"), matches(cases[i].pattern));
    }
    CU_ASSERT_EQUAL_FATAL(chdir(home), 0);
    free(home);
}

/* ---- mistakes */

static void refused(struct leat_context *ctx, enum leat_status status, const char *why)
{
    CU_ASSERT_EQUAL(leat_start(ctx, &err), status);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, why));
    if (!strstr(err.text, why))
        printf("    %s\n", err.text);
    CU_ASSERT_EQUAL(strncmp(err.text, "../tests/unit/test_stream_saves.c:", 10), 0);
    leat_context_free(ctx);
}

static void what_cannot_be_saved_is_said_at_the_start(void)
{
    struct leat_context *ctx = new_context();
    leat_save_as_hadoop_files(leat_queue_stream(ctx, true), "x", NULL, NULL, 0);
    refused(ctx, LEAT_E_CONFIG, "'save_as_hadoop_files' needs a stream with a key");

    ctx = new_context();
    leat_save_as_hadoop_files(counted(ctx), "x", "", NULL, 1);
    refused(ctx, LEAT_E_MISUSE, "leat_save_as_hadoop_files: without its options");

    ctx = new_context();
    leat_save_as_hadoop_files(counted(ctx), "x", "",
                              (&(const struct leat_option){"compress", NULL}), 1);
    refused(ctx, LEAT_E_MISUSE, "leat_save_as_hadoop_files: an option without a name or a value");

    ctx = new_context();
    leat_save_as_hadoop_files(counted(ctx), "x", "",
                              (&(const struct leat_option){"compress", "zip"}), 1);
    refused(ctx, LEAT_E_CONFIG, "zip");

    ctx = new_context();
    leat_save_as_hadoop_files(counted(ctx), "x", "",
                              (&(const struct leat_option){"codecs", "gzip"}), 1);
    refused(ctx, LEAT_E_CONFIG, "codecs");

    leat_save_as_object_files(NULL, "x", "");
    leat_save_as_hadoop_files(NULL, "x", "", NULL, 0);
}

static void what_the_library_has_not_of_avro_is_said_at_the_start(void)
{
    struct leat_context *ctx = new_context();
    const struct leat_option options[] = {{"path", "x"}, {"format.avro.registry", "https://here"}};

    leat_print(leat_source_stream(ctx, "files", options, 2), 10);
    refused(ctx, LEAT_E_CONFIG, "the C library has no registry");
}

LEAT_TESTS("stream_saves", T(objects_are_saved_in_a_directory_per_batch_and_read_again),
           T(pairs_are_saved_for_hadoop_and_read_again),
           T(without_a_prefix_a_directory_has_the_name_of_its_time),
           T(what_cannot_be_saved_is_said_at_the_start),
           T(what_the_library_has_not_of_avro_is_said_at_the_start))
