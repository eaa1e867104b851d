/* The main loop: one thread, and everything that waits in it.
 *
 * A source is a descriptor, a time, or both.  Its `ready` is called when the
 * descriptor has something to say, or when the time that `timeout_ms` gave has
 * come.  It is asked for that time before each wait, so a library with a loop
 * of its own (weir's external one, libmicrohttpd's) plugs in as it is.
 *
 * Sources may be added and removed at any time, also by callbacks, also by
 * their own. */
#ifndef WEIR_WATCH_LOOP_H
#define WEIR_WATCH_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct watch_loop;
struct watch_source;

struct watch_source_options {
    int fd;          /* borrowed; -1: a time only */
    uint32_t events; /* EPOLLIN, EPOLLOUT, level-triggered */
    /* `events` is what the descriptor has, 0 if the time came. */
    void (*ready)(void *user, uint32_t events);
    /* Milliseconds from now until `ready` is wanted, rounded up; 0 now, below
     * 0 not at all.  NULL: never without the descriptor. */
    int64_t (*timeout_ms)(void *user);
    void *user;
};

/* NULL: it has complained. */
struct watch_loop *watch_loop_new(void);
/* NULL is allowed.  Sources that are left are removed. */
void watch_loop_free(struct watch_loop *loop);

/* NULL: the descriptor cannot be waited for; errno says why. */
struct watch_source *watch_loop_add(struct watch_loop *loop,
                                    const struct watch_source_options *options);
/* Waits for other events of the descriptor; 0: for none. */
void watch_source_set_events(struct watch_source *source, uint32_t events);
/* Before its descriptor is closed.  NULL is allowed. */
void watch_loop_remove(struct watch_loop *loop, struct watch_source *source);

/* Monotonic nanoseconds, as of the latest wake-up. */
uint64_t watch_loop_now(const struct watch_loop *loop);

/* One wait, at most `limit_ms` (below 0: none), and what came of it. */
void watch_loop_turn(struct watch_loop *loop, int64_t limit_ms);

/* Milliseconds from `now_ns` to `at_ns`, rounded up, for timeout_ms(). */
int64_t watch_ms_until(uint64_t now_ns, uint64_t at_ns);

#endif
