#include "base/hidden.h"

#include "base/mem.h"

#include <ctype.h>
#include <stdatomic.h>
#include <string.h>

#define PART_BYTES_MIN 4 /* shorter ones are too common to be found by their letters alone */

struct hidden {
    struct hidden *next;
    size_t len;
    char text[];
};

static _Atomic(struct hidden *) all; /* only grows, at the front, while others read */

static const struct hidden *first(void)
{
    return atomic_load_explicit(&all, memory_order_acquire);
}

static bool add(struct leat_slice text)
{
    for (const struct hidden *h = first(); h; h = h->next)
        if (leat_slice_eq(text, (struct leat_slice){h->text, h->len}))
            return true;
    struct hidden *h = leat_mem_alloc(sizeof *h + text.len);
    if (!h)
        return false;
    h->len = text.len;
    memcpy(h->text, text.ptr, text.len);
    h->next = atomic_load_explicit(&all, memory_order_relaxed);
    atomic_store_explicit(&all, h, memory_order_release);
    return true;
}

static bool parts_words(char c)
{
    return c == ',' || c == ';' || isspace((unsigned char)c);
}

bool leat_hide(struct leat_slice text)
{
    size_t from = 0;

    if (text.len == 0)
        return true;
    for (size_t i = 0; i <= text.len; i++) {
        if (i < text.len && !parts_words(text.ptr[i]))
            continue;
        if (i - from >= PART_BYTES_MIN && !add((struct leat_slice){text.ptr + from, i - from}))
            return false;
        from = i + 1;
    }
    return add(text);
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static size_t match(const struct hidden *h, struct leat_slice text, size_t at)
{
    size_t left = text.len - at, len = h->len < left ? h->len : left;

    if ((len < h->len && len < PART_BYTES_MIN) || memcmp(text.ptr + at, h->text, len) != 0)
        return 0;
    if (h->len >= PART_BYTES_MIN)
        return len;
    bool begins = at == 0 || !is_word(text.ptr[at - 1]);
    bool ends = at + len == text.len || !is_word(text.ptr[at + len]);
    return begins && ends ? len : 0;
}

size_t leat_hidden_at(struct leat_slice text, size_t at)
{
    size_t most = 0;

    for (const struct hidden *h = first(); h; h = h->next) {
        size_t len = match(h, text, at);
        most = len > most ? len : most;
    }
    return most;
}

void leat_hidden_write(struct leat_slice text, FILE *out)
{
    for (size_t i = 0, len; i < text.len; i += len ? len : 1) {
        len = leat_hidden_at(text, i);
        if (len)
            fputs(LEAT_HIDDEN_SHOWN, out);
        else
            fputc(text.ptr[i], out);
    }
}

void leat_hide_nothing(void)
{
    for (struct hidden *h = atomic_exchange(&all, NULL), *next; h; h = next) {
        next = h->next;
        leat_mem_free(h);
    }
}
