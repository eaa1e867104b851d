#include "conn/conn.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

struct wr_dial_times wr_conn_times(const struct wr_conn *conn)
{
    return (struct wr_dial_times){
        (uint64_t)conn->dial_us[0] * 1000,
        (uint64_t)conn->dial_us[1] * 1000,
        (uint64_t)conn->dial_us[2] * 1000,
    };
}

void wr_conn_free(struct wr_conn *conn)
{
    wr_transport_close(&conn->io, conn->is_silent);
    wr_target_unref(conn->target);
    wr_free(conn);
}

const char *wr_conn_peer_text(const struct wr_conn *conn, char *buf, size_t cap)
{
    struct wr_addr addr = {.len = sizeof conn->peer};

    if (conn->peer.sin6_family == 0) {
        snprintf(buf, cap, "unix:%s", conn->target->unix_path);
        return buf;
    }
    memcpy(&addr.sa, &conn->peer, sizeof conn->peer);
    return wr_addr_text(&addr, buf, cap);
}
