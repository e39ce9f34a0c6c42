#include "base/failpoint.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum effect { KILL, STOP, ERROR };

static const char *const effects[] = {"kill", "stop", "error"};

/* Set before there are threads, read-only since. */
static struct {
    atomic_bool set;
    char name[48];
    enum effect effect;
} wanted;
static atomic_long left; /* how often it may still be passed */

static bool read_effect(const char *text)
{
    for (size_t i = 0; i < sizeof effects / sizeof *effects; i++)
        if (strcmp(text, effects[i]) == 0) {
            wanted.effect = (enum effect)i;
            return true;
        }
    return false;
}

static bool read_count(const char *text, size_t len, long *count)
{
    char *end;

    *count = strtol(text, &end, 10);
    return len > 0 && end == text + len && *count > 0;
}

enum leat_status leat_failpoint_init(const char *setting, struct leat_error *err)
{
    long count = 1;

    atomic_store(&wanted.set, false);
    if (!setting || !*setting)
        return LEAT_OK;
    size_t name = strcspn(setting, "@:");
    const char *rest = setting + name;
    size_t digits = *rest == '@' ? strcspn(rest + 1, ":") : 0;
    const char *effect = *rest == '@' ? rest + 1 + digits : rest;

    wanted.effect = KILL;
    if (name == 0 || name >= sizeof wanted.name ||
        (*rest == '@' && !read_count(rest + 1, digits, &count)) ||
        (*effect && !read_effect(effect + 1)))
        return leat_fail(err, LEAT_E_CONFIG,
                         "LEAT_FAILPOINT: '%.80s' is not NAME[@COUNT][:kill|stop|error]", setting);
    memcpy(wanted.name, setting, name);
    wanted.name[name] = '\0';
    atomic_store(&left, count);
    atomic_store(&wanted.set, true);
    return LEAT_OK;
}

static void say(const char *name)
{
    char line[80];
    int n = snprintf(line, sizeof line, "failpoint %s reached\n", name);
    ssize_t written = write(STDERR_FILENO, line, (size_t)n);

    (void)written; /* nobody to tell */
}

bool leat_failpoint(const char *name)
{
    if (!atomic_load_explicit(&wanted.set, memory_order_acquire) ||
        strcmp(name, wanted.name) != 0 || atomic_fetch_sub(&left, 1) != 1)
        return false;
    say(name);
    if (wanted.effect == ERROR)
        return true;
    raise(wanted.effect == KILL ? SIGKILL : SIGSTOP);
    return false;
}
