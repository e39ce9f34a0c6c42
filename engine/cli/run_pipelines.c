#include "cli/run_pipelines.h"

#include "base/log.h"
#include "base/mem.h"
#include "run/job_lock.h"
#include "run/state_match.h"

#include <inttypes.h>
#include <stdio.h>

/* One file as it was read once, and what became of it. */
struct run_version {
    struct run_version *next;
    struct cli_pipeline p;
    bool is_put;  /* into the set: it runs, is going to, or goes back to it */
    bool current; /* of those of its name, the last that was put */
    bool keep;    /* this time: goes on, whatever its file says */
};

/* What came of one look at all the files. */
struct look {
    struct cli_pipelines *p;
    struct run_version *read, **end; /* those without mistakes, in the order of the files */
    size_t files;
    uint32_t added, changed, removed, refused, same;
    int worst;
};

static const struct leat_log lines = {"leat", "files"};

static void free_version(struct run_version *v)
{
    if (!v)
        return;
    cli_pipeline_free(&v->p);
    leat_mem_free(v);
}

static struct leat_slice name_of(const struct run_version *v)
{
    return v->p.spec.name;
}

static const char *file_of(const struct run_version *v)
{
    return v->p.file.name;
}

static struct run_version *current_of_name(const struct cli_pipelines *p, struct leat_slice name)
{
    for (struct run_version *v = p->versions; v; v = v->next)
        if (v->current && leat_slice_eq(name_of(v), name))
            return v;
    return NULL;
}

static struct run_version *current_of_file(const struct cli_pipelines *p, const char *file)
{
    for (struct run_version *v = p->versions; v; v = v->next)
        if (v->current && strcmp(file_of(v), file) == 0)
            return v;
    return NULL;
}

void cli_pipelines_unused(void *arg, const struct leat_plan *plan)
{
    struct cli_pipelines *p = arg;

    for (struct run_version **at = &p->versions, *v; (v = *at); at = &v->next)
        if (v->p.plan == plan) {
            *at = v->next;
            free_version(v);
            return;
        }
}

/* ---- are two versions the same? */

static bool has_no_effect(const struct leat_node *n, bool is_section)
{
    return is_section && (leat_slice_eq(n->key, LEAT_LIT("tests")) ||
                          leat_slice_eq(n->key, LEAT_LIT("description")) ||
                          (n->key.len > 2 && n->key.ptr[0] == 'x' && n->key.ptr[1] == '-'));
}

static const struct leat_node *with_effect(const struct leat_node *n, bool is_section)
{
    while (n && has_no_effect(n, is_section))
        n = n->next;
    return n;
}

/* The file's depth bounds it. */
static bool same_tree(const struct leat_node *a, const struct leat_node *b, bool is_root)
{
    if (a->kind != b->kind || !leat_slice_eq(a->key, b->key))
        return false;
    if (a->kind == LEAT_NODE_SCALAR)
        return a->is_null == b->is_null && leat_slice_eq(a->text, b->text) &&
               leat_slice_eq(leat_node_value(a), leat_node_value(b));
    const struct leat_node *x = with_effect(a->first, is_root), *y = with_effect(b->first, is_root);
    for (; x && y; x = with_effect(x->next, is_root), y = with_effect(y->next, is_root))
        if (!same_tree(x, y, false))
            return false;
    return !x && !y;
}

/* ---- reading */

static void refuse(struct look *look, const char *file, int code)
{
    struct run_version *running = current_of_file(look->p, file);

    look->refused++;
    look->worst = code > look->worst ? code : look->worst;
    if (running)
        running->keep = true;
    if (running)
        leat_warn(&lines, "'%s' is refused; the version before goes on", file);
    else if (look->p->endpoints.process.reloads || look->p->lenient)
        leat_warn(&lines, "'%s' is refused and does not run", file);
}

static void read_one(struct look *look, const char *file)
{
    struct run_version *v = leat_mem_alloc(sizeof *v);
    int code = CLI_FAILED;

    if (!v)
        cli_say(stderr, "leat: out of memory\n");
    else
        code = cli_pipeline_load(&v->p, file, look->p->sets, true);
    if (code == CLI_OK) {
        *look->end = v;
        look->end = &v->next;
        return;
    }
    free_version(v);
    refuse(look, file, code);
}

static bool share_dir(const struct run_version *a, const struct run_version *b,
                      char dir[LEAT_JOB_DIR_BYTES])
{
    char other[LEAT_JOB_DIR_BYTES];
    struct leat_error err;

    return leat_job_dir(&a->p.spec, NULL, dir, &err) == LEAT_OK &&
           leat_job_dir(&b->p.spec, NULL, other, &err) == LEAT_OK && strcmp(dir, other) == 0;
}

/* Two files with one name would share a consumer group and a job log, two with one directory a log.
 */
static bool clash(const struct run_version *a, const struct run_version *b)
{
    char dir[LEAT_JOB_DIR_BYTES];

    if (leat_slice_eq(name_of(a), name_of(b)))
        cli_say(stderr, "leat: %s and %s are both called '%.*s'\n", file_of(a), file_of(b),
                LEAT_FMT(name_of(a)));
    else if (share_dir(a, b, dir))
        cli_say(stderr, "leat: %s and %s both have the checkpoint.dir '%s'\n", file_of(a),
                file_of(b), dir);
    else
        return false;
    return true;
}

static bool clashes(const struct look *look, const struct run_version *v)
{
    for (const struct run_version *o = look->read; o; o = o->next)
        if (o != v && o->keep && clash(o, v))
            return true;
    for (const struct run_version *o = look->p->versions; o; o = o->next)
        if (o->current && o->keep && strcmp(file_of(o), file_of(v)) != 0 && clash(o, v))
            return true;
    return false;
}

/* `keep` of what was read: it has its name and directory. Files that have them already come first.
 */
static void accept_some(struct look *look, bool in_place)
{
    for (struct run_version *v = look->read; v; v = v->next) {
        const struct run_version *running = current_of_name(look->p, name_of(v));
        if ((running && strcmp(file_of(running), file_of(v)) == 0) != in_place)
            continue;
        if (clashes(look, v))
            refuse(look, file_of(v), CLI_FILE_WRONG);
        else
            v->keep = true;
    }
}

/* A version that could not go on with the state that is there is found out while the old one runs.
 */
static bool state_fits(const struct run_version *v)
{
    struct leat_matches matches = {0};
    struct leat_arena arena = {0};
    char dir[LEAT_JOB_DIR_BYTES];
    struct leat_error err;
    bool fits = true;

    if (leat_job_dir(&v->p.spec, NULL, dir, &err) != LEAT_OK ||
        leat_state_match(&leat_fs_posix, dir, v->p.plan, &lines, &arena, &matches, &err) != LEAT_OK)
        matches = (struct leat_matches){0}; /* its start will say what is wrong */
    if (matches.n && matches.count && matches.partitions != v->p.plan->partitions) {
        fits = false;
        cli_say(stderr,
                "leat: %s: the state is split into %" PRIu32 " partitions, the file says %" PRIu32
                ": set 'partitions: %" PRIu32 "'\n",
                file_of(v), matches.partitions, v->p.plan->partitions, matches.partitions);
    } else if (matches.dropped) {
        fits = false;
        cli_say(stderr,
                "leat: %s: state would be lost: see it with `leat check --against-state`; put back "
                "what was there, or stop and go on without it: `leat run --drop-state`\n",
                file_of(v));
    }
    leat_arena_reset(&arena);
    return fits;
}

/* ---- from what was read to what runs */

static void put(struct look *look, struct run_version *v, struct run_version *before)
{
    struct cli_pipelines *p = look->p;
    struct leat_error err;

    v->next = p->versions;
    p->versions = v;
    v->is_put = true;
    if (before)
        before->current = false; /* the set may free it now */
    if (leat_job_set_put(p->set, v->p.plan, &err) == LEAT_OK) {
        v->current = true;
        return;
    }
    cli_say(stderr, "leat: %s: %s\n", file_of(v), err.text);
    look->worst = CLI_FAILED;
    p->versions = v->next;
    free_version(v);
}

/* Takes over `v`. */
static void apply(struct look *look, struct run_version *v)
{
    struct cli_pipelines *p = look->p;
    struct run_version *running = current_of_name(p, name_of(v));
    bool has_failed = running && leat_job_set_has_failed(p->set, name_of(v));

    if (running && !has_failed && same_tree(running->p.file.root, v->p.file.root, true) &&
        strcmp(file_of(running), file_of(v)) == 0) {
        look->same++;
        running->keep = true;
        free_version(v);
    } else if (running && !state_fits(v)) {
        refuse(look, file_of(v), CLI_FILE_WRONG);
        running->keep = true;
        free_version(v);
    } else {
        look->added += !running;
        look->changed += running != NULL;
        put(look, v, running);
    }
}

static void drop_the_rest(struct look *look)
{
    struct cli_pipelines *p = look->p;

    for (struct run_version *v = p->versions; v;) {
        bool is_wanted = v->keep;
        for (const struct run_version *r = look->read; r && !is_wanted; r = r->next)
            is_wanted = r->keep && leat_slice_eq(name_of(r), name_of(v));
        if (!v->current || is_wanted) {
            v = v->next;
            continue;
        }
        v->current = false;
        look->removed++;
        leat_job_set_drop(p->set, name_of(v)); /* which may have freed any */
        v = p->versions;
    }
}

static void accept(struct look *look)
{
    accept_some(look, true);
    accept_some(look, false);
}

static void carry_out(struct look *look)
{
    drop_the_rest(look);
    for (struct run_version *v = look->read, *next; v; v = next) {
        next = v->next;
        look->read = next;
        if (v->keep) {
            v->keep = false;
            apply(look, v);
        } else {
            free_version(v);
        }
    }
    for (struct run_version *v = look->p->versions; v; v = v->next)
        v->keep = false;
    look->p->refused = look->p->endpoints.process.files_refused = look->refused;
}

/* Where the pipelines that are to run want to be asked about. */
static enum leat_status listen_all(struct cli_pipelines *p, struct leat_error *err)
{
    enum leat_status status = LEAT_OK;
    struct leat_error why;

    leat_endpoints_begin(&p->endpoints);
    for (const struct run_version *v = p->versions; v; v = v->next)
        if (v->current && v->p.spec.http.listen &&
            leat_endpoints_want(&p->endpoints, v->p.spec.http.listen, &why) != LEAT_OK) {
            *err = why;
            status = why.status;
        }
    leat_endpoints_end(&p->endpoints);
    return status;
}

static void free_read(struct look *look)
{
    for (struct run_version *v = look->read, *next; v; v = next) {
        next = v->next;
        free_version(v);
    }
    look->read = NULL;
}

static enum leat_status read_all(struct look *look, struct leat_error *err)
{
    struct cli_files files;
    enum leat_status status = cli_files_list(look->p->paths, look->p->paths_count, &files, err);

    look->end = &look->read;
    look->files = files.count;
    for (size_t i = 0; status == LEAT_OK && i < files.count; i++)
        read_one(look, files.list[i]);
    cli_files_free(&files);
    return status;
}

int cli_pipelines_start(struct cli_pipelines *p)
{
    struct look look = {.p = p};
    struct leat_error err;

    if (read_all(&look, &err) != LEAT_OK) {
        cli_say(stderr, "leat: %s\n", err.text);
        return CLI_FAILED;
    }
    if (look.files == 0) {
        cli_say(stderr, "leat: no *.yaml in directory '%s'\n", p->paths[0].path);
        return CLI_USAGE;
    }
    if (look.worst == CLI_OK || p->lenient)
        accept(&look);
    if (look.worst != CLI_OK && !p->lenient) {
        free_read(&look);
        return look.worst;
    }
    for (const struct run_version *v = look.read; v; v = v->next)
        p->memory += v->keep ? (size_t)v->p.spec.memory.bytes : 0;
    carry_out(&look);
    if (listen_all(p, &err) != LEAT_OK) {
        cli_say(stderr, "leat: %s\n", err.text);
        return leat_status_exit_code(err.status);
    }
    return p->versions ? CLI_OK : look.worst;
}

void cli_pipelines_reload(void *arg)
{
    struct cli_pipelines *p = arg;
    struct look look = {.p = p};
    struct leat_error err;

    p->endpoints.process.reloads++;
    if (read_all(&look, &err) != LEAT_OK) {
        leat_warn(&lines, "nothing is changed: %s", err.text);
        free_read(&look);
        return;
    }
    accept(&look);
    carry_out(&look);
    if (listen_all(p, &err) != LEAT_OK)
        leat_warn(&lines, "%s; the next reload tries again", err.text);
    leat_info(&lines,
              "reloaded: %" PRIu32 " new, %" PRIu32 " changed, %" PRIu32 " removed, %" PRIu32
              " refused, %" PRIu32 " as they were",
              look.added, look.changed, look.removed, look.refused, look.same);
}

void cli_pipelines_fini(struct cli_pipelines *p)
{
    for (struct run_version *v = p->versions, *next; v; v = next) {
        next = v->next;
        free_version(v);
    }
    p->versions = NULL;
}
