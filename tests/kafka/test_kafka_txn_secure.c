/*
 * test_kafka_txn_secure.c - transactions over TLS with a login, on a broker with access rules.
 */
#include "broker.h"
#include "instance.h"
#include "kafka/txn.h"
#include "leat_test.h"

#include <stdio.h>

static struct leat_error err;
static const struct leat_decider *const decider = &leat_kafka_decider;

static void note(void *arg, const struct leat_decided *d)
{
    *(uint64_t *)arg = d->n;
}

/* The first answer that is not only "the broker is getting ready". */
static enum leat_status recover(void *memory, uint64_t *n, const char *expect)
{
    enum leat_status status = LEAT_E_UNREACHABLE;

    for (int i = 0; i < 60 && leat_status_is_transient(status); i++) {
        status = decider->recover(memory, note, n, &err);
        if (status != LEAT_OK && expect && strstr(err.text, expect))
            break;
    }
    return status;
}

static void rights_that_are_missing_are_said_and_waited_for(void)
{
    struct instance i;
    char brokers[80], ca[160];
    uint64_t n = 0;

    BROKER_OR_SKIP(b, "--secure");
    broker_topic(b, "in", 1, NULL);
    snprintf(brokers, sizeof brokers, "brokers=%s", b->secure_address);
    snprintf(ca, sizeof ca, "tls.ca=%s", b->ca);
    instance_init_sink(&i, "kafka",
                       (const char *const[]){brokers, "topic=in", ca, "sasl.username=leat",
                                             "sasl.mechanism=SCRAM-SHA-512",
                                             "sasl.password=geheim-1", NULL});
    void *memory = leat_mem_alloc(decider->size);
    OK(decider->open(memory, i.self, &i.env, &err));
    CU_ASSERT_EQUAL(recover(memory, &n, "Transactional Id"), LEAT_E_UNREACHABLE);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(err.text, "does not allow this to leat: Broker: Transactional Id"));
    broker_do(b, "acl --add --allow-principal User:leat --operation All --transactional-id 'leat-' "
                 "--resource-pattern-type prefixed");
    broker_do(b, "acl --add --allow-principal User:leat --operation All --topic 'in'");
    /* librdkafka only says that time is up where the rights of the group are missing. */
    CU_ASSERT_EQUAL(decider->recover(memory, note, &n, &err), LEAT_E_UNREACHABLE);
    broker_do(b, "acl --add --allow-principal User:leat --operation All --group 'leat-' "
                 "--resource-pattern-type prefixed");
    OK(recover(memory, &n, NULL));
    for (uint64_t k = 1; k <= 2; k++) {
        OK(decider->begin(memory, k, &err));
        OK(decider->prepare(memory, k, &(struct leat_positions){0}, LEAT_LIT("in/0"), 5, &err));
        OK(decider->commit(memory, k, &err));
    }
    decider->close(memory);
    OK(decider->open(memory, i.self, &i.env, &err));
    OK(recover(memory, &n, NULL));
    CU_ASSERT_EQUAL(n, 2);
    decider->close(memory);
    leat_mem_free(memory);
    instance_fini(&i);
}

LEAT_TESTS("kafka_txn_secure", T(rights_that_are_missing_are_said_and_waited_for))
