/*
 * plan_print.c - the plan for people: what `leat explain` shows.
 *
 * Stages with their operators and what crosses between them, the fields that are decoded, what is
 * remembered, what every edge promises, and what the memory is for. Secrets are never here: options
 * of connectors are not printed at all.
 */
#include "data/sink.h"
#include "data/source.h"
#include "plan/plan.h"

#include <inttypes.h>

static void print_size(FILE *out, int64_t bytes)
{
    if (bytes % (1 << 20) == 0 && bytes)
        fprintf(out, "%" PRId64 "MiB", bytes >> 20);
    else
        fprintf(out, "%" PRId64 "KiB", bytes >> 10);
}

static void print_ms(FILE *out, int64_t ms)
{
    if (ms % 60000 == 0 && ms)
        fprintf(out, "%" PRId64 "m", ms / 60000);
    else if (ms % 1000 == 0)
        fprintf(out, "%" PRId64 "s", ms / 1000);
    else
        fprintf(out, "%" PRId64 "ms", ms);
}

/* ---- stages */

static void print_touched(const struct leat_segment *s, FILE *out)
{
    bool any = false;

    fprintf(out, "  decodes    ");
    for (uint32_t i = 0; i < s->touched_count; i++) {
        const struct leat_path *p = &s->touched[i].path;
        fprintf(out, "%s", any ? ", " : "");
        for (uint32_t n = 0; n < p->depth; n++)
            fprintf(out, "%s%.*s", n ? "." : "", LEAT_FMT(p->names[n]));
        if (p->depth == 0)
            fprintf(out, "the whole value (as text)");
        any = true;
    }
    fprintf(out, "%s\n", any ? "" : "nothing: values are only checked");
}

static bool is_quiet(const struct leat_plan_node *n)
{
    return leat_slice_eq(n->name, LEAT_LIT("meta"));
}

static void print_node(const struct leat_plan *plan, const struct leat_plan_node *n, int depth,
                       FILE *out)
{
    int indent = 2 + 2 * depth;

    if (n->does == LEAT_DOES_EXCHANGE) {
        const struct leat_plan_exchange *x = &plan->exchanges[n->exchange];
        fprintf(out, "%*s=> exchange %u: %.*s, %s\n", indent, "", n->exchange, LEAT_FMT(x->name),
                x->partitions == 1 ? "all in one place" : "by key");
        return;
    }
    if (n->does == LEAT_DOES_OUTPUT) {
        const struct leat_plan_sink *s = &plan->sinks[n->sink];
        fprintf(out, "%*s-> sink %.*s (%s)\n", indent, "", LEAT_FMT(s->name), s->module->name);
        return;
    }
    if (!is_quiet(n))
        fprintf(out, "%*s%.*s%s%.*s%s\n", indent, "", LEAT_FMT(n->name), n->path.len ? "  (" : "",
                LEAT_FMT(n->path), n->path.len ? ")" : "");
    for (uint32_t i = 0; i < n->late_count; i++) {
        fprintf(out, "%*slate:\n", indent + 2, "");
        print_node(plan, n->late[i], depth + 2, out);
    }
    for (uint32_t i = 0; i < n->next_count; i++)
        print_node(plan, n->next[i], depth + !is_quiet(n), out);
}

static void print_source(const struct leat_plan *plan, const struct leat_plan_source *s, FILE *out)
{
    fprintf(out, "%.*s (%s%s), one task per partition\n", LEAT_FMT(s->name),
            s->receiver.module ? "its store in " : "", s->module->name);
    if (s->event_time) {
        fprintf(out, "  time       of the event, lateness ");
        print_ms(out, s->lateness_ms);
        fprintf(out, ", idle ");
        if (s->idle_ms)
            print_ms(out, s->idle_ms);
        else
            fprintf(out, "off: a silent partition holds windows back");
        fprintf(out, "\n");
    } else {
        fprintf(out, "  time       of the batch, every ");
        print_ms(out, plan->spec->batch.every.ms);
        fprintf(out, "\n");
    }
    print_touched(plan->stages[s->stage].nodes[0].in, out);
}

static void print_stage(const struct leat_plan *plan, uint32_t number, FILE *out)
{
    const struct leat_plan_stage *stage = &plan->stages[number];

    fprintf(out, "\nstage %u: ", number);
    if (stage->from_source) {
        print_source(plan, &plan->sources[stage->input], out);
    } else {
        const struct leat_plan_exchange *x = &plan->exchanges[stage->input];
        fprintf(out, "%.*s, %u state partition%s\n", LEAT_FMT(x->name), x->partitions,
                x->partitions == 1 ? "" : "s");
        if (stage->nodes[0].op->state)
            fprintf(out, "  remembers  its state, in memory and in the log as '%.*s'\n",
                    LEAT_FMT(stage->nodes[0].state_name));
        else
            fprintf(out, "  remembers  nothing between batches\n");
    }
    print_node(plan, &stage->nodes[0], 0, out);
}

/* ---- promises */

static bool reaches(const struct leat_plan *plan, const struct leat_plan_node *n, uint32_t sink,
                    int depth)
{
    if (n->does == LEAT_DOES_OUTPUT)
        return n->sink == sink;
    if (n->does == LEAT_DOES_EXCHANGE)
        return depth < 64 &&
               reaches(plan, &plan->stages[plan->exchanges[n->exchange].stage].nodes[0], sink,
                       depth + 1);
    for (uint32_t i = 0; i < n->next_count; i++)
        if (reaches(plan, n->next[i], sink, depth))
            return true;
    for (uint32_t i = 0; i < n->late_count; i++)
        if (reaches(plan, n->late[i], sink, depth))
            return true;
    return false;
}

static const char *promise(const struct leat_plan *plan, const struct leat_plan_source *from,
                           const struct leat_plan_sink *to)
{
    if (from->module->push && from->store == LEAT_STORE_COMMIT)
        return from->module->push->untold
                   ? "at most once: the sender is not told, and what is in no committed batch is "
                     "lost with the process"
                   : "at least once: the sender is told when the batch is committed";
    if (to->module->sink->promise == LEAT_SINK_SHOWS)
        return "shown again after a crash";
    if (to->module->sink->promise == LEAT_SINK_FORGETS)
        return "at most once: the receiver cannot say what it got, and nothing is sent again";
    if (!plan->exactly_once)
        return from->module->push
                   ? "at least once: it leaves the store when every sink has the batch"
                   : "at least once: positions are committed when every sink has the batch";
    if (to->in_decider)
        return from->decided ? "exactly once: records and positions are in one transaction"
                             : "exactly once: records are in a transaction, positions in the log";
    if (plan->decider.kind)
        return "exactly once: shown when the transaction is committed";
    return "exactly once: shown when the batch's record in the log is synced";
}

/* A source whose records are kept outside: where, and by whom. */
static void print_receiver(const struct leat_plan_source *s, FILE *out)
{
    fprintf(out, "\nreceiver %.*s (%s)\n  -> ", LEAT_FMT(s->name), s->receiver.module->name);
    s->receiver.keep->print(s->receiver.keep_self, out);
    fprintf(out, "\n");
}

/* A source with a store: what holds before it, and from there on. */
static void print_to_store(const struct leat_plan_source *from, FILE *out)
{
    const struct leat_module *module = from->receiver.module ? from->receiver.module : from->module;
    bool untold = module->push->untold;

    if (from->receiver.module) {
        fprintf(out, "  %.*s -> its store in %s: %s\n", LEAT_FMT(from->name), from->module->name,
                untold ? "at most once, the sender is not told"
                       : "at least once, the sender is told when it is there");
        return;
    }
    fprintf(out, "  %.*s -> its store on the disk (at most ", LEAT_FMT(from->name));
    print_size(out, from->store_quota);
    fprintf(out, "): %s\n",
            untold ? "at most once, the sender is not told"
                   : "at least once, the sender is told when it is synced");
}

static void print_decider(const struct leat_plan *plan, FILE *out)
{
    const struct leat_plan_decider *d = &plan->decider;

    fprintf(out, "\ncommit\n  ");
    if (plan->spec->commit.every.ms) {
        fprintf(out, "batches share a commit every ");
        print_ms(out, plan->spec->commit.every.ms);
    } else {
        fprintf(out, "every batch by itself");
    }
    if (!d->kind) {
        fprintf(out, "\n  decides: the record in the job's log, when it is synced\n");
        return;
    }
    fprintf(out,
            "\n  decides: a transaction at %.*s\n  notes the batch at: ", LEAT_FMT(d->cluster));
    if (d->marker.ptr)
        fprintf(out, "partition %.*s\n", LEAT_FMT(d->marker));
    else
        fprintf(out, "the first partition that is read from there\n");
    fprintf(out, "  readers must be set to isolation.level=read_committed\n");
}

static void print_promises(const struct leat_plan *plan, FILE *out)
{
    fprintf(out, "\npromises\n");
    for (uint32_t i = 0; i < plan->sources_count; i++) {
        const struct leat_plan_source *from = &plan->sources[i];
        bool stored =
            from->receiver.module || (from->module->push && from->store == LEAT_STORE_DISK);
        if (stored)
            print_to_store(from, out);
        for (uint32_t k = 0; k < plan->sinks_count; k++) {
            const struct leat_plan_sink *to = &plan->sinks[k];
            if (reaches(plan, &plan->stages[from->stage].nodes[0], k, 0))
                fprintf(out, "  %.*s%s -> %.*s: %s\n", LEAT_FMT(from->name),
                        stored ? ", from the store on" : "", LEAT_FMT(to->name),
                        promise(plan, from, to));
        }
    }
}

void leat_plan_print(const struct leat_plan *plan, FILE *out)
{
    const struct leat_spec *spec = plan->spec;

    fprintf(out, "pipeline %.*s, %s once, a batch every ", LEAT_FMT(spec->name),
            plan->exactly_once ? "exactly" : "at least");
    print_ms(out, spec->batch.every.ms);
    fprintf(out, "\n");
    if (spec->description.len)
        fprintf(out, "  %.*s\n", LEAT_FMT(spec->description));
    for (uint32_t i = 0; i < plan->sources_count; i++)
        if (plan->sources[i].receiver.module)
            print_receiver(&plan->sources[i], out);
    for (uint32_t i = 0; i < plan->stages_count; i++)
        print_stage(plan, i, out);
    for (uint32_t i = 0; i < plan->tables_count; i++)
        if (plan->tables[i].topic)
            fprintf(out,
                    "\ntable %.*s: the last record of each key of a topic, read to its end first\n",
                    LEAT_FMT(plan->tables[i].name));
        else
            fprintf(out, "\ntable %.*s: %s\n", LEAT_FMT(plan->tables[i].name),
                    plan->tables[i].path);
    if (plan->on_error == LEAT_ON_ERROR_DLQ)
        fprintf(out, "\ndead letters: to %s, committed with the outputs of their batch\n",
                plan->sinks[plan->letters].module->name);
    print_promises(plan, out);
    print_decider(plan, out);
    fprintf(out, "\nmemory\n  ");
    print_size(out, spec->memory.bytes);
    fprintf(out, " in all; of these at most ");
    print_size(out, spec->memory.bytes / 10);
    fprintf(out, " in the queues of each Kafka client, the rest for blocks, batches and state\n");
}
