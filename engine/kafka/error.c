#include "kafka/error.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

bool leat_kafka_is_missing(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
           code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC || code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
}

bool leat_kafka_is_trouble(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR__TRANSPORT || code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN ||
           code == RD_KAFKA_RESP_ERR__AUTHENTICATION || code == RD_KAFKA_RESP_ERR__SSL ||
           code == RD_KAFKA_RESP_ERR__RESOLVE;
}

bool leat_kafka_is_refused(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
}

bool leat_kafka_is_bad_record(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ||
           code == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE ||
           code == RD_KAFKA_RESP_ERR_INVALID_RECORD || code == RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP;
}

/* librdkafka says little about a handshake that failed; these are what it nearly always is. */
static const char *hint(const char *detail)
{
    if (!detail)
        return "";
    if (strcasestr(detail, "unknown CA") || strcasestr(detail, "certificate verify failed") ||
        strcasestr(detail, "self-signed") || strcasestr(detail, "self signed"))
        return " (tls.ca must name the file of the authority that signed the broker's certificate)";
    if (strcasestr(detail, "SSL_HANDSHAKE") || strcasestr(detail, "ssl handshake"))
        return " (does this port speak TLS? does tls.ca name the authority that signed the "
               "broker's certificate?)";
    if (strcasestr(detail, "invalid credentials") || strcasestr(detail, "SASL auth"))
        return " (sasl.username, sasl.password or sasl.mechanism is wrong for this broker)";
    if (strcasestr(detail, "SSL listener"))
        return " (this port may speak TLS: `tls: { enable: true }`)";
    return "";
}

/* "sasl_ssl://localhost:9092/bootstrap: Connect to ... failed: Connection refused (after 0ms ...)"
 * without what only librdkafka's authors need. */
static void shorten(const char *detail, char *text, size_t room)
{
    const char *start = strstr(detail, ": ");
    const char *slash = strstr(detail, "://");

    start = slash && start && slash < start ? start + 2 : detail;
    const char *end = strstr(start, " (after ");
    size_t n = end ? (size_t)(end - start) : strlen(start);
    snprintf(text, room, "%.*s", (int)(n < room ? n : room - 1), start);
}

static enum leat_status unreachable(struct leat_error *err, rd_kafka_resp_err_t code,
                                    const struct leat_kafka_about *about)
{
    char text[120];

    shorten(about->detail ? about->detail : rd_kafka_err2str(code), text, sizeof text);
    return leat_fail(err, LEAT_E_UNREACHABLE, "Kafka at '%s' cannot be used: %s%s",
                     about->brokers ? about->brokers : "?", text, hint(about->detail));
}

static enum leat_status refused(struct leat_error *err, rd_kafka_resp_err_t code,
                                const struct leat_kafka_about *about)
{
    const char *user = about->user ? about->user : "an anonymous user";
    const char *doing = about->writes ? "write to" : "read from";

    if (code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
        return leat_fail(err, LEAT_E_UNREACHABLE,
                         "Kafka does not allow %s to %s topic '%s': waiting until its access rules "
                         "do",
                         user, doing, about->topic ? about->topic : "?");
    return leat_fail(err, LEAT_E_UNREACHABLE, "Kafka does not allow this to %s: %s", user,
                     rd_kafka_err2str(code));
}

enum leat_status leat_kafka_fail(struct leat_error *err, rd_kafka_resp_err_t code,
                                 const struct leat_kafka_about *about)
{
    const char *topic = about->topic ? about->topic : "?";

    if (leat_kafka_is_missing(code))
        return leat_fail(err, LEAT_E_UNREACHABLE, "there is no topic '%s' at '%s': waiting for it",
                         topic, about->brokers ? about->brokers : "?");
    if (leat_kafka_is_refused(code))
        return refused(err, code, about);
    if (code == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE ||
        code == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET || code == RD_KAFKA_RESP_ERR__NO_OFFSET)
        return leat_fail(err, LEAT_E_LOST, "a position of topic '%s' is no longer there", topic);
    if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ||
        code == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE)
        return leat_fail(err, LEAT_E_DATA, "a record is too large for topic '%s'", topic);
    if (code == RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION)
        return leat_fail(err, LEAT_E_CONFIG, "'%s' cannot be the name of a topic", topic);
    if (code == RD_KAFKA_RESP_ERR_INVALID_RECORD || code == RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP)
        return leat_fail(err, LEAT_E_DATA, "topic '%s' does not take a record (%s)", topic,
                         rd_kafka_err2str(code));
    return unreachable(err, code, about);
}
