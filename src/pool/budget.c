/* The retry budget: a sick origin gets a fifth more attempts, not thrice as
 * many; and one with few requests gets its retries all the same. */
#include <assert.h>

#include "base/deadline.h"
#include "pool/origin.h"

static struct wr_window *window_of(struct budget *budget)
{
    if (budget->window.slot_ns == 0)
        wr_window_init(&budget->window,
                       WR_RETRY_WINDOW_S * WR_SECOND / WR_WINDOW_SLOTS);
    return &budget->window;
}

void wr_origin_count_request(struct wr_origin *origin, uint64_t now_ns)
{
    wr_window_add(window_of(&origin->budget), now_ns,
                  (struct wr_tally){.all = 1});
}

/* Is there room for one more retry in the percentage? */
static bool has_share(struct budget *budget, uint64_t now_ns)
{
    const struct wr_tally lately = wr_window_sum(window_of(budget), now_ns);

    return (lately.some + 1) * 100 <= lately.all * WR_RETRY_PERCENT;
}

bool wr_origin_begin_retry(struct wr_origin *origin, uint64_t now_ns)
{
    struct budget *budget = &origin->budget;

    if (budget->pending >= WR_RETRY_FLOOR && !has_share(budget, now_ns))
        return false;
    wr_window_add(window_of(budget), now_ns, (struct wr_tally){.some = 1});
    budget->pending++;
    return true;
}

void wr_origin_end_retry(struct wr_origin *origin)
{
    assert(origin->budget.pending > 0);
    origin->budget.pending--;
}
