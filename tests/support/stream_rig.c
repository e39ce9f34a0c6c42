#include "stream_rig.h"

#include <sys/stat.h>
#include <unistd.h>

static struct leat_error err;
static char own_tmp[64];

void seen_init(struct seen *s)
{
    memset(s, 0, sizeof *s);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    s->in_order = true;
}

static int print(struct leat_value v, char *into, size_t room)
{
    int n;

    if (v.tag == LEAT_INT)
        return snprintf(into, room, "%lld", (long long)v.as.i);
    if (v.tag == LEAT_STRING)
        return snprintf(into, room, "%.*s", (int)v.len, v.as.text);
    if (v.tag != LEAT_LIST)
        return snprintf(into, room, "%s", leat_tag_name(v.tag));
    n = snprintf(into, room, "[");
    for (uint32_t i = 0; i < v.len; i++) {
        n += snprintf(into + n, room - (size_t)n, i ? "," : "");
        n += print(v.as.items[i], into + n, room - (size_t)n);
    }
    return n + snprintf(into + n, room - (size_t)n, "]");
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

enum leat_status see(const struct leat_rdd *rdd, void *arg, struct leat_error *e)
{
    struct seen *s = arg;

    if (rdd->count > sizeof s->words / sizeof *s->words)
        return leat_fail(e, LEAT_E_FULL, "the test has no place for %zu rows", rdd->count);
    pthread_mutex_lock(&s->lock);
    s->in_order = s->in_order && rdd->time_ms > s->last_ms;
    s->last_ms = rdd->time_ms;
    for (size_t i = 0; i < rdd->count; i++) {
        char *at = s->words[i];
        int n = 0;
        if (rdd->rows[i].key.tag != LEAT_NULL) {
            n = print(rdd->rows[i].key, at, 32);
            n += snprintf(at + n, 64 - (size_t)n, "=");
        }
        print(rdd->rows[i].value, at + n, 64 - (size_t)n);
    }
    qsort(s->words, rdd->count, sizeof *s->words, by_text);
    /* A stop that comes late sees more batches than there is room for. */
    size_t at = strlen(s->text);
    for (size_t i = 0; i < rdd->count && at + sizeof s->words[i] + 1 < sizeof s->text; i++)
        at += (size_t)sprintf(s->text + at, "%s%s", i ? " " : at ? "|" : "", s->words[i]);
    s->batches += rdd->count > 0;
    enum leat_status status = s->fail ? leat_fail(e, s->fail, "no room for this") : LEAT_OK;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    return status;
}

void wait_for_batches(struct seen *s, int count)
{
    pthread_mutex_lock(&s->lock);
    while (s->batches < count)
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

struct leat_value split(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    struct leat_value words = leat_list();
    struct leat_slice rest = leat_value_text(in->value), word;

    (void)arg;
    while (rest.len) {
        leat_slice_cut(rest, ' ', &word, &rest);
        if (word.len)
            leat_list_add(call, &words, leat_string(word));
    }
    return words;
}

struct leat_pair with_one(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)call, (void)arg;
    return (struct leat_pair){in->value, leat_int(1)};
}

struct leat_value sum(struct leat_call *call, struct leat_value a, struct leat_value b, void *arg)
{
    (void)call, (void)arg;
    return leat_int(a.as.i + b.as.i);
}

struct leat_value twice(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)call, (void)arg;
    return leat_int(2 * in->value.as.i);
}

struct leat_value is_even(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)call, (void)arg;
    return leat_bool(in->value.as.i % 2 == 0);
}

struct leat_value how_many(struct leat_call *call, struct leat_value key, struct leat_value values,
                           struct leat_value state, void *arg)
{
    (void)call, (void)key, (void)arg;
    return leat_int(values.len + (state.tag == LEAT_INT ? state.as.i : 0));
}

struct leat_context *new_context(void)
{
    struct leat_context *ctx = leat_context_new("test", 20);

    leat_set(ctx, "partitions", "4");
    leat_set(ctx, "threads", "2");
    return ctx;
}

void push_ints(struct leat_stream *queue, size_t count, const int64_t *list)
{
    struct leat_value values[16];

    for (size_t i = 0; i < count; i++)
        values[i] = leat_int(list[i]);
    OK(leat_queue_push(queue, values, count, &err));
}

void push_text(struct leat_stream *queue, const char *text)
{
    const struct leat_value v = leat_string(leat_slice_str(text));

    OK(leat_queue_push(queue, &v, 1, &err));
}

const char *run(struct leat_context *ctx, struct leat_stream *s, struct seen *seen)
{
    seen_init(seen);
    leat_foreach_rdd(s, see, seen);
    OK(leat_start(ctx, &err));
    OK(leat_stop(ctx, true, &err));
    CU_ASSERT(seen->in_order);
    leat_context_free(ctx);
    return seen->text;
}

static void has_words(const char *words, const char *what)
{
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, words));
    if (!strstr(err.text, words))
        printf("    %s: %s\n", what, err.text);
}

void is_refused(struct leat_context *ctx, const char *words)
{
    CU_ASSERT_NOT_EQUAL(leat_start(ctx, &err), LEAT_OK);
    has_words(words, "refused with");
    leat_context_free(ctx);
}

void ends_with(struct leat_context *ctx, struct leat_stream *s, const char *before,
               const char *words)
{
    struct seen seen;

    seen_init(&seen);
    leat_foreach_rdd(s, see, &seen);
    OK(leat_start(ctx, &err));
    CU_ASSERT_NOT_EQUAL(leat_await_termination(ctx, &err), LEAT_OK);
    has_words(words, "it ended with");
    CU_ASSERT_STRING_EQUAL(seen.text, before);
    leat_context_free(ctx);
}

void begin_own_tmp(void)
{
    snprintf(own_tmp, sizeof own_tmp, "%s/oom", leat_test_dir());
    CU_ASSERT_EQUAL_FATAL(mkdir(own_tmp, 0700), 0);
    CU_ASSERT_EQUAL_FATAL(setenv("TMPDIR", own_tmp, 1), 0);
}

void end_own_tmp(void)
{
    unsetenv("TMPDIR");
    CU_ASSERT_EQUAL(rmdir(own_tmp), 0);
}

bool runs_with_all_memory(struct leat_context *ctx, enum leat_status pushed)
{
    CU_ASSERT(pushed == LEAT_OK || leat_oom_hit());
    enum leat_status status = leat_start(ctx, &err);
    CU_ASSERT(status == LEAT_OK || leat_oom_hit());
    if (status != LEAT_OK)
        return false;
    status = leat_stop(ctx, true, &err);
    CU_ASSERT(status == LEAT_OK || leat_oom_hit());
    return !leat_oom_hit();
}

/* ---- numbers that came out */

void number_sum_init(struct number_sum *n)
{
    *n = (struct number_sum){.counts_on = true};
    pthread_mutex_init(&n->lock, NULL);
    pthread_cond_init(&n->changed, NULL);
}

enum leat_status add_numbers(const struct leat_rdd *rdd, void *arg, struct leat_error *e)
{
    struct number_sum *n = arg;

    (void)e;
    pthread_mutex_lock(&n->lock);
    for (size_t i = 0; i < rdd->count; i++) {
        int64_t number = rdd->rows[i].value.as.i;
        n->counts_on = n->counts_on && number == n->last + 1;
        n->last = number;
        n->sum += number;
        n->count++;
    }
    pthread_cond_broadcast(&n->changed);
    pthread_mutex_unlock(&n->lock);
    return LEAT_OK;
}

void wait_for_sum(struct number_sum *n, int64_t least)
{
    pthread_mutex_lock(&n->lock);
    while (n->sum < least)
        pthread_cond_wait(&n->changed, &n->lock);
    pthread_mutex_unlock(&n->lock);
}
