/*
 * zone.c - reads zone files and answers what clocks show where.
 *
 * The file is not trusted: every count is checked against its length and a limit before anything is
 * allocated. Files with leap seconds ("right/...") are refused: our times have none.
 *
 * Thread: any for zones; a struct leat_zones belongs to its worker.
 */
#include "expr/zone.h"

#include "base/mem.h"
#include "data/time_text.h"
#include "expr/zone_rule.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define ZONE_DIR         "/usr/share/zoneinfo/"
#define FILE_BYTES_MAX   65536
#define HEADER_BYTES     44
#define TRANSITIONS_MAX  4096
#define TYPES_MAX        256
#define ABBREVIATION_MAX 512
#define OFFSET_MAX       (26 * 3600) /* RFC 8536, 3.2 */

struct zone_type {
    int32_t offset;
    bool summer;
    uint16_t abbreviation; /* into chars */
};

struct leat_zone {
    uint32_t count;    /* transitions */
    const int64_t *at; /* ascending */
    const uint8_t *type_of;
    const struct zone_type *types;
    const char *chars;
    uint32_t first; /* type before the first transition */
    bool has_rule;
    struct zone_rule rule; /* after the last transition; for fixed offsets always */
};

const struct leat_zone leat_zone_utc = {.has_rule = true, .rule = {.name = "UTC"}};

struct header {
    char version;
    uint32_t utc_flags, std_flags, leaps, transitions, types, chars;
};

static bool take_u32_be(struct leat_slice *from, uint32_t *v)
{
    if (from->len < 4)
        return false;
    memcpy(v, from->ptr, 4);
    *v = be32toh(*v);
    *from = (struct leat_slice){from->ptr + 4, from->len - 4};
    return true;
}

static bool take_header(struct leat_slice *from, struct header *h)
{
    if (from->len < HEADER_BYTES || memcmp(from->ptr, "TZif", 4) != 0)
        return false;
    h->version = from->ptr[4];
    *from = (struct leat_slice){from->ptr + 20, from->len - 20};
    return take_u32_be(from, &h->utc_flags) && take_u32_be(from, &h->std_flags) &&
           take_u32_be(from, &h->leaps) && take_u32_be(from, &h->transitions) &&
           take_u32_be(from, &h->types) && take_u32_be(from, &h->chars) &&
           h->utc_flags <= TYPES_MAX && h->std_flags <= TYPES_MAX && h->leaps <= TYPES_MAX &&
           h->transitions <= TRANSITIONS_MAX && h->types >= 1 && h->types <= TYPES_MAX &&
           h->chars >= 1 && h->chars <= ABBREVIATION_MAX;
}

static size_t body_bytes(const struct header *h, size_t time_bytes)
{
    return h->transitions * (time_bytes + 1) + h->types * 6 + h->chars +
           h->leaps * (time_bytes + 4) + h->std_flags + h->utc_flags;
}

static int64_t time_at(const char *p, size_t bytes)
{
    uint64_t v = 0;

    memcpy((char *)&v + 8 - bytes, p, bytes);
    v = be64toh(v);
    return bytes == 4 ? (int32_t)(uint32_t)v : (int64_t)v;
}

static bool read_transitions(struct leat_zone *z, const struct header *h, size_t bytes,
                             const char *body, struct leat_arena *arena, const char **why)
{
    int64_t *at = leat_arena_array(arena, h->transitions + 1, sizeof *at);
    uint8_t *type_of = leat_arena_array(arena, h->transitions + 1, 1);

    if (!at || !type_of) {
        *why = NULL;
        return false;
    }
    memcpy(type_of, body + h->transitions * bytes, h->transitions);
    for (uint32_t i = 0; i < h->transitions; i++) {
        at[i] = time_at(body + i * bytes, bytes);
        if (type_of[i] >= h->types || (i && at[i] <= at[i - 1]))
            return false;
    }
    z->count = h->transitions;
    z->at = at;
    z->type_of = type_of;
    return true;
}

static bool read_types(struct leat_zone *z, const struct header *h, const char *body,
                       struct leat_arena *arena, const char **why)
{
    struct zone_type *types = leat_arena_array(arena, h->types, sizeof *types);
    char *chars = leat_arena_alloc(arena, h->chars + 1); /* zeroed: ends the last one */

    if (!types || !chars) {
        *why = NULL;
        return false;
    }
    for (uint32_t i = 0; i < h->types; i++) {
        uint32_t offset;
        memcpy(&offset, body + i * 6, 4);
        types[i].offset = (int32_t)be32toh(offset);
        types[i].summer = body[i * 6 + 4];
        types[i].abbreviation = (uint8_t)body[i * 6 + 5];
        if (types[i].offset < -OFFSET_MAX || types[i].offset > OFFSET_MAX ||
            types[i].abbreviation >= h->chars)
            return false;
    }
    memcpy(chars, body + h->types * 6, h->chars);
    z->types = types;
    z->chars = chars;
    return true;
}

/* "\nCET-1CEST,M3.5.0,M10.5.0/3\n"; "\n\n" where no rule is known. */
static bool read_foot(struct leat_zone *z, struct leat_slice foot)
{
    struct leat_slice rule, rest;

    if (foot.len < 2 || foot.ptr[0] != '\n')
        return false;
    foot = (struct leat_slice){foot.ptr + 1, foot.len - 1};
    if (!leat_slice_cut(foot, '\n', &rule, &rest) || rest.len)
        return false;
    z->has_rule = rule.len > 0;
    return !z->has_rule || zone_rule_parse(rule, &z->rule);
}

const struct leat_zone *leat_zone_read(struct leat_slice tzif, struct leat_arena *arena,
                                       const char **why)
{
    struct leat_zone *z = leat_arena_alloc(arena, sizeof *z);
    struct header h;
    size_t bytes = 4;

    *why = NULL;
    if (!z)
        return NULL;
    *why = "its zone file is damaged";
    if (!take_header(&tzif, &h) || tzif.len < body_bytes(&h, bytes))
        return NULL;
    if (h.version) { /* the same again, with 8 bytes for a time, and a foot */
        size_t skip = body_bytes(&h, bytes);
        tzif = (struct leat_slice){tzif.ptr + skip, tzif.len - skip};
        bytes = 8;
        if (!take_header(&tzif, &h) || tzif.len < body_bytes(&h, bytes))
            return NULL;
    }
    if (h.leaps) {
        *why = "its zone file counts leap seconds";
        return NULL;
    }
    const char *types = tzif.ptr + h.transitions * (bytes + 1);
    if (!read_transitions(z, &h, bytes, tzif.ptr, arena, why) ||
        !read_types(z, &h, types, arena, why))
        return NULL;
    size_t body = body_bytes(&h, bytes);
    if (bytes == 8 && !read_foot(z, (struct leat_slice){tzif.ptr + body, tzif.len - body}))
        return NULL;
    while (z->first + 1 < h.types && z->types[z->first].summer)
        z->first++;
    if (z->types[z->first].summer)
        z->first = 0;
    return z;
}

/* Letters, digits, and between them - + _ /: nothing that climbs out of the folder. */
static bool is_file_name(struct leat_slice name)
{
    bool after_slash = true;

    if (!name.len || name.len > LEAT_ZONE_NAME_BYTES)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool other = (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '_' || c == '/';
        if (!letter && (!other || after_slash))
            return false;
        after_slash = c == '/';
    }
    return !after_slash;
}

static size_t read_all(int fd, char *into, size_t room)
{
    size_t len = 0;
    ssize_t n;

    while (len < room && (n = read(fd, into + len, room - len)) != 0) {
        if (n < 0 && errno != EINTR)
            return 0;
        len += n > 0 ? (size_t)n : 0;
    }
    return len;
}

static const struct leat_zone *open_file(struct leat_slice name, struct leat_arena *arena,
                                         const char **why)
{
    char path[sizeof ZONE_DIR + LEAT_ZONE_NAME_BYTES];
    const struct leat_zone *z = NULL;
    struct stat info;

    snprintf(path, sizeof path, ZONE_DIR "%.*s", LEAT_FMT(name));
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        *why = "unknown time zone; names are those of the tz database (Europe/Paris)";
        return NULL;
    }
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size > FILE_BYTES_MAX) {
        *why = "unknown time zone";
        close(fd);
        return NULL;
    }
    char *bytes = leat_mem_alloc((size_t)info.st_size + 1);
    *why = NULL;
    if (bytes) {
        size_t len = read_all(fd, bytes, (size_t)info.st_size);
        z = leat_zone_read((struct leat_slice){bytes, len}, arena, why);
    }
    leat_mem_free(bytes);
    close(fd);
    return z;
}

const struct leat_zone *leat_zone_open(struct leat_slice name, struct leat_arena *arena,
                                       const char **why)
{
    int32_t offset;

    if (leat_slice_eq(name, LEAT_LIT("UTC")) || leat_slice_eq(name, LEAT_LIT("Z")))
        return &leat_zone_utc;
    if (leat_offset_parse(name, &offset)) {
        struct leat_zone *z = leat_arena_alloc(arena, sizeof *z);
        *why = NULL;
        if (z)
            *z = (struct leat_zone){.has_rule = true, .rule.offset = offset};
        return z;
    }
    *why = "no time zone: write UTC, +02:00 or a name like Europe/Paris";
    return is_file_name(name) ? open_file(name, arena, why) : NULL;
}

int32_t leat_zone_offset(const struct leat_zone *z, int64_t seconds, const char **abbreviation)
{
    const char *ignored;
    uint32_t low = 0, high = z->count;

    if (!abbreviation)
        abbreviation = &ignored;
    if (z->has_rule && (!z->count || seconds >= z->at[z->count - 1]))
        return zone_rule_offset(&z->rule, seconds, abbreviation);
    while (low < high) { /* the first transition after `seconds` */
        uint32_t mid = (low + high) / 2;
        if (z->at[mid] <= seconds)
            low = mid + 1;
        else
            high = mid;
    }
    const struct zone_type *type = &z->types[low ? z->type_of[low - 1] : z->first];
    *abbreviation = z->chars + type->abbreviation;
    return type->offset;
}

int64_t leat_zone_to_utc(const struct leat_zone *z, int64_t local)
{
    int32_t before = leat_zone_offset(z, local - 86400, NULL);
    int32_t after = leat_zone_offset(z, local + 86400, NULL);

    if (before == after || leat_zone_offset(z, local - before, NULL) == before)
        return local - before;
    if (leat_zone_offset(z, local - after, NULL) == after)
        return local - after;
    return local - before;
}

#define KEPT 32

struct leat_zones {
    struct kept_zone {
        char name[LEAT_ZONE_NAME_BYTES];
        size_t len; /* 0: free */
        const struct leat_zone *zone;
        const char *why;
        struct leat_arena arena;
    } kept[KEPT];
    uint32_t next; /* taken by the next new name */
};

struct leat_zones *leat_zones_new(void)
{
    return leat_mem_alloc(sizeof(struct leat_zones));
}

void leat_zones_free(struct leat_zones *zones)
{
    if (!zones)
        return;
    for (uint32_t i = 0; i < KEPT; i++)
        leat_arena_reset(&zones->kept[i].arena);
    leat_mem_free(zones);
}

const struct leat_zone *leat_zones_find(struct leat_zones *zones, struct leat_slice name,
                                        const char **why)
{
    if (!name.len || name.len > LEAT_ZONE_NAME_BYTES) {
        *why = "no time zone";
        return NULL;
    }
    for (uint32_t i = 0; i < KEPT; i++) {
        struct kept_zone *k = &zones->kept[i];
        if (leat_slice_eq(name, (struct leat_slice){k->name, k->len})) {
            *why = k->why;
            return k->zone;
        }
    }
    struct kept_zone *k = &zones->kept[zones->next];
    zones->next = (zones->next + 1) % KEPT;
    leat_arena_reset(&k->arena);
    memcpy(k->name, name.ptr, name.len);
    k->len = name.len;
    k->zone = leat_zone_open(name, &k->arena, &k->why);
    *why = k->why;
    if (!k->zone && !k->why) /* out of memory: another time there may be some */
        k->len = 0;
    return k->zone;
}
