/* How long attempts that end well take. */
#include "pool/origin.h"

enum {
    PERCENT = 95,
    /* Latencies at or above the percentile, at most. */
    TOP = WR_LATENCIES - (WR_LATENCIES * PERCENT + 99) / 100 + 1
};

void wr_origin_count_latency(struct wr_origin *origin, uint64_t latency_ns)
{
    struct latencies *latencies = &origin->latencies;

    latencies->ring_ns[latencies->next] = latency_ns;
    latencies->next = (latencies->next + 1) % WR_LATENCIES;
    if (latencies->count < WR_LATENCIES)
        latencies->count++;
}

/* Puts a value into its place among `count` in falling order; the smallest of
 * them all falls out. */
static void insert(uint64_t *falling, unsigned count, uint64_t value)
{
    unsigned place = count - 1;

    if (value <= falling[place])
        return;
    for (; place > 0 && falling[place - 1] < value; place--)
        falling[place] = falling[place - 1];
    falling[place] = value;
}

bool wr_origin_p95(const struct wr_origin *origin, uint64_t *ret_ns)
{
    const struct latencies *latencies = &origin->latencies;
    const unsigned rank = (latencies->count * PERCENT + 99) / 100;
    const unsigned top = latencies->count - rank + 1;
    uint64_t largest_ns[TOP] = {0}; /* `top` of them, in falling order */

    if (latencies->count < WR_LATENCIES_MIN)
        return false;
    for (unsigned i = 0; i < latencies->count; i++)
        insert(largest_ns, top, latencies->ring_ns[i]);
    *ret_ns = largest_ns[top - 1];
    return true;
}
