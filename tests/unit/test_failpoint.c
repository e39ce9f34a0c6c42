/* Tests engine/base/failpoint.c. */
#include "base/failpoint.h"

#include "leat_test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static enum leat_status set(const char *setting)
{
    struct leat_error err;

    return leat_failpoint_init(setting, &err);
}

static void without_a_setting_no_place_is_reached(void)
{
    CU_ASSERT_EQUAL(set(NULL), LEAT_OK);
    CU_ASSERT_FALSE(leat_failpoint("log.synced"));
    CU_ASSERT_EQUAL(set(""), LEAT_OK);
    CU_ASSERT_FALSE(leat_failpoint("log.synced"));
}

static void an_error_comes_once_at_the_kth_time(void)
{
    CU_ASSERT_EQUAL(set("log.synced@3:error"), LEAT_OK);
    CU_ASSERT_FALSE(leat_failpoint("log.synced"));
    CU_ASSERT_FALSE(leat_failpoint("log.before"));
    CU_ASSERT_FALSE(leat_failpoint("log.synced"));
    CU_ASSERT_TRUE(leat_failpoint("log.synced"));
    CU_ASSERT_FALSE(leat_failpoint("log.synced"));
    CU_ASSERT_EQUAL(set(NULL), LEAT_OK);
}

/* What the process prints to standard error goes to a pipe. */
static int die_at(const char *setting, const char *place, char *said, size_t room)
{
    int pipes[2], status = 0;

    if (pipe(pipes) != 0)
        return -1;
    pid_t child = fork();
    if (child == 0) {
        dup2(pipes[1], STDERR_FILENO);
        _exit(set(setting) == LEAT_OK && !leat_failpoint(place) ? 0 : 1);
    }
    close(pipes[1]);
    ssize_t n = read(pipes[0], said, room - 1);
    said[n > 0 ? n : 0] = '\0';
    close(pipes[0]);
    waitpid(child, &status, 0);
    return status;
}

static void a_place_kills_the_process_and_says_so(void)
{
    char said[100];

    int status = die_at("commit.sent", "commit.sent", said, sizeof said);
    CU_ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    CU_ASSERT_STRING_EQUAL(said, "failpoint commit.sent reached\n");
    status = die_at("commit.sent@2", "commit.sent", said, sizeof said);
    CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void a_setting_without_sense_is_refused(void)
{
    static const char *const wrong[] = {
        "@1",  ":kill", "a@0",
        "a@x", "a@",    "a@1:hang",
        "a:",  "a@-1",  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CU_ASSERT_EQUAL(set(wrong[i]), LEAT_E_CONFIG);
        CU_ASSERT_FALSE(leat_failpoint("a"));
    }
}

LEAT_TESTS("failpoint", T(without_a_setting_no_place_is_reached),
           T(an_error_comes_once_at_the_kth_time), T(a_place_kills_the_process_and_says_so),
           T(a_setting_without_sense_is_refused))
