/* Hedging, as far as both drivers do the same: when a second request of a call
 * may be sent, and what the pool and the course are told of it.
 *
 * Words: the *pair* is the first request and its *hedge*, the second one, while
 * both are under way.  The first header section decides: its request *wins* and
 * is the attempt from then on; the other one is cancelled.  When one of the
 * pair fails, the other one goes on alone.
 *
 * A driver runs the hedge as another transfer of the same call, in this order:
 * wr_hedge_begin_locked(), wr_core_acquire(), wr_hedge_sent() if it gets that
 * far, and one of wr_hedge_goes_on() and wr_hedge_forget_locked(). */
#ifndef WR_DRIVE_HEDGE_H
#define WR_DRIVE_HEDGE_H

#include "base/deadline.h"
#include "drive/runtime.h"

/* The longest wait of a hedge in the line: none, but for a dial that covers it
 * (pool/core.h); 0 would let it wait on when that dial is given up. */
#define WR_HEDGE_WAIT_NS 1

/* How long an attempt that begins waits for its hedge; 0 = there is none. */
uint64_t wr_hedge_delay_locked(const struct wr_course *course);
/* When an attempt that was sent at `sent_ns` is hedged; 0 = never. */
static inline uint64_t wr_hedge_due(const struct wr_course *course,
                                    uint64_t sent_ns)
{
    return course && course->hedge_ns ? wr_after(sent_ns, course->hedge_ns) : 0;
}
/* The attempt under way has brought a header section: remembers how long it
 * took, and counts it if it is a hedge. */
void wr_hedge_learn_locked(struct weir_pool *pool, struct wr_course *course,
                           const struct weir_response *response);

/* The hedge of an attempt that was sent at `sent_ns` is due.  NULL: it begins,
 * and is counted in its origin's budget.  Else why not, which has been counted.
 */
const char *wr_hedge_begin_locked(struct weir_pool *pool,
                                  struct wr_course *course, uint64_t sent_ns,
                                  uint64_t now_ns);
/* The core refused it a place after all. */
const char *wr_hedge_skip_locked(struct weir_pool *pool,
                                 struct wr_course *course);
/* It is over without having been sent. */
void wr_hedge_forget_locked(struct wr_course *course);
/* It has its connection, and is sent. */
void wr_hedge_sent(struct weir_pool *pool, const struct wr_course *course,
                   uint64_t connection);

/* How one of a pair ended. */
struct wr_pair_end {
    bool is_hedge_left;    /* it was the first, and the hedge goes on */
    bool has_won;          /* the other one, whose head is in */
    const weir_error *err; /* why: CANCELLED if the other one has won */
};
/* One of a pair that was sent is over, the other one goes on. */
void wr_hedge_goes_on(struct weir_pool *pool, struct wr_course *course,
                      const struct wr_pair_end *end);
/* Tells the trace what comes of a hedge.  Not under the lock. */
void wr_hedge_trace(struct weir_pool *pool, const struct wr_course *course,
                    uint64_t connection, const char *what);

#endif
