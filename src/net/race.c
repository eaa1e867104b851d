/* The race is run by three small steps: judge what has come in, start what is
 * due, say what to wait for.  An attempt is open (fd >= 0), over (error != 0),
 * or not started (index >= started). */
#include "net/race.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"

/* A Unix socket whose backlog is full answers EAGAIN and cannot be polled for
 * room: it is tried again after this. */
#define UNIX_RETRY_NS (UINT64_C(5) * 1000000)

void wr_race_init(struct wr_race *race, const struct wr_addrs *addrs,
                  const struct wr_addr *local)
{
    race->addrs.count = 0;
    race->addrs.list[0] = addrs->list[0]; /* for the message if none fits */
    race->local.len = 0;
    race->started = 0;
    race->next_start_ns = 0;
    if (local)
        race->local = *local;
    for (unsigned i = 0; i < addrs->count && i < WR_ADDRS_MAX; i++) {
        const struct wr_addr *addr = &addrs->list[i];

        if (race->local.len && addr->sa.ss_family != race->local.sa.ss_family)
            continue;
        race->attempts[race->addrs.count] = (struct wr_race_attempt){-1, 0};
        race->addrs.list[race->addrs.count++] = *addr;
    }
}

/* This machine's fault, not the network's or the peer's. */
static bool is_local_fault(int error)
{
    switch (error) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EADDRNOTAVAIL:
    case EADDRINUSE:
        return true;
    default:
        return false;
    }
}

static void end_attempt(struct wr_race_attempt *attempt, int error)
{
    if (attempt->fd >= 0)
        close(attempt->fd);
    attempt->fd = -1;
    attempt->error = error;
}

/* Binding must not take a port for itself: with a port chosen at connect, the
 * same local address serves as many connections as there are port pairs. */
static int bind_local(int fd, const struct wr_addr *local)
{
    const int one = 1;

    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(fd, (const struct sockaddr *)&local->sa, local->len) != 0)
        return errno;
    return 0;
}

/* A TCP socket that connects to the very port it was given connects to itself
 * (simultaneous open, RFC 9293 section 3.5): on loopback that happens by chance
 * when nobody listens on a port of the ephemeral range. */
static bool is_self(int fd, const struct wr_addr *addr)
{
    struct wr_addr own = {.len = sizeof own.sa};

    return addr->sa.ss_family != AF_UNIX &&
           getsockname(fd, (struct sockaddr *)&own.sa, &own.len) == 0 &&
           wr_addr_equal(&own, addr);
}

/* Opens a socket and begins to connect it.  Returns 0 when connected, or
 * errno: EINPROGRESS = under way; *ret_fd is given in both cases. */
static int begin_connect(const struct wr_addr *addr,
                         const struct wr_addr *local, int *ret_fd)
{
    const int one = 1;
    const int fd = socket(addr->sa.ss_family,
                          SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error = 0;

    if (fd < 0)
        return errno;
    if (addr->sa.ss_family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (local->len)
        error = bind_local(fd, local);
    if (!error &&
        connect(fd, (const struct sockaddr *)&addr->sa, addr->len) != 0)
        error = errno == EINTR ? EINPROGRESS : errno;
    if (!error && is_self(fd, addr))
        error = ECONNREFUSED;
    if (error && error != EINPROGRESS) {
        close(fd);
        return error;
    }
    *ret_fd = fd;
    return error;
}

/* Hands out the socket of attempt `index` in blocking mode. */
static enum wr_step win(struct wr_race *race, unsigned index, int *ret_fd,
                        struct wr_addr *ret_winner, weir_error *ret_err)
{
    const int fd = race->attempts[index].fd;
    int off = 0;

    race->attempts[index].fd = -1;
    wr_race_done(race);
    if (ioctl(fd, FIONBIO, &off) != 0) {
        wr_error_system(ret_err, WEIR_E_SYSTEM, errno,
                        "set a socket to blocking");
        close(fd);
        return WR_STEP_ERROR;
    }
    *ret_fd = fd;
    *ret_winner = race->addrs.list[index];
    return WR_STEP_DONE;
}

static short events_of(const struct wr_waits *ready, int fd)
{
    for (unsigned i = 0; i < ready->count; i++) {
        if (ready->fds[i].fd == fd)
            return ready->fds[i].revents;
    }
    return 0;
}

/* Why the attempt has failed, as poll() tells that it has; 0: it has not. */
static int failure_of(int fd, short events)
{
    int error = 0;
    socklen_t len = sizeof error;

    if (!(events & (POLLERR | POLLHUP)))
        return 0;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    return error;
}

/* Looks at the open attempts that `ready` names.  Returns the index of the
 * first that has connected, or WR_ADDRS_MAX. */
static unsigned judge(struct wr_race *race, const struct wr_waits *ready,
                      uint64_t now_ns)
{
    for (unsigned i = 0; ready && i < race->started; i++) {
        struct wr_race_attempt *attempt = &race->attempts[i];
        const short events =
            attempt->fd < 0 ? 0 : events_of(ready, attempt->fd);
        int error;

        if (!events)
            continue;
        error = failure_of(attempt->fd, events);
        if (!error && is_self(attempt->fd, &race->addrs.list[i]))
            error = ECONNREFUSED;
        if (!error)
            return i;
        end_attempt(attempt, error);
        if (i + 1 == race->started)
            race->next_start_ns = now_ns;
    }
    return WR_ADDRS_MAX;
}

/* Starts what is due.  Returns the index of an attempt that has connected at
 * once, or WR_ADDRS_MAX. */
static unsigned start_due(struct wr_race *race, uint64_t now_ns)
{
    while (race->started < race->addrs.count && race->next_start_ns <= now_ns) {
        const unsigned index = race->started;
        const struct wr_addr *addr = &race->addrs.list[index];
        struct wr_race_attempt *attempt = &race->attempts[index];
        const int error = begin_connect(addr, &race->local, &attempt->fd);

        if (error == EAGAIN && addr->sa.ss_family == AF_UNIX) {
            race->next_start_ns = wr_after(now_ns, UNIX_RETRY_NS);
            return WR_ADDRS_MAX;
        }
        race->started++;
        if (!error)
            return index;
        if (error == EINPROGRESS)
            race->next_start_ns = wr_after(now_ns, WR_RACE_DELAY_NS);
        else
            end_attempt(attempt, error);
    }
    return WR_ADDRS_MAX;
}

/* Nobody is left in the race.  The first address that failed by other than a
 * local fault speaks for all. */
static enum wr_step lose(const struct wr_race *race, weir_error *ret_err)
{
    const unsigned count = race->addrs.count;
    char text[WR_ADDR_TEXT], from[WR_ADDR_TEXT + 8] = "";
    unsigned told = 0;
    int error;

    while (told < count && is_local_fault(race->attempts[told].error))
        told++;
    if (told == count)
        told = 0;
    error = count ? race->attempts[told].error : EAFNOSUPPORT;
    wr_addr_text(&race->addrs.list[told], text, sizeof text);
    if (race->local.len) {
        char local[WR_ADDR_TEXT];

        snprintf(from, sizeof from, " from %s",
                 wr_addr_text(&race->local, local, sizeof local));
    }
    wr_error_system(ret_err,
                    is_local_fault(error) ? WEIR_E_SYSTEM : WEIR_E_CONNECT,
                    error, "connect to %s%s", text, from);
    if (count > 1 && ret_err) {
        const size_t used = strlen(ret_err->message);

        snprintf(ret_err->message + used, sizeof ret_err->message - used,
                 ", and %u more address%s", count - 1, count > 2 ? "es" : "");
    }
    return WR_STEP_ERROR;
}

static bool is_over(const struct wr_race *race)
{
    for (unsigned i = 0; i < race->started; i++) {
        if (race->attempts[i].fd >= 0)
            return false;
    }
    return race->started == race->addrs.count;
}

enum wr_step wr_race_step(struct wr_race *race, const struct wr_waits *ready,
                          uint64_t now_ns, struct wr_waits *ret_waits,
                          int *ret_fd, struct wr_addr *ret_winner,
                          weir_error *ret_err)
{
    unsigned winner = judge(race, ready, now_ns);

    if (winner == WR_ADDRS_MAX)
        winner = start_due(race, now_ns);
    if (winner < WR_ADDRS_MAX)
        return win(race, winner, ret_fd, ret_winner, ret_err);
    if (is_over(race))
        return lose(race, ret_err);
    wr_waits_clear(ret_waits);
    for (unsigned i = 0; i < race->started; i++) {
        if (race->attempts[i].fd >= 0)
            wr_waits_add(ret_waits, race->attempts[i].fd, POLLOUT);
    }
    if (race->started < race->addrs.count)
        wr_waits_until(ret_waits, race->next_start_ns);
    return WR_STEP_WAIT;
}

void wr_race_done(struct wr_race *race)
{
    for (unsigned i = 0; i < race->started; i++) {
        if (race->attempts[i].fd >= 0)
            end_attempt(&race->attempts[i], ECANCELED);
    }
}
