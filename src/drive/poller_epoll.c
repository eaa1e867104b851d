/* epoll: the kernel keeps the set, and an edge is an edge. */
#ifdef __linux__
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/mem.h"
#include "drive/poller.h"

enum {
    BATCH = 256
};

/* poll's bits and epoll's are the same numbers on Linux. */
_Static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT &&
                   EPOLLRDHUP == POLLRDHUP && EPOLLHUP == POLLHUP &&
                   EPOLLERR == POLLERR,
               "events can be handed through");

struct epoll_poller {
    struct wr_poller base;
    int fd;
    struct epoll_event batch[BATCH];
};

static struct epoll_poller *mine(struct wr_poller *poller)
{
    return (struct epoll_poller *)poller;
}

static struct wr_poller *open_epoll(void)
{
    struct epoll_poller *poller = wr_malloc(sizeof *poller);

    if (!poller)
        return NULL;
    poller->fd = epoll_create1(EPOLL_CLOEXEC);
    if (poller->fd < 0) {
        wr_free(poller);
        return NULL;
    }
    return &poller->base;
}

static void close_epoll(struct wr_poller *poller)
{
    close(mine(poller)->fd);
    wr_free(poller);
}

static int fd_epoll(const struct wr_poller *poller)
{
    return ((const struct epoll_poller *)poller)->fd;
}

static int add_epoll(struct wr_poller *poller, int fd, short events, bool edge,
                     uint64_t data)
{
    struct epoll_event event = {
        .events = (uint32_t)events | (edge ? (uint32_t)EPOLLET : 0),
        .data.u64 = data,
    };

    return epoll_ctl(mine(poller)->fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0
                                                                       : errno;
}

static void remove_epoll(struct wr_poller *poller, int fd, uint64_t data)
{
    (void)data;
    epoll_ctl(mine(poller)->fd, EPOLL_CTL_DEL, fd, NULL);
}

static int wait_epoll(struct wr_poller *poller, int timeout_ms,
                      struct wr_poller_event *ret_events, int max)
{
    struct epoll_poller *p = mine(poller);
    const int count =
        epoll_wait(p->fd, p->batch, max < BATCH ? max : BATCH, timeout_ms);

    for (int i = 0; i < count; i++)
        ret_events[i] = (struct wr_poller_event){p->batch[i].data.u64,
                                                 (short)p->batch[i].events};
    return count > 0 ? count : 0;
}

const struct wr_poller_kind wr_poller_epoll = {
    .name = "epoll",
    .open = open_epoll,
    .close = close_epoll,
    .fd = fd_epoll,
    .add = add_epoll,
    .remove = remove_epoll,
    .wait = wait_epoll,
};
#endif
