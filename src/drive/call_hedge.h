/* Hedged calls on a loop.
 *
 * The hedge of a call is a call as well, with a place in the line, a connection
 * and time limits, but without handle, handlers and course; it belongs to the
 * loop of its *first*, and each is the other's rival.  When its header section
 * comes first, its transfer passes to the first, which goes on with it; so
 * whoever submitted the call sees one call all the time.  Everything here runs
 * on the loop, without the lock. */
#ifndef WR_DRIVE_CALL_HEDGE_H
#define WR_DRIVE_CALL_HEDGE_H

#include "base/cold.h"
#include "drive/call.h"

/* The hedge of an active call is due. */
WR_COLD void wr_call_hedge(struct wr_loop *loop, struct weir_call *call);
/* A hedge has its connection. */
WR_COLD void wr_call_hedge_begins(struct wr_loop *loop,
                                  struct weir_call *hedge);
/* The head of the first is in: its hedge ends. */
WR_COLD void wr_call_beat_hedge(struct wr_loop *loop, struct weir_call *call);
/* The head of a hedge is in.  The hedge is gone then. */
WR_COLD void wr_call_hedge_wins(struct wr_loop *loop, struct weir_call *hedge);
/* One of a pair has failed, and holds nothing any more.  true: that was all,
 * the other one goes on, or has ended the call.  false: the call ends in this
 * error, and its hedge has been ended. */
WR_COLD bool wr_call_is_outlived(struct wr_loop *loop, struct weir_call *call,
                                 weir_error *err);

#endif
