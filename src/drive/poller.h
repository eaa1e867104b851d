/* Waiting for many descriptors at once.
 *
 * A *kind* is a table of functions: epoll, or poll(), which every POSIX system
 * has.  A descriptor is registered with a number of the caller's, which comes
 * back with its events.  Edge: an event is told once, until the descriptor has
 * been read or written dry, which wr_poller_rearm() says; so a connection is
 * registered once for its life (epoll takes no notice of it).  Level: an event
 * is told as long as it lasts. */
#ifndef WR_DRIVE_POLLER_H
#define WR_DRIVE_POLLER_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include <weir/pool.h>

struct wr_poller_event {
    uint64_t data;
    short events; /* POLLIN, POLLOUT, POLLRDHUP, POLLHUP, POLLERR */
};

struct wr_poller;

struct wr_poller_kind {
    const char *name;
    bool holds_files; /* what is waited for stays open until the wait ends */
    /* NULL with errno. */
    struct wr_poller *(*open)(void);
    void (*close)(struct wr_poller *poller);
    int (*fd)(const struct wr_poller *poller);
    int (*add)(struct wr_poller *poller, int fd, short events, bool edge,
               uint64_t data);
    void (*remove)(struct wr_poller *poller, int fd, uint64_t data);
    void (*rearm)(struct wr_poller *poller, uint64_t data, short events);
    int (*wait)(struct wr_poller *poller, int timeout_ms,
                struct wr_poller_event *ret_events, int max);
};

struct wr_poller {
    const struct wr_poller_kind *kind;
};

extern const struct wr_poller_kind wr_poller_epoll;
extern const struct wr_poller_kind wr_poller_poll;

/* NULL with errno: no descriptor, no memory. */
struct wr_poller *wr_poller_open(weir_poller wanted);

/* NULL is allowed. */
static inline void wr_poller_close(struct wr_poller *poller)
{
    if (poller)
        poller->kind->close(poller);
}

/* A descriptor that is readable when there is an event; -1: there is none. */
static inline int wr_poller_fd(const struct wr_poller *poller)
{
    return poller->kind->fd(poller);
}

/* Registers a descriptor that is not.  Returns 0 or errno.  Any thread. */
static inline int wr_poller_add(struct wr_poller *poller, int fd, short events,
                                bool edge, uint64_t data)
{
    return poller->kind->add(poller, fd, events, edge, data);
}

/* Ends a registration, before its descriptor is closed; one that is none is
 * left alone.  An event that has been taken may still name it.  Any thread. */
static inline void wr_poller_remove(struct wr_poller *poller, int fd,
                                    uint64_t data)
{
    poller->kind->remove(poller, fd, data);
}

/* Edge: there was nothing more to read (POLLIN) or no more room (POLLOUT). */
static inline void wr_poller_rearm(struct wr_poller *poller, uint64_t data,
                                   short events)
{
    if (poller->kind->rearm)
        poller->kind->rearm(poller, data, events);
}

/* Returns how many events there are; 0: the time is over, or a signal.  One
 * thread at a time. */
static inline int wr_poller_wait(struct wr_poller *poller, int timeout_ms,
                                 struct wr_poller_event *ret_events, int max)
{
    return poller->kind->wait(poller, timeout_ms, ret_events, max);
}

#endif
