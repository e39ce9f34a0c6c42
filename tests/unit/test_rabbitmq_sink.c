/* Tests sinks/rabbitmq: the contract of sinks with an outbox, against a broker of the test's own.
 */
#include "amqp_broker.h"
#include "leat_test.h"
#include "sink_contract.h"

#include <stdio.h>

static struct id_set ids = ID_SET_INIT;
static struct amqp_broker broker = {.ids = &ids};
static char at[64];
static const char *const settings[] = {at, "routing_key=q", NULL};

static int visible(void)
{
    return (int)id_set_count(&ids);
}

static void clear(void)
{
    id_set_clear(&ids);
}

static const struct sink_case c = {
    .name = "rabbitmq", .settings = settings, .visible = visible, .clear = clear};

LEAT_OUTBOX_SINK_CONTRACT(c)

int main(void)
{
    amqp_broker_start(&broker);
    snprintf(at, sizeof at, "brokers=127.0.0.1:%d", broker.port);
    int result = leat_test_main(
        "rabbitmq_sink", (CU_TestInfo[]){LEAT_OUTBOX_SINK_CONTRACT_TESTS, CU_TEST_INFO_NULL});
    amqp_broker_stop(&broker);
    return result;
}
