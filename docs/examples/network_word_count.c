/*
 * network_word_count HOST PORT - counts the words of lines from a TCP server, second by second.
 *
 *     nc -lk 9999
 *     cc network_word_count.c $(pkg-config --cflags --libs leat) -o network_word_count
 *     ./network_word_count localhost 9999
 */
#include "word_count.h"

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s HOST PORT\n", argv[0]);
        return 2;
    }
    struct leat_context *ctx = leat_context_new("network-word-count", 1000);
    struct leat_stream *lines = leat_socket_text_stream(ctx, argv[1], atoi(argv[2]));
    struct leat_stream *words = leat_flat_map(lines, split_words, NULL);
    struct leat_stream *pairs = leat_map_to_pair(words, pair_with_one, NULL);
    leat_print(leat_reduce_by_key(pairs, sum, NULL), 10);
    return run_until_signal(ctx);
}
