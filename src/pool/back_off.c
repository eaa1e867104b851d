/* Back-off: a bucket whose dials fail waits before it dials again.
 *
 * It is in core->back_offs from its first failure until a dial succeeds; first
 * under its retry time, then, for the same delay again, under the time when the
 * bucket need no longer be kept for the delay's sake alone.  (The delay counts
 * from the tick that found the retry due, so that no tick does both: FAILs that
 * it queued show the bucket's cause.) */
#include "pool/state.h"

#include "base/deadline.h"

/* The FAILs that show the cause until now and have not been taken lose it. */
static void set_cause(struct wr_core *core, struct bucket *bucket,
                      weir_error *cause)
{
    struct ticket *ticket;

    if (core->caused > 0 && bucket->cause) {
        TAILQ_FOREACH (ticket, &core->outcomes, line) {
            if (ticket->cause == bucket->cause) {
                ticket->cause = NULL;
                core->caused--;
            }
        }
    }
    wr_free(bucket->cause);
    bucket->cause = cause;
}

static uint64_t longer(uint64_t delay_ns)
{
    return delay_ns == 0 ? WR_BACK_OFF_FIRST_NS
                         : wr_earlier(2 * delay_ns, WR_BACK_OFF_MAX_NS);
}

void wr_pool_back_off(struct wr_core *core, struct bucket *bucket,
                      weir_error *cause, uint64_t now_ns)
{
    set_cause(core, bucket, cause);
    if (bucket->is_backing_off)
        return; /* dialled before this back-off: of the same round */
    bucket->is_backing_off = true;
    bucket->delay_ns = longer(bucket->delay_ns);
    bucket->retry_ns = wr_after(now_ns, bucket->delay_ns);
    wr_heap_remove(&core->back_offs, &bucket->back_off);
    wr_heap_insert(&core->back_offs, &bucket->back_off, bucket->retry_ns);
    wr_pool_update_needs(core, bucket);
}

void wr_pool_forget_failures(struct wr_core *core, struct bucket *bucket)
{
    if (bucket->delay_ns == 0)
        return;
    bucket->is_backing_off = false;
    bucket->delay_ns = 0;
    wr_heap_remove(&core->back_offs, &bucket->back_off);
    set_cause(core, bucket, NULL);
    wr_pool_update_needs(core, bucket);
}

static void end_round(struct wr_core *core, struct bucket *bucket,
                      uint64_t now_ns)
{
    wr_heap_remove(&core->back_offs, &bucket->back_off);
    if (bucket->is_backing_off) {
        bucket->is_backing_off = false;
        wr_heap_insert(&core->back_offs, &bucket->back_off,
                       wr_after(now_ns, bucket->delay_ns));
        wr_pool_update_needs(core, bucket);
    } else {
        wr_pool_drop_if_empty(core, bucket);
    }
}

void wr_pool_tick_back_offs(struct wr_core *core, uint64_t now_ns)
{
    while (wr_heap_min(&core->back_offs) <= now_ns)
        end_round(
            core,
            WR_OWNER(wr_heap_first(&core->back_offs), struct bucket, back_off),
            now_ns);
}

uint64_t wr_core_retry_ns(const struct wr_core *core, wr_ticket_id id)
{
    const struct ticket *ticket = wr_pool_find_ticket(core, id);

    if (!ticket || ticket->outcome != WR_ACT_NONE ||
        !ticket->bucket->is_backing_off)
        return WR_NEVER;
    return ticket->bucket->retry_ns;
}
