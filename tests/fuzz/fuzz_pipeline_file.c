/*
 * fuzz_pipeline_file.c - reads bytes as a pipeline file: text, tree, spec, tests, messages.
 *
 * The first byte chooses which allocation fails. Whatever the bytes are, the answer is a tree or a
 * mistake, within the memory that was given.
 */
#include "base/mem.h"
#include "pipeline_text.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

/* libfyaml 0.7 forgets a buffer of its own on some syntax errors; one file is read per process. */
LEAT_API const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libfyaml";
}

static unsigned countdown;

static bool gate(void)
{
    return countdown == 0 || --countdown != 0;
}

/* Every place is in the file, and every path of the tree has an end. */
static void check(const struct leat_node *node, uint32_t lines, unsigned depth)
{
    assert(depth <= CONFIG_DEPTH_MAX + 1);
    assert(node->mark.line <= lines && node->key_mark.line <= lines);
    if (node->kind == LEAT_NODE_SCALAR) {
        struct leat_mark m = leat_node_mark_at(node, node->text.len / 2, node->text.len);
        assert(m.line <= lines);
    }
    for (const struct leat_node *c = node->first; c; c = c->next)
        check(c, lines, depth + 1);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct pipeline_text p;
    uint32_t lines = 1;

    if (size < 1 || size > CONFIG_FILE_MAX)
        return 0;
    for (size_t i = 1; i < size; i++)
        lines += data[i] == '\n';
    countdown = data[0] == '#' ? 0 : data[0];
    leat_mem_gate = gate;
    pipeline_text_read(&p, (const char *)data + 1, size - 1);
    leat_mem_gate = NULL;
    assert(p.file.root || p.diags.errors || p.diags.no_memory);
    assert(p.diags.errors + p.diags.warnings == 0 || p.messages[0]);
    if (p.file.root)
        check(p.file.root, lines, 0);
    pipeline_text_fini(&p);
    return 0;
}
