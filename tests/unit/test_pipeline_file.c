/* Tests config/pipeline_file.c with yaml_tree.c, yaml_merge.c and yaml_bounds.c below it. */
#include "leat_test.h"
#include "pipeline_text.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

/* clang-format off */
static const struct {
    const char *text, *says;
} broken[] = {
    {"x: a ? b : c\n"
     "y: 1\n",
     "f.yaml:1:10: error: not YAML: invalid nested block mapping on the same line\n"
     "    1 | x: a ? b : c\n"
     "      |          ^ quote the expression: `x: 'a ? b : c'`\n"
     "1 error\n"},
    {"f: s == \"a: b\"\n",
     "f.yaml:1:11: error: not YAML: invalid nested block mapping on the same line\n"
     "    1 | f: s == \"a: b\"\n"
     "      |           ^ quote the expression: `f: 's == \"a: b\"'`\n"
     "1 error\n"},
    {"ops:\n"
     "  - filter: \"abc\" and more\n",
     "f.yaml:2:19: error: not YAML: invalid trailing content after double-quoted scalar\n"
     "    2 |   - filter: \"abc\" and more\n"
     "      |                   ^ quote the expression: `filter: '\"abc\" and more'`\n"
     "1 error\n"},
    {"f: %x > 3\n",
     "f.yaml:1:4: error: not YAML: plain scalar cannot start with '%'\n"
     "    1 | f: %x > 3\n"
     "      |    ^ quote the expression: `f: '%x > 3'`\n"
     "1 error\n"},
    {"f: @x\n",
     "f.yaml:1:4: error: not YAML: plain scalar cannot start with '@'\n"
     "    1 | f: @x\n"
     "      |    ^ quote the expression: `f: '@x'`\n"
     "1 error\n"},
    {"f: `x`\n",
     "f.yaml:1:4: error: not YAML: plain scalar cannot start with '`'\n"
     "    1 | f: `x`\n"
     "      |    ^ quote the expression: `f: '`x`'`\n"
     "1 error\n"},
    {"a: &b > 3\n",
     "f.yaml:1:9: error: not YAML: block scalar no linebreak found\n"
     "    1 | a: &b > 3\n"
     "      |         ^ quote the expression: `a: '&b > 3'`\n"
     "1 error\n"},
    {"a: 1\n"
     "\tb: 2\n",
     "f.yaml:1:4: error: not YAML: invalid multiline plain key\n"
     "    1 | a: 1\n"
     "      |    ^\n"
     "      = YAML wants spaces in front of a line, not tabs\n"
     "1 error\n"},
    {"a: [1,\n"
     "  2\n",
     "f.yaml:3:1: error: not YAML: flow sequence without a closing bracket\n"
     "    3 | \n"
     "      | ^\n"
     "      = the bracket in line 1, column 4 is not closed yet\n"
     "1 error\n"},
    {"a: {b\n",
     "f.yaml:2:1: error: not YAML: missing comma in flow mapping\n"
     "    2 | \n"
     "      | ^\n"
     "      = the bracket in line 1, column 4 is not closed yet\n"
     "1 error\n"},
    {"x:\n"
     "  - a\n"
     " - b\n",
     "f.yaml:3:2: error: not YAML: wrong indendation in sequence while in mapping\n"
     "    3 |  - b\n"
     "      |  ^\n"
     "1 error\n"},
    {"a: \"b\n",
     "f.yaml:1:5: error: not YAML: double-quoted scalar without closing quote\n"
     "    1 | a: \"b\n"
     "      |     ^\n"
     "1 error\n"},
    {"%foo\n"
     "a: b\n",
     "f.yaml:1:1: error: '%' at the start of a line is a YAML directive, which has no place in a pipeline file\n"
     "    1 | %foo\n"
     "      | ^\n"
     "1 error\n"},
    {"a: b\n"
     "--- \n"
     "c: d\n",
     "f.yaml:1:5: error: a second YAML document begins behind this; a file is one pipeline\n"
     "    1 | a: b\n"
     "      |     ^\n"
     "1 error\n"},
    {"a: b\n"
     "  c: d\n",
     "f.yaml:1:4: error: not YAML: invalid multiline plain key\n"
     "    1 | a: b\n"
     "      |    ^\n"
     "      = is line 2 indented too far?\n"
     "1 error\n"},
    {"- a\n"
     "- b\n",
     "f.yaml:1:1: error: a pipeline file is a map of settings\n"
     "    1 | - a\n"
     "      | ^\n"
     "1 error\n"},
    {"just text\n",
     "f.yaml:1:1: error: a pipeline file is a map of settings\n"
     "    1 | just text\n"
     "      | ^~~~~~~~~\n"
     "1 error\n"},
    {"",
     "f.yaml:1:1: error: this file is empty\n"
     "    1 | \n"
     "      | ^\n"
     "1 error\n"},
    {"# nothing\n",
     "f.yaml:1:1: error: this file is empty\n"
     "    1 | # nothing\n"
     "      | ^\n"
     "1 error\n"},
    {"? [k]\n"
     ": v\n",
     "f.yaml:1:3: error: a key must be a plain word\n"
     "    1 | ? [k]\n"
     "      |   ^\n"
     "1 error\n"},
    {"key: {a: b}}\n",
     "f.yaml:1:12: error: not YAML: flow mapping with invalid extra closing brace\n"
     "    1 | key: {a: b}}\n"
     "      |            ^\n"
     "1 error\n"},
    {PIPELINE_HEAD
     "x-a: 1\n"
     "x-b: 2\n"
     "x-a: 3\n",
     "f.yaml:9:1: error: key 'x-a' is there twice\n"
     "    9 | x-a: 3\n"
     "      | ^~~\n"
     "      = x-a; the first is in line 7\n"
     "1 error\n"},
    {PIPELINE_HEAD
     "x-a: { x: 1, y: 2, x: 3 }\n",
     "f.yaml:7:20: error: key 'x' is there twice\n"
     "    7 | x-a: { x: 1, y: 2, x: 3 }\n"
     "      |                    ^\n"
     "      = x-a.x; the first is in line 7\n"
     "1 error\n"},
    {PIPELINE_HEAD
     "x-a: &a [*a]\n",
     "f.yaml:7:10: error: '*a' stands inside of what it names\n"
     "    7 | x-a: &a [*a]\n"
     "      |          ^~\n"
     "      = x-a[0]\n"
     "1 error\n"},
    {PIPELINE_HEAD
     "x-a: *b > 3\n",
     "f.yaml:7:6: error: there is no YAML anchor '&b' above\n"
     "    7 | x-a: *b > 3\n"
     "      |      ^~ a text with a star in front needs quotes: `x-a: '*b > 3'`\n"
     "      = x-a\n"
     "1 error\n"},
    {PIPELINE_HEAD
     "x-m:\n"
     "  <<: *y\n",
     "f.yaml:8:7: error: there is no YAML anchor '&y' above\n"
     "    8 |   <<: *y\n"
     "      |       ^~ a text with a star in front needs quotes: `<<: '*y'`\n"
     "      = x-m.<<\n"
     "1 error\n"},
    {PIPELINE_HEAD
     "x-m:\n"
     "  <<: 5\n",
     "f.yaml:8:7: error: '<<' takes a map, or a list of maps\n"
     "    8 |   <<: 5\n"
     "      |       ^\n"
     "      = x-m.<<\n"
     "1 error\n"},
    {PIPELINE_HEAD
     "x-a:\n"
     "  \"\\e\": 1\n"
     "  \"\\e\": 2\n",
     "f.yaml:9:4: error: key '?' is there twice\n"
     "    9 |   \"\\e\": 2\n"
     "      |    ^~\n"
     "      = x-a.?; the first is in line 8\n"
     "1 error\n"},
};
/* clang-format on */

static struct leat_error err;

static void check(const char *text, const char *says)
{
    struct pipeline_text p;

    pipeline_text_read(&p, text, strlen(text));
    if (strcmp(p.messages, says) != 0)
        printf("    expected:\n%s    got:\n%s", says, p.messages);
    CU_ASSERT_STRING_EQUAL(p.messages, says);
    pipeline_text_fini(&p);
}

static void what_is_no_yaml_is_said_with_its_place_and_advice(void)
{
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        check(broken[i].text, broken[i].says);
}

/* ---- trees */

static const struct leat_node *at(const struct leat_node *node, const char *key)
{
    const struct leat_node *found = leat_node_find(node, key);

    CU_ASSERT_PTR_NOT_NULL_FATAL(found);
    return found;
}

static void is(const struct leat_node *node, const char *text, unsigned line, unsigned column)
{
    if (!leat_slice_eq(node->text, leat_slice_str(text)) || node->mark.line != line ||
        node->mark.column != column)
        printf("    expected '%s' %u:%u, got '%.*s' %u:%u\n", text, line, column,
               LEAT_FMT(node->text), node->mark.line, node->mark.column);
    CU_ASSERT(leat_slice_eq(node->text, leat_slice_str(text)));
    CU_ASSERT_EQUAL(node->mark.line, line);
    CU_ASSERT_EQUAL(node->mark.column, column);
}

static void mark_is(const struct leat_node *node, size_t from, size_t len, unsigned line,
                    unsigned column, unsigned columns)
{
    struct leat_mark m = leat_node_mark_at(node, from, len);

    if (m.line != line || m.column != column || m.len != columns)
        printf("    expected %u:%u+%u, got %u:%u+%u\n", line, column, columns, m.line, m.column,
               m.len);
    CU_ASSERT(m.line == line && m.column == column && m.len == columns);
}

static void everything_knows_its_place(void)
{
    static const char text[] = "a: plain text # c\n"
                               "\"b\": 'it''s ü x'\n"
                               "c: \"x\\t\\u00fcy z\"\n"
                               "d: |\n"
                               "  one\n"
                               "\n"
                               "  two x\n"
                               "e: >-\n"
                               "    f x\n"
                               "    g y\n"
                               "f: one\n"
                               "   two  # c\n"
                               "g: [ u, { k: v } ]\n"
                               "h:\n"
                               "i: !tag t\n";
    struct pipeline_text p;

    pipeline_text_read(&p, text, sizeof text - 1);
    const struct leat_node *r = p.file.root, *g;
    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    CU_ASSERT_EQUAL(r->count, 9);
    is(at(r, "a"), "plain text", 1, 4);
    CU_ASSERT(at(r, "a")->comment_behind);
    CU_ASSERT_FALSE(at(r, "f")->comment_behind);
    is(at(r, "b"), "it's \xc3\xbc x", 2, 7);
    CU_ASSERT_EQUAL(at(r, "b")->key_style, LEAT_STYLE_DOUBLE);
    mark_is(at(r, "b"), 3, 1, 2, 11, 1); /* s: the quote before it is written twice */
    mark_is(at(r, "b"), 8, 1, 2, 15, 1); /* x: the letter before it has two bytes */
    is(at(r, "c"), "x\t\xc3\xbcy z", 3, 5);
    mark_is(at(r, "c"), 4, 3, 3, 14, 3);
    mark_is(at(r, "c"), 2, 2, 3, 8, 6); /* an escape is underlined whole */
    is(at(r, "d"), "one\n\ntwo x\n", 5, 3);
    mark_is(at(r, "d"), 9, 1, 7, 7, 1);
    is(at(r, "e"), "f x g y", 9, 5);
    mark_is(at(r, "e"), 6, 1, 10, 7, 1);
    is(at(r, "f"), "one two", 11, 4);
    mark_is(at(r, "f"), 4, 3, 12, 4, 3);
    g = at(r, "g");
    is(g->first, "u", 13, 6);
    is(at(g->first->next, "k"), "v", 13, 14);
    CU_ASSERT(leat_slice_eq(at(g->first->next, "k")->path, LEAT_LIT("g[1].k")));
    CU_ASSERT(at(g->first->next, "k")->in_flow);
    CU_ASSERT(at(r, "h")->is_null);
    is(at(r, "i"), "t", 15, 4);
    CU_ASSERT(leat_slice_eq(at(r, "i")->tag, LEAT_LIT("!tag")));
    pipeline_text_fini(&p);
}

static void aliases_and_merge_keys_are_resolved(void)
{
    static const char text[] = "x-a: &a { one: 1, two: 2 }\n"
                               "x-b: &b { two: 3, three: [ 4 ] }\n"
                               "m: { <<: [ *a, *b ], one: 0 }\n"
                               "n: { four: 4, <<: *b }\n"
                               "o: *a\n"
                               "\"<<\": plain\n"
                               "p: { \"<<\": 5 }\n";
    struct pipeline_text p;

    pipeline_text_read(&p, text, sizeof text - 1);
    const struct leat_node *r = p.file.root;
    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    CU_ASSERT_EQUAL(at(r, "m")->count, 3);
    is(at(at(r, "m"), "one"), "0", 3, 27);
    is(at(at(r, "m"), "two"), "2", 1, 24);
    CU_ASSERT_EQUAL(at(at(r, "m"), "three")->count, 1);
    CU_ASSERT(leat_slice_eq(at(at(r, "m"), "two")->path, LEAT_LIT("m.two")));
    CU_ASSERT_EQUAL(at(r, "n")->count, 3);
    CU_ASSERT_EQUAL(at(r, "o")->count, 2);
    CU_ASSERT_EQUAL(at(r, "o")->mark.line, 5);
    is(at(at(r, "p"), "<<"), "5", 7, 12);
    pipeline_text_fini(&p);
}

static void line_ends_and_byte_order_marks_do_not_matter(void)
{
    static const char text[] = "\xef\xbb\xbf"
                               "a: b\r\nc: 'd'\r\ne: |\r\n  f\r\n  g\r\n";
    struct pipeline_text p;

    pipeline_text_read(&p, text, sizeof text - 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(p.file.root);
    is(at(p.file.root, "a"), "b", 1, 4);
    is(at(p.file.root, "c"), "d", 2, 5);
    is(at(p.file.root, "e"), "f\ng\n", 4, 3);
    mark_is(at(p.file.root, "e"), 2, 1, 5, 3, 1);
    pipeline_text_fini(&p);
}

/* ---- what wants to do harm */

static char big[CONFIG_FILE_MAX + 16];

static size_t repeat(const char *head, const char *piece, size_t times)
{
    size_t n = strlen(head), len = strlen(piece);

    memcpy(big, head, n);
    for (; times && n + len <= CONFIG_FILE_MAX; times--, n += len)
        memcpy(big + n, piece, len);
    return n;
}

static void refuses(size_t len, const char *what)
{
    struct pipeline_text p;

    pipeline_text_read(&p, big, len);
    if (!strstr(p.messages, what))
        printf("    expected '%s', got %.300s\n", what, p.messages);
    CU_ASSERT_PTR_NOT_NULL(strstr(p.messages, what));
    CU_ASSERT(p.diags.errors > 0);
    CU_ASSERT(p.arena.bytes <= CONFIG_MEMORY_MAX);
    pipeline_text_fini(&p);
}

static void nothing_that_is_too_much_is_read(void)
{
    static const struct {
        const char *head, *piece, *says;
    } cases[] = {
        {"", "[", "40,000 opening brackets"},
        {"", "{a", "this line is longer than 64 KiB"},
        {"", "[\n", "40,000 opening brackets"},
        {"x: ", "[? a,\n ", "40,000 opening brackets"},
        {"", "- - - - - - - -\n", "100,000 values"},
        {"", "- ", "this line is longer than 64 KiB"},
        {"", "&a ", "20,000 YAML anchors"},
        {"[", "*a,\n", "20,000 YAML anchors"},
        {"x: >\n", "\n", "1,000 lines in a row are empty"},
        {"x: |\n", " \t \n", "1,000 lines in a row are empty"},
        {"", "a:\n", "100,000 values"},
        {"[", "a,\n", "100,000 values"},
        {"", "%a\n", "'%' at the start of a line"},
        {"x: \"", "\\x41\n", "not YAML"},
        {"", "\t", "this line is longer than 64 KiB"},
        {"", "---\n", "a second YAML document"},
        {"", "\xff", "this byte is not UTF-8"},
        {"x: a", "\xed\xa0\x80", "this byte is not UTF-8"},
        {"x: a", "\xc0\x80", "this byte is not UTF-8"},
        {"x: a", "\xf4\x90\x80\x80", "this byte is not UTF-8"},
        {"x: a", "\x01", "a control character has no place"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refuses(repeat(cases[i].head, cases[i].piece, CONFIG_FILE_MAX), cases[i].says);
    memcpy(big, "x: a\0b\n", 7);
    refuses(7, "a NUL byte has no place");
    memset(big, ' ', sizeof big);
    refuses(sizeof big, "larger than 1 MiB");
}

static void depth_is_bounded(void)
{
    size_t n = 0;

    for (size_t i = 0; i < 100000 && n + i + 3 < 60000 * 16; i++) {
        memset(big + n, ' ', i);
        memcpy(big + n + i, "a:\n", 3);
        n += i + 3;
    }
    refuses(n, "this is nested deeper than 64 levels");
    n = 0;
    for (size_t i = 0; i < 200; i++)
        n += (size_t)sprintf(big + n, "a%zu: &a%zu [%s%zu]\n", i, i, i ? "*a" : "", i ? i - 1 : 0);
    refuses(n, "aliases make this deeper than 64 levels");
}

static void a_bomb_of_aliases_is_refused(void)
{
    size_t n = (size_t)sprintf(big, "x: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9]\n");

    for (int i = 1; i < 9; i++) {
        n += (size_t)sprintf(big + n, "x%d: &a%d [", i, i);
        for (int k = 0; k < 9; k++)
            n += (size_t)sprintf(big + n, "*a%d,", i - 1);
        n += (size_t)sprintf(big + n, "]\n");
    }
    refuses(n, "100,000 values, those behind aliases included");
    n = (size_t)sprintf(big, "x: &a {");
    for (int i = 0; i < 3000; i++)
        n += (size_t)sprintf(big + n, "k%d: 1,%s", i, i % 100 ? " " : "\n ");
    n += (size_t)sprintf(big + n, "}\ny: {<<: [");
    for (int i = 0; i < 3000; i++)
        n += (size_t)sprintf(big + n, "*a,%s", i % 100 ? " " : "\n ");
    n += (size_t)sprintf(big + n, "]}\n");
    refuses(n, "100,000 values, those behind aliases included");
}

static void a_large_good_file_is_read(void)
{
    struct pipeline_text p;
    size_t n = 0;

    for (int i = 0; n + 40 < CONFIG_FILE_MAX && i < 50000; i++)
        n += (size_t)sprintf(big + n, "x-key_%d: v%d\n", i, i);
    pipeline_text_read(&p, big, n);
    CU_ASSERT_PTR_NOT_NULL_FATAL(p.file.root);
    CU_ASSERT_EQUAL(p.file.root->count, 50000);
    pipeline_text_fini(&p);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#elif defined(__has_feature)
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define SANITIZED false
#endif

/* All of the above in one process; sanitizers have memory of their own. */
static void memory_stays_below_64_mib(void)
{
    struct rusage usage;

    if (SANITIZED)
        LEAT_SKIP("sanitizers take more");
    getrusage(RUSAGE_SELF, &usage);
    printf("    peak %ld KiB\n", usage.ru_maxrss);
    CU_ASSERT(usage.ru_maxrss < 64 * 1024);
}

/* ---- files and --set */

static void a_file_is_loaded_or_says_why_not(void)
{
    struct leat_arena arena = {0};
    struct leat_diags diags = {.arena = &arena};
    struct config_file file;
    char path[128];

    CU_ASSERT_EQUAL(config_file_load("/nowhere/x.yaml", &file, &arena, &diags, &err),
                    LEAT_E_CONFIG);
    CU_ASSERT_STRING_EQUAL(err.text, "cannot open '/nowhere/x.yaml': No such file or directory");
    CU_ASSERT_EQUAL(config_file_load("/", &file, &arena, &diags, &err), LEAT_E_CONFIG);
    CU_ASSERT_STRING_EQUAL(err.text, "cannot read '/': Is a directory");
    snprintf(path, sizeof path, "%s/a.yaml", leat_test_dir());
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    CU_ASSERT_EQUAL(write(fd, "a: b\n", 5), 5);
    OK(config_file_load(path, &file, &arena, &diags, &err));
    CU_ASSERT_STRING_EQUAL(file.name, path);
    is(at(file.root, "a"), "b", 1, 4);
    memset(big, '#', sizeof big);
    CU_ASSERT_EQUAL(write(fd, big, sizeof big), (ssize_t)sizeof big);
    close(fd);
    CU_ASSERT_EQUAL(config_file_load(path, &file, &arena, &diags, &err), LEAT_E_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "is larger than 1 MiB"));
    leat_arena_reset(&arena);
}

static void set_replaces_or_creates_a_scalar(void)
{
    static const char text[] = "batch: { every: 1s }\nx-a: &a { b: 1 }\nx-c: *a\ns: t\n";
    struct pipeline_text p;
    struct leat_node *r;

    pipeline_text_read(&p, text, sizeof text - 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(r = p.file.root);
    OK(config_set(r, LEAT_LIT("batch.every"), LEAT_LIT("5s"), &p.arena, &err));
    OK(config_set(r, LEAT_LIT("batch.trigger"), LEAT_LIT("once"), &p.arena, &err));
    OK(config_set(r, LEAT_LIT("checkpoint.dir"), LEAT_LIT("/x"), &p.arena, &err));
    OK(config_set(r, LEAT_LIT("x-c.b"), LEAT_LIT("2"), &p.arena, &err));
    is(at(at(r, "batch"), "every"), "5s", 0, 0);
    is(at(at(r, "batch"), "trigger"), "once", 0, 0);
    is(at(at(r, "checkpoint"), "dir"), "/x", 0, 0);
    CU_ASSERT(leat_slice_eq(at(at(r, "checkpoint"), "dir")->path, LEAT_LIT("checkpoint.dir")));
    is(at(at(r, "x-c"), "b"), "2", 0, 0);
    is(at(at(r, "x-a"), "b"), "1", 2, 14); /* the other name of the same map is untouched */
    CU_ASSERT_EQUAL(config_set(r, LEAT_LIT("s.t"), LEAT_LIT("2"), &p.arena, &err), LEAT_E_CONFIG);
    CU_ASSERT_STRING_EQUAL(err.text, "'s.t': there is no map in front of 't'");
    CU_ASSERT_EQUAL(config_set(r, LEAT_LIT(""), LEAT_LIT("2"), &p.arena, &err), LEAT_E_CONFIG);
    CU_ASSERT_EQUAL(config_set(r, LEAT_LIT("a..b"), LEAT_LIT("2"), &p.arena, &err), LEAT_E_CONFIG);
    pipeline_text_fini(&p);
}

static void reading_survives_lack_of_memory(void)
{
    static const char text[] =
        PIPELINE_HEAD "x-a: &a { b: [ c, \"d\" ] }\nx-e: { <<: *a, f: |\n  g\n }\n";

    LEAT_OOM_SWEEP {
        struct pipeline_text p;
        pipeline_text_read(&p, text, sizeof text - 1);
        CU_ASSERT(p.file.root || p.diags.errors > 0);
        pipeline_text_fini(&p);
    }
}

LEAT_TESTS("pipeline_file", T(what_is_no_yaml_is_said_with_its_place_and_advice),
           T(everything_knows_its_place), T(aliases_and_merge_keys_are_resolved),
           T(line_ends_and_byte_order_marks_do_not_matter), T(nothing_that_is_too_much_is_read),
           T(depth_is_bounded), T(a_bomb_of_aliases_is_refused), T(a_large_good_file_is_read),
           T(memory_stays_below_64_mib), T(a_file_is_loaded_or_says_why_not),
           T(set_replaces_or_creates_a_scalar), T(reading_survives_lack_of_memory))
