/*
 * meta_restart.c - the program that is ended and killed between and within batches gives what an
 * undisturbed run gives.
 *
 * From a seed: plans of all operators with event time, and inputs that are cut into batches. One
 * run goes through in this process. For the other the rows are written to files, batch by batch,
 * and `leat run` takes one batch each time, with its state on disk; now and then it is killed on
 * the way (LEAT_FAILPOINT), wherever batches are written, and started again. Outputs are compared
 * as multisets of rows, doubles within 1e-9. LEAT_SEED and LEAT_CASES repeat or prolong a run (ten
 * of the cases there are one here); a failure prints the seed of its case and the file.
 */
#include "lines.h"
#include "random_plan.h"
#include "seed.h"

#include "leat_test.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CASES     40
#define PIECES    5
#define MAX_TRIES 4
#define WAIT_MS   120000 /* a run that takes longer hangs */
#define HANGS     124

static char dir[32];                /* of a case */
static unsigned runs, kills, spoke; /* spoke: cases in which something came out */

static const char *in_dir(const char *name)
{
    static char paths[4][128];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof *paths, "%s/%s", dir, name);
    return path;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

static void begin_dir(void)
{
    snprintf(dir, sizeof dir, "/tmp/leat-restart-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
}

static void end_dir(void)
{
    (void)nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void write_file(const char *name, const char *text)
{
    FILE *f = fopen(in_dir(name), "w");

    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    fputs(text, f);
    CU_ASSERT_EQUAL(fclose(f), 0);
}

/* ---- the undisturbed run: the same batches, in this process */

static const char *part_name(uint32_t part)
{
    static char name[16];

    snprintf(name, sizeof name, "t/%u", part);
    return name;
}

static uint32_t end_of(const struct random_pipeline *rp, uint32_t piece)
{
    return piece + 1 == PIECES ? rp->rows_count : rp->rows_count * (piece + 1) / PIECES;
}

static bool run_through(const struct random_pipeline *rp, struct lines *into)
{
    static struct pipeline p;
    bool ok = true;
    uint32_t row = 0;

    pipeline_open(&p, rp->yaml, 1);
    for (uint32_t i = 0; i < rp->parts * rp->sources; i++)
        pipeline_part(&p, random_source(i % rp->sources), part_name(i / rp->sources));
    for (uint32_t piece = 0; ok && piece < PIECES; piece++) {
        for (; row < end_of(rp, piece); row++)
            pipeline_row(&p, random_source(rp->rows[row].source), part_name(rp->rows[row].part),
                         NULL, rp->rows[row].value, 1000);
        ok = pipeline_batch(&p, 10000 + 1000 * piece, piece + 1 == PIECES);
        if (ok)
            lines_collect(into, &p);
        else
            printf("failed: %s\n", p.error.text);
    }
    pipeline_close(&p);
    lines_sort(into);
    return ok;
}

/* ---- the other one */

/* The next rows, behind those that the files have. They look old: leat reads what is at rest. */
static void append_rows(const struct random_pipeline *rp, uint32_t from, uint32_t to)
{
    const struct timespec old[2] = {{1000000000, 0}, {1000000000, 0}};
    char name[32];

    for (uint32_t i = 0; i < rp->parts * rp->sources; i++) {
        uint32_t source = i % rp->sources, part = i / rp->sources;
        snprintf(name, sizeof name, "%s/%u.jsonl", random_source(source), part);
        FILE *f = fopen(in_dir(name), "a");
        CU_ASSERT_PTR_NOT_NULL_FATAL(f);
        for (uint32_t row = from; row < to; row++)
            if (rp->rows[row].source == source && rp->rows[row].part == part)
                fprintf(f, "%s\n", rp->rows[row].value);
        CU_ASSERT_EQUAL(fclose(f), 0);
        CU_ASSERT_EQUAL(utimensat(AT_FDCWD, in_dir(name), old, 0), 0);
    }
}

static void exec_leat(const char *failpoint, const char *threads, bool last)
{
    const char *build = getenv("LEAT_BUILD");
    char program[512];
    int err = open(in_dir("log"), O_WRONLY | O_CREAT | O_APPEND, 0600);

    snprintf(program, sizeof program, "%s/leat", build ? build : "build");
    setenv("LEAT_FAILPOINT", failpoint, 1);
    if (err < 0 || dup2(err, 2) < 0)
        _exit(126);
    execl(program, program, "run", in_dir("plan.yaml"), "--threads", threads, "--set",
          last ? "batch.trigger=caught_up" : "batch.trigger=once", (char *)NULL);
    fprintf(stderr, "%s: %s\n", program, strerror(errno));
    _exit(126);
}

/* Its exit code; that of a signal is negative, and HANGS that of one which had to be ended. */
static int run_leat(const char *failpoint, const char *threads, bool last)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0)
        exec_leat(failpoint, threads, last);
    CU_ASSERT_FATAL(pid > 0);
    struct pollfd fd = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
    bool hangs = fd.fd >= 0 && poll(&fd, 1, WAIT_MS) == 0;
    if (hangs) {
        printf("does not end\n");
        kill(pid, SIGKILL);
    }
    if (fd.fd >= 0)
        close(fd.fd);
    CU_ASSERT_EQUAL_FATAL(waitpid(pid, &status, 0), pid);
    if (hangs)
        return HANGS;
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* One batch, or all that is left: until a run ends well. */
static bool run_piece(struct dice *d, bool last)
{
    static const char *const points[] = {"prepare.begin", "prepare.written", "prepare.done",
                                         "log.before",    "log.torn",        "log.synced",
                                         "finish.before", "finish.after",    "run.ran",
                                         "recover.begin", "recover.loaded",  "recover.decided"};
    int code = -SIGKILL;

    for (int i = 0; i < MAX_TRIES && code == -SIGKILL; i++) {
        char point[40] = "", threads[4];
        if (i + 1 < MAX_TRIES && dice_percent(d, 50))
            snprintf(point, sizeof point, "%s@1", points[dice_below(d, 12)]);
        snprintf(threads, sizeof threads, "%u", 1 + dice_below(d, 3));
        code = run_leat(point, threads, last);
        runs++;
        kills += code == -SIGKILL;
    }
    if (code != 0)
        printf("leat run: exit code %d\n", code);
    return code == 0;
}

static void read_output(struct lines *into)
{
    static char line[1 << 16];
    glob_t found = {0};

    (void)glob(in_dir("out/*.jsonl"), 0, NULL, &found);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        FILE *f = fopen(found.gl_pathv[i], "r");
        CU_ASSERT_PTR_NOT_NULL_FATAL(f);
        while (fgets(line, sizeof line, f))
            lines_add(into, (struct leat_slice){line, strcspn(line, "\n")});
        fclose(f);
    }
    globfree(&found);
    lines_sort(into);
}

static bool run_in_pieces(const struct random_pipeline *rp, struct dice *d, struct lines *into)
{
    bool ok = true;
    uint32_t row = 0;

    write_file("plan.yaml", rp->yaml);
    CU_ASSERT_EQUAL(mkdir(in_dir("in"), 0700), 0);
    CU_ASSERT_EQUAL(mkdir(in_dir("in2"), 0700), 0);
    for (uint32_t piece = 0; ok && piece < PIECES; piece++) {
        append_rows(rp, row, end_of(rp, piece));
        row = end_of(rp, piece);
        ok = run_piece(d, piece + 1 == PIECES);
    }
    if (ok)
        read_output(into);
    return ok;
}

static void print_log(void)
{
    char line[400];
    FILE *f = fopen(in_dir("log"), "r");

    while (f && fgets(line, sizeof line, f))
        fputs(line, stdout);
    if (f)
        fclose(f);
}

static bool check_case(uint64_t seed)
{
    static const struct plan_limits limits = {.event_time = true, .sees_no_tick = true};
    static struct random_row rows[RANDOM_ROWS_MAX];
    static struct random_plan plan;
    struct dice d = {seed};
    struct lines through = {0}, pieces = {0};
    char head[160], source[100], sink[100], table[64];
    uint32_t partitions = 1 + dice_below(&d, 6);
    struct plan_ends ends = {.head = head, .keys_in_values = true};

    begin_dir();
    plan.rows.rows = rows;
    random_plan(&d, &limits, &plan);
    snprintf(table, sizeof table, "%s", in_dir("table.csv"));
    write_file("table.csv", random_plan_table);
    ends.table = table;
    head[0] = '\0';
    snprintf(source, sizeof source, "files: { path: %s/%%s, follow: true }", dir);
    ends.source = source;
    ends.sink = "memory: {}";
    random_plan_render(&d, &plan, PLAN_WHOLE, partitions, &ends);
    bool ok = run_through(&plan.rows, &through);
    snprintf(head, sizeof head,
             "delivery: exactly_once\nbatch: { every: 10ms }\ncheckpoint: { dir: "
             "%s/state, snapshot_every: 1s }\n",
             dir);
    snprintf(sink, sizeof sink, "files: { path: \"%s/out/{file}.jsonl\" }", dir);
    ends.sink = sink;
    random_plan_render(&d, &plan, dice_percent(&d, 30) ? PLAN_SPREAD : PLAN_WHOLE, partitions,
                       &ends);
    ok = ok && run_in_pieces(&plan.rows, &d, &pieces) && lines_same(&through, &pieces);
    if (!ok) {
        print_log();
        printf("seed %llu, %u rows in %u partitions:\n%s\n", (unsigned long long)seed,
               plan.rows.rows_count, plan.rows.parts, plan.rows.yaml);
    }
    spoke += through.count > 0;
    lines_free(&through);
    lines_free(&pieces);
    end_dir();
    return ok;
}

static void plans_go_on_from_disk_wherever_the_program_was_killed(void)
{
    uint64_t seed = seed_first();
    unsigned long cases = (seed_cases(10 * CASES) + 9) / 10; /* each runs nine times */
    unsigned failed = 0;

    printf("seed %llu, %lu cases\n", (unsigned long long)seed, cases);
    for (unsigned long i = 0; i < cases && failed < 3; i++)
        failed += !check_case(seed + i * 1000003);
    CU_ASSERT_EQUAL(failed, 0);
    printf("%u runs, %u of them killed; something came out of %u cases\n", runs, kills, spoke);
    CU_ASSERT(cases < 10 || spoke > cases / 2);
    CU_ASSERT(cases < 10 || kills > cases / 2);
}

LEAT_TESTS("meta_restart", T(plans_go_on_from_disk_wherever_the_program_was_killed))
