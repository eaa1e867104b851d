#include "base/deadline.h"

#include <limits.h>

int wr_poll_timeout(uint64_t deadline_ns, uint64_t now_ns)
{
    const uint64_t left_ns = wr_left(deadline_ns, now_ns);
    const uint64_t left_ms = left_ns / 1000000 + (left_ns % 1000000 != 0);

    if (deadline_ns == WR_NEVER)
        return -1;
    return left_ms < INT_MAX ? (int)left_ms : INT_MAX;
}
