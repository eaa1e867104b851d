/* Leases that the program does not give back (option leak_after).
 *
 * While the option is on, every lease is *watched*.  It is in weir's hands
 * until its response is handed over, and again while the program reads; in
 * between, and while the program has paused it, it is *held*.  One that is held
 * for too long is told once: it is counted, and the trace gets WEIR_TRACE_LEAK.
 * Off, nothing is watched and nothing costs anything. */
#ifndef WR_DRIVE_LEAKS_H
#define WR_DRIVE_LEAKS_H

#include "base/cold.h"
#include "drive/runtime.h"

enum {
    WR_LEAK_TEXT = 256
};

/* Where the next call of this thread is made, see weir_place(); and what that
 * was.  Static text; NULL = not known. */
void wr_leaks_set_place(const char *file, unsigned line);
struct wr_place wr_leaks_place(void);

/* The response has got a lease for this request.  `flow`: of its asynchronous
 * call; NULL = none. */
WR_COLD void wr_leaks_begin_locked(struct weir_pool *pool,
                                   struct weir_response *response,
                                   const struct weir_request *request,
                                   const atomic_int *flow,
                                   struct wr_place place, uint64_t now_ns);
static inline void wr_leaks_watch_locked(struct weir_pool *pool,
                                         struct weir_response *response,
                                         const struct weir_request *request,
                                         const atomic_int *flow,
                                         struct wr_place place, uint64_t now_ns)
{
    response->held.is_watched = pool->leak_ns != WR_NEVER;
    if (response->held.is_watched)
        wr_leaks_begin_locked(pool, response, request, flow, place, now_ns);
}
/* A watched response is another call's from now on. */
void wr_leaks_adopt(struct weir_pool *pool, struct weir_response *response,
                    const atomic_int *flow, struct wr_place place);
/* The lease ends.  true: it was held for too long, and nobody has said so. */
bool wr_leaks_unwatch_locked(struct weir_pool *pool,
                             struct weir_response *response, uint64_t now_ns);
/* What the trace is told; returns buf. */
const char *wr_leaks_describe(const struct wr_held *held, uint64_t span_ns,
                              char *buf, size_t cap);

/* From now on the program has it; from now on weir has. */
void wr_leaks_hand_over(struct weir_response *response);
void wr_leaks_take_back(struct weir_response *response);

/* When to look next; looks, and lets go of the lock meanwhile. */
static inline uint64_t wr_leaks_due_locked(const struct weir_pool *pool)
{
    return pool->leak_due_ns;
}
void wr_leaks_look_locked(struct weir_pool *pool, uint64_t now_ns);
/* In a fork's child: the leases are the parent's. */
void wr_leaks_forget(struct weir_pool *pool);

#endif
