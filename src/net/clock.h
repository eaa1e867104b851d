/* The clock: the only place that asks what time it is. */
#ifndef WR_NET_CLOCK_H
#define WR_NET_CLOCK_H

#include <stdint.h>

/* Monotonic nanoseconds (CLOCK_MONOTONIC), never 0. */
uint64_t wr_now(void);

#endif
