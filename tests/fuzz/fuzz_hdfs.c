/* fuzz_hdfs.c - feeds bytes to the readers of what WebHDFS answers, and to that of its paths. */
#include "../../connectors/hdfs/client.h"
#include "../../connectors/hdfs/reply.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void check_entry(const struct leat_fs_entry *e)
{
    assert(e->length >= 0 && e->changed_ms >= 0 && strlen(e->name) < HDFS_NAME_BYTES);
    assert(!strchr(e->name, '/') && strcmp(e->name, "..") != 0);
}

static void check_place(struct leat_slice text, struct leat_arena *arena)
{
    struct hdfs_place place;
    struct leat_error err;
    const char *path = leat_arena_copy(arena, text).ptr;

    if (path && hdfs_place_read(path, &place, &err) == LEAT_OK)
        assert(place.path[0] == '/' && place.address[0] && !strstr(place.path, "//"));
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct leat_slice text = {(const char *)data, size};
    struct leat_arena arena = {.cap = (size_t)1 << 20};
    struct leat_fs_entry entry;
    struct hdfs_page page;
    char said[40];
    bool yes;

    (void)hdfs_reply_boolean(text, &arena, &yes);
    if (hdfs_reply_status(text, &arena, &entry))
        check_entry(&entry);
    if (hdfs_reply_page(text, &arena, &page))
        for (uint32_t i = 0; i < page.count; i++)
            check_entry(&page.list[i]);
    assert(hdfs_reply_refusal(text, &arena, said, sizeof said) >= 0);
    assert(strlen(said) < sizeof said && !strchr(said, '\n'));
    check_place(text, &arena);
    leat_arena_reset(&arena);
    return 0;
}
