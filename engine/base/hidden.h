/*
 * hidden.h - texts that this process must not show to anybody: what ${file:} gave.
 *
 * They are passwords, but also host names, paths or job names that somebody keeps in a secret, and
 * they find their way into error texts, log lines of client libraries and the plan. So they are
 * looked for at the few places where text leaves the process for people (log lines, messages about
 * a file, the words of a command), not where texts are made. Results are not looked at: an
 * expression cannot see them.
 */
#ifndef LEAT_BASE_HIDDEN_H
#define LEAT_BASE_HIDDEN_H

#include "base/slice.h"

#include <stdio.h>

#define LEAT_HIDDEN_SHOWN "***" /* what is shown instead */

/* Never show `text` from now on, nor what it is a list of (words, lines, a,b,c), if that is four
 * bytes or longer. Copied. False: out of memory. Thread: main; others may be looking. */
bool leat_hide(struct leat_slice text);

/* Bytes of `text` from `at` on that must not be shown; 0: none begins there. A hidden text of less
 * than four bytes counts only where it is a word of its own; one that the end of `text` cuts off
 * counts from four bytes on. Thread: any. */
size_t leat_hidden_at(struct leat_slice text, size_t at);

/* Write `text` with what is hidden left out. Thread: any. */
void leat_hidden_write(struct leat_slice text, FILE *out);

/* Forget all of it, for tests. Thread: main, when there are no others. */
void leat_hide_nothing(void);

#endif
