#include "file_program.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct leat_error err;
char in[300], outside[300], state[300], more[300];

static enum leat_status see(const struct leat_rdd *rdd, void *arg, struct leat_error *e)
{
    struct program *p = arg;

    pthread_mutex_lock(&p->lock);
    size_t at = strlen(p->text);
    p->rows += (int)rdd->count;
    if (rdd->count)
        at += (size_t)snprintf(p->text + at, sizeof p->text - at, "%s%d:", at ? " " : "",
                               (int)rdd->time_ms);
    for (size_t i = 0; i < rdd->count && at < sizeof p->text - 100; i++) {
        struct leat_slice v = leat_value_text(rdd->rows[i].value);
        at += (size_t)snprintf(p->text + at, sizeof p->text - at, "%s%.*s", i ? "," : "",
                               LEAT_FMT(v));
    }
    bool fails = rdd->time_ms == p->fails_at_ms;
    p->last_ms = rdd->time_ms;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    return fails ? leat_fail(e, LEAT_E_DATA, "as the test wants it") : LEAT_OK;
}

static void write_file(const char *path, const char *text, int64_t changed_ms)
{
    const struct timespec t = {changed_ms / 1000, changed_ms % 1000 * 1000000};
    FILE *f = fopen(path, "w");

    if (!f || fputs(text, f) < 0 || fclose(f) != 0 ||
        utimensat(AT_FDCWD, path, (struct timespec[]){t, t}, 0) != 0)
        abort();
}

const char *in_dir(const char *dir, const char *name)
{
    static char path[2][700];
    static int turn;

    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", dir, name);
    return path[turn];
}

void move_in(const char *dir, const char *name, const char *text, int64_t changed_ms)
{
    write_file(in_dir(outside, "moving"), text, changed_ms);
    if (rename(in_dir(outside, "moving"), in_dir(dir, name)) != 0)
        abort();
}

void file(const char *name, int64_t changed_ms)
{
    char line[100];

    snprintf(line, sizeof line, "%s\n", name);
    move_in(in, name, line, changed_ms);
}

void make_dir(char into[300], const char *name)
{
    snprintf(into, 300, "%.200s/%s", leat_test_dir(), name);
    leat_fs_remove_tree(&leat_fs_posix, into);
    if (mkdir(into, 0777) != 0)
        abort();
}

void fresh(void)
{
    make_dir(in, "in");
    make_dir(outside, "outside");
    make_dir(more, "more");
    snprintf(state, sizeof state, "%.200s/state", leat_test_dir());
    leat_fs_remove_tree(&leat_fs_posix, state);
}

void init(struct program *p, int64_t clock_ms)
{
    pthread_condattr_t attr;

    *p = (struct program){
        .clock = {.clock = {.now_ms = hand_clock_now, .monotonic_ms = hand_clock_now}}};
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_cond_init(&p->changed, &attr);
    pthread_condattr_destroy(&attr);
    p->clock.now_ms = clock_ms;
    p->ctx = leat_context_new("files", EVERY_MS);
    p->ctx->clock = &p->clock.clock;
    leat_set(p->ctx, "threads", "2");
}

void start(struct program *p, struct leat_stream *s)
{
    leat_foreach_rdd(s, see, p);
    OK(leat_start(p->ctx, &err));
    wait_until_ready(p->ctx);
}

void wait_for(struct program *p, int64_t time_ms)
{
    pthread_mutex_lock(&p->lock);
    while (p->last_ms < time_ms)
        pthread_cond_wait(&p->changed, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

void clock_to(struct program *p, int64_t time_ms)
{
    p->clock.now_ms = time_ms;
    leat_job_look_at_clock(p->ctx->job);
}

void run_to(struct program *p, int64_t time_ms)
{
    for (int64_t t = p->clock.now_ms / EVERY_MS * EVERY_MS + EVERY_MS; t <= time_ms;
         t += EVERY_MS) {
        clock_to(p, t);
        wait_for(p, t);
    }
}

void end(struct program *p, const char *wanted)
{
    OK(leat_stop(p->ctx, false, &err));
    leat_context_free(p->ctx);
    CU_ASSERT_STRING_EQUAL(p->text, wanted);
    if (strcmp(p->text, wanted) != 0)
        printf("    got: %s\n    not: %s\n", p->text, wanted);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
}
