/* Plain sockets: the transfers that the transports are made of.
 *
 * A socket is in blocking mode with SO_RCVTIMEO as its time limit, so that a
 * wait and a read are one system call; a call that must not wait says so with
 * MSG_DONTWAIT.  SIGPIPE never comes (MSG_NOSIGNAL). */
#ifndef WR_NET_SOCK_H
#define WR_NET_SOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

enum wr_io {
    WR_IO_OK = 0,
    WR_IO_AGAIN, /* nothing now: would block, or the read time limit; a wait
                    may end early, so look at the clock and ask again */
    WR_IO_EOF,   /* orderly end */
    WR_IO_ERROR, /* errno is set */
};

/* One recv, cap >= 1; a signal ends its wait (AGAIN).  dont_wait:
 * MSG_DONTWAIT. */
enum wr_io wr_sock_read(int fd, void *buf, size_t cap, bool dont_wait,
                        size_t *ret_len);
/* One send that does not wait; short counts happen. */
enum wr_io wr_sock_write(int fd, const void *buf, size_t len, size_t *ret_len);
enum wr_io wr_sock_writev(int fd, const struct iovec *iov, int count,
                          size_t *ret_len);
/* Sets SO_RCVTIMEO; span 0 or WR_NEVER = none.  Returns 0 or errno. */
int wr_sock_set_read_limit(int fd, uint64_t span_ns);
/* What an idle socket has to say, without blocking and without taking it:
 * AGAIN = quiet, OK = bytes wait, EOF, ERROR. */
enum wr_io wr_sock_peek(int fd);

#endif
