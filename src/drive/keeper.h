/* The keeper: the first loop of a pool looks after connections that rest.
 *
 * A connection that has been idle for longer than the bypass window is put to
 * rest: registered, so that the peer's close, or any byte of its, is noticed at
 * once (RFC 9112 section 9.5), and its buffers given up until it is lent again.
 * Hot connections never come so far, and cost nothing.
 *
 * The keeper also calls wr_core_tick() when it is due: idle limit, age, time
 * limits in the line, and dials of the warm minimum. */
#ifndef WR_DRIVE_KEEPER_H
#define WR_DRIVE_KEEPER_H

#include "base/cold.h"
#include "drive/loop.h"

/* A warm minimum that somebody asked for. */
struct wr_warm {
    struct wr_target *target; /* one reference */
    TAILQ_ENTRY(wr_warm) link;
};

/* weir_pool_warm() for a prepared request. */
weir_status wr_keeper_warm(struct weir_pool *pool, struct wr_target *target,
                           unsigned count, weir_error *ret_err);
void wr_keeper_forget_warm_locked(struct weir_pool *pool);

/* A connection may have come to rest just now: starts the keeper if the pool
 * wants one, and sees to it that it looks in time. */
void wr_keeper_rested_locked(struct weir_pool *pool, uint64_t now_ns);
/* Something falls due then. */
void wr_keeper_nudge_locked(struct weir_pool *pool, uint64_t due_ns);

/* For the loop: when wr_keeper_round() is due; the round itself; and what to do
 * about an event of a connection that is not active. */
uint64_t wr_keeper_due_locked(const struct wr_loop *loop);
WR_COLD void wr_keeper_round(struct wr_loop *loop);
WR_COLD void wr_keeper_look(struct wr_loop *loop, uint64_t slot_data);

#endif
