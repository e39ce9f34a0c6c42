#include "run/phase.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_BYTES 4096

char *leat_phase_open(const char *path, const struct leat_log *lines)
{
    void *at = MAP_FAILED;

    if (!path || !*path)
        return NULL;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd >= 0 && ftruncate(fd, PAGE_BYTES) == 0)
        at = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    int why = errno;
    if (fd >= 0)
        close(fd);
    if (at != MAP_FAILED)
        return at;
    leat_warn(lines, "LEAT_TRACE_PHASE: cannot map '%s': %s", path, strerror(why));
    return NULL;
}

void leat_phase_close(char *phase)
{
    if (phase)
        munmap(phase, PAGE_BYTES);
}

char leat_phase_of(const struct leat_job *job, bool logged)
{
    if (job->cut == job->finished)
        return 'i';
    switch (job->batches[(job->finished + 1) % 2].state) {
    case LEAT_BATCH_RUNNING:
        return 'r';
    case LEAT_BATCH_PREPARING:
        return 'p';
    case LEAT_BATCH_LOGGING:
        return logged ? 'p' : 'l'; /* the decider may take longer than the record */
    case LEAT_BATCH_COMMITTING:
        return 'c';
    case LEAT_BATCH_FINISHING:
        return 'f';
    case LEAT_BATCH_OPEN:
    case LEAT_BATCH_SEALED:
    case LEAT_BATCH_NONE:
        break;
    }
    return 'i';
}
