/*
 * fuzz_regex.c - a pattern and a subject, with a newline between; first byte: failing allocation.
 */
#include "base/mem.h"
#include "expr/regex.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static unsigned countdown;

static bool gate(void)
{
    return countdown == 0 || --countdown != 0;
}

static void run(struct leat_regex_scratch *s, struct leat_slice pattern, struct leat_slice subject)
{
    struct leat_slice spans[8];
    const char *why;

    const struct leat_regex *re = leat_regex_find(s, pattern, &why);
    if (!re)
        return;
    if (leat_regex_match(re, s, subject, 0, spans, 8) != LEAT_REGEX_YES)
        return;
    for (int i = 0; i < 8; i++)
        assert(!spans[i].ptr || (spans[i].ptr >= subject.ptr &&
                                 spans[i].ptr + spans[i].len <= subject.ptr + subject.len));
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct leat_slice pattern, subject;

    if (size < 1 || size > 8192)
        return 0;
    countdown = data[0];
    leat_mem_gate = gate;
    (void)leat_slice_cut((struct leat_slice){(const char *)data + 1, size - 1}, '\n', &pattern,
                         &subject);
    if (!subject.ptr)
        subject.ptr = "";
    struct leat_regex_scratch *s = leat_regex_scratch_new();
    if (s)
        run(s, pattern, subject);
    leat_regex_scratch_free(s);
    leat_mem_gate = NULL;
    return 0;
}
