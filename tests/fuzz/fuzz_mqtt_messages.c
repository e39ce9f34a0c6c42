/* fuzz_mqtt_messages.c - feeds bytes to the reader of the messages that a log record holds. */
#include "../../sinks/mqtt/messages.h"
#include "section.h"

static struct mqtt_messages messages;

FUZZ_SECTION(messages, &messages.box, mqtt_messages_read, mqtt_messages_write)
