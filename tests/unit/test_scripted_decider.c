/*
 * test_scripted_decider.c - the decider that other tests use keeps the contract of deciders, so
 * what they prove with it holds for others.
 */
#include "decider_contract.h"
#include "instance.h"
#include "leat_test.h"
#include "scripted_decider.h"

#include <stdio.h>

static struct leat_error err;
static const struct leat_log log_here = {"test", "decider"};
static const struct leat_env env = {.job = "test", .epoch = 7, .log = &log_here};

static bool clear(const void **self, const struct leat_env **its_env)
{
    scripted_side_clear();
    *self = NULL;
    *its_env = &env;
    return true;
}

static void write_rows(void *memory, uint64_t n, int rows)
{
    char row[40];

    for (int i = 0; i < rows; i++) {
        snprintf(row, sizeof row, "%llu-%d", (unsigned long long)n, i);
        scripted_decider_write(memory, leat_slice_str(row));
    }
}

static int visible(void)
{
    int rows = 0;

    for (const char *at = scripted_side.text; (at = strchr(at, '\n')); at++)
        rows++;
    return rows;
}

static const struct decider_case scripted = {.decider = &scripted_decider,
                                             .clear = clear,
                                             .write = write_rows,
                                             .visible = visible,
                                             .partitions = {"in/0", "in/1"}};

LEAT_DECIDER_CONTRACT(scripted)

static void last_of(void *arg, const struct leat_decided *d)
{
    *(uint64_t *)arg = d->n;
}

static void a_commit_fails_as_it_is_told(void)
{
    static const struct {
        enum leat_status status;
        bool done;
    } cases[] = {{LEAT_E_UNREACHABLE, false},
                 {LEAT_E_ABORTED, false},
                 {LEAT_E_UNCLEAR, false},
                 {LEAT_E_UNCLEAR, true},
                 {LEAT_E_FENCED, false}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        void *memory = leat_mem_alloc(scripted_decider.size);
        uint64_t known = 0;

        scripted_side_clear();
        scripted_side.fail[SCRIPTED_COMMIT].at = 1;
        scripted_side.fail[SCRIPTED_COMMIT].status = cases[i].status;
        scripted_side.fail[SCRIPTED_COMMIT].done = cases[i].done;
        OK(scripted_decider.open(memory, NULL, &env, &err));
        OK(scripted_decider.recover(memory, last_of, &known, &err));
        OK(scripted_decider.begin(memory, 5, &err));
        write_rows(memory, 5, 3);
        OK(scripted_decider.prepare(memory, 5, &(struct leat_positions){0}, LEAT_LIT("out/0"), 0,
                                    &err));
        CU_ASSERT_EQUAL(scripted_decider.commit(memory, 5, &err), cases[i].status);
        scripted_decider.close(memory);
        OK(scripted_decider.open(memory, NULL, &env, &err));
        OK(scripted_decider.recover(memory, last_of, &known, &err));
        CU_ASSERT_EQUAL(known, cases[i].done ? 5 : 0);
        CU_ASSERT_EQUAL(visible(), cases[i].done ? 3 : 0);
        scripted_decider.close(memory);
        leat_mem_free(memory);
    }
}

LEAT_TESTS("scripted_decider", LEAT_DECIDER_CONTRACT_TESTS, T(a_commit_fails_as_it_is_told))
