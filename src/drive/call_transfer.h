/* An active call and its connection, see call_transfer.c. */
#ifndef WR_DRIVE_CALL_TRANSFER_H
#define WR_DRIVE_CALL_TRANSFER_H

#include "drive/call.h"

/* Does its body pause?  A pause says nothing of the header section. */
static inline bool wr_call_is_paused(const struct weir_call *call)
{
    return call->has_head && !call->is_passing_over &&
           atomic_load_explicit(&call->flow, memory_order_relaxed) ==
               WR_FLOW_PAUSED;
}

/* Reads no more for now: it pauses, or is about to end. */
static inline bool wr_call_is_held_up(const struct weir_call *call)
{
    return wr_call_is_paused(call) ||
           atomic_load_explicit(&call->wants_cancel, memory_order_relaxed);
}

/* Sends what can be sent now.  WAIT or ERROR. */
enum wr_step wr_call_send(struct wr_loop *loop, struct weir_call *call,
                          weir_error *err);
/* Takes what is in the buffer.  WAIT: more must be received, *ret_want bytes
 * if that is known, or it pauses. */
enum wr_step wr_call_take_body(struct wr_loop *loop, struct weir_call *call,
                               size_t *ret_want, weir_error *err);
/* The head that is in is the call's: judges it.  WAIT or ERROR. */
enum wr_step wr_call_accept_head(struct weir_call *call, weir_error *err);
/* Goes on later, when others have had their turn. */
void wr_call_do_again(struct wr_loop *loop, struct weir_call *call);
/* There is nothing more to read until the poller says so. */
void wr_call_went_dry(struct wr_loop *loop, struct weir_call *call);
/* The room to receive into, which holds nothing of use, goes to the next. */
void wr_call_leave_room(struct wr_loop *loop, struct weir_call *call);
/* Receives until there is nothing more, the response is complete, or it
 * pauses. */
enum wr_step wr_call_receive(struct wr_loop *loop, struct weir_call *call,
                             size_t want, weir_error *err);

#endif
