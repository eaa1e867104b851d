/* Hedged calls on the caller's own thread, which waits for both requests at
 * once. */
#ifndef WR_DRIVE_BLOCKING_HEDGE_H
#define WR_DRIVE_BLOCKING_HEDGE_H

#include "drive/runtime.h"

/* Waits for the head of a response to a request that has been sent, and when
 * its hedge is due for that of the hedge as well.
 *
 * *response: the one that was sent; then the one whose head is in, or on
 * failure the last that was left, which may have no connection; *limits are
 * those of its exchange.  The other one, if any, is gone. */
weir_status wr_blocking_await_hedged(struct weir_pool *pool,
                                     struct wr_course *course,
                                     struct wr_head_limits *limits,
                                     struct weir_response **response,
                                     weir_error *err);

#endif
