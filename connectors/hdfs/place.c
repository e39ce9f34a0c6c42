/* place.c - a path as people write it, taken apart: see struct hdfs_place. Thread: any. */
#include "client.h"

#include <stdio.h>

static enum leat_status wrong(struct leat_error *err, const char *text, const char *why)
{
    return leat_fail(err, LEAT_E_CONFIG, "'%.200s': %s", text, why);
}

/* Letters, digits and what else a host, a user or an IPv6 address in brackets is made of. */
static bool is_plain(struct leat_slice s, const char *more)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    (c != 0 && strchr(more, c));
        if (!good)
            return false;
    }
    return s.len > 0;
}

static bool is_port(struct leat_slice s)
{
    unsigned port = 0;

    for (size_t i = 0; i < s.len && i < 6; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
        port = port * 10 + (unsigned)(s.ptr[i] - '0');
    }
    return s.len > 0 && s.len < 6 && port > 0 && port < 65536;
}

/* No part may be empty, `.` or `..`: HDFS takes none of them. */
static bool is_path(const char *path)
{
    while (*path == '/' && path[1]) {
        size_t len = strcspn(path + 1, "/");
        if (len == 0 || (len <= 2 && strncmp(path + 1, "..", len) == 0))
            return false;
        path += 1 + len;
    }
    return *path == 0 || path[1] == 0;
}

enum leat_status hdfs_place_read(const char *text, struct hdfs_place *place, struct leat_error *err)
{
    const char *from = text + strlen("hdfs://");
    struct leat_slice authority, user = {0}, host = {0};

    if (strncmp(text, "hdfs://", strlen("hdfs://")) != 0)
        return wrong(err, text, "begins with hdfs://host:port/");
    if (strlen(text) >= HDFS_PATH_BYTES)
        return leat_fail(err, LEAT_E_CONFIG, "'%.100s...': longer than %d bytes", text,
                         HDFS_PATH_BYTES - 1);
    authority = (struct leat_slice){from, strcspn(from, "/")};
    place->path = from[authority.len] ? from + authority.len : "/";
    const char *at = memchr(authority.ptr, '@', authority.len);
    if (at) {
        user = (struct leat_slice){from, (size_t)(at - from)};
        authority = (struct leat_slice){at + 1, authority.len - user.len - 1};
    }
    if (at && (!is_plain(user, "._-$") || user.len >= sizeof place->user))
        return wrong(err, text, "before the '@' stands the name of a user");
    const char *colon = memrchr(authority.ptr, ':', authority.len);
    if (colon)
        host = (struct leat_slice){authority.ptr, (size_t)(colon - authority.ptr)};
    if (!colon || !is_port((struct leat_slice){colon + 1, authority.len - host.len - 1}) ||
        !is_plain(host, ".-_:[]") || authority.len >= sizeof place->address)
        return wrong(err, text,
                     "write host and port of the NameNode's web server, such as "
                     "hdfs://namenode:9870/dir");
    if (!is_path(place->path))
        return wrong(err, text, "a path has no empty part, no '.' and no '..'");
    snprintf(place->user, sizeof place->user, "%.*s", LEAT_FMT(user));
    snprintf(place->address, sizeof place->address, "%.*s", LEAT_FMT(authority));
    return LEAT_OK;
}
