#include "requests.h"

static bool has_room(const struct http_requests *r, size_t len)
{
    const struct http_request *q = r->box.last;

    return q && r->form != HTTP_EACH && q->records < r->max_records &&
           q->body.len + len + 2 <= (size_t)r->max_bytes;
}

static void close_body(struct http_requests *r)
{
    struct http_request *q = r->box.last;

    if (q && r->form == HTTP_ARRAY)
        leat_bytes_put(&q->body, "]", 1);
}

enum leat_status http_requests_add(struct http_requests *r, struct leat_slice value,
                                   struct leat_error *err)
{
    struct leat_slice text = value.ptr ? value : LEAT_LIT("null");
    struct http_request *q = r->box.last;

    if (!has_room(r, text.len)) {
        close_body(r);
        q = leat_outbox_add(&r->box, sizeof *q);
        if (!q)
            return leat_arena_failed(&r->box.arena, err);
        q->body.arena = &r->box.arena;
    }
    if (r->form == HTTP_ARRAY)
        leat_bytes_put(&q->body, q->records ? "," : "[", 1);
    leat_bytes_put(&q->body, text.ptr, text.len);
    if (r->form == HTTP_LINES)
        leat_bytes_put(&q->body, "\n", 1);
    q->records++;
    return q->body.failed ? leat_arena_failed(&r->box.arena, err) : LEAT_OK;
}

enum leat_status http_requests_end(struct http_requests *r, struct leat_error *err)
{
    const struct http_request *q = r->box.last;

    close_body(r);
    return q && q->body.failed ? leat_arena_failed(&r->box.arena, err) : LEAT_OK;
}

static void put(const void *item, struct leat_bytes *section)
{
    const struct http_request *q = item;

    leat_bytes_put_slice(section, leat_bytes_slice(&q->body));
}

void http_requests_write(const struct http_requests *r, struct leat_bytes *section)
{
    leat_outbox_write(&r->box, put, section);
}

static enum leat_status take(struct leat_outbox *box, struct leat_slice *from,
                             struct leat_error *err)
{
    struct leat_slice body;

    if (!leat_take_slice(from, &body))
        return leat_outbox_damaged(err);
    struct http_request *q = leat_outbox_add(box, sizeof *q);
    if (!q)
        return leat_arena_failed(&box->arena, err);
    q->body.ptr = (char *)(uintptr_t)body.ptr;
    q->body.len = body.len;
    return LEAT_OK;
}

enum leat_status http_requests_read(struct http_requests *r, struct leat_slice from,
                                    struct leat_error *err)
{
    return leat_outbox_read(&r->box, from, take, err);
}
