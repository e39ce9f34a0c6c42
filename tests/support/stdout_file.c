#include "stdout_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int before = -1;
static FILE *file;
static char text[65536];

void stdout_take(void)
{
    fflush(stdout);
    if (before < 0)
        before = dup(STDOUT_FILENO);
    if (file)
        fclose(file);
    file = tmpfile();
    if (before < 0 || !file || dup2(fileno(file), STDOUT_FILENO) < 0)
        abort();
}

const char *stdout_text(void)
{
    ssize_t n = pread(fileno(file), text, sizeof text - 1, 0);

    text[n > 0 ? n : 0] = 0;
    return text;
}

void stdout_give_back(void)
{
    fflush(stdout);
    if (before >= 0)
        dup2(before, STDOUT_FILENO);
    if (file)
        fclose(file);
    file = NULL;
}
