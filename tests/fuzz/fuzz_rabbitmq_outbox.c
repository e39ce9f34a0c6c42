/* fuzz_rabbitmq_outbox.c - feeds bytes to the reader of the messages that a log record holds. */
#include "../../sinks/rabbitmq/outbox.h"
#include "section.h"

static struct rabbit_outbox messages;

/* Messages that were accepted have their numbers. */
static enum leat_status read_all(struct rabbit_outbox *out, struct leat_slice from,
                                 struct leat_error *err)
{
    enum leat_status status = rabbit_outbox_read(out, from, err);

    assert(status != LEAT_OK || out->box.count == 0 ||
           out->all[out->box.count - 1] == out->box.last);
    return status;
}

FUZZ_SECTION(messages, &messages.box, read_all, rabbit_outbox_write)
