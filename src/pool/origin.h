/* What the record of an origin is made of; shared by the files that keep one
 * part of it each: health.c, budget.c, breaker.c and latency.c.  Zeroed memory
 * is a record that knows nothing. */
#ifndef WR_POOL_ORIGIN_H
#define WR_POOL_ORIGIN_H

#include <sys/queue.h>

#include "pool/health.h"
#include "pool/map.h"
#include "pool/window.h"

struct budget {
    struct wr_window window; /* all: requests, some: retries */
    unsigned pending;        /* retries */
};

struct breaker {
    enum wr_breaker_state state;
    uint32_t generation;     /* counts the changes of state */
    unsigned failures;       /* CLOSED: BAD ones in a row */
    struct wr_window window; /* CLOSED: outcomes, some: BAD ones */
    uint64_t probe_ns;       /* OPEN: when the next probe may go */
    bool is_probing;         /* HALF_OPEN: a probe is under way */
};

struct latencies {
    uint64_t ring_ns[WR_LATENCIES];
    unsigned count; /* in the ring */
    unsigned next;  /* place of the next one */
};

struct wr_origin {
    UT_hash_handle hh;
    size_t references;
    TAILQ_ENTRY(wr_origin) unused; /* without references: in health->unused */
    struct budget budget;
    struct breaker breaker;
    struct latencies latencies;
    char name[];
};

#endif
