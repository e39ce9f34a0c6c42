/* connections.c - who is connected, who is too slow, and who must go so that others can come. */
#include "http.h"

#include <sys/socket.h>

#define LOOK_EVERY_MS 500
#define CONN_BYTES    ((size_t)24 * 1024) /* what the server holds for one, nearly */

static int64_t now_ms(const struct http *h)
{
    return leat_clock_monotonic_ms(h->env->clock);
}

static void unlink_conn(struct http *h, struct http_conn *c)
{
    *(c->prev ? &c->prev->next : &h->oldest) = c->next;
    *(c->next ? &c->next->prev : &h->newest) = c->prev;
}

static void link_conn(struct http *h, struct http_conn *c)
{
    c->prev = h->newest;
    c->next = NULL;
    *(h->newest ? &h->newest->next : &h->oldest) = c;
    h->newest = c;
}

void http_set_state(struct http *h, struct http_conn *c, enum http_state state)
{
    c->state = state;
    c->since_ms = now_ms(h);
    unlink_conn(h, c);
    link_conn(h, c);
}

/* The server reads the end of the stream, and closes it. */
static void cut(struct http_conn *c)
{
    shutdown(c->fd, SHUT_RDWR);
    c->cut = true;
}

/* Whoever has been idle for longest makes room. When nobody is idle the newcomer stays, within what
 * the server allows, and is told that there is no room. */
static void make_room(struct http *h)
{
    for (struct http_conn *c = h->oldest; c; c = c->next)
        if (c->state == HTTP_IDLE && !c->cut) {
            cut(c);
            return;
        }
}

static void begin(struct http *h, struct MHD_Connection *connection, void **context)
{
    const union MHD_ConnectionInfo *fd =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct http_conn *c = leat_mem_alloc(sizeof *c);

    *context = c;
    if (!c) {
        shutdown(fd->connect_fd, SHUT_RDWR);
        leat_fail(&h->error, LEAT_E_NOMEM, "out of memory");
        return;
    }
    *c = (struct http_conn){.fd = fd->connect_fd, .since_ms = now_ms(h)};
    if (h->conns >= (uint64_t)h->max_connections)
        make_room(h);
    link_conn(h, c);
    h->conns++;
    if (!leat_budget_take(h->env->budget, CONN_BYTES)) {
        cut(c);
        c->fd = -1;
    }
}

static void end(struct http *h, struct http_conn *c)
{
    if (!c)
        return;
    if (c->fd >= 0)
        leat_budget_give(h->env->budget, CONN_BYTES);
    unlink_conn(h, c);
    h->conns--;
    leat_mem_free(c);
}

void http_on_connection(void *cls, struct MHD_Connection *connection, void **context,
                        enum MHD_ConnectionNotificationCode what)
{
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        begin(cls, connection, context);
    else
        end(cls, *context);
}

int http_cut_slow(struct http *h)
{
    int64_t now = now_ms(h);

    for (struct http_conn *c = h->oldest; c; c = c->next) {
        int64_t most = c->state == HTTP_IDLE ? h->idle.ms : h->receive.ms;
        if (c->state != HTTP_WAITS && !c->cut && now - c->since_ms > most)
            cut(c);
    }
    return h->oldest ? LOOK_EVERY_MS : -1;
}
