/* The verdict: may this connection be lent again?  Judged in this one place
 * (RFC 9112 section 9.3, protocol-rules section 2). */
#ifndef WR_CONN_REUSE_H
#define WR_CONN_REUSE_H

#include <stdbool.h>
#include <stdint.h>

#include <weir/pool.h>

#include "conn/conn.h"
#include "conn/exchange.h"

/* What a server's Keep-Alive: timeout is shortened by, so that no request
 * meets a close that is on its way. */
#define WR_KEEP_ALIVE_MARGIN_S 2

struct wr_verdict {
    bool is_reusable;
    weir_close_reason reason; /* when not */
    uint64_t keep_ns;         /* how long the peer keeps it; WR_NEVER = open */
};

/* Session tickets that have come with the response are worked off. */
struct wr_verdict wr_judge(const struct wr_exchange *ex, struct wr_conn *conn);
/* Why a connection is closed whose peek found something else than nothing;
 * error: errno behind it. */
weir_close_reason wr_judge_idle(enum wr_io found, int error);

#endif
