#include "op/late.h"

enum leat_status leat_late_out(const struct leat_late *late, struct leat_task *task,
                               struct leat_chunk *chunk, struct leat_error *err)
{
    enum leat_status status = LEAT_OK;

    task->counts->late += late->count;
    if (late->count && task->late) {
        memcpy(chunk->selection, late->rows, late->count * sizeof *late->rows);
        chunk->selected = late->count;
        status = task->late->push(task->late, chunk, err);
    }
    memcpy(chunk->selection, late->kept, late->kept_count * sizeof *late->kept);
    chunk->selected = late->kept_count;
    return status;
}
