#include "drive/aside.h"

#include <string.h>

#include "base/error.h"
#include "drive/acquire_inner.h"
#include "drive/dialing.h"
#include "drive/hedge.h"
#include "drive/lease.h"
#include "drive/wake.h"
#include "net/clock.h"

/* --- the line ------------------------------------------------------------ */

static void join_locked(struct weir_pool *pool, struct wr_aside *aside,
                        struct wr_target *target, wr_ticket_id ticket)
{
    struct wr_thread *thread = &aside->thread;

    thread->waiter.ticket = ticket;
    thread->waiter.target = target;
    thread->stage = WEIR_STAGE_WAIT;
    TAILQ_INSERT_TAIL(&pool->threads, thread, link);
    aside->is_in_line = true;
    wr_settle_locked(pool);
}

weir_status wr_aside_begin_locked(struct weir_pool *pool,
                                  struct wr_aside *aside,
                                  const struct weir_request *request,
                                  struct weir_response *response,
                                  uint64_t now_ns)
{
    struct wr_thread *thread = &aside->thread;
    struct wr_action granted;
    wr_ticket_id ticket;
    weir_status status;

    memset(aside, 0, sizeof *aside);
    for (;;) {
        status = wr_core_acquire(pool->core, &request->target->key,
                                 WR_HOME_THREAD, now_ns, WR_HEDGE_WAIT_NS,
                                 &thread->waiter, &granted, &ticket);
        if (status != WEIR_OK)
            return status;
        if (granted.kind != WR_ACT_GRANT)
            break;
        response->conn = granted.opaque;
        response->is_reused = granted.reused;
        response->has_rested = true;
        if (wr_take_granted_locked(pool, response, now_ns))
            return WEIR_OK;
    }
    if (!wr_wake_open_locked(pool, thread)) {
        wr_core_cancel(pool->core, ticket, now_ns);
        wr_settle_if_needed_locked(pool);
        return WEIR_E_SYSTEM;
    }
    join_locked(pool, aside, request->target, ticket);
    return WEIR_OK;
}

static void end_dial_locked(struct weir_pool *pool, struct wr_aside *aside,
                            enum wr_dial_end end, const weir_error *err)
{
    struct wr_dial *dial = aside->dial;

    if (!dial)
        return;
    aside->dial = NULL;
    aside->thread.waits = NULL;
    wr_end_dial_locked(pool, &aside->thread, dial, end, err);
}

static void leave_locked(struct weir_pool *pool, struct wr_aside *aside)
{
    struct wr_thread *thread = &aside->thread;

    end_dial_locked(pool, aside, WR_DIAL_INTERRUPTED, NULL);
    TAILQ_REMOVE(&pool->threads, thread, link);
    wr_wake_close_locked(pool, thread); /* a fork would find it no more */
    wr_leave_dial_locked(pool, thread);
    aside->is_in_line = false;
}

void wr_aside_leave(struct weir_pool *pool, struct wr_aside *aside)
{
    struct wr_waiter *waiter = &aside->thread.waiter;

    if (!aside->is_in_line)
        return;
    pthread_mutex_lock(&pool->lock);
    if (waiter->ticket)
        wr_core_cancel(pool->core, waiter->ticket, wr_now());
    waiter->ticket = 0;
    if (waiter->conn)
        wr_give_back_unused_locked(pool, waiter->conn, wr_now());
    wr_settle_if_needed_locked(pool);
    leave_locked(pool, aside);
    pthread_mutex_unlock(&pool->lock);
}

/* --- going on ------------------------------------------------------------ */

/* Takes the dial that is under way a step forward. */
static void step_dial(struct weir_pool *pool, struct wr_aside *aside)
{
    const uint64_t now_ns = wr_now();
    enum wr_step step;
    weir_error err;

    step = wr_dialing_step(pool, aside->dial,
                           aside->has_ready ? &aside->waits : NULL, now_ns,
                           &aside->waits, &err);
    aside->has_ready = false;
    if (WR_TRACES(pool))
        wr_dialing_trace(pool, aside->dial, &aside->told, now_ns);
    aside->thread.stage = wr_dial_stage(aside->dial);
    if (step == WR_STEP_WAIT)
        return;
    pthread_mutex_lock(&pool->lock);
    end_dial_locked(pool, aside,
                    step == WR_STEP_DONE ? WR_DIAL_OK : WR_DIAL_ERROR, &err);
    pthread_mutex_unlock(&pool->lock);
}

/* Begins the dial that the pool has offered. */
static void begin_dial(struct weir_pool *pool, struct wr_aside *aside,
                       const struct weir_response *response)
{
    struct wr_thread *thread = &aside->thread;
    weir_error err;

    aside->dial = thread->dial
                      ? thread->dial
                      : wr_dial_new(&pool->means, thread->waiter.target,
                                    wr_now(), response->limits.connect_ns);
    thread->dial = NULL;
    if (aside->dial) {
        wr_waits_clear(&aside->waits);
        aside->has_ready = false;
        aside->told = 0;
        /* cppcheck-suppress autoVariables ; it is taken back */
        thread->waits = &aside->waits;
        return;
    }
    wr_error_no_memory(&err);
    pthread_mutex_lock(&pool->lock);
    wr_end_dial_locked(pool, thread, NULL, WR_DIAL_ERROR, &err);
    pthread_mutex_unlock(&pool->lock);
}

/* The ticket has ended: out of the line. */
static enum wr_step end_ticket_locked(struct weir_pool *pool,
                                      struct wr_aside *aside,
                                      struct weir_response *response,
                                      weir_error *err)
{
    const struct wr_waiter *waiter = &aside->thread.waiter;

    leave_locked(pool, aside);
    if (!waiter->conn) {
        *err = waiter->error;
        return WR_STEP_ERROR;
    }
    response->conn = waiter->conn;
    response->is_reused = waiter->is_reused;
    response->has_rested = waiter->is_reused;
    if (wr_take_granted_locked(pool, response, wr_now()))
        return WR_STEP_DONE;
    wr_error_set(err, WEIR_E_ACQUIRE_TIMEOUT, "the connection was dead");
    return WR_STEP_ERROR;
}

/* What others have done meanwhile. */
static enum wr_step take_news(struct weir_pool *pool, struct wr_aside *aside,
                              struct weir_response *response,
                              bool *ret_is_offered, weir_error *err)
{
    const struct wr_waiter *waiter = &aside->thread.waiter;
    enum wr_step step = WR_STEP_WAIT;

    pthread_mutex_lock(&pool->lock);
    wr_tick_locked(pool, wr_now());
    if (waiter->conn || waiter->status != WEIR_OK)
        step = end_ticket_locked(pool, aside, response, err);
    *ret_is_offered = aside->thread.dial_id && !aside->dial;
    pthread_mutex_unlock(&pool->lock);
    return step;
}

enum wr_step wr_aside_step(struct weir_pool *pool, struct wr_aside *aside,
                           struct weir_response *response, weir_error *err)
{
    bool is_offered;

    wr_wake_hear(&aside->thread);
    for (;;) {
        enum wr_step step;

        if (aside->dial)
            step_dial(pool, aside);
        step = take_news(pool, aside, response, &is_offered, err);
        if (step != WR_STEP_WAIT || !is_offered)
            return step;
        begin_dial(pool, aside, response);
    }
}

/* --- waiting ------------------------------------------------------------- */

unsigned wr_aside_waits(const struct wr_aside *aside, struct pollfd *fds,
                        uint64_t *deadline_ns)
{
    const unsigned count = aside->dial ? aside->waits.count : 0;

    memcpy(fds, aside->waits.fds, count * sizeof *fds);
    fds[count] = (struct pollfd){aside->thread.wake_fd, POLLIN, 0};
    if (aside->dial)
        *deadline_ns = wr_earlier(*deadline_ns, aside->waits.deadline_ns);
    return count + 1;
}

void wr_aside_polled(struct wr_aside *aside, const struct pollfd *fds)
{
    if (!aside->dial)
        return;
    memcpy(aside->waits.fds, fds, aside->waits.count * sizeof *fds);
    aside->has_ready = true;
}
