#include "base/thread.h"

#include <signal.h>
#include <string.h>

enum leat_status leat_thread_start(pthread_t *thread, const char *name, void *(*fn)(void *arg),
                                   void *arg, struct leat_error *err)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* it inherits them blocked */
    int e = pthread_create(thread, NULL, fn, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (e)
        return leat_fail(err, LEAT_E_NOMEM, "cannot start thread '%s': %s", name, strerror(e));
    pthread_setname_np(*thread, name);
    return LEAT_OK;
}
