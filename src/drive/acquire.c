#include "drive/acquire.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "net/clock.h"

/* --- dialling ------------------------------------------------------------ */

/* Steps that the trace has been told of. */
enum {
    TOLD_RESOLVED = 1,
    TOLD_CONNECTED = 2,
    TOLD_TLS = 4
};

static void trace_dial(struct weir_pool *pool, const struct wr_dial *dial,
                       unsigned *told, uint64_t now_ns)
{
    const struct wr_dial_times *times = wr_dial_times(dial);
    const char *origin = wr_dial_target(dial)->origin;
    const uint64_t elapsed_ns = now_ns - wr_dial_begun(dial);

    if (times->resolve_ns && !(*told & TOLD_RESOLVED)) {
        *told |= TOLD_RESOLVED;
        wr_trace(pool, WEIR_TRACE_RESOLVED, 0, origin, elapsed_ns, "%s",
                 wr_dial_target(dial)->host);
    }
    if (wr_dial_peer(dial)[0] && !(*told & TOLD_CONNECTED)) {
        *told |= TOLD_CONNECTED;
        wr_trace(pool, WEIR_TRACE_CONNECTED, 0, origin, elapsed_ns, "%s",
                 wr_dial_peer(dial));
    }
    if (times->tls_ns && !(*told & TOLD_TLS)) {
        *told |= TOLD_TLS;
        wr_trace(pool, WEIR_TRACE_TLS, 0, origin, elapsed_ns, "%s",
                 wr_dial_tls_text(dial));
    }
}

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

enum dial_end {
    DIAL_ENDED_OK,
    DIAL_ENDED_ERROR,
    DIAL_INTERRUPTED
};

/* Runs a dial to its end, or until the waiter is woken or the call's time is
 * up.  Without the lock. */
static enum dial_end drive_dial(struct weir_pool *pool, struct wr_dial *dial,
                                int wake_fd, uint64_t until_ns,
                                weir_error *ret_err)
{
    struct wr_waits waits;
    const struct wr_waits *ready = NULL;
    unsigned told = 0;

    bool is_over = false;

    for (;;) {
        const uint64_t now_ns = wr_now();
        const enum wr_step step =
            wr_dial_step(dial, ready, now_ns, &waits, ret_err);

        if (WR_TRACES(pool))
            trace_dial(pool, dial, &told, now_ns);
        if (step != WR_STEP_WAIT)
            return step == WR_STEP_DONE ? DIAL_ENDED_OK : DIAL_ENDED_ERROR;
        if (is_over)
            return DIAL_INTERRUPTED;
        wait_for(&waits, wake_fd, until_ns);
        /* One more step: it may be done by now. */
        is_over = is_woken(&waits, wake_fd) || wr_now() >= until_ns;
        ready = &waits;
    }
}

/* Gives a dial under way to the oldest thread that waits for the same bucket
 * and has none.  false: there is no such thread. */
static bool hand_over_locked(struct weir_pool *pool, struct wr_dial *dial,
                             wr_conn_id id)
{
    struct wr_waiter *other =
        wr_free_hand_locked(pool, &wr_dial_target(dial)->key);

    if (!other)
        return false;
    other->dial = dial;
    other->dial_id = id;
    pthread_cond_signal(&other->wake);
    return true;
}

/* The thread's dial has ended, or the thread leaves it: tells the core. */
static void end_dial_locked(struct weir_pool *pool, struct wr_waiter *waiter,
                            struct wr_dial *dial, enum dial_end end,
                            const weir_error *err)
{
    const wr_conn_id id = waiter->dial_id;
    const uint64_t now_ns = wr_now();
    struct wr_conn *conn;

    waiter->dial_id = 0;
    switch (end) {
    case DIAL_ENDED_OK:
        conn = wr_dial_take(dial);
        wr_adopt_locked(pool, conn, id);
        wr_core_dialed(pool->core, id, now_ns, conn, 1);
        break;
    case DIAL_ENDED_ERROR:
        pool->dial_error = err;
        wr_core_dial_failed(pool->core, id, waiter->ticket, err->code, now_ns);
        break;
    case DIAL_INTERRUPTED:
        if (hand_over_locked(pool, dial, id))
            return;
        wr_core_dial_failed(pool->core, id, 0, WEIR_E_CANCELLED, now_ns);
        break;
    }
    wr_settle_locked(pool);
    pthread_mutex_unlock(&pool->lock);
    wr_dial_free(dial);
    pthread_mutex_lock(&pool->lock);
}

static struct wr_dial *new_dial(struct weir_pool *pool,
                                const struct weir_response *response,
                                struct wr_target *target)
{
    struct wr_dial *dial = wr_dial_new(&pool->means, target, wr_now(),
                                       response->limits.connect_ns);

    if (dial && WR_TRACES(pool))
        wr_trace(pool, WEIR_TRACE_DIAL, 0, target->origin, 0, "%s",
                 target->unix_path ? target->unix_path : target->host);
    return dial;
}

/* Runs the dial that the pool has offered to this thread. */
static void run_offered_dial_locked(struct weir_pool *pool,
                                    struct wr_waiter *waiter,
                                    struct wr_target *target,
                                    struct weir_response *response)
{
    struct wr_dial *dial = waiter->dial;
    enum dial_end end;
    weir_error err;

    waiter->dial = NULL;
    waiter->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_unlock(&pool->lock);
    if (!dial)
        dial = new_dial(pool, response, target);
    if (dial) {
        end = drive_dial(pool, dial, waiter->wake_fd, response->deadline_ns,
                         &err);
        response->times.dial = *wr_dial_times(dial);
        waiter->stage = wr_dial_stage(dial);
    } else {
        end = DIAL_ENDED_ERROR;
        wr_error_no_memory(&err);
    }
    pthread_mutex_lock(&pool->lock);
    if (waiter->wake_fd >= 0)
        close(waiter->wake_fd);
    waiter->wake_fd = -1;
    end_dial_locked(pool, waiter, dial, end, &err);
}

/* --- waiting ------------------------------------------------------------- */

/* Sleeps until woken or the deadline. */
static void sleep_locked(struct weir_pool *pool, struct wr_waiter *waiter,
                         uint64_t deadline_ns)
{
    struct timespec until;

    if (deadline_ns == WR_NEVER) {
        pthread_cond_wait(&waiter->wake, &pool->lock);
        return;
    }
    until.tv_sec = (time_t)(deadline_ns / WR_SECOND);
    until.tv_nsec = (long)(deadline_ns % WR_SECOND);
    pthread_cond_clockwait(&waiter->wake, &pool->lock, CLOCK_MONOTONIC, &until);
}

static bool is_settled(const struct wr_waiter *waiter)
{
    return waiter->conn || waiter->status != WEIR_OK;
}

weir_status wr_total_ran_out(const struct weir_response *response,
                             weir_error *err)
{
    return wr_error_set(err, WEIR_E_TOTAL_TIMEOUT,
                        "not done within total_timeout (%.3f s)",
                        (double)response->limits.total_ns / 1e9);
}

/* The call's time is up: leaves the line, unless the outcome has just come. */
static void give_up_locked(struct weir_pool *pool, struct wr_waiter *waiter,
                           const struct weir_response *response)
{
    wr_core_cancel(pool->core, waiter->ticket, wr_now());
    waiter->ticket = 0;
    waiter->status = wr_total_ran_out(response, &waiter->error);
    waiter->error.stage = waiter->stage;
    wr_settle_if_needed_locked(pool);
}

/* Stays in the line until the ticket ends. */
static void wait_in_line_locked(struct weir_pool *pool,
                                struct wr_waiter *waiter,
                                struct wr_target *target,
                                struct weir_response *response)
{
    uint64_t look_ns =
        wr_after(response->times.begun_ns, response->limits.acquire_ns);

    while (!is_settled(waiter)) {
        const uint64_t now_ns = wr_now();

        wr_tick_locked(pool, now_ns);
        if (is_settled(waiter))
            return;
        if (now_ns >= response->deadline_ns) {
            give_up_locked(pool, waiter, response);
        } else if (waiter->dial_id) {
            run_offered_dial_locked(pool, waiter, target, response);
        } else {
            waiter->stage = WEIR_STAGE_WAIT;
            /* Once its own time in the line is over and it has not failed, it
             * is covered by a dial, whose outcome will wake it. */
            if (look_ns <= now_ns)
                look_ns = WR_NEVER;
            sleep_locked(pool, waiter,
                         wr_earlier(look_ns, response->deadline_ns));
        }
    }
}

/* The thread leaves with a dial that it was offered and has not begun. */
static void leave_dial_locked(struct weir_pool *pool, struct wr_waiter *waiter)
{
    struct wr_dial *dial = waiter->dial;
    const wr_conn_id id = waiter->dial_id;

    if (!id)
        return;
    waiter->dial = NULL;
    if (dial) {
        end_dial_locked(pool, waiter, dial, DIAL_INTERRUPTED, NULL);
        return;
    }
    waiter->dial_id = 0;
    wr_core_dial_failed(pool->core, id, 0, WEIR_E_CANCELLED, wr_now());
    wr_settle_locked(pool);
}

static weir_status queue_locked(struct weir_pool *pool,
                                struct wr_waiter *waiter,
                                struct wr_target *target,
                                struct weir_response *response,
                                weir_error *ret_err)
{
    pthread_cond_init(&waiter->wake, NULL);
    TAILQ_INSERT_TAIL(&pool->waiters, waiter, link);
    wr_settle_locked(pool);
    if (!waiter->dial_id && !is_settled(waiter) && WR_TRACES(pool)) {
        pthread_mutex_unlock(&pool->lock);
        wr_trace(pool, WEIR_TRACE_WAIT, 0, target->origin, 0,
                 "no connection is free");
        pthread_mutex_lock(&pool->lock);
    }
    wait_in_line_locked(pool, waiter, target, response);
    TAILQ_REMOVE(&pool->waiters, waiter, link);
    leave_dial_locked(pool, waiter);
    pthread_cond_destroy(&waiter->wake);
    if (waiter->conn)
        return WEIR_OK;
    if (ret_err)
        *ret_err = waiter->error;
    return waiter->status;
}

/* --- checking ------------------------------------------------------------ */

/* Is a connection that has rested still good (design: bypass window)?  Lets go
 * of the lock to look at the socket.  false: it is given back for closing. */
static bool is_alive_locked(struct weir_pool *pool, struct wr_conn *conn,
                            uint64_t now_ns)
{
    const uint64_t since_ns = wr_core_idle_since(pool->core, conn->id);
    enum wr_io io;

    if (wr_left(now_ns, since_ns) < pool->validate_ns)
        return true;
    pthread_mutex_unlock(&pool->lock);
    io = wr_transport_peek(&conn->io);
    pthread_mutex_lock(&pool->lock);
    if (io == WR_IO_AGAIN)
        return true;
    wr_core_release(pool->core, conn->id, now_ns, false,
                    io == WR_IO_OK ? WEIR_CLOSE_UNEXPECTED_DATA
                                   : WEIR_CLOSE_PEER_CLOSED,
                    WR_NEVER);
    wr_settle_if_needed_locked(pool);
    return false;
}

static weir_status refuse(const struct weir_pool *pool, weir_status status,
                          weir_error *ret_err)
{
    switch (status) {
    case WEIR_E_QUEUE_FULL:
        wr_error_set(ret_err, status,
                     "the waiting line is full (max_waiting %u)",
                     pool->options.max_waiting);
        break;
    default:
        wr_error_set(ret_err, status, "%s", weir_status_meaning(status));
    }
    if (ret_err)
        ret_err->stage = WEIR_STAGE_WAIT;
    return status;
}

weir_status wr_acquire_locked(struct weir_pool *pool,
                              const struct weir_request *request,
                              struct weir_response *response, uint64_t now_ns,
                              weir_error *ret_err)
{
    struct wr_target *target = request->target;

    wr_tick_locked(pool, now_ns);
    for (;;) {
        struct wr_action granted;
        struct wr_waiter waiter;
        wr_ticket_id ticket;
        weir_status status = wr_core_acquire(pool->core, &target->key, now_ns,
                                             response->limits.acquire_ns,
                                             &waiter, &granted, &ticket);

        if (status != WEIR_OK)
            return refuse(pool, status, ret_err);
        if (granted.kind == WR_ACT_GRANT) {
            response->conn = granted.opaque;
            response->is_reused = granted.reused;
            response->has_rested = true;
        } else {
            memset(&waiter, 0, sizeof waiter);
            waiter.ticket = ticket;
            waiter.target = target;
            waiter.wake_fd = -1;
            waiter.stage = WEIR_STAGE_WAIT;
            status = queue_locked(pool, &waiter, target, response, ret_err);
            if (status != WEIR_OK)
                return status;
            response->conn = waiter.conn;
            response->is_reused = waiter.is_reused;
            response->has_rested = waiter.is_reused;
            now_ns = wr_now();
        }
        if (is_alive_locked(pool, response->conn, now_ns))
            break;
        response->conn = NULL;
    }
    response->number = response->conn->number;
    response->times.granted_ns = now_ns;
    return WEIR_OK;
}

/* --- a stale connection -------------------------------------------------- */

static void close_transport(struct weir_pool *pool, const struct wr_conn *conn,
                            struct wr_transport *io)
{
    if (WR_TRACES(pool))
        wr_trace(pool, WEIR_TRACE_CLOSE, conn->number, conn->target->origin, 0,
                 "%s", weir_close_reason_meaning(WEIR_CLOSE_PEER_CLOSED));
    wr_transport_close(io, true);
}

/* Runs a dial in a leased place; the end of the pool interrupts it. */
static enum dial_end dial_in_place(struct weir_pool *pool, struct wr_dial *dial,
                                   const struct weir_response *response,
                                   weir_error *err)
{
    struct wr_waiter waiter = {.target = wr_dial_target(dial)};
    enum dial_end end = DIAL_INTERRUPTED;
    bool is_cut;

    waiter.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_lock(&pool->lock);
    is_cut = pool->is_cut;
    TAILQ_INSERT_TAIL(&pool->waiters, &waiter, link);
    pthread_mutex_unlock(&pool->lock);
    if (!is_cut)
        end =
            drive_dial(pool, dial, waiter.wake_fd, response->deadline_ns, err);
    pthread_mutex_lock(&pool->lock);
    TAILQ_REMOVE(&pool->waiters, &waiter, link);
    pthread_mutex_unlock(&pool->lock);
    if (waiter.wake_fd >= 0)
        close(waiter.wake_fd);
    if (end == DIAL_INTERRUPTED) {
        if (wr_now() >= response->deadline_ns)
            wr_total_ran_out(response, err);
        else
            wr_error_set(err, WEIR_E_CLOSED, "the pool is closed");
        err->stage = wr_dial_stage(dial);
    }
    return end;
}

/* Puts the transport of a fresh connection under the stale one's lease. */
static void take_over(struct weir_pool *pool, struct wr_conn *conn,
                      struct wr_conn *fresh)
{
    pthread_mutex_lock(&pool->lock);
    conn->io = fresh->io;
    conn->peer = fresh->peer;
    conn->is_resumed = fresh->is_resumed;
    conn->number = ++pool->conn_numbers;
    pool->tally.tls_resumed += fresh->is_resumed;
    wr_core_renewed(pool->core, conn->id, wr_now(), conn, 1,
                    WEIR_CLOSE_PEER_CLOSED);
    pthread_mutex_unlock(&pool->lock);
    fresh->io = (struct wr_transport){.fd = -1};
    wr_conn_free(fresh);
}

weir_status wr_redial(struct weir_pool *pool, struct weir_response *response,
                      weir_error *ret_err)
{
    struct wr_conn *conn = response->conn;
    struct wr_transport stale;
    struct wr_dial *dial;
    weir_error err;
    enum dial_end end;

    pthread_mutex_lock(&pool->lock);
    pool->tally.stale_retries++;
    stale = conn->io;
    conn->io = (struct wr_transport){.fd = -1};
    pthread_mutex_unlock(&pool->lock);
    close_transport(pool, conn, &stale);

    dial = new_dial(pool, response, conn->target);
    if (!dial)
        return wr_error_no_memory(ret_err);
    end = dial_in_place(pool, dial, response, &err);
    response->times.dial = *wr_dial_times(dial);
    if (end == DIAL_ENDED_OK) {
        take_over(pool, conn, wr_dial_take(dial));
        response->number = conn->number;
        response->is_reused = false;
        response->has_rested = false;
    } else if (ret_err) {
        *ret_err = err;
    }
    wr_dial_free(dial);
    return end == DIAL_ENDED_OK ? WEIR_OK : err.code;
}
