#include "base/thread.h"

#include <signal.h>
#include <string.h>

/* A thread that makes one of them while it is blocked is ended without its handler. */
static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

enum leat_status leat_thread_start(pthread_t *thread, const char *name, void *(*fn)(void *arg),
                                   void *arg, struct leat_error *err)
{
    sigset_t all, before;

    sigfillset(&all);
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++)
        sigdelset(&all, crashes[i]);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* it inherits them blocked */
    int e = pthread_create(thread, NULL, fn, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (e)
        return leat_fail(err, LEAT_E_NOMEM, "cannot start thread '%s': %s", name, strerror(e));
    pthread_setname_np(*thread, name);
    return LEAT_OK;
}
