/* One process of a service: how it begins, and how its group is ended.
 *
 * It leads a process group of its own, reads from /dev/null, has no descriptor
 * but the three, and no signal blocked or ignored.  Unless it is detached, the
 * kernel ends it with the supervisor (PR_SET_PDEATHSIG), and the guard ends
 * what it has forked. */
#ifndef WEIR_WATCH_SPAWN_H
#define WEIR_WATCH_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct watch_command {
    char *const *argv;        /* NULL at the end */
    char *const *environment; /* "KEY=VALUE" on top of our own */
    const char *folder;       /* NULL: ours */
    const char *user;         /* NULL: ours */
    bool is_detached;         /* it may outlive us */
};

/* out, err: borrowed; what it writes to.  guard: the guard's descriptor, or -1.
 * Returns when the program has begun.  Below 0: it has not; `why` says so. */
pid_t watch_spawn(const struct watch_command *command, int out, int err,
                  int guard, char *why, size_t size);

#endif
