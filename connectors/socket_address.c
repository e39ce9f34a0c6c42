#include "socket_address.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG     128
#define UNIX_PREFIX "unix:"

bool socket_is_unix(const char *address)
{
    return strncmp(address, UNIX_PREFIX, sizeof UNIX_PREFIX - 1) == 0;
}

/* The port is behind the last colon; an IPv6 address stands in brackets. */
static bool split(const char *address, char host[256], char port[8])
{
    const char *colon = strrchr(address, ':');
    size_t len = colon ? (size_t)(colon - address) : 0;
    char *end;

    if (!colon || len >= 255 || strlen(colon + 1) > 5 || strlen(colon + 1) == 0)
        return false;
    long number = strtol(colon + 1, &end, 10);
    if (*end || number < 1 || number > 65535)
        return false;
    bool brackets = len >= 2 && address[0] == '[' && address[len - 1] == ']';
    if (!brackets && memchr(address, ':', len))
        return false;
    snprintf(host, 256, "%.*s", (int)(brackets ? len - 2 : len), address + brackets);
    snprintf(port, 8, "%ld", number);
    return true;
}

static enum leat_status split_checked(const char *address, bool listening, char host[256],
                                      char port[8], struct leat_error *err)
{
    if (socket_is_unix(address) || !split(address, host, port))
        return leat_fail(err, LEAT_E_CONFIG,
                         "'%s' is no address, such as localhost:9999 or [::1]:9999", address);
    if (!listening && (!host[0] || strcmp(host, "*") == 0))
        return leat_fail(err, LEAT_E_CONFIG, "'%s' has no host to connect to", address);
    return LEAT_OK;
}

/* ---- unix:/path */

static enum leat_status unix_address(const char *address, struct sockaddr_un *at,
                                     struct leat_error *err)
{
    const char *path = address + sizeof UNIX_PREFIX - 1;
    size_t len = strlen(path);

    if (len == 0 || len >= sizeof at->sun_path)
        return leat_fail(err, LEAT_E_CONFIG, "'%s': the path of a Unix socket has 1 to %zu bytes",
                         address, sizeof at->sun_path - 1);
    *at = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(at->sun_path, path, len);
    return LEAT_OK;
}

int socket_connect_unix(const char *address)
{
    struct sockaddr_un at;
    struct leat_error err;

    if (unix_address(address, &at, &err) != LEAT_OK)
        return -EINVAL;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0)
        return fd;
    int result = -errno;
    close(fd);
    return result;
}

/* A socket that its process left behind, so that nobody answers. */
static bool remove_left_behind(const char *address, const struct sockaddr_un *at)
{
    struct stat is;

    if (lstat(at->sun_path, &is) != 0 || !S_ISSOCK(is.st_mode))
        return false;
    int fd = socket_connect_unix(address);
    if (fd >= 0)
        close(fd);
    return fd == -ECONNREFUSED && unlink(at->sun_path) == 0;
}

static int listen_unix(const char *address, struct leat_error *err)
{
    struct sockaddr_un at;

    if (unix_address(address, &at, err) != LEAT_OK)
        return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool bound = fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0;
    if (fd >= 0 && !bound && errno == EADDRINUSE) {
        if (remove_left_behind(address, &at))
            bound = bind(fd, (struct sockaddr *)&at, sizeof at) == 0;
        else
            errno = EADDRINUSE;
    }
    if (bound && listen(fd, BACKLOG) == 0)
        return fd;
    leat_fail(err, LEAT_E_IO, "cannot listen on '%s': %s", address, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

void socket_end_listen(int fd, const char *address)
{
    close(fd);
    if (socket_is_unix(address))
        unlink(address + sizeof UNIX_PREFIX - 1);
}

/* ---- host:port */

enum leat_status socket_check_host_port(const char *address, bool listening, struct leat_error *err)
{
    char host[256], port[8];

    return split_checked(address, listening, host, port, err) == LEAT_OK
               ? LEAT_OK
               : leat_error_prefix(err, "%s", listening ? "listen" : "connect");
}

enum leat_status socket_check_address(const char *address, bool listening, struct leat_error *err)
{
    struct sockaddr_un at;

    if (!socket_is_unix(address))
        return socket_check_host_port(address, listening, err);
    return unix_address(address, &at, err) == LEAT_OK
               ? LEAT_OK
               : leat_error_prefix(err, "%s", listening ? "listen" : "connect");
}

enum leat_status socket_resolve(const char *address, bool listening, struct addrinfo **found,
                                struct leat_error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICSERV | (listening ? AI_PASSIVE : 0)};
    char host[256], port[8];

    *found = NULL;
    if (split_checked(address, listening, host, port, err) != LEAT_OK)
        return err->status;
    bool any = !host[0] || strcmp(host, "*") == 0;
    if (any)
        hints.ai_family = AF_INET6; /* takes IPv4 as well */
    int result = getaddrinfo(any ? NULL : host, port, &hints, found);
    if (result == 0)
        return LEAT_OK;
    if (result == EAI_MEMORY)
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    return leat_fail(err, LEAT_E_UNREACHABLE, "cannot find '%s': %s", address,
                     gai_strerror(result));
}

static int try_listen(const struct addrinfo *at)
{
    const int one = 1, zero = 0;
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (at->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
    if (bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int result = -errno;
    close(fd);
    return result;
}

/* Every address of a host without IPv6. */
static int listen_v4(const char *address)
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    struct addrinfo at = {
        .ai_family = AF_INET, .ai_addr = (struct sockaddr *)&any, .ai_addrlen = sizeof any};

    any.sin_port = htons((uint16_t)atoi(strrchr(address, ':') + 1));
    return try_listen(&at);
}

int socket_listen(const char *address, struct leat_error *err)
{
    struct addrinfo *found;
    int fd = -EADDRNOTAVAIL;

    if (socket_is_unix(address))
        return listen_unix(address, err);
    if (socket_resolve(address, true, &found, err) != LEAT_OK)
        return -1;
    for (struct addrinfo *at = found; at && fd < 0; at = at->ai_next)
        fd = try_listen(at);
    freeaddrinfo(found);
    if (fd == -EAFNOSUPPORT && (address[0] == ':' || address[0] == '*'))
        fd = listen_v4(address);
    if (fd >= 0)
        return fd;
    leat_fail(err, LEAT_E_IO, "cannot listen on '%s': %s", address, strerror(-fd));
    return -1;
}

int socket_connect(const struct addrinfo *to)
{
    int fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    if (connect(fd, to->ai_addr, to->ai_addrlen) == 0 || errno == EINPROGRESS)
        return fd;
    int result = -errno;
    close(fd);
    return result;
}

int socket_error(int fd)
{
    int error = 0;
    socklen_t len = sizeof error;

    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 ? error : errno;
}
