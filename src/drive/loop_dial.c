/* Dials on a loop.  They belong to their bucket, not to a call; but for one in
 * the place of a stale connection, which is its call's. */
#include "base/error.h"
#include "base/mem.h"
#include "drive/call.h"
#include "drive/dialing.h"
#include "drive/transact.h"
#include "net/clock.h"

/* --- how they come ------------------------------------------------------- */

static struct wr_loop_dial *new_loop_dial(struct wr_dial *dial, wr_conn_id id)
{
    struct wr_loop_dial *added = dial ? wr_calloc(1, sizeof *added) : NULL;

    if (!added)
        return NULL;
    added->dial = dial;
    added->id = id;
    return added;
}

static void post_locked(struct weir_pool *pool, struct wr_loop_dial *dial)
{
    struct wr_loop *loop = wr_loop_choose_locked(pool);

    TAILQ_INSERT_TAIL(&loop->new_dials, dial, link);
    wr_loop_wake_locked(loop);
}

void wr_loop_offer_dial_locked(struct weir_pool *pool, struct wr_target *target,
                               wr_conn_id id, uint64_t limit_ns)
{
    struct wr_dial *dial =
        wr_dial_new(&pool->means, target, wr_now(), limit_ns);
    struct wr_loop_dial *added = new_loop_dial(dial, id);
    weir_error err;

    if (added) {
        post_locked(pool, added);
        return;
    }
    wr_dial_free(dial);
    wr_error_no_memory(&err);
    wr_core_dial_failed(pool->core, id, 0, err.code, NULL, wr_now());
}

bool wr_loop_take_dial_locked(struct weir_pool *pool, struct wr_dial *dial,
                              wr_conn_id id)
{
    struct wr_loop_dial *added = NULL;

    if (pool->loop_count && pool->options.loop == WEIR_LOOP_HOSTED &&
        !pool->is_cut)
        added = new_loop_dial(dial, id);
    if (added)
        post_locked(pool, added);
    return added != NULL;
}

bool wr_loop_renew(struct wr_loop *loop, struct weir_call *call)
{
    struct wr_dial *dial =
        wr_dial_new(&loop->pool->means, call->response->conn->target,
                    loop->now_ns, call->limits.connect_ns);
    struct wr_loop_dial *added = new_loop_dial(dial, 0);
    struct wr_loop_dial_list list = TAILQ_HEAD_INITIALIZER(list);

    if (!added) {
        wr_dial_free(dial);
        return false;
    }
    added->renews = call;
    call->dial = added;
    TAILQ_INSERT_TAIL(&list, added, link);
    wr_loop_adopt_dials(loop, &list);
    return true;
}

/* --- how they go --------------------------------------------------------- */

static void drop_slots_locked(struct wr_loop *loop, struct wr_loop_dial *dial)
{
    for (unsigned i = 0; i < dial->waits.count; i++) {
        if (dial->slots[i])
            wr_slot_drop_locked(loop, dial->slots[i]);
        dial->slots[i] = 0;
    }
    dial->waits.count = 0;
}

static void drop_slots(struct wr_loop *loop, struct wr_loop_dial *dial)
{
    pthread_mutex_lock(&loop->pool->lock);
    drop_slots_locked(loop, dial);
    pthread_mutex_unlock(&loop->pool->lock);
}

/* Out of the loop; what is left is freed. */
static void leave(struct wr_loop *loop, struct wr_loop_dial *dial)
{
    wr_loop_set_due(&loop->dial_due, &dial->due, WR_NEVER);
    TAILQ_REMOVE(&loop->dials, dial, link);
    loop->dial_count--;
    wr_dial_free(dial->dial);
    wr_free(dial);
}

static void end_renewal(struct wr_loop *loop, struct wr_loop_dial *dial,
                        weir_error *err)
{
    struct weir_call *call = dial->renews;
    struct wr_conn *fresh = err ? NULL : wr_dial_take(dial->dial);

    call->dial = NULL;
    leave(loop, dial);
    wr_call_redialed(loop, call, fresh, err);
}

/* It has come to its end; err NULL: well.  Its slots are gone.  A failed one is
 * closed before its place is free. */
static void end(struct wr_loop *loop, struct wr_loop_dial *dial,
                weir_error *err)
{
    struct weir_pool *pool = loop->pool;
    const wr_conn_id id = dial->id;

    if (dial->renews) {
        end_renewal(loop, dial, err);
        return;
    }
    if (err)
        leave(loop, dial);
    pthread_mutex_lock(&pool->lock);
    if (err)
        wr_dialing_failed_locked(pool, id, 0, err);
    else
        wr_dialing_done_locked(pool, dial->dial, id);
    pthread_mutex_unlock(&pool->lock);
    if (!err)
        leave(loop, dial);
}

void wr_loop_drop_dial(struct wr_loop *loop, struct wr_loop_dial *dial)
{
    struct weir_pool *pool = loop->pool;
    const wr_conn_id id = dial->id;

    pthread_mutex_lock(&pool->lock);
    drop_slots_locked(loop, dial);
    pthread_mutex_unlock(&pool->lock);
    if (dial->renews)
        dial->renews->dial = NULL;
    leave(loop, dial);
    if (!id)
        return;
    pthread_mutex_lock(&pool->lock);
    wr_dialing_dropped_locked(pool, id);
    pthread_mutex_unlock(&pool->lock);
}

void wr_loop_drop_dials(struct wr_loop *loop)
{
    struct wr_loop_dial *dial;
    struct wr_loop_dial *next;

    for (dial = TAILQ_FIRST(&loop->dials); dial; dial = next) {
        next = TAILQ_NEXT(dial, link);
        if (!dial->renews) /* else its call ends it */
            wr_loop_drop_dial(loop, dial);
    }
}

/* --- how they go on ------------------------------------------------------ */

/* Registers what the dial waits for.  Within one step it may have closed a
 * descriptor and opened another with the same number, so what was registered
 * for the last one counts for nothing. */
static weir_status register_waits(struct wr_loop *loop,
                                  struct wr_loop_dial *dial,
                                  const struct wr_waits *waits, weir_error *err)
{
    int error = 0;

    pthread_mutex_lock(&loop->pool->lock);
    dial->waits = *waits;
    for (unsigned i = 0; i < waits->count && !error; i++) {
        error = wr_slot_add_locked(loop, waits->fds[i].fd, waits->fds[i].events,
                                   false, &dial->slots[i]);
        if (!error)
            loop->slots[dial->slots[i]].dial = dial;
    }
    if (error)
        drop_slots_locked(loop, dial);
    pthread_mutex_unlock(&loop->pool->lock);
    if (!error)
        return WEIR_OK;
    wr_no_watch(error, err);
    err->stage = wr_dial_stage(dial->dial);
    return err->code;
}

/* Only the handshake keeps to one descriptor. */
static bool waits_as_before(const struct wr_loop_dial *dial,
                            const struct wr_waits *waits, weir_stage before)
{
    return before == WEIR_STAGE_TLS && waits->count == 1 &&
           dial->waits.count == 1 && dial->slots[0] &&
           dial->waits.fds[0].fd == waits->fds[0].fd &&
           dial->waits.fds[0].events == waits->fds[0].events;
}

/* One step, and what it waits for then. */
static enum wr_step step_and_register(struct wr_loop *loop,
                                      struct wr_loop_dial *dial,
                                      const struct wr_waits *ready,
                                      weir_error *err)
{
    const weir_stage before = wr_dial_stage(dial->dial);
    struct wr_waits waits;
    enum wr_step step;

    if (before != WEIR_STAGE_TLS)
        drop_slots(loop, dial);
    step = wr_dial_step(dial->dial, ready, loop->now_ns, &waits, err);
    if (step == WR_STEP_WAIT && waits_as_before(dial, &waits, before)) {
        dial->waits.deadline_ns = waits.deadline_ns;
        return step;
    }
    drop_slots(loop, dial);
    if (step == WR_STEP_WAIT &&
        register_waits(loop, dial, &waits, err) != WEIR_OK)
        return WR_STEP_ERROR;
    return step;
}

void wr_loop_dial_step(struct wr_loop *loop, struct wr_loop_dial *dial,
                       const struct wr_waits *ready)
{
    struct weir_pool *pool = loop->pool;
    enum wr_step step;
    weir_error err;

    pthread_rwlock_rdlock(&pool->dial_gate);
    step = step_and_register(loop, dial, ready, &err);
    pthread_rwlock_unlock(&pool->dial_gate);
    if (WR_TRACES(pool))
        wr_dialing_trace(pool, dial->dial, &dial->told, loop->now_ns);
    if (step == WR_STEP_WAIT)
        wr_loop_set_due(&loop->dial_due, &dial->due, dial->waits.deadline_ns);
    else
        end(loop, dial, step == WR_STEP_ERROR ? &err : NULL);
}

void wr_loop_adopt_dials(struct wr_loop *loop, struct wr_loop_dial_list *list)
{
    struct wr_loop_dial *dial;

    while ((dial = TAILQ_FIRST(list)) != NULL) {
        weir_error err;

        TAILQ_REMOVE(list, dial, link);
        TAILQ_INSERT_TAIL(&loop->dials, dial, link);
        loop->dial_count++;
        if (loop->is_cut && !dial->renews) {
            wr_loop_drop_dial(loop, dial);
        } else if (!wr_loop_reserve(&loop->dial_due, loop->dial_count)) {
            wr_error_no_memory(&err);
            end(loop, dial, &err);
        } else {
            wr_loop_dial_step(loop, dial, NULL);
        }
    }
}
