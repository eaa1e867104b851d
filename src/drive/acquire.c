#include "drive/acquire.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "conn/reuse.h"
#include "drive/acquire_inner.h"
#include "drive/dialing.h"
#include "drive/follow.h"
#include "drive/keeper.h"
#include "drive/leaks.h"
#include "drive/loop.h"
#include "drive/transact.h"
#include "drive/wake.h"
#include "net/clock.h"

/* --- keeping time -------------------------------------------------------- */

/* Where no hosted loop keeps time for the core, one of the sleeping threads
 * does; which one changes as they come and go. */
static bool must_keep_time(const struct weir_pool *pool)
{
    return !pool->timekeeper && !wr_loop_keeps_time(pool);
}

/* This thread sleeps no more: another one keeps time. */
static void pass_time_on_locked(struct weir_pool *pool)
{
    struct wr_thread *other;

    if (!must_keep_time(pool))
        return;
    TAILQ_FOREACH (other, &pool->threads, link) {
        if (other->is_asleep) {
            wr_wake_thread(other);
            return;
        }
    }
}

/* --- dialling ------------------------------------------------------------ */

/* Waits for what the dial waits for, or for the waiter to be woken. */
static void wait_for(struct wr_waits *waits, int wake_fd, uint64_t until_ns)
{
    const uint64_t deadline_ns = wr_earlier(waits->deadline_ns, until_ns);
    unsigned count = waits->count;

    if (wake_fd >= 0 && count < WR_WAITS_MAX)
        waits->fds[count++] = (struct pollfd){wake_fd, POLLIN, 0};
    if (poll(waits->fds, count, wr_poll_timeout(deadline_ns, wr_now())) <= 0) {
        for (unsigned i = 0; i < count; i++)
            waits->fds[i].revents = 0;
    }
}

static bool is_woken(const struct wr_waits *waits, int wake_fd)
{
    return wake_fd >= 0 && waits->count < WR_WAITS_MAX &&
           waits->fds[waits->count].fd == wake_fd &&
           (waits->fds[waits->count].revents & POLLIN);
}

/* Runs a dial to its end, or until the waiter is woken or the call's time is
 * up.  Without the lock. */
static enum wr_dial_end drive_dial(struct weir_pool *pool, struct wr_dial *dial,
                                   struct wr_thread *thread, uint64_t until_ns,
                                   weir_error *ret_err)
{
    const int wake_fd = thread->wake_fd;
    struct wr_waits waits = {.count = 0};
    const struct wr_waits *ready = NULL;
    enum wr_step step;
    unsigned told = 0;
    bool is_over = false;

    /* cppcheck-suppress autoVariables ; it is taken back below */
    thread->waits = &waits;
    for (;;) {
        const uint64_t now_ns = wr_now();

        step = wr_dialing_step(pool, dial, ready, now_ns, &waits, ret_err);
        if (WR_TRACES(pool))
            wr_dialing_trace(pool, dial, &told, now_ns);
        if (step != WR_STEP_WAIT || is_over)
            break;
        wait_for(&waits, wake_fd, until_ns);
        /* One more step: it may be done by now. */
        is_over = is_woken(&waits, wake_fd) || wr_now() >= until_ns;
        ready = &waits;
    }
    thread->waits = NULL;
    if (step == WR_STEP_WAIT)
        return WR_DIAL_INTERRUPTED;
    return step == WR_STEP_DONE ? WR_DIAL_OK : WR_DIAL_ERROR;
}

/* Gives a dial under way to the oldest thread that waits for the same bucket
 * and has none, or to a loop.  false: there is nobody. */
static bool hand_over_locked(struct weir_pool *pool, struct wr_dial *dial,
                             wr_conn_id id)
{
    struct wr_thread *other =
        wr_free_hand_locked(pool, &wr_dial_target(dial)->key);

    if (!other)
        return wr_loop_take_dial_locked(pool, dial, id);
    other->dial = dial;
    other->dial_id = id;
    wr_wake_thread(other);
    return true;
}

void wr_end_dial_locked(struct weir_pool *pool, struct wr_thread *thread,
                        struct wr_dial *dial, enum wr_dial_end end,
                        const weir_error *err)
{
    const wr_conn_id id = thread->dial_id;

    thread->dial_id = 0;
    if (end == WR_DIAL_INTERRUPTED && hand_over_locked(pool, dial, id))
        return;
    if (end == WR_DIAL_OK)
        wr_dialing_done_locked(pool, dial, id);
    /* Its sockets are closed before its place is free. */
    pthread_mutex_unlock(&pool->lock);
    wr_dial_free(dial);
    pthread_mutex_lock(&pool->lock);
    if (end == WR_DIAL_ERROR)
        wr_dialing_failed_locked(pool, id, thread->waiter.ticket, err);
    else if (end == WR_DIAL_INTERRUPTED)
        wr_dialing_dropped_locked(pool, id);
}

/* Runs the dial that the pool has offered to this thread. */
static void run_offered_dial_locked(struct weir_pool *pool,
                                    struct wr_thread *thread,
                                    struct weir_response *response)
{
    struct wr_dial *dial = thread->dial;
    enum wr_dial_end end;
    weir_error err;

    thread->dial = NULL;
    wr_wake_open_locked(pool, thread); /* without one it is not woken early */
    pass_time_on_locked(pool);
    pthread_mutex_unlock(&pool->lock);
    if (!dial)
        dial = wr_dial_new(&pool->means, thread->waiter.target, wr_now(),
                           response->limits.connect_ns);
    if (dial) {
        end = drive_dial(pool, dial, thread, response->deadline_ns, &err);
        thread->stage = wr_dial_stage(dial);
    } else {
        end = WR_DIAL_ERROR;
        wr_error_no_memory(&err);
    }
    pthread_mutex_lock(&pool->lock);
    wr_wake_close_locked(pool, thread);
    wr_end_dial_locked(pool, thread, dial, end, &err);
}

/* --- waiting ------------------------------------------------------------- */

/* Sleeps until woken or the deadline. */
static void sleep_locked(struct weir_pool *pool, struct wr_thread *thread,
                         uint64_t deadline_ns)
{
    struct timespec until;

    if (must_keep_time(pool)) {
        pool->timekeeper = thread;
        deadline_ns = wr_earlier(deadline_ns, wr_core_deadline(pool->core));
        deadline_ns = wr_earlier(deadline_ns, wr_leaks_due_locked(pool));
    }
    thread->is_asleep = true;
    until.tv_sec = (time_t)(deadline_ns / WR_SECOND);
    until.tv_nsec = (long)(deadline_ns % WR_SECOND);
    if (deadline_ns == WR_NEVER)
        pthread_cond_wait(&thread->wake, &pool->lock);
    else
        pthread_cond_clockwait(&thread->wake, &pool->lock, CLOCK_MONOTONIC,
                               &until);
    thread->is_asleep = false;
    if (pool->timekeeper == thread)
        pool->timekeeper = NULL;
}

static bool is_settled(const struct wr_thread *thread)
{
    return thread->waiter.conn || thread->waiter.status != WEIR_OK;
}

/* The call's time is up: leaves the line, unless the outcome has just come. */
static void give_up_locked(struct weir_pool *pool, struct wr_thread *thread,
                           const struct weir_response *response)
{
    struct wr_waiter *waiter = &thread->waiter;

    wr_core_cancel(pool->core, waiter->ticket, wr_now());
    waiter->ticket = 0;
    waiter->status =
        wr_total_ran_out(response->limits.total_ns, &waiter->error);
    waiter->error.stage = thread->stage;
    wr_settle_if_needed_locked(pool);
}

/* Stays in the line until the ticket ends. */
static void wait_in_line_locked(struct weir_pool *pool,
                                struct wr_thread *thread,
                                struct weir_response *response)
{
    uint64_t look_ns =
        wr_after(response->times.begun_ns, response->limits.acquire_ns);

    while (!is_settled(thread)) {
        const uint64_t now_ns = wr_now();

        wr_tick_locked(pool, now_ns);
        if (is_settled(thread))
            return;
        if (now_ns >= response->deadline_ns) {
            give_up_locked(pool, thread, response);
        } else if (thread->dial_id) {
            run_offered_dial_locked(pool, thread, response);
        } else {
            thread->stage = WEIR_STAGE_WAIT;
            /* Once its own time in the line is over and it has not failed, it
             * is covered by a dial, whose outcome will wake it. */
            if (look_ns <= now_ns)
                look_ns = WR_NEVER;
            sleep_locked(pool, thread,
                         wr_earlier(look_ns, response->deadline_ns));
        }
    }
}

void wr_leave_dial_locked(struct weir_pool *pool, struct wr_thread *thread)
{
    struct wr_dial *dial = thread->dial;
    const wr_conn_id id = thread->dial_id;

    if (!id)
        return;
    thread->dial = NULL;
    if (dial) {
        wr_end_dial_locked(pool, thread, dial, WR_DIAL_INTERRUPTED, NULL);
        return;
    }
    thread->dial_id = 0;
    wr_dialing_dropped_locked(pool, id);
}

static weir_status queue_locked(struct weir_pool *pool,
                                struct wr_thread *thread,
                                struct weir_response *response,
                                weir_error *ret_err)
{
    pthread_cond_init(&thread->wake, NULL);
    TAILQ_INSERT_TAIL(&pool->threads, thread, link);
    wr_settle_locked(pool);
    if (!thread->dial_id && !is_settled(thread) && WR_TRACES(pool)) {
        pthread_mutex_unlock(&pool->lock);
        wr_trace(pool, WEIR_TRACE_WAIT, 0, thread->waiter.target->origin, 0,
                 "no connection is free");
        pthread_mutex_lock(&pool->lock);
    }
    wait_in_line_locked(pool, thread, response);
    TAILQ_REMOVE(&pool->threads, thread, link);
    pass_time_on_locked(pool);
    wr_leave_dial_locked(pool, thread);
    pthread_cond_destroy(&thread->wake);
    if (thread->waiter.conn)
        return WEIR_OK;
    if (ret_err)
        *ret_err = thread->waiter.error;
    return thread->waiter.status;
}

/* --- checking ------------------------------------------------------------ */

bool wr_is_alive_locked(struct weir_pool *pool, struct wr_conn *conn,
                        uint64_t now_ns)
{
    const uint64_t since_ns = wr_core_idle_since(pool->core, conn->id);
    weir_close_reason reason = WEIR_CLOSE_MOVED;

    if (!wr_has_moved_locked(pool, conn)) {
        enum wr_io io;
        int error;

        if (wr_left(now_ns, since_ns) < pool->validate_ns)
            return true;
        pthread_mutex_unlock(&pool->lock);
        io = wr_transport_peek(&conn->io);
        error = errno;
        pthread_mutex_lock(&pool->lock);
        if (io == WR_IO_AGAIN)
            return true;
        reason = wr_judge_idle(io, error);
    }
    wr_core_release(pool->core, conn->id, now_ns, false, reason, WR_NEVER);
    wr_settle_if_needed_locked(pool);
    return false;
}

weir_status wr_refused_locked(const struct weir_pool *pool, weir_status status,
                              weir_error *ret_err)
{
    if (status == WEIR_E_QUEUE_FULL)
        wr_error_set(ret_err, status,
                     "the waiting line is full (max_waiting %u)",
                     pool->options.max_waiting);
    else
        wr_error_set(ret_err, status, "%s", weir_status_meaning(status));
    if (ret_err)
        ret_err->stage = WEIR_STAGE_WAIT;
    return status;
}

/* One try: a connection that was idle, or what the line brings. */
static weir_status take_locked(struct weir_pool *pool, struct wr_target *target,
                               struct weir_response *response, uint64_t now_ns,
                               weir_error *ret_err)
{
    struct wr_thread thread;
    struct wr_action granted;
    wr_ticket_id ticket;
    weir_status status = wr_core_acquire(
        pool->core, &target->key, WR_HOME_THREAD, now_ns,
        response->limits.acquire_ns, &thread.waiter, &granted, &ticket);

    if (status != WEIR_OK)
        return wr_refused_locked(pool, status, ret_err);
    if (granted.kind == WR_ACT_GRANT) {
        response->conn = granted.opaque;
        response->is_reused = granted.reused;
        response->has_rested = true;
        return WEIR_OK;
    }
    memset(&thread, 0, sizeof thread);
    thread.waiter.ticket = ticket;
    thread.waiter.target = target;
    thread.wake_fd = -1;
    thread.stage = WEIR_STAGE_WAIT;
    status = queue_locked(pool, &thread, response, ret_err);
    response->conn = thread.waiter.conn;
    response->is_reused = thread.waiter.is_reused;
    response->has_rested = thread.waiter.is_reused;
    return status;
}

static inline bool take_granted_locked(struct weir_pool *pool,
                                       struct weir_response *response,
                                       uint64_t now_ns)
{
    wr_loop_detach_locked(response->conn);
    if (!wr_is_alive_locked(pool, response->conn, now_ns)) {
        response->conn = NULL;
        return false;
    }
    response->number = response->conn->number;
    if (!response->is_reused)
        response->times.dial = wr_conn_times(response->conn);
    response->times.granted_ns = now_ns;
    return true;
}

weir_status wr_acquire_locked(struct weir_pool *pool,
                              const struct weir_request *request,
                              struct weir_response *response, uint64_t now_ns,
                              weir_error *ret_err)
{
    wr_tick_locked(pool, now_ns);
    for (;;) {
        const weir_status status =
            take_locked(pool, request->target, response, now_ns, ret_err);

        if (status != WEIR_OK)
            return status;
        if (!response->has_rested)
            now_ns = wr_now();
        if (take_granted_locked(pool, response, now_ns))
            return WEIR_OK;
    }
}

bool wr_take_granted_locked(struct weir_pool *pool,
                            struct weir_response *response, uint64_t now_ns)
{
    return take_granted_locked(pool, response, now_ns);
}

/* --- a stale connection -------------------------------------------------- */

/* Runs a dial in a leased place; the end of the pool interrupts it. */
static enum wr_dial_end dial_in_place(struct weir_pool *pool,
                                      struct wr_dial *dial,
                                      const struct weir_response *response,
                                      weir_error *err)
{
    struct wr_thread thread = {.waiter = {.target = wr_dial_target(dial)}};
    enum wr_dial_end end = WR_DIAL_INTERRUPTED;
    bool is_cut;

    pthread_mutex_lock(&pool->lock);
    wr_wake_open_locked(pool, &thread);
    is_cut = pool->is_cut;
    TAILQ_INSERT_TAIL(&pool->threads, &thread, link);
    pthread_mutex_unlock(&pool->lock);
    if (!is_cut)
        end = drive_dial(pool, dial, &thread, response->deadline_ns, err);
    pthread_mutex_lock(&pool->lock);
    TAILQ_REMOVE(&pool->threads, &thread, link);
    wr_wake_close_locked(pool, &thread);
    pthread_mutex_unlock(&pool->lock);
    if (end == WR_DIAL_INTERRUPTED) {
        if (wr_now() >= response->deadline_ns)
            wr_total_ran_out(response->limits.total_ns, err);
        else
            wr_error_set(err, WEIR_E_CLOSED, "the pool is closed");
        err->stage = wr_dial_stage(dial);
    }
    return end;
}

weir_status wr_redial(struct weir_pool *pool, struct weir_response *response,
                      weir_error *ret_err)
{
    struct wr_dial *dial;
    weir_error err;
    enum wr_dial_end end;

    wr_dialing_drop_stale(pool, response);
    dial = wr_dial_new(&pool->means, response->conn->target, wr_now(),
                       response->limits.connect_ns);
    if (!dial)
        return wr_error_no_memory(ret_err);
    end = dial_in_place(pool, dial, response, &err);
    if (end == WR_DIAL_OK)
        wr_dialing_renew(pool, response, wr_dial_take(dial));
    else if (ret_err)
        *ret_err = err;
    wr_dial_free(dial);
    return end == WR_DIAL_OK ? WEIR_OK : err.code;
}
