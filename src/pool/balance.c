/* Who gets the room below max_total: the hungry, the longest waiting one first;
 * what they leave goes to the cold. */
#include "pool/state.h"

uint64_t wr_pool_hungry_count(const struct wr_core *core)
{
    return core->hungry.len - core->hungry.removed;
}

static struct bucket *first_hungry(struct wr_core *core)
{
    struct wr_heap_node *node = wr_heap_first(&core->hungry);

    return node ? WR_OWNER(node, struct bucket, hungry) : NULL;
}

static bool has_room(const struct wr_core *core)
{
    return core->counts.open < core->limits.max_total;
}

void wr_pool_rebalance(struct wr_core *core)
{
    struct bucket *bucket;

    while ((bucket = first_hungry(core)) != NULL) {
        if (has_room(core))
            wr_pool_start_dial(core, bucket);
        else if (!TAILQ_EMPTY(&core->idle) &&
                 core->counts.closing < wr_pool_hungry_count(core))
            wr_pool_close_idle(core, TAILQ_FIRST(&core->idle),
                               WEIR_CLOSE_EVICTED);
        else
            return;
    }
    while ((bucket = TAILQ_FIRST(&core->cold)) != NULL && has_room(core))
        wr_pool_start_dial(core, bucket);
}
