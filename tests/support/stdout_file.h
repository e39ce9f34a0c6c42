/*
 * stdout_file.h - standard output of this process as a file that a test can read.
 */
#ifndef LEAT_STDOUT_FILE_H
#define LEAT_STDOUT_FILE_H

/* From now on descriptor 1 is an empty file. */
void stdout_take(void);

/* What was written since stdout_take(), NUL at the end; valid until the next call. */
const char *stdout_text(void);

/* Descriptor 1 is what it was before. */
void stdout_give_back(void);

#endif
