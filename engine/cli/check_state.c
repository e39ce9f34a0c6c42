/* check_state.c - `leat check --against-state`: a changed file beside the state that is there. */
#include "cli/cli.h"
#include "run/job_lock.h"
#include "run/state_match.h"

#include <inttypes.h>

static void say_bytes(uint64_t bytes, char *into, size_t room)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB"};
    unsigned unit = 0;

    for (; bytes >= 10240 && unit < 3; unit++)
        bytes /= 1024;
    snprintf(into, room, "%" PRIu64 " %s", bytes, units[unit]);
}

static void say_match(const struct leat_match *m)
{
    static const char *const words[] = {
        [LEAT_MATCH_KEPT] = "kept",
        [LEAT_MATCH_OTHER] = "DROPPED",
        [LEAT_MATCH_GONE] = "DROPPED",
        [LEAT_MATCH_FRESH] = "new",
    };
    char bytes[32];

    say_bytes(m->bytes, bytes, sizeof bytes);
    cli_say(stdout, "  %-8s %.*s", words[m->verdict], LEAT_FMT(m->name));
    if (m->verdict == LEAT_MATCH_FRESH) {
        cli_say(stdout, ": begins with nothing\n");
        return;
    }
    cli_say(stdout, ", %s", bytes);
    if (m->verdict == LEAT_MATCH_OTHER)
        cli_say(stdout, ": the operator of that name is another one now");
    if (m->verdict == LEAT_MATCH_GONE)
        cli_say(stdout, ": the file has no such operator");
    cli_say(stdout, "\n");
    if (m->verdict == LEAT_MATCH_KEPT)
        return;
    if (m->was.ptr)
        cli_say(stdout, "           was: %.*s\n", LEAT_FMT(m->was));
    if (m->verdict == LEAT_MATCH_OTHER)
        cli_say(stdout, "           is:  %.*s\n", LEAT_FMT(m->is));
}

static int say_all(const struct leat_matches *m, const char *dir, const struct leat_plan *plan)
{
    cli_say(stdout, "state in '%s', behind batch %" PRIu64 ":\n", dir, m->n);
    for (uint32_t i = 0; i < m->count; i++)
        say_match(&m->list[i]);
    if (m->count == 0)
        cli_say(stdout, "  there is none, and the file keeps none\n");
    if (m->n && m->partitions != plan->partitions && m->count) {
        cli_say(stdout,
                "it is split into %" PRIu32 " partitions, the file says %" PRIu32
                ": set 'partitions: %" PRIu32 "', or remove it with `leat state reset`\n",
                m->partitions, plan->partitions, m->partitions);
        return CLI_FAILED;
    }
    if (m->dropped == 0)
        return CLI_OK;
    cli_say(stdout, "`leat run` refuses that; put back what was there, or let it go: "
                    "`leat run --drop-state`\n");
    return CLI_FAILED;
}

int cli_check_state(const struct cli_pipeline *p)
{
    const struct leat_log lines = {.job = "check", .part = "state"};
    struct leat_arena arena = {0};
    struct leat_matches matches;
    char dir[LEAT_JOB_DIR_BYTES];
    struct leat_error err;
    int code = CLI_FAILED;

    if (leat_job_dir(&p->spec, NULL, dir, &err) != LEAT_OK) {
        cli_say(stderr, "leat: %s\n", err.text);
        return CLI_FAILED;
    }
    enum leat_status status =
        leat_state_match(&leat_fs_posix, dir, p->plan, &lines, &arena, &matches, &err);
    if (status == LEAT_OK) {
        code = say_all(&matches, dir, p->plan);
    } else if (status == LEAT_E_LOST) {
        cli_say(stdout, "no state in '%s': the job begins with nothing\n", dir);
        code = CLI_OK;
    } else {
        cli_say(stderr, "leat: %s\n", err.text);
    }
    leat_arena_reset(&arena);
    return code;
}
