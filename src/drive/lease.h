/* The end of a lease: giving the connection back with a verdict, and the
 * response after it. */
#ifndef WR_DRIVE_LEASE_H
#define WR_DRIVE_LEASE_H

#include "base/cold.h"
#include "conn/reuse.h"
#include "drive/runtime.h"

/* Keeps what the caller may ask of the peer after the lease. */
void wr_keep_peer(struct weir_response *response);
/* Gives the lease back with a verdict; times.ended_ns is set. */
void wr_give_back(struct weir_response *response,
                  const struct wr_verdict *verdict);
/* Gives back a connection that was granted and not used. */
void wr_give_back_unused_locked(struct weir_pool *pool, struct wr_conn *conn,
                                uint64_t now_ns);
/* The last read may have left bytes in the socket: if so, the connection is not
 * lent again (protocol-rules.md, rule 2.13). */
void wr_look_behind(struct wr_conn *conn, struct wr_verdict *verdict);
/* The exchange has come to its end in good order, or is given up: judges, and
 * gives the lease back. */
void wr_finish_lease(struct weir_response *response);
/* Ends the lease after a failure; fills in what the error says of the attempt.
 * `stage` unless the error has one. */
WR_COLD void wr_fail_lease(struct weir_response *response, weir_error *err,
                           weir_stage stage);
/* A call has ended in an error. */
WR_COLD void wr_count_failure(struct weir_pool *pool);
/* Gives up a response that holds no lease. */
void wr_let_go(struct weir_response *response);

#endif
