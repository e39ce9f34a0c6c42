#include "kafka/error.h"

#include "leat_test.h"

#include <stdio.h>

static struct leat_error err;

static void what_can_heal_is_transient(void)
{
    const rd_kafka_resp_err_t codes[] = {
        RD_KAFKA_RESP_ERR__TRANSPORT,           RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN,
        RD_KAFKA_RESP_ERR__TIMED_OUT,           RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
        RD_KAFKA_RESP_ERR__AUTHENTICATION,      RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,  RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
        RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
    };
    const struct leat_kafka_about about = {.brokers = "b:9092", .topic = "orders"};

    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        CU_ASSERT_EQUAL(leat_kafka_fail(&err, codes[i], &about), LEAT_E_UNREACHABLE);
        CU_ASSERT(leat_status_is_transient(err.status));
    }
}

static void texts_name_topic_user_and_brokers(void)
{
    const struct leat_kafka_about about = {.brokers = "b:9092", .topic = "orders", .user = "ann"};

    leat_kafka_fail(&err, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, &about);
    CU_ASSERT_STRING_EQUAL(err.text, "there is no topic 'orders' at 'b:9092': waiting for it");
    leat_kafka_fail(&err, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, &about);
    CU_ASSERT_STRING_EQUAL(err.text, "Kafka does not allow ann to read from topic 'orders': "
                                     "waiting until its access rules do");
}

static void gone_positions_and_refused_records_are_not_waited_for(void)
{
    const struct leat_kafka_about about = {.topic = "orders"};

    CU_ASSERT_EQUAL(leat_kafka_fail(&err, RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, &about),
                    LEAT_E_LOST);
    CU_ASSERT_EQUAL(leat_kafka_fail(&err, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, &about),
                    LEAT_E_DATA);
    CU_ASSERT_EQUAL(leat_kafka_fail(&err, RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, &about),
                    LEAT_E_CONFIG);
}

static void a_failed_handshake_comes_with_a_hint(void)
{
    struct leat_kafka_about about = {
        .brokers = "b:9093",
        .detail = "ssl://b:9093/bootstrap: Disconnected (after 3ms in state SSL_HANDSHAKE)"};

    leat_kafka_fail(&err, RD_KAFKA_RESP_ERR__TRANSPORT, &about);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "tls.ca"));
    about.detail = "sasl_ssl://b:9093/1: SASL authentication error: invalid credentials";
    leat_kafka_fail(&err, RD_KAFKA_RESP_ERR__AUTHENTICATION, &about);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "sasl.password"));
    about.detail = "b:9093/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused "
                   "(after 0ms in state CONNECT)";
    leat_kafka_fail(&err, RD_KAFKA_RESP_ERR__TRANSPORT, &about);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "Connection refused"));
}

LEAT_TESTS("kafka_error", T(what_can_heal_is_transient), T(texts_name_topic_user_and_brokers),
           T(gone_positions_and_refused_records_are_not_waited_for),
           T(a_failed_handshake_comes_with_a_hint))
