#include "lua_rig.h"

#include "leat_test.h"

#include <stdio.h>

char lua_out[16384];
static char ops[8192];

void lua_indented(char *into, size_t room, const char *script)
{
    size_t len = strlen(into);

    for (const char *line = script; *line;) {
        size_t n = strcspn(line, "\n");
        len += (size_t)snprintf(into + len, room - len, "              %.*s\n", (int)n, line);
        line += n + (line[n] == '\n');
    }
}

/* `- OP: { lua: SCRIPT }`: the script begins in line 14 of the file. */
const char *lua_op(const char *op, const char *script)
{
    snprintf(ops, sizeof ops, "      - %s:\n          lua: |\n", op);
    lua_indented(ops, sizeof ops, script);
    return ops;
}

void lua_open(struct pipeline *p, const char *on_error, const char *text)
{
    static char yaml[16384];

    snprintf(
        yaml, sizeof yaml,
        "leat: 1\nname: t\non_error: %s\nsources:\n  in:\n    kafka: { brokers: b, topic: t }\n"
        "    format: json\nstreams:\n  s:\n    from: in\n    ops:\n%s"
        "sinks:\n  out:\n    from: s\n    memory: {}\n    format: json\n",
        on_error, text);
    pipeline_open(p, yaml, 1);
}

void lua_batch(struct pipeline *p, int64_t time_ms, unsigned show, const char *const *rows)
{
    size_t len = strlen(lua_out);

    for (; *rows; rows++)
        pipeline_row(p, "in", "t/0", "k", *rows, 1000);
    if (pipeline_batch(p, time_ms, false))
        pipeline_output(p, "out", show, lua_out + len, sizeof lua_out - len);
    else
        snprintf(lua_out + len, sizeof lua_out - len, "failed: %s\n", p->error.text);
}

const char *lua_run(const char *text, unsigned show, const char *const *rows)
{
    struct pipeline p;

    lua_out[0] = '\0';
    lua_open(&p, "fail", text);
    lua_batch(&p, 2000, show, rows);
    pipeline_close(&p);
    return lua_out;
}

/* What `return WHAT` gives for the record {"x": X}. */
const char *lua_value(const char *what, const char *x)
{
    char script[512], row[512];

    snprintf(script, sizeof script, "return %s\n", what);
    snprintf(row, sizeof row, "{\"x\":%s}", x);
    lua_run(lua_op("map", script), 0, ROWS(row));
    lua_out[strcspn(lua_out, "\n")] = '\0';
    return lua_out;
}

void lua_same(const char *text, const char *wanted)
{
    if (strcmp(text, wanted) != 0)
        printf("    '%s' is not: %s\n", text, wanted);
    CU_ASSERT_STRING_EQUAL(text, wanted);
}

void lua_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        printf("    '%s' is not in: %s\n", part, text);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, part));
}

static const char *const names[] = {"this", "key", NULL};

const struct leat_callable *lua_compile(struct leat_arena *arena, const char *script)
{
    struct leat_diags diags = {.arena = arena};
    struct leat_node *node = leat_arena_alloc(arena, sizeof *node);

    if (!node)
        return NULL;
    node->text = leat_slice_str(script);
    node->mark.line = 100;
    const struct leat_language *lua = leat_module_find_language("lua")->language;
    const struct leat_callable *c = lua->compile(node, names, 1, arena, &diags);
    CU_ASSERT(c || diags.errors == 1);
    return c;
}
