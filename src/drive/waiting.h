/* Threads that wait for asynchronous calls, or for the end of a pool. */
#ifndef WR_DRIVE_WAITING_H
#define WR_DRIVE_WAITING_H

#include "drive/call.h"

/* Sleeps on one of the pool's conditions until it is signalled or the deadline,
 * perhaps less.  Where the program runs the loop, and does not at the moment,
 * takes a turn of it instead. */
void wr_wait_locked(struct weir_pool *pool, pthread_cond_t *condition,
                    uint64_t deadline_ns);
/* One turn of an external loop, unless another thread takes one; waits for
 * something to do until the deadline first. */
void wr_dispatch_locked(struct weir_pool *pool, uint64_t deadline_ns);

/* As weir_call_wait() and weir_calls_wait(). */
weir_status wr_call_wait(struct weir_call *call, double timeout,
                         struct weir_response **ret_response,
                         weir_error *ret_err);
weir_status wr_calls_wait(struct weir_call *const *calls, size_t count,
                          weir_wait which, double timeout, size_t *ret_index);

#endif
