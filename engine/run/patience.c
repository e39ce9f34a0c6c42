#include "run/patience.h"

bool leat_patience_wait(struct leat_patience *p, const char *text)
{
    if (atomic_load(p->hurry))
        return false;
    if (!p->said)
        leat_warn(p->log, "%s; trying again until it works", text);
    p->said = true;
    atomic_store(p->waits, true);
    p->pause_ms = p->pause_ms ? p->pause_ms * 2 : p->first_ms;
    if (p->pause_ms > LEAT_PATIENCE_MAX_MS)
        p->pause_ms = LEAT_PATIENCE_MAX_MS;
    leat_queue_pause(p->in, p->pause_ms);
    return !atomic_load(p->hurry);
}

void leat_patience_over(const struct leat_patience *p)
{
    if (p->said)
        leat_info(p->log, "it works again");
    atomic_store(p->waits, false);
}
