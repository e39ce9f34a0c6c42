/* Tests config/interpolate.c. */
#include "leat_test.h"
#include "pipeline_text.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static struct pipeline_text p;

/* The one scalar of a file. */
static const struct leat_node *fill(const char *scalar)
{
    char text[1024];

    snprintf(text, sizeof text, "x-a: %s\n", scalar);
    pipeline_text_read(&p, text, strlen(text));
    const struct leat_node *node = leat_node_find(p.file.root, "x-a");
    CU_ASSERT_PTR_NOT_NULL_FATAL(node);
    return node;
}

static void gives(const char *scalar, const char *value, const char *as_template)
{
    const struct leat_node *node = fill(scalar);

    CU_ASSERT(leat_slice_eq(leat_node_value(node), leat_slice_str(value)));
    if (as_template) {
        CU_ASSERT_PTR_NOT_NULL_FATAL(node->filled);
        CU_ASSERT(leat_slice_eq(node->filled->as_template, leat_slice_str(as_template)));
    }
    pipeline_text_fini(&p);
}

static void fails(const char *scalar, const char *why)
{
    const struct leat_node *node = fill(scalar);

    CU_ASSERT_PTR_NOT_NULL_FATAL(node->filled);
    if (!leat_slice_eq(node->filled->problem, leat_slice_str(why)))
        printf("    got: %.*s\n", LEAT_FMT(node->filled->problem));
    CU_ASSERT(leat_slice_eq(node->filled->problem, leat_slice_str(why)));
    CU_ASSERT_PTR_NULL(leat_node_value(node).ptr);
    pipeline_text_fini(&p);
}

static void variables_have_defaults_and_messages(void)
{
    gives("hello ${env:USER_NAME}!", "hello ada!", "hello ada!");
    gives("'${env:USER_NAME}${env:USER_NAME}'", "adaada", NULL);
    gives("${env:NOPE:-a b}", "a b", NULL);
    gives("${env:EMPTY:-x}", "x", NULL);
    gives("${env:EMPTY}", "", NULL);
    gives("${env:NOPE:-}", "", NULL);
    gives("plain $ and $x", "plain $ and $x", NULL);
    fails("${env:NOPE}", "environment variable 'NOPE' is not set");
    fails("${env:NOPE:?set it}", "NOPE: set it");
    fails("${env:}",
          "'${env:}' is none of ${env:NAME}, ${env:NAME:-default}, ${env:NAME:?message}");
    fails("${env:A:B}",
          "'${env:A:B}' is none of ${env:NAME}, ${env:NAME:-default}, ${env:NAME:?message}");
    fails("${USER}", "'${USER}' is neither ${env:NAME} nor ${file:/path}; a literal '${' is "
                     "written '$${'");
    fails("${env:USER_NAME", "'${' without '}'; a literal '${' is written '$${'");
}

static void the_result_is_never_parsed_again(void)
{
    gives("a/{b}/${env:BRACES}", "a/{b}/{x}", "a/{b}/{{x}}");
    gives("$${env:USER_NAME}", "${env:USER_NAME}", "${{env:USER_NAME}");
    gives("${env:NOPE:-${env:USER_NAME}}", "${env:USER_NAME}", NULL);
}

static void the_text_of_an_expression_stays_as_written(void)
{
    const struct leat_node *node = fill("x == \"${env:USER_NAME}\"");

    CU_ASSERT(leat_slice_eq(node->text, LEAT_LIT("x == \"${env:USER_NAME}\"")));
    pipeline_text_fini(&p);
}

static void write_file(const char *path, const char *bytes, size_t len)
{
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);

    CU_ASSERT_EQUAL(write(fd, bytes, len), (ssize_t)len);
    close(fd);
}

static void files_give_their_content_and_are_secret(void)
{
    static char big[CONFIG_SECRET_MAX + 8];
    char path[100], text[140];
    const struct leat_node *node;

    snprintf(path, sizeof path, "%s/s", leat_test_dir());
    snprintf(text, sizeof text, "${file:%s}", path);
    write_file(path, "se\ncret\n\n", 9);
    node = fill(text);
    CU_ASSERT(leat_slice_eq(leat_node_value(node), LEAT_LIT("se\ncret\n")));
    CU_ASSERT(node->secret);
    pipeline_text_fini(&p);
    write_file(path, big, sizeof big);
    node = fill(text);
    CU_ASSERT_PTR_NULL(leat_node_value(node).ptr);
    CU_ASSERT_FALSE(node->filled->tolerated);
    pipeline_text_fini(&p);
    unlink(path);
    CU_ASSERT_EQUAL(mkfifo(path, 0600), 0); /* nobody writes to it: it must not be waited for */
    node = fill(text);
    CU_ASSERT_PTR_NULL(leat_node_value(node).ptr);
    pipeline_text_fini(&p);
    unlink(path);
    node = fill(text);
    CU_ASSERT_PTR_NULL(leat_node_value(node).ptr);
    CU_ASSERT(node->filled->tolerated);
    pipeline_text_fini(&p);
    fails("${file:}", "'${file:}' needs a path: ${file:/run/secrets/name}");
    fails("${file:/}", "cannot read '/': Is a directory");
}

static void a_file_that_is_missing_is_a_warning_of_check(void)
{
    static const char text[] = PIPELINE_HEAD "checkpoint: { dir: \"${file:/nope}\" }\n";

    pipeline_text_read(&p, text, sizeof text - 1);
    CU_ASSERT_EQUAL(p.diags.errors, 0);
    CU_ASSERT_EQUAL(p.diags.warnings, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(p.messages, "warning: cannot read '/nope': No such file"));
    pipeline_text_fini(&p);
}

static void together_they_are_bounded(void)
{
    static char text[CONFIG_FILE_MAX];
    size_t n = (size_t)snprintf(text, sizeof text, "x-a:\n");

    for (int i = 0; i < 200; i++) {
        n += (size_t)snprintf(text + n, sizeof text - n, "  - \"${env:NOPE:-");
        memset(text + n, 'x', 5000);
        n += 5000;
        n += (size_t)snprintf(text + n, sizeof text - n, "}${env:USER_NAME}\"\n");
    }
    pipeline_text_read(&p, text, n);
    CU_ASSERT(p.arena.bytes <= CONFIG_MEMORY_MAX);
    const struct leat_node *first = leat_node_find(p.file.root, "x-a")->first;
    CU_ASSERT_EQUAL(leat_node_value(first).len, 5003);
    pipeline_text_fini(&p);
}

LEAT_TESTS("interpolate", T(variables_have_defaults_and_messages),
           T(the_result_is_never_parsed_again), T(the_text_of_an_expression_stays_as_written),
           T(files_give_their_content_and_are_secret),
           T(a_file_that_is_missing_is_a_warning_of_check), T(together_they_are_bounded))
