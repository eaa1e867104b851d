#include "drive/receive.h"

#include <errno.h>

#include "drive/transact.h"
#include "net/clock.h"

enum wr_step wr_receive(struct weir_response *response, void *at, size_t cap,
                        uint64_t now_ns, size_t *ret_len, weir_error *err)
{
    struct wr_transport *transport = &response->conn->io;
    const uint64_t deadline_ns = wr_read_deadline(response, now_ns);

    for (;;) {
        const uint64_t left_ns =
            deadline_ns == WR_NEVER ? WR_NEVER : wr_left(deadline_ns, now_ns);
        enum wr_io io;

        if (left_ns == 0) {
            wr_time_ran_out(response, now_ns, err);
            return WR_STEP_ERROR;
        }
        wr_transport_limit_read(transport, left_ns);
        io = wr_transport_read(transport, at, cap, false, ret_len);
        if (io == WR_IO_OK) {
            response->is_drained =
                wr_transport_is_drained(transport, *ret_len, cap);
            return WR_STEP_WAIT;
        }
        if (io != WR_IO_AGAIN)
            return wr_transport_ended(response, io, errno, err);
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
    if (io == WR_IO_OK)
        response->is_drained =
            wr_transport_is_drained(&response->conn->io, *ret_len, cap);
    if (io == WR_IO_OK || io == WR_IO_AGAIN)
        return WR_STEP_WAIT;
    return wr_transport_ended(response, io, errno, err);
}

short wr_wait_socket(const struct weir_response *response, short events,
                     uint64_t deadline_ns)
{
    struct pollfd waited = {response->conn->io.fd, events, 0};
    const int count = poll(&waited, 1, wr_poll_timeout(deadline_ns, wr_now()));

    return count > 0 ? waited.revents : 0;
}
