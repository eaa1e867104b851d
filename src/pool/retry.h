/* Retries: which responses are worth one, and how long it waits.
 *
 * Numbers in, numbers out.  Whether a retry is allowed at all is for others to
 * say: the request (may it be sent twice?), the call (is there time left?), and
 * the origin's budget (pool/health.h).
 *
 * Source: protocol-rules section 5. */
#ifndef WR_POOL_RETRY_H
#define WR_POOL_RETRY_H

#include <stdbool.h>
#include <stdint.h>

struct wr_retry_rules {
    unsigned attempts;     /* in all; 1 = no retry */
    uint64_t delay_ns;     /* longest delay of the first retry */
    double backoff;        /* factor of it for each further one; >= 1 */
    uint64_t max_delay_ns; /* longest delay of any */
};

/* The delay before attempt `next`, in ns; 2 is the first retry (less counts as
 * 2).  Full jitter: uniform in [0, top], where top is delay * backoff^(next-2),
 * at most max_delay.  For delay 1 s, backoff 2 and max_delay 30 s the tops are
 * 1, 2, 4, 8, 16, 30, 30 … s.
 *
 * random: 64 random bits, new ones for each delay.  One remainder of them is
 * taken, which for tops of hours is as good as uniform.  No input overflows; a
 * backoff that is not a number counts as infinite.
 *
 * Cost: O(log next). */
uint64_t wr_retry_delay(const struct wr_retry_rules *rules, unsigned next,
                        uint64_t random);

/* Is it a status that may be gone at the next attempt: 408, 425, 429, 500, 502,
 * 503 or 504? */
bool wr_retry_is_status(int status);

#endif
