#include "sim_world.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>

const char *const sim_parts_names[PARTS] = {"t/0", "t/1"};

uint64_t sim_rnd(struct world *w, uint64_t below)
{
    w->rng ^= w->rng << 13;
    w->rng ^= w->rng >> 7;
    w->rng ^= w->rng << 17;
    return w->rng % below;
}

void sim_check(const struct world *w, bool ok, const char *what)
{
    if (ok)
        return;
    printf("seed %" PRIu64 ", life %" PRIu64 ", directory %s: not so: %s (%s)\n", w->seed, w->lives,
           w->dir, what, w->err.text);
    exit(EXIT_FAILURE);
}

const struct leat_sink *sim_files(void)
{
    return leat_module_find_sink("files")->sink;
}

void sim_die(struct world *w)
{
    w->dead = true;
}

bool sim_heals(struct world *w)
{
    if (w->fs.crash && w->fs.hit) {
        sim_die(w);
        return false;
    }
    if (!leat_status_is_transient(w->err.status)) {
        sim_die(w);
        return false;
    }
    w->fs.full = false;
    return true;
}

/* ---- state: how many numbers there were of each remainder */

uint32_t sim_q_of(int64_t row)
{
    return (uint32_t)(row % QS);
}

struct leat_log_state sim_state_of(uint32_t q, const uint64_t *count)
{
    return (struct leat_log_state){.name = LEAT_LIT("s.count.0"),
                                   .shape = 3,
                                   .q = q,
                                   .bytes = {(const char *)count, sizeof *count}};
}

enum leat_status sim_read_state(void *arg, uint64_t n, bool is_snapshot,
                                const struct leat_log_state *entry, struct leat_error *err)
{
    struct world *w = arg;

    (void)n, (void)is_snapshot, (void)err;
    sim_check(w, entry->bytes.len == sizeof w->counts[0], "state has its length");
    memcpy(&w->counts[entry->q], entry->bytes.ptr, sizeof w->counts[0]);
    return LEAT_OK;
}

void sim_check_state(struct world *w, const int64_t *next)
{
    uint64_t expected[QS] = {0};

    for (int p = 0; p < PARTS; p++)
        for (int64_t row = 0; row < next[p]; row++)
            expected[sim_q_of(row)]++;
    sim_check(w, memcmp(expected, w->counts, sizeof expected) == 0,
              "the state is that of the numbers below the positions");
}

/* ---- the sink of files */

bool sim_open_sink(struct world *w, const struct leat_log_record *last)
{
    struct leat_slice section = {0};
    char path[140], roll[] = "80B";
    struct leat_setting given[] = {{.name = LEAT_LIT("path")}, {.name = LEAT_LIT("roll.size")}};
    const struct leat_module *m = leat_module_find_sink("files");

    snprintf(path, sizeof path, "%s/{file}.txt", w->out);
    given[0].value = leat_arena_copy(&w->arena, leat_slice_str(path));
    given[1].value = leat_arena_copy(&w->arena, leat_slice_str(roll));
    w->sink = leat_arena_alloc(&w->arena, m->self_size);
    sim_check(w,
              leat_opts_apply(m->opts, w->sink, given, w->seed % 2 ? 2 : 1, &w->arena, &w->err) ==
                  LEAT_OK,
              "the sink's options are good");
    for (uint32_t i = 0; i < last->sections_count; i++)
        section = last->sections[i].bytes;
    for (;;) {
        w->sink_open = true;
        if (sim_files()->open(w->sink, &w->env, &w->err) == LEAT_OK &&
            sim_files()->recover(w->sink, last->n, section, &w->err) == LEAT_OK)
            return true;
        sim_files()->close(w->sink);
        w->sink_open = false;
        if (!sim_heals(w))
            return false;
    }
}

static enum leat_status write_cut(struct world *w, uint64_t n, const struct cut *c)
{
    enum { MAX = PARTS * ROWS };
    static struct leat_slice keys[MAX], values[MAX], headers[MAX], routes[MAX];
    static uint16_t selection[MAX];
    static int64_t times[MAX], positions[MAX];
    static char text[MAX][16];
    char route[140];
    struct leat_chunk chunk = {.selection = selection,
                               .keys = keys,
                               .values = values,
                               .headers = headers,
                               .routes = routes,
                               .times_ms = times,
                               .positions = positions};

    snprintf(route, sizeof route, "%s/" LEAT_ROUTE_FILE ".txt", w->out);
    if (sim_files()->begin && sim_files()->begin(w->sink, n, c->time_ms, &w->err) != LEAT_OK)
        return w->err.status;
    for (int p = 0; p < PARTS; p++)
        for (int64_t row = c->from[p]; row < c->to[p]; row++) {
            uint32_t at = chunk.rows++;
            int len = snprintf(text[at], sizeof text[at], "%d %" PRId64, p, row);
            values[at] = (struct leat_slice){text[at], (size_t)len};
            routes[at] = leat_slice_str(route);
            selection[at] = (uint16_t)at;
        }
    chunk.selected = chunk.rows;
    return chunk.rows ? sim_files()->write(w->sink, n, &chunk, &w->err) : LEAT_OK;
}

static enum leat_status write_group(struct world *w, uint64_t n, struct group *g)
{
    const struct leat_positions none = {0};

    for (uint32_t i = 0; i < g->cuts_count; i++)
        if (write_cut(w, n, &g->cuts[i]) != LEAT_OK)
            return w->err.status;
    leat_arena_recycle(&g->arena, 65536);
    g->section = (struct leat_bytes){.arena = &g->arena};
    return sim_files()->prepare(w->sink, n, &none, &g->section, &w->err);
}

bool sim_prepare(struct world *w, uint64_t n)
{
    struct leat_error undo;

    while (write_group(w, n, &w->groups[n % 2]) != LEAT_OK) {
        if (leat_status_is_transient(w->err.status) &&
            sim_files()->abort(w->sink, n, &undo) != LEAT_OK)
            w->err = undo;
        if (!sim_heals(w))
            return false;
    }
    return true;
}

/* ---- the coordinator */

void sim_side_abort(struct world *w)
{
    w->side.is_open = false;
    memset(w->side.pending, 0, sizeof w->side.pending);
}

void sim_side_know(struct world *w, int p, int64_t next, uint64_t n)
{
    struct leat_decided *d = &w->side.known[p];

    if (w->side.known_count < PARTS) /* all at once: the first is the marker */
        w->side.known_count = PARTS;
    *d = (struct leat_decided){.partition = leat_slice_str(sim_parts_names[p]),
                               .next = next,
                               .by = LEAT_DECIDED_OURS,
                               .epoch = w->env.epoch,
                               .n = n};
}

void sim_side_begin(struct world *w, uint64_t n)
{
    const struct group *g = &w->groups[n % 2];

    sim_check(w, !w->side.is_open, "one transaction is open at a time");
    w->side.is_open = true;
    w->side.n = n;
    for (int p = 0; p < PARTS; p++) {
        for (int64_t row = g->from[p]; row < g->to[p]; row++)
            w->side.pending[p][row] = true;
        w->side.next[p] = g->to[p];
    }
}

void sim_side_commit(struct world *w, uint64_t n)
{
    sim_check(w, w->side.is_open && w->side.n == n, "what was prepared is committed");
    for (int p = 0; p < PARTS; p++) {
        for (int row = 0; row < ROWS; row++)
            w->side.seen[p][row] += w->side.pending[p][row];
        sim_side_know(w, p, w->side.next[p], n);
    }
    sim_side_abort(w);
    w->commits++;
}

/* ---- what is there in the end */

struct reading {
    struct world *w;
    int seen[PARTS][ROWS];
};

static void read_file(struct reading *r, const char *path)
{
    FILE *f = fopen(path, "r");
    char line[32];
    int p;
    long row;

    sim_check(r->w, f != NULL, "files can be read");
    while (fgets(line, sizeof line, f)) {
        sim_check(r->w, sscanf(line, "%d %ld", &p, &row) == 2 && p >= 0 && p < PARTS && row < ROWS,
                  "lines are whole");
        r->seen[p][row]++;
    }
    fclose(f);
}

void sim_check_end(struct world *w)
{
    struct reading r = {.w = w};
    DIR *d = opendir(w->out);
    char path[400];

    for (struct dirent *e; d && (e = readdir(d));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        sim_check(w, e->d_name[0] != '.', "no temporary file is left");
        snprintf(path, sizeof path, "%s/%s", w->out, e->d_name);
        read_file(&r, path);
    }
    if (d)
        closedir(d);
    for (int p = 0; p < PARTS; p++)
        for (int row = 0; row < ROWS; row++) {
            sim_check(w, r.seen[p][row] == 1, "every number is in the files once");
            sim_check(w, !w->job.decides || w->side.seen[p][row] == 1,
                      "every number is committed once");
        }
}
