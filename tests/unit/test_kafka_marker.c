/*
 * test_kafka_marker.c - engine/kafka/marker.c: metadata of positions, names of partitions.
 */
#include "kafka/marker.h"
#include "leat_test.h"

#include <stdio.h>

static struct leat_decided read_text(const char *text)
{
    struct leat_decided d = {.partition = LEAT_LIT("in/0"), .next = 5};

    leat_kafka_marker_read(leat_slice_str(text), &d);
    CU_ASSERT(d.next == 5 && d.partition.len == 4); /* are the caller's */
    return d;
}

static void what_is_written_is_read_back(void)
{
    char text[LEAT_KAFKA_MARKER_ROOM];

    leat_kafka_marker_text(text, 0xcafe, 3, 42);
    CU_ASSERT_STRING_EQUAL(text, "leat/0000cafe/3/42");
    struct leat_decided d = read_text(text);
    CU_ASSERT(d.by == LEAT_DECIDED_OURS && d.epoch == 0xcafe && d.slot == 3 && d.n == 42);
    leat_kafka_marker_text(text, UINT32_MAX, UINT32_MAX, UINT64_MAX);
    d = read_text(text);
    CU_ASSERT(d.epoch == UINT32_MAX && d.slot == UINT32_MAX && d.n == UINT64_MAX);
    leat_kafka_marker_text_at_least_once(text, 0, 7);
    CU_ASSERT_STRING_EQUAL(text, "leat/-/0/7");
    d = read_text(text);
    CU_ASSERT(d.by == LEAT_DECIDED_AT_LEAST_ONCE && d.slot == 0 && d.n == 7 && d.epoch == 0);
}

static void everything_else_was_written_by_somebody_else(void)
{
    static const char *const texts[] = {
        "",
        "leat",
        "leat/-/0",
        "leat/-/0/",
        "leat/-/0/7/",
        "leat/-/0/07",
        "leat/-/00/7",
        "leat/-/0/7 ",
        "leat/-/0/-7",
        "leat/-/0/18446744073709551616",
        "leat/-/4294967296/7",
        "leat/cafe/0/7",
        "leat/0000CAFE/0/7",
        "leat/00000cafe/0/7",
        "leat/100000000/0/7",
        "Leat/0000cafe/0/7",
        "b=7;ck=1",
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct leat_decided d = read_text(texts[i]);
        CU_ASSERT(d.by == LEAT_DECIDED_FOREIGN && d.n == 0 && d.epoch == 0 && d.slot == 0);
        if (d.by != LEAT_DECIDED_FOREIGN)
            printf("    '%s'\n", texts[i]);
    }
    struct leat_decided d = {0};
    leat_kafka_marker_read((struct leat_slice){0}, &d);
    CU_ASSERT_EQUAL(d.by, LEAT_DECIDED_FOREIGN);
}

static void a_partition_has_a_topic_and_a_number(void)
{
    char topic[LEAT_KAFKA_TOPIC_MAX + 1], longest[300];
    int32_t number;

    CU_ASSERT(leat_kafka_partition_read(LEAT_LIT("orders/3"), topic, &number));
    CU_ASSERT_STRING_EQUAL(topic, "orders");
    CU_ASSERT_EQUAL(number, 3);
    CU_ASSERT(leat_kafka_partition_read(LEAT_LIT("a/0"), topic, &number) && number == 0);
    CU_ASSERT(leat_kafka_partition_read(LEAT_LIT("a/2147483647"), topic, &number) &&
              number == INT32_MAX);
    memset(longest, 'x', sizeof longest);
    memcpy(longest + LEAT_KAFKA_TOPIC_MAX, "/7", 2);
    CU_ASSERT(leat_kafka_partition_read((struct leat_slice){longest, LEAT_KAFKA_TOPIC_MAX + 2},
                                        topic, &number));
    memcpy(longest + LEAT_KAFKA_TOPIC_MAX + 1, "/7", 2);
    CU_ASSERT(!leat_kafka_partition_read((struct leat_slice){longest, LEAT_KAFKA_TOPIC_MAX + 3},
                                         topic, &number));
}

static void other_names_are_no_partitions(void)
{
    const struct leat_slice names[] = {
        LEAT_LIT(""),       LEAT_LIT("orders"), LEAT_LIT("orders/"),  LEAT_LIT("/3"),
        LEAT_LIT("a/03"),   LEAT_LIT("a/-1"),   LEAT_LIT("a/3 "),     LEAT_LIT("a/2147483648"),
        LEAT_LIT("a\0b/1"), LEAT_LIT("a/b"),    LEAT_LIT("a/1\0003"), {NULL, 0}};
    char topic[LEAT_KAFKA_TOPIC_MAX + 1];
    int32_t number;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        CU_ASSERT(!leat_kafka_partition_read(names[i], topic, &number));
}

LEAT_TESTS("kafka_marker", T(what_is_written_is_read_back),
           T(everything_else_was_written_by_somebody_else), T(a_partition_has_a_topic_and_a_number),
           T(other_names_are_no_partitions))
