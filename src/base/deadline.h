/* Points in time: monotonic nanoseconds (net/clock.h tells what time it is).
 * WR_NEVER is later than any. */
#ifndef WR_BASE_DEADLINE_H
#define WR_BASE_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

#define WR_NEVER UINT64_MAX
#define WR_SECOND UINT64_C(1000000000)

/* now + span, never beyond WR_NEVER. */
static inline uint64_t wr_after(uint64_t now_ns, uint64_t span_ns)
{
    return span_ns >= WR_NEVER - now_ns ? WR_NEVER : now_ns + span_ns;
}

/* Time left until a deadline; 0 when it is due. */
static inline uint64_t wr_left(uint64_t deadline_ns, uint64_t now_ns)
{
    return deadline_ns > now_ns ? deadline_ns - now_ns : 0;
}

static inline uint64_t wr_earlier(uint64_t a_ns, uint64_t b_ns)
{
    return a_ns < b_ns ? a_ns : b_ns;
}

static inline uint64_t wr_later(uint64_t a_ns, uint64_t b_ns)
{
    return a_ns > b_ns ? a_ns : b_ns;
}

/* A span given in seconds: not negative; beyond 292 years is WR_NEVER. */
static inline uint64_t wr_seconds(double seconds)
{
    return seconds < 9.2e9 ? (uint64_t)(seconds * 1e9) : WR_NEVER;
}

/* Milliseconds to give to poll(): rounded up, -1 for WR_NEVER. */
int wr_poll_timeout(uint64_t deadline_ns, uint64_t now_ns);

#endif
