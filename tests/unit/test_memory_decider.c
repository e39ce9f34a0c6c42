/*
 * test_memory_decider.c - the decider that other tests use keeps the contract of deciders, so what
 * they prove with it holds for others.
 */
#include "decider_contract.h"
#include "instance.h"
#include "leat_test.h"
#include "memory_decider.h"

#include <stdio.h>

static struct leat_error err;
static const struct ledger here = {.at = "here", .topic = "out"};
static const struct leat_log log_here = {"test", "decider"};
static const struct leat_env env = {.job = "test", .epoch = 7, .log = &log_here};

static bool clear(const void **self, const struct leat_env **its_env)
{
    memory_side_clear(memory_side("here"));
    *self = &here;
    *its_env = &env;
    return true;
}

static void write_rows(void *memory, uint64_t n, int rows)
{
    char row[40];

    for (int i = 0; i < rows; i++) {
        snprintf(row, sizeof row, "%llu-%d", (unsigned long long)n, i);
        memory_decider_write(memory, leat_slice_str(row));
    }
}

static int visible(void)
{
    return memory_side_rows(memory_side("here"), NULL);
}

static const struct decider_case ledger = {.decider = &memory_decider,
                                           .clear = clear,
                                           .write = write_rows,
                                           .visible = visible,
                                           .partitions = {"in/0", "in/1"}};

LEAT_DECIDER_CONTRACT(ledger)

static void last_of(void *arg, const struct leat_decided *d)
{
    *(uint64_t *)arg = d->n;
}

static void a_script_says_which_calls_fail_and_how(void)
{
    static const struct {
        enum side_fault fault;
        enum leat_status status;
        uint64_t known;
    } cases[] = {{SIDE_AWAY, LEAT_E_UNREACHABLE, 0},
                 {SIDE_ABORTS, LEAT_E_ABORTED, 0},
                 {SIDE_LOSES_CALL, LEAT_E_UNCLEAR, 0},
                 {SIDE_LOSES_WORD, LEAT_E_UNCLEAR, 5},
                 {SIDE_FENCES, LEAT_E_FENCED, 0}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct memory_side *s = memory_side("here");
        void *memory = leat_mem_alloc(memory_decider.size);
        uint64_t known = 0;

        memory_side_clear(s);
        memory_side_script(s, SIDE_COMMIT, 1, cases[i].fault);
        OK(memory_decider.open(memory, &here, &env, &err));
        OK(memory_decider.recover(memory, last_of, &known, &err));
        OK(memory_decider.begin(memory, 5, &err));
        write_rows(memory, 5, 3);
        OK(memory_decider.prepare(memory, 5, &(struct leat_positions){0}, LEAT_LIT("out/0"), 0,
                                  &err));
        CU_ASSERT_EQUAL(memory_decider.commit(memory, 5, &err), cases[i].status);
        memory_decider.close(memory);
        OK(memory_decider.open(memory, &here, &env, &err));
        OK(memory_decider.recover(memory, last_of, &known, &err));
        CU_ASSERT_EQUAL(known, cases[i].known);
        CU_ASSERT_EQUAL(visible(), cases[i].known ? 3 : 0);
        memory_decider.close(memory);
        leat_mem_free(memory);
    }
}

LEAT_TESTS("memory_decider", LEAT_DECIDER_CONTRACT_TESTS, T(a_script_says_which_calls_fail_and_how))
