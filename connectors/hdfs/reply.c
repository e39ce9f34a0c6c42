#include "reply.h"

#include <errno.h>
#include <stdio.h>

#define BEHIND_END "IOException: Offset=" /* of an OPEN: it has no class of its own */

static bool parse(struct leat_slice text, struct leat_arena *arena, struct leat_value *v)
{
    *v = leat_json_parse(text, arena);
    return v->tag == LEAT_MAP;
}

static struct leat_value field(struct leat_value map, const char *name, struct leat_arena *arena)
{
    return leat_value_field(map, leat_slice_str(name), arena);
}

static bool count_of(struct leat_value map, const char *name, struct leat_arena *arena,
                     int64_t *count)
{
    struct leat_value v = field(map, name, arena);

    *count = v.tag == LEAT_INT ? v.as.i : -1;
    return *count >= 0;
}

bool hdfs_reply_boolean(struct leat_slice text, struct leat_arena *arena, bool *value)
{
    struct leat_value v;

    if (!parse(text, arena, &v))
        return false;
    v = field(v, "boolean", arena);
    *value = v.tag == LEAT_BOOL && v.as.b;
    return v.tag == LEAT_BOOL;
}

/* One that can stand between two slashes. */
static bool is_name(struct leat_slice s)
{
    return s.len < HDFS_NAME_BYTES && !leat_slice_eq(s, LEAT_LIT(".")) &&
           !leat_slice_eq(s, LEAT_LIT("..")) &&
           (s.len == 0 || (!memchr(s.ptr, '/', s.len) && !memchr(s.ptr, 0, s.len)));
}

static bool read_entry(struct leat_value v, struct leat_arena *arena, struct leat_fs_entry *e)
{
    struct leat_value name = field(v, "pathSuffix", arena), type = field(v, "type", arena);

    if (name.tag != LEAT_STRING || type.tag != LEAT_STRING || !is_name(leat_value_text(name)) ||
        !count_of(v, "length", arena, &e->length) ||
        !count_of(v, "modificationTime", arena, &e->changed_ms))
        return false;
    e->is_dir = leat_slice_eq(leat_value_text(type), LEAT_LIT("DIRECTORY"));
    e->name = leat_arena_copy(arena, leat_value_text(name)).ptr;
    return e->name && (e->is_dir || leat_slice_eq(leat_value_text(type), LEAT_LIT("FILE")));
}

bool hdfs_reply_status(struct leat_slice text, struct leat_arena *arena, struct leat_fs_entry *e)
{
    struct leat_value v;

    return parse(text, arena, &v) && read_entry(field(v, "FileStatus", arena), arena, e);
}

bool hdfs_reply_page(struct leat_slice text, struct leat_arena *arena, struct hdfs_page *page)
{
    struct leat_value v;

    if (!parse(text, arena, &v))
        return false;
    v = field(v, "DirectoryListing", arena);
    if (!count_of(v, "remainingEntries", arena, &page->remaining))
        return false;
    v = field(field(v, "partialListing", arena), "FileStatuses", arena);
    v = field(v, "FileStatus", arena);
    if (v.tag != LEAT_LIST)
        return false;
    page->list = leat_arena_array(arena, v.len + 1, sizeof *page->list);
    page->count = v.len;
    for (uint32_t i = 0; page->list && i < v.len; i++)
        if (!read_entry(v.as.items[i], arena, &page->list[i]))
            return false;
    return page->list && (page->remaining == 0 || page->count > 0);
}

static const struct {
    const char *name;
    int number;
} known[] = {
    {"FileNotFoundException", ENOENT},
    {"AccessControlException", EACCES},
    {"SecurityException", EACCES},
    {"FileAlreadyExistsException", EEXIST},
    {"ParentNotDirectoryException", ENOTDIR},
    {"PathIsNotEmptyDirectoryException", ENOTEMPTY},
    {"DSQuotaExceededException", EDQUOT},
    {"NSQuotaExceededException", EDQUOT},
    {"QuotaByStorageTypeExceededException", EDQUOT},
    {"AlreadyBeingCreatedException", EBUSY},
    {"UnsupportedOperationException", ENOTSUP},
};

/* What comes from the other side goes to logs: printable, and one line. */
static void put_text(char *into, size_t room, size_t *used, struct leat_slice s)
{
    for (size_t i = 0; i < s.len && *used + 1 < room; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c == '\n')
            break;
        into[(*used)++] = c >= ' ' && c != 0x7f ? (char)c : ' ';
    }
    into[*used] = 0;
}

int hdfs_reply_refusal(struct leat_slice text, struct leat_arena *arena, char *said, size_t room)
{
    struct leat_value v, name, message;
    size_t used = 0;

    said[0] = 0;
    if (!parse(text, arena, &v))
        return 0;
    v = field(v, "RemoteException", arena);
    name = field(v, "exception", arena);
    message = field(v, "message", arena);
    if (name.tag != LEAT_STRING)
        return 0;
    put_text(said, room, &used, leat_value_text(name));
    if (message.tag == LEAT_STRING) {
        put_text(said, room, &used, LEAT_LIT(": "));
        put_text(said, room, &used, leat_value_text(message));
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (leat_slice_eq(leat_value_text(name), leat_slice_str(known[i].name)))
            return known[i].number;
    return strncmp(said, BEHIND_END, strlen(BEHIND_END)) == 0 ? ERANGE : EREMOTEIO;
}
