/* poll(): the set is an array of ours.
 *
 * An edge is made from a level by asking no more for an event once it has been
 * told, until it is rearmed.  Other threads may add and remove while one waits:
 * what it waits for is a copy, and an answer counts only if its registration is
 * still the same. */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/mem.h"
#include "drive/poller.h"
#include "net/map.h"

enum {
    FIRST_ROOM = 64,
    SHORT_OF_MEMORY_MS = 10 /* the longest wait for only some of the set */
};

/* What poll() tells unasked. */
#define ALWAYS (POLLHUP | POLLERR | POLLNVAL)

struct registration {
    UT_hash_handle hh; /* by data */
    uint64_t data;
    int fd;
    short events; /* wanted in all */
    short armed;  /* asked for now */
    bool edge;
    bool is_silent; /* edge: its end or error has been told, till rearmed */
};

struct poll_poller {
    struct wr_poller base;
    pthread_mutex_t lock; /* over the registrations */
    struct registration *registrations;
    struct pollfd *fds; /* the copy, with the number of each */
    uint64_t *numbers;
    unsigned room;
};

static struct poll_poller *mine(struct wr_poller *poller)
{
    return (struct poll_poller *)poller;
}

static bool make_room(struct poll_poller *p, unsigned wanted)
{
    struct pollfd *fds;
    uint64_t *numbers;

    fds = wr_realloc(p->fds, (size_t)wanted * sizeof *fds);
    if (!fds)
        return false;
    p->fds = fds;
    numbers = wr_realloc(p->numbers, (size_t)wanted * sizeof *numbers);
    if (!numbers)
        return false;
    p->numbers = numbers;
    p->room = wanted;
    return true;
}

static struct wr_poller *open_poll(void)
{
    struct poll_poller *poller = wr_calloc(1, sizeof *poller);

    if (!poller)
        return NULL;
    pthread_mutex_init(&poller->lock, NULL);
    make_room(poller, FIRST_ROOM); /* else the first wait tries again */
    return &poller->base;
}

static void close_poll(struct wr_poller *poller)
{
    struct poll_poller *p = mine(poller);

    while (p->registrations) {
        struct registration *first = p->registrations;

        HASH_DEL(p->registrations, first);
        wr_free(first);
    }
    pthread_mutex_destroy(&p->lock);
    wr_free(p->fds);
    wr_free(p->numbers);
    wr_free(p);
}

static int fd_poll(const struct wr_poller *poller)
{
    (void)poller;
    return -1;
}

static struct registration *find(struct poll_poller *p, uint64_t data)
{
    struct registration *found;

    HASH_FIND(hh, p->registrations, &data, sizeof data, found);
    return found;
}

static int add_poll(struct wr_poller *poller, int fd, short events, bool edge,
                    uint64_t data)
{
    struct poll_poller *p = mine(poller);
    struct registration *added = wr_calloc(1, sizeof *added);

    if (!added)
        return ENOMEM;
    added->data = data;
    added->fd = fd;
    added->events = events;
    added->armed = edge ? (short)(events & ~POLLOUT) : events;
    added->edge = edge;
    pthread_mutex_lock(&p->lock);
    HASH_ADD(hh, p->registrations, data, sizeof added->data, added);
    if (!added->hh.tbl) {
        wr_free(added);
        added = NULL;
    }
    pthread_mutex_unlock(&p->lock);
    return added ? 0 : ENOMEM;
}

static void remove_poll(struct wr_poller *poller, int fd, uint64_t data)
{
    struct poll_poller *p = mine(poller);
    struct registration *gone;

    (void)fd;
    pthread_mutex_lock(&p->lock);
    gone = find(p, data);
    if (gone)
        HASH_DEL(p->registrations, gone);
    pthread_mutex_unlock(&p->lock);
    wr_free(gone);
}

static void rearm_poll(struct wr_poller *poller, uint64_t data, short events)
{
    struct poll_poller *p = mine(poller);
    struct registration *found;

    pthread_mutex_lock(&p->lock);
    found = find(p, data);
    if (found) {
        found->armed |= (short)(events & found->events);
        found->is_silent = false;
    }
    pthread_mutex_unlock(&p->lock);
}

/* Copies what is to be asked for.  Without memory for all, the first ones, for
 * a short while. */
static unsigned copy_locked(struct poll_poller *p, int *timeout_ms)
{
    const unsigned wanted = HASH_COUNT(p->registrations);
    unsigned count = 0;

    if (wanted > p->room && !make_room(p, wanted * 2) &&
        (*timeout_ms < 0 || *timeout_ms > SHORT_OF_MEMORY_MS))
        *timeout_ms = SHORT_OF_MEMORY_MS;
    for (struct registration *r = p->registrations; r; r = r->hh.next) {
        if ((r->edge && r->is_silent) || count == p->room)
            continue;
        p->fds[count] = (struct pollfd){r->fd, r->armed, 0};
        p->numbers[count++] = r->data;
    }
    return count;
}

static void tell(struct registration *r, short events)
{
    if (!r->edge)
        return;
    r->armed = (short)(r->armed & ~events);
    r->is_silent = (events & ALWAYS) != 0;
}

static int wait_poll(struct wr_poller *poller, int timeout_ms,
                     struct wr_poller_event *ret_events, int max)
{
    struct poll_poller *p = mine(poller);
    unsigned count;
    int left;
    int told = 0;

    pthread_mutex_lock(&p->lock);
    count = copy_locked(p, &timeout_ms);
    pthread_mutex_unlock(&p->lock);
    left = poll(p->fds, count, timeout_ms);
    if (left <= 0)
        return 0;
    pthread_mutex_lock(&p->lock);
    for (unsigned i = 0; i < count && left > 0 && told < max; i++) {
        struct registration *r;

        if (p->fds[i].revents == 0)
            continue;
        left--;
        r = find(p, p->numbers[i]);
        if (!r || r->fd != p->fds[i].fd)
            continue;
        tell(r, p->fds[i].revents);
        ret_events[told++] =
            (struct wr_poller_event){r->data, p->fds[i].revents};
    }
    pthread_mutex_unlock(&p->lock);
    return told;
}

const struct wr_poller_kind wr_poller_poll = {
    .name = "poll",
    .holds_files = true,
    .open = open_poll,
    .close = close_poll,
    .fd = fd_poll,
    .add = add_poll,
    .remove = remove_poll,
    .rearm = rearm_poll,
    .wait = wait_poll,
};
