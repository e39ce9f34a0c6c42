#ifndef LEAT_RUN_SOURCE_MARK_H
#define LEAT_RUN_SOURCE_MARK_H

#include "plan/plan.h"
#include "run/watermark.h"

/* What W of source `source` would be after a batch of this time; `list` has the watermarks of all
 * sources of the plan. When a bounded run ends (`close`) nothing more comes from any source, so
 * none of them holds back windows that others have a part in. */
int64_t leat_source_mark(const struct leat_plan *plan, const struct leat_watermark *list,
                         uint32_t source, int64_t batch_time_ms, int64_t clock_ms, bool close);

#endif
