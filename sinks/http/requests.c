#include "requests.h"

#define VERSION    1
#define ARENA_KEEP ((size_t)4 * 1024 * 1024)

static struct http_request *append(struct http_requests *r)
{
    struct http_request *q = leat_arena_alloc(&r->arena, sizeof *q);

    if (!q)
        return NULL;
    q->body.arena = &r->arena;
    if (r->last)
        r->last->next = q;
    else
        r->first = q;
    r->last = q;
    r->count++;
    return q;
}

static bool has_room(const struct http_requests *r, size_t len)
{
    const struct http_request *q = r->last;

    return q && r->form != HTTP_EACH && q->records < r->max_records &&
           q->body.len + len + 2 <= (size_t)r->max_bytes;
}

static void close_body(struct http_requests *r)
{
    if (r->last && r->form == HTTP_ARRAY)
        leat_bytes_put(&r->last->body, "]", 1);
}

enum leat_status http_requests_add(struct http_requests *r, struct leat_slice value,
                                   struct leat_error *err)
{
    struct leat_slice text = value.ptr ? value : LEAT_LIT("null");

    if (!has_room(r, text.len)) {
        close_body(r);
        if (!append(r))
            return leat_arena_failed(&r->arena, err);
    }
    struct http_request *q = r->last;
    if (r->form == HTTP_ARRAY)
        leat_bytes_put(&q->body, q->records ? "," : "[", 1);
    leat_bytes_put(&q->body, text.ptr, text.len);
    if (r->form == HTTP_LINES)
        leat_bytes_put(&q->body, "\n", 1);
    q->records++;
    return q->body.failed ? leat_arena_failed(&r->arena, err) : LEAT_OK;
}

enum leat_status http_requests_end(struct http_requests *r, struct leat_error *err)
{
    close_body(r);
    return r->last && r->last->body.failed ? leat_arena_failed(&r->arena, err) : LEAT_OK;
}

void http_requests_write(const struct http_requests *r, struct leat_bytes *section)
{
    uint8_t version = VERSION;

    leat_bytes_put(section, &version, 1);
    leat_bytes_put_u32(section, r->count);
    for (const struct http_request *q = r->first; q; q = q->next)
        leat_bytes_put_slice(section, leat_bytes_slice(&q->body));
}

enum leat_status http_requests_read(struct http_requests *r, struct leat_slice from,
                                    struct leat_error *err)
{
    uint8_t version = 0;
    uint32_t count = 0;

    http_requests_clear(r);
    if (!leat_take(&from, &version, 1) || version != VERSION || !leat_take_u32(&from, &count))
        return leat_fail(err, LEAT_E_CORRUPT, "damaged record of requests");
    while (count-- > 0) {
        struct leat_slice body;
        if (!leat_take_slice(&from, &body))
            return leat_fail(err, LEAT_E_CORRUPT, "damaged record of requests");
        struct http_request *q = append(r);
        if (!q)
            return leat_arena_failed(&r->arena, err);
        q->body.ptr = (char *)(uintptr_t)body.ptr;
        q->body.len = body.len;
    }
    return from.len == 0 ? LEAT_OK : leat_fail(err, LEAT_E_CORRUPT, "damaged record of requests");
}

void http_requests_clear(struct http_requests *r)
{
    leat_arena_recycle(&r->arena, ARENA_KEEP);
    r->first = r->last = NULL;
    r->count = 0;
}

void http_requests_free(struct http_requests *r)
{
    r->first = r->last = NULL;
    r->count = 0;
    leat_arena_reset(&r->arena);
}
