#include "run/retry.h"

#define PAUSE_MIN_MS 250
#define PAUSE_MAX_MS 3000

void leat_retry_say(struct leat_retry *r, const struct leat_log *log, const struct leat_error *why)
{
    if (r->said)
        return;
    leat_warn(log, "%s; trying again until it works", why->text);
    r->said = true;
}

bool leat_retry_wait(struct leat_retry *r, const struct leat_log *log, const struct leat_error *why,
                     int64_t now_ms)
{
    if (!leat_status_is_transient(why->status))
        return false;
    if (why->status != LEAT_E_FULL || r->pause_ms == PAUSE_MAX_MS)
        leat_retry_say(r, log, why);
    r->pause_ms = r->pause_ms ? r->pause_ms * 2 : PAUSE_MIN_MS;
    if (r->pause_ms > PAUSE_MAX_MS)
        r->pause_ms = PAUSE_MAX_MS;
    r->again_ms = now_ms + r->pause_ms;
    return true;
}

void leat_retry_over(struct leat_retry *r, const struct leat_log *log)
{
    if (r->said)
        leat_info(log, "it works again");
    r->said = false;
    r->pause_ms = 0;
}
