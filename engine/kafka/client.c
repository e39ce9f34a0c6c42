#include "kafka/client.h"

#include <stdio.h>
#include <time.h>

#define SLICE_MS 500

/* Thread: whoever serves the handle's queue. */
static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    struct leat_kafka_client *c = opaque;

    if (!leat_kafka_is_trouble((rd_kafka_resp_err_t)code))
        return;
    pthread_mutex_lock(&c->lock);
    bool general = code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
    if (!general || !c->trouble) /* "1/1 brokers are down" says less than what came before it */
        snprintf(c->trouble_text, sizeof c->trouble_text, "%s", reason);
    c->trouble = (rd_kafka_resp_err_t)code;
    c->has_news = true;
    pthread_mutex_unlock(&c->lock);
    rd_kafka_yield(rk);
}

/* Only with `debug` set has librdkafka anything to say that is not said elsewhere. */
static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    const struct leat_kafka_client *c = rd_kafka_opaque(rk);

    if (level == 7 && c && c->env)
        leat_log_write(c->env->log, LEAT_LOG_DEBUG, "librdkafka %s: %s", facility, text);
}

enum leat_status leat_kafka_client_open(struct leat_kafka_client *c, rd_kafka_type_t type,
                                        rd_kafka_conf_t *made, const struct leat_kafka_conf *conf,
                                        const struct leat_env *env, struct leat_error *err)
{
    char text[200];

    pthread_mutex_init(&c->lock, NULL);
    c->conf = conf;
    c->env = env;
    c->writes = type == RD_KAFKA_PRODUCER;
    c->wait_ms = LEAT_KAFKA_WAIT_MS;
    c->trouble = RD_KAFKA_RESP_ERR_NO_ERROR;
    c->has_news = false;
    rd_kafka_conf_set_opaque(made, c);
    rd_kafka_conf_set_error_cb(made, on_error);
    rd_kafka_conf_set_log_cb(made, on_log);
    c->rk = rd_kafka_new(type, made, text, sizeof text);
    if (c->rk)
        return LEAT_OK;
    rd_kafka_conf_destroy(made);
    pthread_mutex_destroy(&c->lock);
    return leat_fail(err, LEAT_E_CONFIG, "%s", text);
}

static void *destroy(void *rk)
{
    rd_kafka_destroy_flags(rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    return NULL;
}

/* A consumer waits here for the answer to a commit, and a broker that hangs answers after
 * socket.timeout.ms, a minute. It is left behind then: nobody but a process that ends closes it. */
static void destroy_in_time(rd_kafka_t *rk)
{
    struct timespec until;
    pthread_t thread;

    rd_kafka_set_log_level(rk, 0); /* our callbacks are not for it any more */
    if (pthread_create(&thread, NULL, destroy, rk) != 0) {
        destroy(rk);
        return;
    }
    pthread_setname_np(thread, "kafka-close");
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LEAT_KAFKA_WAIT_MS / 1000;
    if (pthread_timedjoin_np(thread, NULL, &until) != 0)
        pthread_detach(thread);
}

void leat_kafka_client_close(struct leat_kafka_client *c)
{
    if (!c->rk)
        return;
    if (c->writes)
        destroy(c->rk);
    else
        destroy_in_time(c->rk);
    c->rk = NULL;
    pthread_mutex_destroy(&c->lock);
}

enum leat_status leat_kafka_client_fail(struct leat_kafka_client *c, rd_kafka_resp_err_t code,
                                        const char *topic, struct leat_error *err)
{
    struct leat_kafka_about about = {.brokers = c->conf->brokers,
                                     .topic = topic,
                                     .user = c->conf->sasl.username,
                                     .writes = c->writes};

    pthread_mutex_lock(&c->lock);
    if (c->trouble)
        about.detail = c->trouble_text;
    c->has_news = false; /* the caller tells it */
    leat_kafka_fail(err, code, &about);
    pthread_mutex_unlock(&c->lock);
    return err->status;
}

bool leat_kafka_client_news(struct leat_kafka_client *c, struct leat_error *err)
{
    pthread_mutex_lock(&c->lock);
    bool news = c->has_news;
    rd_kafka_resp_err_t code = c->trouble;
    pthread_mutex_unlock(&c->lock);
    if (news)
        leat_kafka_client_fail(c, code, NULL, err);
    return news;
}

void leat_kafka_client_well(struct leat_kafka_client *c)
{
    pthread_mutex_lock(&c->lock);
    c->trouble = RD_KAFKA_RESP_ERR_NO_ERROR;
    c->has_news = false;
    pthread_mutex_unlock(&c->lock);
}

bool leat_kafka_client_has_trouble(struct leat_kafka_client *c)
{
    pthread_mutex_lock(&c->lock);
    bool trouble = c->trouble != RD_KAFKA_RESP_ERR_NO_ERROR;
    pthread_mutex_unlock(&c->lock);
    return trouble;
}

/* In slices, for nothing ends librdkafka's wait when a connection is refused meanwhile. */
static rd_kafka_resp_err_t ask_metadata(struct leat_kafka_client *c, rd_kafka_topic_t *rkt,
                                        const struct rd_kafka_metadata **data)
{
    rd_kafka_resp_err_t code;
    int left = c->wait_ms;

    do {
        code = rd_kafka_metadata(c->rk, !rkt, rkt, data, left < SLICE_MS ? left : SLICE_MS);
        left -= SLICE_MS;
    } while ((code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR__TRANSPORT) &&
             left > 0 && !leat_kafka_client_has_trouble(c));
    return code;
}

enum leat_status leat_kafka_metadata(struct leat_kafka_client *c, const char *topic,
                                     const struct rd_kafka_metadata **data, struct leat_error *err)
{
    rd_kafka_topic_t *rkt = topic ? rd_kafka_topic_new(c->rk, topic, NULL) : NULL;

    if (topic && !rkt)
        return leat_kafka_client_fail(c, RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, topic, err);
    rd_kafka_resp_err_t code = ask_metadata(c, rkt, data);
    if (rkt)
        rd_kafka_topic_destroy(rkt);
    if (code)
        return leat_kafka_client_fail(c, code, topic, err);
    leat_kafka_client_well(c);
    return LEAT_OK;
}
