/* What a machine waits for: descriptors and a deadline.  Machines fill one in;
 * a driver waits for it and steps the machine again.
 *
 * The descriptors belong to the machine: a step may close one and open another
 * with the same number, so what a driver has registered for the waits of one
 * step says nothing about those of the next. */
#ifndef WR_NET_POLL_H
#define WR_NET_POLL_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/deadline.h"

/* 16 c-ares sockets, or 16 connection attempts, and one to spare. */
enum {
    WR_WAITS_MAX = 17
};

struct wr_waits {
    unsigned count;
    struct pollfd fds[WR_WAITS_MAX]; /* fd and events */
    uint64_t deadline_ns;            /* step again at this time at the latest */
};

static inline void wr_waits_clear(struct wr_waits *waits)
{
    waits->count = 0;
    waits->deadline_ns = WR_NEVER;
}

static inline void wr_waits_add(struct wr_waits *waits, int fd, short events)
{
    if (waits->count < WR_WAITS_MAX)
        waits->fds[waits->count++] = (struct pollfd){fd, events, 0};
}

static inline void wr_waits_until(struct wr_waits *waits, uint64_t deadline_ns)
{
    waits->deadline_ns = wr_earlier(waits->deadline_ns, deadline_ns);
}

/* How a step of a machine ended. */
enum wr_step {
    WR_STEP_WAIT,
    WR_STEP_DONE,
    WR_STEP_ERROR
};

#endif
