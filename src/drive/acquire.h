/* Getting a connection on the caller's own thread: waiting in the line,
 * dialling when the pool says so, and checking what was lent. */
#ifndef WR_DRIVE_ACQUIRE_H
#define WR_DRIVE_ACQUIRE_H

#include "drive/runtime.h"

/* Fills in response->conn, number, is_reused and times for the prepared
 * request.  response->limits and deadline_ns have been set.
 *
 * Called and returns with the lock held; lets go of it meanwhile if it must
 * wait, dial or look at the socket.  On failure *ret_err has the stage. */
weir_status wr_acquire_locked(struct weir_pool *pool,
                              const struct weir_request *request,
                              struct weir_response *response, uint64_t now_ns,
                              weir_error *ret_err);
/* Gives the leased, stale connection of a response a new transport, in the same
 * place of the pool.  Called without the lock.  On failure the connection is
 * still leased, without a transport (io.fd is -1), and *ret_err has the stage.
 */
weir_status wr_redial(struct weir_pool *pool, struct weir_response *response,
                      weir_error *ret_err);
/* Is a leased connection that has rested still good (design: bypass window)?
 * Lets go of the lock to look at the socket.  false: it was given back for
 * closing. */
bool wr_is_alive_locked(struct weir_pool *pool, struct wr_conn *conn,
                        uint64_t now_ns);
/* Says why the core refused a ticket. */
weir_status wr_refused_locked(const struct weir_pool *pool, weir_status status,
                              weir_error *ret_err);

#endif
