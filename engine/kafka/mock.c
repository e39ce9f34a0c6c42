#include "kafka/mock.h"

static void no_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)rk, (void)level, (void)facility, (void)text;
}

enum leat_status leat_mock_broker_start(struct leat_mock_broker *m, const char **bootstrap,
                                        struct leat_error *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[160];

    *m = (struct leat_mock_broker){0};
    rd_kafka_conf_set_log_cb(conf, no_log);
    m->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (!m->rk) {
        rd_kafka_conf_destroy(conf);
        return leat_fail(err, LEAT_E_IO, "cannot start the embedded broker: %s", text);
    }
    m->cluster = rd_kafka_mock_cluster_new(m->rk, 1);
    if (!m->cluster) {
        leat_mock_broker_stop(m);
        return leat_fail(err, LEAT_E_IO, "cannot start the embedded broker");
    }
    *bootstrap = rd_kafka_mock_cluster_bootstraps(m->cluster);
    return LEAT_OK;
}

enum leat_status leat_mock_broker_topic(struct leat_mock_broker *m, const char *name,
                                        int partitions, struct leat_error *err)
{
    rd_kafka_resp_err_t code = rd_kafka_mock_topic_create(m->cluster, name, partitions, 1);

    if (code)
        return leat_fail(err, LEAT_E_IO, "cannot make topic '%s': %s", name,
                         rd_kafka_err2str(code));
    return LEAT_OK;
}

void leat_mock_broker_stop(struct leat_mock_broker *m)
{
    if (m->cluster)
        rd_kafka_mock_cluster_destroy(m->cluster);
    if (m->rk)
        rd_kafka_destroy(m->rk);
    *m = (struct leat_mock_broker){0};
}
