/* Tests connectors/files.c with files that lose bytes while they are read: plain ones, compressed
 * ones, and Avro's containers, whose rest looks whole when the cut is between two blocks. */
#include "container_file.h"
#include "leat_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct leat_error err;
static char path[256];

struct reading {
    struct instance files;
    struct container_world format; /* of a container */
    struct leat_block *block;
    struct leat_error said;
};

static void keep(void *arg, const struct leat_fetch *fetch, struct leat_block *block,
                 const struct leat_error *error)
{
    struct reading *r = arg;

    (void)fetch;
    r->block = block;
    r->said = *error;
}

static void nothing(void *arg, const struct leat_part *p)
{
    (void)arg, (void)p;
}

static void begin(struct reading *r, const char *name, const char *text, size_t len,
                  const char *more, bool container)
{
    char setting[300];
    const char *const settings[] = {setting, more, NULL};
    FILE *f;

    *r = (struct reading){0};
    snprintf(path, sizeof path, "%.200s/%s", leat_test_dir(), name);
    snprintf(setting, sizeof setting, "path=%s", path);
    f = fopen(path, "w");
    if (!f || fwrite(text, 1, len, f) != len || fclose(f) != 0)
        abort();
    instance_init(&r->files, "files", settings);
    if (container) {
        cf_init(&r->format, cf_as_written, LEAT_FORMAT_READS);
        r->files.env.container = r->format.container;
        r->files.env.container_self = r->format.i.self;
    }
    OK(r->files.module->pull->open(r->files.self, &r->files.env, &err));
    OK(r->files.module->pull->partitions(r->files.self, nothing, NULL, &err));
}

static void end(struct reading *r)
{
    r->files.module->pull->close(r->files.self);
    instance_fini(&r->files);
    if (r->format.container)
        cf_fini(&r->format);
    unlink(path);
}

static const struct leat_block *fetch(struct reading *r, int64_t from, size_t bytes, bool earliest)
{
    leat_block_unref(r->block);
    r->block = NULL;
    r->files.module->pull->fetch(
        r->files.self, &(struct leat_fetch){.from = from, .max_bytes = bytes, .earliest = earliest},
        keep, r);
    return r->block;
}

static void must_be_lost(struct reading *r, int64_t from, long bytes)
{
    char at[60];

    CU_ASSERT_PTR_NULL(fetch(r, from, 1000, false));
    CU_ASSERT_EQUAL(r->said.status, LEAT_E_LOST);
    CU_ASSERT(strstr(r->said.text, path) != NULL);
    snprintf(at, sizeof at, "it ends at byte %ld, and had", bytes);
    CU_ASSERT(strstr(r->said.text, at) != NULL);
}

static void cut_to(long bytes)
{
    if (truncate(path, bytes) != 0)
        abort();
}

static void a_text_file_that_is_cut_behind_what_was_read_is_lost(void)
{
    struct reading r;

    begin(&r, "lines", "one\ntwo\nthree\n", 14, NULL, false);
    const struct leat_block *b = fetch(&r, 0, 4, false);
    CU_ASSERT_FATAL(b && b->to == 4 && !b->at_end);
    cut_to(8); /* "two" is still there, and would be the end */
    must_be_lost(&r, 4, 8);
    b = fetch(&r, 4, 1000, true);
    CU_ASSERT(b && b->from == 4 && b->to == 8 && b->finished);
    leat_block_unref(r.block);
    end(&r);
}

static void who_goes_on_behind_the_cut_finds_the_end(void)
{
    struct reading r;

    begin(&r, "lines", "one\ntwo\nthree\n", 14, NULL, false);
    CU_ASSERT_PTR_NOT_NULL(fetch(&r, 0, 8, false));
    cut_to(2);
    must_be_lost(&r, 8, 2);
    const struct leat_block *b = fetch(&r, 8, 1000, true);
    CU_ASSERT(b && b->from == 8 && b->to == 8 && b->finished);
    leat_block_unref(r.block);
    end(&r);
}

static void a_followed_file_that_is_begun_again_is_read_from_its_beginning(void)
{
    struct reading r;

    begin(&r, "lines", "one\ntwo\nthree\n", 14, "follow=true", false);
    CU_ASSERT_PTR_NOT_NULL(fetch(&r, 0, 1000, false));
    cut_to(4);
    must_be_lost(&r, 14, 4);
    const struct leat_block *b = fetch(&r, 14, 1000, true);
    CU_ASSERT(b && b->from == 0 && b->to == 4 && b->at_end && !b->finished);
    FILE *f = fopen(path, "a");
    fputs("four\n", f);
    fclose(f);
    b = fetch(&r, 4, 1000, false);
    CU_ASSERT(b && b->to == 9);
    leat_block_unref(r.block);
    end(&r);
}

static enum leat_status put(void *arg, struct leat_slice bytes, struct leat_error *e)
{
    return cf_put(arg, bytes, e);
}

/* Two whole frames, one line each: without the second the text looks complete. */
static void a_compressed_file_that_is_cut_between_two_frames_is_lost(void)
{
    struct container_bytes file = {0};
    struct reading r;
    size_t first = 0;

    for (int i = 0; i < 2; i++) {
        struct leat_compressor *c = leat_compressor_new(LEAT_COMPRESSION_GZIP, &err);
        OK(leat_compressor_write(c, LEAT_LIT("a line\nand one more\n"), true, put, &file, &err));
        leat_compressor_free(c);
        first = first ? first : file.len;
    }
    begin(&r, "lines.gz", file.ptr, file.len, NULL, false);
    const struct leat_block *b = fetch(&r, 0, 8, false);
    CU_ASSERT_FATAL(b && b->to == 7);
    cut_to((long)first);
    must_be_lost(&r, 7, (long)first);
    leat_block_unref(r.block);
    end(&r);
    free(file.ptr);
}

/* Where its last block begins: behind the marker that ends the one before. */
static size_t last_block(const struct container_bytes *file)
{
    size_t at = file->len - 1;

    while (memcmp(file->ptr + at - 16, file->ptr + file->len - 16, 16) != 0)
        at--;
    return at;
}

static void an_avro_file_that_is_cut_between_two_blocks_is_lost(void)
{
    struct container_bytes file = cf_write_file("none", CF_RECORD, cf_some, 1);
    size_t cut = last_block(&file);
    struct reading r;

    begin(&r, "some.avro", file.ptr, file.len, NULL, true);
    const struct leat_block *b = fetch(&r, 0, 1, false);
    CU_ASSERT_FATAL(b && b->to == 1 && !b->at_end);
    cut_to((long)cut);
    must_be_lost(&r, 1, (long)cut);
    b = fetch(&r, 1, 1000, true);
    CU_ASSERT(b && b->rows_hint == 3 && b->finished); /* what is left */
    leat_block_unref(r.block);
    end(&r);
    free(file.ptr);
}

static void a_file_that_grows_while_it_is_read_is_read_on(void)
{
    struct reading r;

    begin(&r, "lines", "one\ntwo\n", 8, NULL, false);
    CU_ASSERT_PTR_NOT_NULL(fetch(&r, 0, 4, false));
    FILE *f = fopen(path, "a");
    fputs("three\n", f);
    fclose(f);
    const struct leat_block *b = fetch(&r, 4, 1000, false);
    CU_ASSERT(b && b->to == 14 && b->finished);
    leat_block_unref(r.block);
    end(&r);
}

LEAT_TESTS("files_cut", T(a_text_file_that_is_cut_behind_what_was_read_is_lost),
           T(who_goes_on_behind_the_cut_finds_the_end),
           T(a_followed_file_that_is_begun_again_is_read_from_its_beginning),
           T(a_compressed_file_that_is_cut_between_two_frames_is_lost),
           T(an_avro_file_that_is_cut_between_two_blocks_is_lost),
           T(a_file_that_grows_while_it_is_read_is_read_on))
