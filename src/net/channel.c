#include "net/channel.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/mem.h"

/* From 1.34 on c-ares itself sends with MSG_NOSIGNAL; before, it writes to TCP
 * sockets with writev, and a server that hangs up raises SIGPIPE. */
#if ARES_VERSION < 0x012200

static ares_socket_t open_socket(int domain, int type, int protocol, void *user)
{
    (void)user;
    return socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
}

static int close_socket(ares_socket_t fd, void *user)
{
    (void)user;
    return close(fd);
}

static int connect_socket(ares_socket_t fd, const struct sockaddr *addr,
                          ares_socklen_t len, void *user)
{
    (void)user;
    return connect(fd, addr, len);
}

static ares_ssize_t receive(ares_socket_t fd, void *buf, size_t cap, int flags,
                            struct sockaddr *addr, ares_socklen_t *len,
                            void *user)
{
    (void)user;
    return recvfrom(fd, buf, cap, flags, addr, len);
}

/* Over UDP a refusal is that of an earlier question on the same socket, the one
 * for the other address family.  Were it taken for this one's, that one would
 * wait for an answer until its time is over. */
static ares_ssize_t send_vector(ares_socket_t fd, const struct iovec *iov,
                                int count, void *user)
{
    const struct msghdr message = {
        .msg_iov = (struct iovec *)(uintptr_t)iov,
        .msg_iovlen = (size_t)count,
    };
    ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);

    (void)user;
    if (sent < 0 && errno == ECONNREFUSED)
        sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    return sent;
}

static void set_functions(ares_channel ares)
{
    static const struct ares_socket_functions functions = {
        open_socket, close_socket, connect_socket, receive, send_vector};

    ares_set_socket_functions(ares, &functions, NULL);
}

#else

static void set_functions(ares_channel ares)
{
    (void)ares;
}

#endif

/* c-ares tells what it waits for on a socket; neither = it is closed. */
static void on_socket_state(void *user, ares_socket_t fd, int readable,
                            int writable)
{
    struct wr_channel *channel = user;
    const short events =
        (short)((readable ? POLLIN : 0) | (writable ? POLLOUT : 0));
    unsigned i = 0;

    while (i < channel->count && channel->sockets[i].fd != fd)
        i++;
    if (events == 0) {
        if (i < channel->count)
            channel->sockets[i] = channel->sockets[--channel->count];
        return;
    }
    if (i == WR_CHANNEL_SOCKETS)
        return; /* c-ares asks another server when its time limit is over */
    if (i == channel->count)
        channel->count++;
    channel->sockets[i] = (struct pollfd){fd, events, 0};
}

/* c-ares before 1.20 waits 5 s for an answer before it asks again: half of what
 * a dial may take, for one datagram lost.  What resolv.conf says stands. */
#if ARES_VERSION < 0x011400
#define OLD_WAIT_MS 5000
#define WAIT_MS 2000

static bool has_old_wait(ares_channel ares)
{
    struct ares_options options;
    int mask;
    bool is_old;

    if (ares_save_options(ares, &options, &mask) != ARES_SUCCESS)
        return false;
    is_old = options.timeout == OLD_WAIT_MS;
    ares_destroy_options(&options);
    return is_old;
}

static int init_channel(ares_channel *ret_ares, struct ares_options *options,
                        int mask)
{
    const int status = ares_init_options(ret_ares, options, mask);

    if (status != ARES_SUCCESS || !has_old_wait(*ret_ares))
        return status;
    ares_destroy(*ret_ares);
    options->timeout = WAIT_MS;
    return ares_init_options(ret_ares, options, mask | ARES_OPT_TIMEOUTMS);
}

#else

static int init_channel(ares_channel *ret_ares, struct ares_options *options,
                        int mask)
{
    return ares_init_options(ret_ares, options, mask);
}

#endif

static void init_library(void)
{
    ares_library_init(ARES_LIB_INIT_ALL);
}

int wr_channel_new(const char *servers, uint64_t now_ns,
                   struct wr_channel **ret_channel)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct wr_channel *channel = wr_calloc(1, sizeof *channel);
    struct ares_options options;
    int mask = ARES_OPT_SOCK_STATE_CB;
    int status;

    if (!channel)
        return ARES_ENOMEM;
    memset(&options, 0, sizeof options);
    options.sock_state_cb = on_socket_state;
    options.sock_state_cb_data = channel;
#ifdef ARES_OPT_QUERY_CACHE
    mask |= ARES_OPT_QUERY_CACHE; /* max TTL 0 = off: the cache is ours */
#endif
    pthread_once(&once, init_library);
    status = init_channel(&channel->ares, &options, mask);
    if (status != ARES_SUCCESS) {
        wr_free(channel);
        return status;
    }
    set_functions(channel->ares);
    if (servers)
        status = ares_set_servers_ports_csv(channel->ares, servers);
    if (status != ARES_SUCCESS) {
        wr_channel_free(channel);
        return status;
    }
    channel->made_ns = now_ns;
    *ret_channel = channel;
    return ARES_SUCCESS;
}

void wr_channel_free(struct wr_channel *channel)
{
    if (!channel)
        return;
    ares_destroy(channel->ares);
    wr_free(channel);
}

void wr_channel_process(struct wr_channel *channel,
                        const struct wr_waits *ready)
{
    bool any = false;

    for (unsigned i = 0; ready && i < ready->count; i++) {
        const struct pollfd *fd = &ready->fds[i];

        if (fd->revents == 0)
            continue;
        any = true;
        ares_process_fd(channel->ares,
                        fd->events & POLLIN ? fd->fd : ARES_SOCKET_BAD,
                        fd->events & POLLOUT ? fd->fd : ARES_SOCKET_BAD);
    }
    if (!any) /* time limits alone */
        ares_process_fd(channel->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

void wr_channel_waits(const struct wr_channel *channel, uint64_t now_ns,
                      struct wr_waits *ret_waits)
{
    struct timeval left;

    wr_waits_clear(ret_waits);
    for (unsigned i = 0; i < channel->count; i++)
        wr_waits_add(ret_waits, channel->sockets[i].fd,
                     channel->sockets[i].events);
    if (ares_timeout(channel->ares, NULL, &left))
        wr_waits_until(ret_waits,
                       wr_after(now_ns, (uint64_t)left.tv_sec * WR_SECOND +
                                            (uint64_t)left.tv_usec * 1000));
}
