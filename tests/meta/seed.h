/*
 * seed.h - what a run of random cases begins with: the same ones in every quick run, so that one
 * that fails fails again; others with each LEAT_FULL run. LEAT_SEED is one case, or LEAT_CASES.
 */
#ifndef LEAT_TESTS_META_SEED_H
#define LEAT_TESTS_META_SEED_H

#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#define SEED_QUICK 20260101

static inline uint64_t seed_first(void)
{
    const char *text = getenv("LEAT_SEED");

    if (text)
        return strtoull(text, NULL, 10);
    return getenv("LEAT_FULL") ? (uint64_t)time(NULL) : SEED_QUICK;
}

static inline unsigned long seed_cases(unsigned long usual)
{
    const char *text = getenv("LEAT_CASES");

    return text ? strtoul(text, NULL, 10) : getenv("LEAT_SEED") ? 1 : usual;
}

#endif
