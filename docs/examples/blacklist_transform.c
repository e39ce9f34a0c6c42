/*
 * blacklist_transform - drops visitors that are on a list, which changes while the program runs.
 *
 * Lines "NAME WHAT" come with one queue, names to be dropped with another: a batch is compared with
 * the list that came in the same batch. Where Spark's function joins two datasets, this one gets
 * the elements of both.
 */
#include <leat_stream.h>

#include <stdio.h>
#include <string.h>

static struct leat_pair by_first_word(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    struct leat_slice rest = leat_value_text(in->value), name;

    (void)call, (void)arg;
    leat_slice_cut(rest, ' ', &name, &rest);
    return (struct leat_pair){leat_string(name), leat_string(rest)};
}

static bool is_listed(const struct leat_rdd *list, struct leat_value name)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->rows[i].value.len == name.len &&
            memcmp(list->rows[i].value.as.text, name.as.text, name.len) == 0)
            return true;
    return false;
}

/* in[0]: pairs of a name and a word; in[1]: names. Lists of two become pairs. */
static struct leat_value drop_listed(struct leat_call *call, const struct leat_rdd *in,
                                     size_t count, void *arg)
{
    struct leat_value clean = leat_list();

    (void)count, (void)arg;
    for (size_t i = 0; i < in[0].count; i++) {
        struct leat_value pair = leat_list();
        if (is_listed(&in[1], in[0].rows[i].key))
            continue;
        leat_list_add(call, &pair, in[0].rows[i].key);
        leat_list_add(call, &pair, in[0].rows[i].value);
        leat_list_add(call, &clean, pair);
    }
    return clean;
}

static enum leat_status push(struct leat_stream *queue, const char *const *texts, size_t count,
                             struct leat_error *err)
{
    struct leat_value values[8];

    for (size_t i = 0; i < count; i++)
        values[i] = leat_string(leat_slice_str(texts[i]));
    return leat_queue_push(queue, values, count, err);
}

int main(void)
{
    static const char *const lines[] = {"ann reads", "bob spams", "cid buys", "bob spams again"};
    static const char *const first[] = {"bob"}, *const second[] = {"ann", "cid"};
    struct leat_context *ctx = leat_context_new("blacklist", 100);
    struct leat_stream *visits = leat_queue_stream(ctx, true);
    struct leat_stream *listed = leat_queue_stream(ctx, true);
    struct leat_error err;

    leat_print(leat_transform_with_to_pair(leat_map_to_pair(visits, by_first_word, NULL), listed,
                                           drop_listed, NULL),
               10);
    if (push(visits, lines, 4, &err) != LEAT_OK || push(listed, first, 1, &err) != LEAT_OK ||
        push(visits, lines, 4, &err) != LEAT_OK || push(listed, second, 2, &err) != LEAT_OK ||
        leat_start(ctx, &err) != LEAT_OK || leat_stop(ctx, true, &err) != LEAT_OK) {
        fprintf(stderr, "blacklist_transform: %s\n", err.text);
        leat_context_free(ctx);
        return 1;
    }
    leat_context_free(ctx);
    return 0;
}
