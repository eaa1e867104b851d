#include "conn/transport.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/deadline.h"

int wr_transport_limit_read(struct wr_transport *io, uint64_t span_ns)
{
    const uint64_t have_ns = io->read_limit_ns;
    uint64_t limit_ns;
    int error;

    if (span_ns == WR_NEVER) {
        if (have_ns == 0)
            return 0;
        limit_ns = 0;
    } else {
        if (have_ns && have_ns <= span_ns && have_ns >= span_ns / 2)
            return 0;
        /* A little short of what is wanted, so that the next request, whose
         * span is a few microseconds off, finds it good as it stands. */
        limit_ns = span_ns > WR_SECOND ? span_ns - span_ns / 8 : span_ns;
        if (limit_ns < 1000)
            limit_ns = 1000;
    }
    error = wr_sock_set_read_limit(io->fd, limit_ns);
    if (!error)
        io->read_limit_ns = limit_ns;
    return error;
}

void wr_transport_close(struct wr_transport *io, bool silent)
{
    wr_tls_stream_free(io->tls, silent);
    io->tls = NULL;
    if (io->fd >= 0 && io->is_held && !silent)
        shutdown(io->fd, SHUT_RDWR);
    if (io->fd >= 0)
        close(io->fd);
    io->fd = -1;
}

void wr_transport_abandon(struct wr_transport *io)
{
    io->tls = NULL;
    if (io->fd >= 0)
        close(io->fd);
    io->fd = -1;
}
