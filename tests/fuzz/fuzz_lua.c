/*
 * fuzz_lua.c - a pattern and a text, with a newline between, for Lua's find, match, gmatch and
 * gsub; and the text as a script. First byte: failing allocation.
 */
#include "leat.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static unsigned countdown;

static bool gate(void)
{
    return countdown == 0 || --countdown != 0;
}

/* What find says must be what match says, and within the text. */
static const char script[] = "local from, to = this:find(key)\n"
                             "if from then\n"
                             "  assert(from >= 1 and to >= from - 1 and to <= #this)\n"
                             "  if not key:find('(', 1, true) then\n"
                             "    assert(this:match(key) == this:sub(from, to))\n"
                             "  end\n"
                             "end\n"
                             "local n = 0\n"
                             "for w in this:gmatch(key) do n = n + 1 end\n"
                             "local same, times = this:gsub(key, function() end)\n"
                             "assert(same == this)\n"
                             "this:gsub(key, this)\n"
                             "return true\n";

static void run(struct leat_arena *arena, const char *text, struct leat_slice pattern,
                struct leat_slice subject, bool ours)
{
    static const char *const names[] = {"this", "key", NULL};
    struct leat_diags diags = {.arena = arena};
    struct leat_node node = {.text = leat_slice_str(text), .mark = {.line = 1}};
    struct leat_eval *ev = leat_eval_new();
    struct leat_call call = {.arena = arena, .ev = ev};
    struct leat_value args[2] = {leat_string(subject), leat_string(pattern)};
    const struct leat_callable *c =
        leat_module_find_language("lua")->language->compile(&node, names, 2, arena, &diags);

    if (c && ev) {
        struct leat_value v = c->call(c, &call, args, 2);
        if (ours && v.tag == LEAT_ERROR && strstr(v.as.text, "assertion failed"))
            abort();
        assert(!ours || v.tag == LEAT_BOOL || v.tag == LEAT_ERROR);
    }
    leat_eval_free(ev);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct leat_slice pattern, subject;
    struct leat_arena arena = {.cap = 4 << 20};

    if (size < 1 || size > 512)
        return 0;
    countdown = data[0];
    leat_mem_gate = gate;
    (void)leat_slice_cut((struct leat_slice){(const char *)data + 1, size - 1}, '\n', &pattern,
                         &subject);
    if (!subject.ptr)
        subject.ptr = "";
    run(&arena, script, pattern, subject, true);
    struct leat_slice text = leat_arena_copy(&arena, subject);
    if (text.ptr && !memchr(text.ptr, '\0', text.len))
        run(&arena, text.ptr, pattern, subject, false);
    leat_mem_gate = NULL;
    leat_arena_reset(&arena);
    return 0;
}
