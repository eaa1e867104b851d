/* The guard: a process of our own that outlives the supervisor for a moment.
 *
 * The kernel ends the supervisor's children with it, but not what these have
 * forked.  The guard knows every process group; when the supervisor is gone,
 * however that came, it ends them. */
#ifndef WEIR_WATCH_GUARD_H
#define WEIR_WATCH_GUARD_H

#include <stdbool.h>
#include <sys/types.h>

struct watch_guard {
    pid_t pid;
    int fd; /* groups are told it here; closing it is the end */
};

/* Before anything else is open.  false: it has complained. */
bool watch_guard_open(struct watch_guard *guard);
/* A group is there (called in the new process itself, before it can fork) or
 * gone. */
void watch_guard_tell(int fd, pid_t group, bool is_there);
/* Lets it end what is left, and waits for its end. */
void watch_guard_close(struct watch_guard *guard);

#endif
