/*
 * flume_agent.h - a Flume agent of the test's own, and a source flume that it talks to.
 *
 * It makes Flume's calls byte by byte, so that a test can also make wrong ones. What does not come
 * within AGENT_WAIT_MS fails the test.
 */
#ifndef LEAT_FLUME_AGENT_H
#define LEAT_FLUME_AGENT_H

#include "../../connectors/flume/avro.h"
#include "push_rig.h"

#define AGENT_WAIT_MS    10000 /* for an event that has to come */
#define AGENT_CALL_BYTES 8192

/* ---- what an agent sends */

struct agent_call {
    char bytes[AGENT_CALL_BYTES];
    size_t len;
};

/* Each of these adds to the call. */
void agent_put(struct agent_call *c, const void *bytes, size_t len);
void agent_put_text(struct agent_call *c, struct leat_slice text);
void agent_put_name(struct agent_call *c, const char *name); /* of what is called */
void agent_put_hello(struct agent_call *c, const char *client, const char *server,
                     struct leat_slice protocol);

/* name and value of one header, or NULL: none; then the body */
void agent_put_event(struct agent_call *c, const char *name, const char *value, const char *body);

/* The call as a frame of two buffers, as Flume sends it. */
struct agent_call agent_frame(int serial, const struct agent_call *c);

/* A frame with an `append` of one event: as first call of a connection (with host=n1), or later. */
struct agent_call agent_first_append(int serial, const char *body);
struct agent_call agent_next_append(int serial, const char *body);

/* ---- its connections */

int agent_free_port(void); /* where nobody listens */
int agent_dial(int port);  /* the caller closes it; -1: nobody listens */
void agent_say(int fd, const void *bytes, size_t len);
void agent_say_call(int fd, struct agent_call c);
void agent_expect(int fd, const void *bytes, size_t len); /* exactly these bytes come */
bool agent_is_silent(int fd);                             /* nothing has come by now */
void agent_expect_end(int fd);                            /* the source hangs up */

/* What the source answers to a good call: bytes and length. */
#define OK_FIRST(serial) "\0\0\0" serial "\0\0\0\1\0\0\0\7\0\0\0\0\0\0\0", 19
#define OK_NEXT(serial)  "\0\0\0" serial "\0\0\0\1\0\0\0\3\0\0\0", 15

/* ---- a source by itself */

/* With up to two settings, or NULL, and so many credits. It runs on a thread until
 * push_rig_stop(). */
void rig_start(struct push_rig *r, const char *one, const char *two, int credits);
void rig_start_stored(struct push_rig *r, int credits); /* at level `disk`; the test is the store */
/* The next block with rows, which is the caller's until leat_inbox_ack(); its rows as "|value" or
 * "|name=value;value". */
struct leat_block *rig_take(struct push_rig *r, char *text, size_t room);

/* Takes a block that has exactly these rows, and says that it is safe. */
void rig_take_and_ack(struct push_rig *r, const char *rows);

#endif
