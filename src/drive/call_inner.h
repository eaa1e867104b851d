/* What the files that take a call through its loop share: call_run.c, where all
 * of this is, and call_hedge.c. */
#ifndef WR_DRIVE_CALL_INNER_H
#define WR_DRIVE_CALL_INNER_H

#include "base/cold.h"
#include "drive/call.h"

void wr_call_set_state(struct weir_call *call, enum wr_call_state state);
/* It must be looked at, sooner or later. */
void wr_call_set_timer(struct wr_loop *loop, struct weir_call *call);
/* Its connection and its dial go; fills in the error, which says why. */
WR_COLD void wr_call_drop_transfer(struct wr_loop *loop, struct weir_call *call,
                                   weir_error *err);
/* Its attempt has failed, at whatever stage it is. */
WR_COLD void wr_call_fail(struct wr_loop *loop, struct weir_call *call,
                          weir_error *err);
/* What follows on a step. */
void wr_call_settle(struct wr_loop *loop, struct weir_call *call,
                    enum wr_step step, weir_error *err);
/* It has ended, and holds nothing any more. */
void wr_call_leave_loop(struct wr_loop *loop, struct weir_call *call);

#endif
