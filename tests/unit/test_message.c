/* Tests config/message.c: how mistakes are shown. */
#include "leat_test.h"
#include "pipeline_text.h"

static void says(const char *text, const char *expected)
{
    struct pipeline_text p;

    pipeline_text_read(&p, text, strlen(text));
    if (strcmp(p.messages, expected) != 0)
        printf("    expected:\n%s    got:\n%s", expected, p.messages);
    CU_ASSERT_STRING_EQUAL(p.messages, expected);
    pipeline_text_fini(&p);
}

static void carets_stand_below_wide_letters_and_tabs(void)
{
    says(PIPELINE_HEAD "x-a: { \"日本\": 1, e\xcc\x81: 2, \"日本\": 3 }\n",
         "f.yaml:7:25: error: key '日本' is there twice\n"
         "    7 | x-a: { \"日本\": 1, e\xcc\x81: 2, \"日本\": 3 }\n"
         "      |                          ^~~~\n"
         "      = x-a.日本; the first is in line 7\n"
         "1 error\n");
    says(PIPELINE_HEAD "memory:\t\t128\n",
         "f.yaml:7:10: error: '128' needs a unit: 512KiB, 128MiB or 1GB\n"
         "    7 | memory:        128\n"
         "      |                ^~~\n"
         "      = memory\n"
         "1 error\n");
}

static void a_long_line_shows_the_part_that_is_meant(void)
{
    char text[1200], name[301];
    struct pipeline_text p;

    memset(name, 'a', 300);
    name[300] = 0;
    snprintf(text, sizeof text, "%sx-a: { %s: 1, b: 2, b: 3, c%s: 4 }\n", PIPELINE_HEAD, name,
             name);
    pipeline_text_read(&p, text, strlen(text));
    CU_ASSERT_PTR_NOT_NULL(strstr(p.messages, "    7 | ...aaaaaaaa"));
    CU_ASSERT_PTR_NOT_NULL(strstr(p.messages, "aaaa: 1, b: 2, b: 3, caaaa"));
    CU_ASSERT_PTR_NOT_NULL(strstr(p.messages, "aaa...\n"));
    const char *line = strstr(p.messages, "    7 | "), *caret = strstr(line, "      | ");
    CU_ASSERT_EQUAL(strchr(caret, '^') - caret, strstr(line, "b: 3") - line);
    pipeline_text_fini(&p);
}

static void secrets_are_not_shown(void)
{
    static const struct leat_opt options[] = {
        {.name = "user", .kind = LEAT_OPT_INT, .help = "Somebody."},
        {.name = "word", .kind = LEAT_OPT_INT, .offset = 8, .secret = true, .help = "Secret."},
        {0},
    };
    static const char text[] = "a: { user: x, word: 'hun ter2' }\n";
    struct leat_arena arena = {0};
    struct leat_diags diags = {.arena = &arena};
    struct config_file file;
    int64_t into[2];
    char *out;
    size_t size;

    config_file_parse("f.yaml", (struct leat_slice){text, sizeof text - 1}, &file, &arena, &diags);
    leat_opts_read(options, into, leat_node_find(file.root, "a"), NULL, &arena, &diags);
    FILE *f = open_memstream(&out, &size);
    config_message_print(&file, &diags, f);
    fclose(f);
    CU_ASSERT_STRING_EQUAL(out, "f.yaml:1:12: error: 'x' is no integer, such as 12\n"
                                "    1 | a: { user: x, word: '********' }\n"
                                "      |            ^\n"
                                "      = a.user\n"
                                "f.yaml:1:22: error: this value is no integer, such as 12\n"
                                "    1 | a: { user: x, word: '********' }\n"
                                "      |                      ^~~~~~~~\n"
                                "      = a.word\n"
                                "2 errors\n");
    free(out);
    leat_arena_reset(&arena);
    says("a: { password: hunter2 }}\n", "f.yaml:1:25: error: not YAML: flow mapping with invalid "
                                        "extra closing brace\n1 error\n");
}

static void what_is_said_twice_about_one_place_is_shown_once(void)
{
    says(PIPELINE_HEAD "x-e: &e { every: 5 }\nbatch: *e\ncommit: *e\n",
         "f.yaml:7:18: error: '5' needs a unit: 500ms, 10s, 5m, 1h or 7d\n"
         "    7 | x-e: &e { every: 5 }\n"
         "      |                  ^\n"
         "      = x-e.every\n"
         "1 error\n");
}

static void beyond_a_hundred_they_are_counted(void)
{
    static char text[8192];
    struct pipeline_text p;
    size_t n = (size_t)snprintf(text, sizeof text, "%s", PIPELINE_HEAD);

    for (int i = 0; i < 150; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "unknown%d: 1\n", i);
    pipeline_text_read(&p, text, n);
    CU_ASSERT_PTR_NOT_NULL(strstr(p.messages, "\n150 errors; the first 100 are shown\n"));
    pipeline_text_fini(&p);
}

static void nothing_is_sent_that_a_terminal_would_obey(void)
{
    struct pipeline_text p;
    static const char text[] = PIPELINE_HEAD "\"\\e]0;x\\a\\u009b\": 1\n";

    pipeline_text_read(&p, text, sizeof text - 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(p.messages, "error: unknown key '?]0;x?"
                                              "?'\n"));
    CU_ASSERT_PTR_NULL(strchr(p.messages, '\x1b'));
    pipeline_text_fini(&p);
}

LEAT_TESTS("message", T(carets_stand_below_wide_letters_and_tabs),
           T(a_long_line_shows_the_part_that_is_meant), T(secrets_are_not_shown),
           T(what_is_said_twice_about_one_place_is_shown_once),
           T(beyond_a_hundred_they_are_counted), T(nothing_is_sent_that_a_terminal_would_obey))
