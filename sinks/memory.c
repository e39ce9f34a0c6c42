/*
 * memory.c - sink that keeps the rows of committed batches for the program around it.
 *
 * All of it is in engine/data/memory_sink.c, where programs reach it; this makes it known by name.
 * Nothing bounds what it keeps: it is for tests and for programs that empty it. Thread: the sink's.
 */
#include "leat.h"

static const struct leat_opt options[] = {{0}};

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "memory",
    .summary = "keeps the rows of committed batches for the program around it",
    .self_size = sizeof(struct leat_memory_sink),
    .opts = options,
    .sink = &leat_memory_sink,
};

LEAT_MODULE(module);
