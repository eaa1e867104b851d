#include "net/clock.h"

#include <time.h>

#include "base/deadline.h"

uint64_t wr_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * WR_SECOND + (uint64_t)ts.tv_nsec + 1;
}
