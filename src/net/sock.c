#include "net/sock.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/deadline.h"

/* What a transfer that did not happen means.  A signal ends a wait (even under
 * SA_RESTART, as the socket has a time limit): to begin the wait again here
 * would let a program's timer signal put the limit off for ever. */
static enum wr_io failure(void)
{
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
        return WR_IO_AGAIN;
    return WR_IO_ERROR;
}

enum wr_io wr_sock_read(int fd, void *buf, size_t cap, bool dont_wait,
                        size_t *ret_len)
{
    const ssize_t got = recv(fd, buf, cap, dont_wait ? MSG_DONTWAIT : 0);

    if (got > 0) {
        *ret_len = (size_t)got;
        return WR_IO_OK;
    }
    return got == 0 ? WR_IO_EOF : failure();
}

enum wr_io wr_sock_write(int fd, const void *buf, size_t len, size_t *ret_len)
{
    const ssize_t sent = send(fd, buf, len, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (sent < 0)
        return failure();
    *ret_len = (size_t)sent;
    return WR_IO_OK;
}

enum wr_io wr_sock_writev(int fd, const struct iovec *iov, int count,
                          size_t *ret_len)
{
    /* sendmsg does not write to the vector, though its type could. */
    const struct msghdr message = {
        .msg_iov = (struct iovec *)(uintptr_t)iov,
        .msg_iovlen = (size_t)count,
    };
    const ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (sent < 0)
        return failure();
    *ret_len = (size_t)sent;
    return WR_IO_OK;
}

int wr_sock_set_read_limit(int fd, uint64_t span_ns)
{
    struct timeval limit = {0, 0};

    if (span_ns != WR_NEVER) {
        /* Rounded up: a limit of 1 ns must not become 0, which is none. */
        const uint64_t span_us = span_ns / 1000 + (span_ns % 1000 != 0);

        limit.tv_sec = (time_t)(span_us / 1000000);
        limit.tv_usec = (suseconds_t)(span_us % 1000000);
    }
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0)
        return errno;
    return 0;
}

enum wr_io wr_sock_peek(int fd)
{
    char byte;
    const ssize_t got = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    if (got < 0)
        return failure();
    return got > 0 ? WR_IO_OK : WR_IO_EOF;
}
