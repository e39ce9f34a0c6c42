#include "pipeline_text.h"

#include <stdlib.h>
#include <string.h>

static const char *env(void *arg, const char *name)
{
    static const char *const known[] = {"USER_NAME", "ada", "BRACES", "{x}", "EMPTY", "", NULL};

    (void)arg;
    for (size_t i = 0; known[i]; i += 2)
        if (strcmp(known[i], name) == 0)
            return known[i + 1];
    return NULL;
}

void pipeline_text_read(struct pipeline_text *p, const char *text, size_t len)
{
    static const struct config_outside outside = {.env = env, .files_may_miss = true};
    size_t size;

    *p = (struct pipeline_text){.arena.cap = CONFIG_MEMORY_MAX};
    p->diags.arena = &p->arena;
    config_file_parse("f.yaml", (struct leat_slice){text, len}, &p->file, &p->arena, &p->diags);
    if (p->file.root) {
        config_interpolate(p->file.root, &outside, &p->arena, &p->diags);
        leat_spec_read(p->file.root, &p->spec, &p->arena, &p->diags);
        p->tests = config_tests_read(&p->spec, &p->arena, &p->diags);
    }
    FILE *out = open_memstream(&p->messages, &size);
    if (!out)
        abort();
    config_message_print(&p->file, &p->diags, out);
    fclose(out);
}

void pipeline_text_fini(struct pipeline_text *p)
{
    free(p->messages);
    leat_arena_reset(&p->arena);
}
