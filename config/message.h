/*
 * message.h - what is wrong with a file, as its author sees it.
 *
 *     orders.yaml:47:24: error: unknown field 'ammount'
 *        47 |           revenue: sum(ammount)
 *           |                        ^~~~~~~ did you mean 'amount'?
 *           = streams.per_city.ops[1].aggregate.revenue; fields are given by ...
 *
 * In the order of the file, each once, and how many there were at the end. Secrets are masked in
 * source lines; control characters are never sent to the terminal; long lines show the part that
 * is meant.
 */
#ifndef LEAT_CONFIG_MESSAGE_H
#define LEAT_CONFIG_MESSAGE_H

#include "pipeline_file.h"

#include <stdio.h>

/* Print all of it, and nothing at all when there is nothing. Takes no memory. */
void config_message_print(const struct config_file *file, const struct leat_diags *diags,
                          FILE *out);

#endif
