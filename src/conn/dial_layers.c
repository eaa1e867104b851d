/* What a dial puts on a connected socket, one layer on another: TLS with the
 * proxy, the tunnel through it, TLS with the origin. */
#include <arpa/inet.h>
#include <errno.h>

#include "base/error.h"
#include "conn/dial_inner.h"

/* Puts TLS on the transport, and that on the TLS that is there. */
static enum wr_step begin_tls(struct wr_dial *dial, enum dial_state state,
                              struct wr_tls_context *context,
                              struct wr_slice key, const char *host,
                              uint64_t now_ns, weir_error *ret_err)
{
    struct wr_transport *io = &dial->conn->io;
    struct wr_tls_sessions *sessions = dial->means.sessions;
    struct wr_tls_stream *tls =
        io->tls
            ? wr_tls_stream_new_over(context, sessions, key, host, io->tls,
                                     ret_err)
            : wr_tls_stream_new(context, sessions, key, host, io->fd, ret_err);

    wr_dial_set_state(dial, state, now_ns);
    if (!tls)
        return WR_STEP_ERROR;
    io->tls = tls;
    return WR_STEP_WAIT;
}

static enum wr_step begin_tunnel(struct wr_dial *dial, uint64_t now_ns,
                                 weir_error *ret_err)
{
    const struct wr_target *target = dial->target;
    const struct sockaddr *sa = (const struct sockaddr *)&dial->origin.sa;
    char text[INET6_ADDRSTRLEN];
    const char *host = target->host;

    if (dial->origin.len)
        host = inet_ntop(
            sa->sa_family,
            sa->sa_family == AF_INET
                ? (const void *)&((const struct sockaddr_in *)(const void *)sa)
                      ->sin_addr
                : (const void *)&((const struct sockaddr_in6 *)(const void *)sa)
                      ->sin6_addr,
            text, sizeof text);
    wr_dial_set_state(dial, DIAL_PROXY, now_ns);
    return wr_tunnel_ask(&dial->tunnel, target->proxy, host, target->port,
                         &dial->means.head_limits, ret_err) == WEIR_OK
               ? WR_STEP_WAIT
               : WR_STEP_ERROR;
}

enum wr_step wr_dial_build_up(struct wr_dial *dial, uint64_t now_ns,
                              weir_error *ret_err)
{
    const struct wr_target *target = dial->target;

    if (target->hop && !dial->conn->io.tls)
        return begin_tls(dial, DIAL_HOP, target->hop->tls, target->hop->key,
                         target->proxy->host, now_ns, ret_err);
    if (target->is_tunnelled && !dial->is_tunnelled)
        return begin_tunnel(dial, now_ns, ret_err);
    if (target->tls)
        return begin_tls(dial, DIAL_TLS, target->tls,
                         (struct wr_slice){target->key.bytes, target->key.len},
                         target->host, now_ns, ret_err);
    wr_dial_set_state(dial, DIAL_DONE, now_ns);
    return WR_STEP_DONE;
}

enum wr_step wr_dial_step_hop(struct wr_dial *dial,
                              const struct wr_waits *ready, uint64_t now_ns,
                              struct wr_waits *ret_waits, weir_error *ret_err)
{
    const enum wr_step step =
        wr_tls_handshake(dial->conn->io.tls, ret_waits, ret_err);

    (void)ready;
    if (step != WR_STEP_DONE)
        return step;
    dial->conn->is_resumed = wr_tls_is_resumed(dial->conn->io.tls);
    return wr_dial_build_up(dial, now_ns, ret_err);
}

/* The proxy has gone while it was asked. */
static enum wr_step fail_lost(const struct wr_dial *dial, enum wr_io io,
                              int error, weir_error *ret_err)
{
    char text[sizeof ret_err->message];

    wr_tunnel_text(&dial->tunnel, text, sizeof text);
    if (io == WR_IO_ERROR)
        wr_error_system(ret_err, WEIR_E_RESET, error, "%.200s", text);
    else
        wr_error_set(ret_err, WEIR_E_RESET,
                     "%.200s: connection closed before the answer", text);
    return WR_STEP_ERROR;
}

/* One transfer with the proxy.  DONE: it has agreed.  WAIT: ask again, or,
 * when *ret_io is AGAIN, wait first. */
static enum wr_step exchange(struct wr_dial *dial, enum wr_io *ret_io,
                             weir_error *ret_err)
{
    struct wr_tunnel *tunnel = &dial->tunnel;
    const struct wr_slice unsent = wr_tunnel_unsent(tunnel);
    const struct iovec iov = {(void *)(uintptr_t)unsent.data, unsent.len};
    enum wr_parse_result result = WR_PARSE_MORE;
    char buf[1024];
    size_t len = 0;

    *ret_io = unsent.len ? wr_transport_writev(&dial->conn->io, &iov, 1, &len)
                         : wr_transport_read(&dial->conn->io, buf, sizeof buf,
                                             true, &len);
    if (*ret_io == WR_IO_EOF || *ret_io == WR_IO_ERROR)
        return fail_lost(dial, *ret_io, errno, ret_err);
    if (*ret_io == WR_IO_AGAIN)
        return WR_STEP_WAIT;
    if (unsent.len)
        wr_tunnel_sent(tunnel, len);
    else
        result = wr_tunnel_take(tunnel, buf, len, ret_err);
    if (result == WR_PARSE_ERROR)
        return WR_STEP_ERROR;
    return result == WR_PARSE_DONE ? WR_STEP_DONE : WR_STEP_WAIT;
}

enum wr_step wr_dial_step_proxy(struct wr_dial *dial,
                                const struct wr_waits *ready, uint64_t now_ns,
                                struct wr_waits *ret_waits, weir_error *ret_err)
{
    enum wr_step step;
    enum wr_io io;

    (void)ready;
    do {
        step = exchange(dial, &io, ret_err);
    } while (step == WR_STEP_WAIT && io == WR_IO_OK);
    if (step == WR_STEP_WAIT)
        wr_waits_add(ret_waits, dial->conn->io.fd,
                     wr_tunnel_unsent(&dial->tunnel).len ? POLLOUT : POLLIN);
    if (step != WR_STEP_DONE)
        return step;
    wr_tunnel_done(&dial->tunnel);
    dial->is_tunnelled = true;
    return wr_dial_build_up(dial, now_ns, ret_err);
}

enum wr_step wr_dial_step_tls(struct wr_dial *dial,
                              const struct wr_waits *ready, uint64_t now_ns,
                              struct wr_waits *ret_waits, weir_error *ret_err)
{
    const enum wr_step step =
        wr_tls_handshake(dial->conn->io.tls, ret_waits, ret_err);

    (void)ready;
    if (step == WR_STEP_DONE) {
        dial->conn->is_resumed = wr_tls_is_resumed(dial->conn->io.tls);
        wr_dial_set_state(dial, DIAL_DONE, now_ns);
    }
    return step;
}
