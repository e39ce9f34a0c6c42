/*
 * file_program.h - a program of the C library that reads files, in tests: its directories, its
 * clock, which the test moves, and what comes out. Files are moved into their directory with the
 * times that they need.
 */
#ifndef FILE_PROGRAM_H
#define FILE_PROGRAM_H

#include "hand_clock.h"
#include "leat_test.h"
#include "stream_ready.h"

#include <pthread.h>

#define EVERY_MS 2000

extern struct leat_error err;
extern char in[300], outside[300], state[300], more[300]; /* made by fresh(); state is not there */

/* A program: what came out, "14000:a,b 16000:" without batches that were empty, and its clock. */
struct program {
    struct leat_context *ctx;
    struct hand_clock clock;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char text[4096];
    int64_t last_ms, fails_at_ms;
    int rows;
};

const char *in_dir(const char *dir, const char *name); /* two at a time */

/* Written elsewhere and moved to where it is seen. */
void move_in(const char *dir, const char *name, const char *text, int64_t changed_ms);
void file(const char *name, int64_t changed_ms); /* into `in`; its name is its only line */
void make_dir(char into[300], const char *name);
void fresh(void);

void init(struct program *p, int64_t clock_ms);
void start(struct program *p, struct leat_stream *s);
void clock_to(struct program *p, int64_t time_ms);
void wait_for(struct program *p, int64_t time_ms); /* until that batch, or a later one, is out */
void run_to(struct program *p, int64_t time_ms);   /* tick by tick */
void end(struct program *p, const char *wanted);

#endif
