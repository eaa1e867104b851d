/* The stack of transports under a connection: a socket, and TLS on it or not.
 *
 * Nothing here waits but wr_transport_read without dont_wait, which waits for
 * at most the read limit set on the socket. */
#ifndef WR_CONN_TRANSPORT_H
#define WR_CONN_TRANSPORT_H

#include "net/sock.h"
#include "net/tls.h"

struct wr_transport {
    int fd;                    /* owned; -1 = closed */
    struct wr_tls_stream *tls; /* owned; NULL = plain */
    uint64_t read_limit_ns;    /* SO_RCVTIMEO as it stands; 0 = none */
    bool is_held;              /* somebody's poll() may keep it open */
};

static inline enum wr_io wr_transport_read(struct wr_transport *io, void *buf,
                                           size_t cap, bool dont_wait,
                                           size_t *ret_len)
{
    if (io->tls)
        return wr_tls_read(io->tls, buf, cap, dont_wait, ret_len);
    return wr_sock_read(io->fd, buf, cap, dont_wait, ret_len);
}

static inline enum wr_io wr_transport_writev(struct wr_transport *io,
                                             const struct iovec *iov, int count,
                                             size_t *ret_len)
{
    if (io->tls)
        return wr_tls_writev(io->tls, iov, count, ret_len);
    if (count == 1)
        return wr_sock_write(io->fd, iov->iov_base, iov->iov_len, ret_len);
    return wr_sock_writev(io->fd, iov, count, ret_len);
}

/* As wr_sock_peek. */
static inline enum wr_io wr_transport_peek(struct wr_transport *io)
{
    return io->tls ? wr_tls_peek(io->tls) : wr_sock_peek(io->fd);
}

/* A poller has told that there is something to read. */
static inline void wr_transport_has_news(struct wr_transport *io)
{
    if (io->tls)
        wr_tls_has_news(io->tls);
}

/* After a read of `len` bytes into `cap`: is nothing left here, nor was in the
 * socket when it was read last?  (What has come since is news to a poller.) */
static inline bool wr_transport_is_drained(const struct wr_transport *io,
                                           size_t len, size_t cap)
{
    return io->tls ? wr_tls_is_drained(io->tls) : len < cap;
}

/* Bytes that were taken from the socket wait inside. */
static inline bool wr_transport_has_pending(const struct wr_transport *io)
{
    return io->tls && wr_tls_has_pending(io->tls);
}

/* Makes a read wait for at most about span_ns (0 < span_ns; WR_NEVER = for
 * ever).  Costs a system call only when the limit that stands is longer, or
 * less than half as long: so a read may end early, and its caller looks at the
 * clock and asks again.  Returns 0 or errno. */
int wr_transport_limit_read(struct wr_transport *io, uint64_t span_ns);
/* What a transport can spare while nobody uses it is given back; it works on
 * as before.  For one that rests for longer, see wr_tls_rest(). */
static inline void wr_transport_rest(struct wr_transport *io)
{
    if (io->tls)
        wr_tls_rest(io->tls);
}

/* close_notify, then closes the socket.  Silent: nothing is sent, nor is the
 * socket shut down, so another process that has it goes on. */
void wr_transport_close(struct wr_transport *io, bool silent);
/* For a fork's child: closes its descriptor and does nothing else.  What TLS
 * holds is lost, as to free it takes locks that another thread of the parent
 * may have held. */
void wr_transport_abandon(struct wr_transport *io);

#endif
