#include "http/endpoints.h"

#include "base/hidden.h"
#include "base/mem.h"

#include <stdio.h>

struct leat_endpoint {
    struct leat_endpoint *next;
    struct leat_endpoints *all;
    const struct leat_module *module;
    void *self;
    struct leat_arena arena; /* options */
    struct leat_env env;
    struct leat_turn turn;
    bool is_open, is_attached, wanted;
    char listen[]; /* as it was written */
};

static const struct leat_log lines = {"leat", "http"};

/* ---- answers */

static const char *const state_words[] = {
    [LEAT_MEMBER_STARTING] = "starting", [LEAT_MEMBER_RUNNING] = "running",
    [LEAT_MEMBER_STOPPING] = "stopping", [LEAT_MEMBER_WAITING] = "failed, is tried again",
    [LEAT_MEMBER_FAILED] = "failed",     [LEAT_MEMBER_DONE] = "done",
};

struct readiness {
    struct leat_bytes *out;
    bool is_ready;
};

static void put_text(struct leat_bytes *out, struct leat_slice text)
{
    for (size_t i = 0, hidden; i < text.len; i += hidden ? hidden : 1) {
        hidden = leat_hidden_at(text, i);
        if (hidden)
            leat_bytes_put(out, LEAT_HIDDEN_SHOWN, strlen(LEAT_HIDDEN_SHOWN));
        else
            leat_bytes_put(out, &text.ptr[i], 1);
    }
}

/* Why it has failed is for the log: it may hold data. */
static void put_member(void *arg, const struct leat_member *m)
{
    struct readiness *r = arg;

    put_text(r->out, m->name);
    put_text(r->out, LEAT_LIT(": "));
    put_text(r->out, leat_slice_str(state_words[m->state]));
    put_text(r->out, LEAT_LIT("\n"));
    r->is_ready &= m->state == LEAT_MEMBER_RUNNING || m->state == LEAT_MEMBER_DONE;
}

/* Ready: every pipeline runs, or is done. */
static void answer_ready(const struct leat_endpoints *e, struct leat_answer *a)
{
    struct readiness r = {.out = &a->bytes, .is_ready = true};

    leat_job_set_each(e->set, put_member, &r);
    a->status = r.is_ready ? 200 : 503;
}

static void answer(void *arg, const char *path, struct leat_answer *a)
{
    const struct leat_endpoints *e = ((struct leat_endpoint *)arg)->all;

    a->status = 200;
    a->type = "text/plain; charset=utf-8";
    if (strcmp(path, "/metrics") == 0) {
        a->type = "text/plain; version=0.0.4; charset=utf-8";
        leat_metrics_write(e->set, &e->process, &a->bytes);
    } else if (strcmp(path, "/readyz") == 0) {
        answer_ready(e, a);
    } else if (strcmp(path, "/healthz") == 0) {
        put_text(&a->bytes, LEAT_LIT("ok\n")); /* this thread is alive, or nobody would say so */
    } else {
        a->status = 404;
        put_text(&a->bytes, LEAT_LIT("there are /metrics, /healthz and /readyz\n"));
    }
}

/* ---- open and close */

static void close_one(struct leat_endpoint *p)
{
    if (p->is_attached)
        leat_job_set_detach(p->all->set, &p->turn);
    if (p->self)
        p->module->serve->close(p->self);
    if (p->is_open)
        leat_info(&lines, "no longer listening on %s", p->listen);
    leat_arena_reset(&p->arena);
    leat_mem_free(p->self);
    leat_mem_free(p);
}

static enum leat_status open_one(struct leat_endpoint *p, struct leat_error *err)
{
    const struct leat_setting listen = {.name = LEAT_LIT("listen"),
                                        .value = leat_slice_str(p->listen)};

    p->module = leat_module_find_serve("endpoint");
    if (!p->module)
        return leat_fail(err, LEAT_E_CONFIG, "the module 'endpoint' is not built in");
    p->self = leat_mem_alloc(p->module->self_size);
    if (!p->self)
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    p->env = (struct leat_env){.job = "leat", .fs = &leat_fs_posix, .log = &lines};
    const struct leat_serve *serve = p->module->serve;
    if (leat_opts_apply(p->module->opts, p->self, &listen, 1, &p->arena, err) != LEAT_OK ||
        serve->open(p->self, &p->env, answer, p, err) != LEAT_OK)
        return err->status;
    p->turn = (struct leat_turn){
        .fd = serve->fd(p->self), .arg = p->self, .wait_ms = serve->wait_ms, .turn = serve->turn};
    if (leat_job_set_attach(p->all->set, &p->turn, err) != LEAT_OK)
        return err->status;
    p->is_attached = p->is_open = true;
    leat_info(&lines, "listening on %s", p->listen);
    return LEAT_OK;
}

void leat_endpoints_begin(struct leat_endpoints *e)
{
    for (struct leat_endpoint *p = e->first; p; p = p->next)
        p->wanted = false;
}

enum leat_status leat_endpoints_want(struct leat_endpoints *e, const char *listen,
                                     struct leat_error *err)
{
    size_t len = strlen(listen) + 1;
    struct leat_endpoint *p = e->first;

    while (p && strcmp(p->listen, listen) != 0)
        p = p->next;
    if (p) {
        p->wanted = true;
        return LEAT_OK;
    }
    p = leat_mem_alloc(sizeof *p + len);
    if (!p)
        return leat_fail(err, LEAT_E_NOMEM, "no memory to listen on %s", listen);
    memcpy(p->listen, listen, len);
    p->all = e;
    p->wanted = true;
    if (open_one(p, err) != LEAT_OK) {
        leat_error_prefix(err, "http");
        close_one(p);
        return err->status;
    }
    p->next = e->first;
    e->first = p;
    return LEAT_OK;
}

void leat_endpoints_end(struct leat_endpoints *e)
{
    for (struct leat_endpoint **at = &e->first, *p; (p = *at);) {
        if (p->wanted) {
            at = &p->next;
            continue;
        }
        *at = p->next;
        close_one(p);
    }
}

void leat_endpoints_fini(struct leat_endpoints *e)
{
    leat_endpoints_begin(e);
    leat_endpoints_end(e);
}
