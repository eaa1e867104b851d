#include "drive/receive.h"

#include <errno.h>

#include "base/error.h"
#include "drive/acquire.h"
#include "net/clock.h"

static weir_status time_ran_out(const struct weir_response *response,
                                uint64_t now_ns, bool before_first_byte,
                                weir_error *err)
{
    if (now_ns >= response->deadline_ns)
        return wr_total_ran_out(response, err);
    if (before_first_byte)
        return wr_error_set(err, WEIR_E_FIRST_BYTE_TIMEOUT,
                            "no byte of a response within %.3f s",
                            (double)response->limits.first_byte_ns / 1e9);
    return wr_error_set(err, WEIR_E_READ_TIMEOUT, "nothing received for %.3f s",
                        (double)response->limits.idle_read_ns / 1e9);
}

/* When a read that begins now must have brought something. */
static uint64_t read_deadline(const struct weir_response *response,
                              uint64_t now_ns)
{
    const struct wr_call_limits *limits = &response->limits;
    uint64_t deadline_ns = response->deadline_ns;

    if (!response->exchange.has_received) {
        if (response->times.sent_ns)
            deadline_ns =
                wr_earlier(deadline_ns, wr_after(response->times.sent_ns,
                                                 limits->first_byte_ns));
    } else {
        deadline_ns =
            wr_earlier(deadline_ns, wr_after(now_ns, limits->idle_read_ns));
    }
    return deadline_ns;
}

/* The transport has ended or failed: what that means for the exchange. */
static enum wr_step transport_ended(struct weir_response *response,
                                    enum wr_io io, int system_code,
                                    weir_error *err)
{
    const struct wr_transport *transport = &response->conn->io;
    char tls_error[WR_TLS_ERROR_TEXT] = "";
    enum wr_step step;

    if (atomic_load_explicit(&response->conn->is_cut, memory_order_relaxed)) {
        wr_error_set(err, WEIR_E_CLOSED,
                     "the pool was closed and its grace is over");
        return WR_STEP_ERROR;
    }
    if (transport->tls)
        wr_tls_error_text(transport->tls, tls_error, sizeof tls_error);
    if (io == WR_IO_ERROR && tls_error[0] && !wr_tls_was_cut(transport->tls)) {
        wr_error_set(err, WEIR_E_TLS, "TLS with %s: %s",
                     response->conn->target->origin, tls_error);
        return WR_STEP_ERROR;
    }
    step = wr_exchange_ended(&response->exchange, io == WR_IO_EOF, err);
    if (step == WR_STEP_ERROR && io == WR_IO_ERROR)
        err->system_code = system_code;
    return step;
}

enum wr_step wr_receive(struct weir_response *response, void *at, size_t cap,
                        uint64_t now_ns, size_t *ret_len, weir_error *err)
{
    struct wr_transport *transport = &response->conn->io;
    const uint64_t deadline_ns = read_deadline(response, now_ns);
    const bool before_first_byte = !response->exchange.has_received;

    for (;;) {
        const uint64_t left_ns =
            deadline_ns == WR_NEVER ? WR_NEVER : wr_left(deadline_ns, now_ns);
        enum wr_io io;

        if (left_ns == 0) {
            time_ran_out(response, now_ns, before_first_byte, err);
            return WR_STEP_ERROR;
        }
        wr_transport_limit_read(transport, left_ns);
        io = wr_transport_read(transport, at, cap, false, ret_len);
        if (io == WR_IO_OK)
            return WR_STEP_WAIT;
        if (io != WR_IO_AGAIN)
            return transport_ended(response, io, errno, err);
        now_ns = wr_now();
    }
}

enum wr_step wr_receive_now(struct weir_response *response, void *at,
                            size_t cap, size_t *ret_len, weir_error *err)
{
    const enum wr_io io =
        wr_transport_read(&response->conn->io, at, cap, true, ret_len);

    if (io == WR_IO_AGAIN)
        *ret_len = 0;
    if (io == WR_IO_OK || io == WR_IO_AGAIN)
        return WR_STEP_WAIT;
    return transport_ended(response, io, errno, err);
}

short wr_wait_socket(const struct weir_response *response, short events,
                     uint64_t deadline_ns)
{
    struct pollfd waited = {response->conn->io.fd, events, 0};
    const int count = poll(&waited, 1, wr_poll_timeout(deadline_ns, wr_now()));

    return count > 0 ? waited.revents : 0;
}
