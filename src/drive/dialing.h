/* What both drivers do about a dial besides driving it. */
#ifndef WR_DRIVE_DIALING_H
#define WR_DRIVE_DIALING_H

#include "drive/runtime.h"

/* No fork() happens while a dial takes a step, so that a child finds in order
 * what it has to close (forking.h).  A driver that publishes descriptors of a
 * dial elsewhere holds the gate for reading until it has. */
void wr_dialing_init_gate(struct weir_pool *pool);
/* wr_dial_step within the gate; *ret_waits is empty unless it says WAIT. */
enum wr_step wr_dialing_step(struct weir_pool *pool, struct wr_dial *dial,
                             const struct wr_waits *ready, uint64_t now_ns,
                             struct wr_waits *ret_waits, weir_error *ret_err);

/* Tells the trace of the steps since the last call; *told remembers them and
 * begins as 0. */
void wr_dialing_trace(struct weir_pool *pool, const struct wr_dial *dial,
                      unsigned *told, uint64_t now_ns);
/* Dial `id` has ended well: its connection goes to the pool. */
void wr_dialing_done_locked(struct weir_pool *pool, struct wr_dial *dial,
                            wr_conn_id id);
/* It has failed; blame as wr_core_dial_failed(). */
void wr_dialing_failed_locked(struct weir_pool *pool, wr_conn_id id,
                              wr_ticket_id blame, const weir_error *err);
/* It was given up; nobody is to blame. */
void wr_dialing_dropped_locked(struct weir_pool *pool, wr_conn_id id);
/* Closes the transport of a leased connection that has turned out stale; the
 * connection keeps its place. */
void wr_dialing_drop_stale(struct weir_pool *pool,
                           struct weir_response *response);
/* Puts the transport of a fresh connection, given, in its place. */
void wr_dialing_renew(struct weir_pool *pool, struct weir_response *response,
                      struct wr_conn *fresh);

#endif
