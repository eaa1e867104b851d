#include "drive/blocking_hedge.h"

#include <errno.h>
#include <poll.h>

#include "base/error.h"
#include "drive/aside.h"
#include "drive/blocking_inner.h"
#include "drive/hedge.h"
#include "drive/leaks.h"
#include "drive/lease.h"
#include "drive/outcome.h"
#include "drive/transact.h"
#include "net/clock.h"

/* One of the pair. */
struct leg {
    struct weir_response *response; /* NULL: there is none */
    bool is_coming;                 /* its connection is; the hedge's alone */
    bool is_sent;
    uint64_t heard_ns; /* when the peer was last heard of */
};

struct pair {
    struct weir_pool *pool;
    struct wr_course *course;
    uint64_t due_ns; /* when the hedge is; WR_NEVER: it has been */
    struct leg first;
    struct leg hedge;
    struct wr_head_limits hedge_limits;
    struct wr_aside aside; /* while hedge.is_coming */
};

/* --- a request that is under way ----------------------------------------- */

static void sent_all(struct leg *leg)
{
    leg->is_sent = true;
    leg->heard_ns = wr_now();
    leg->response->times.sent_ns = leg->heard_ns;
    wr_trace_sent(leg->response, leg->response->exchange.request);
}

/* Sends what can be sent now.  WAIT or ERROR. */
static enum wr_step send_some(struct leg *leg, weir_error *err)
{
    struct wr_exchange *ex = &leg->response->exchange;

    while (!leg->is_sent) {
        struct iovec iov[2];
        size_t len;
        const int count = wr_exchange_output(ex, iov, err);
        enum wr_io io;

        if (count < 0)
            return WR_STEP_ERROR;
        if (count == 0 && ex->request->body.is_late)
            return wr_blocking_body_is_late(err);
        if (count == 0 && ex->is_held) {
            wr_exchange_unhold(ex); /* it has been waited for long enough */
            continue;
        }
        io = count ? wr_transport_writev(&leg->response->conn->io, iov, count,
                                         &len)
                   : WR_IO_EOF;
        if (io == WR_IO_AGAIN)
            return WR_STEP_WAIT;
        if (io == WR_IO_OK) {
            wr_exchange_sent(ex, len);
            continue;
        }
        if (io == WR_IO_ERROR &&
            wr_send_failed(leg->response, errno, err) == WR_STEP_ERROR)
            return WR_STEP_ERROR;
        sent_all(leg); /* or the peer takes no more, and may say why */
    }
    return WR_STEP_WAIT;
}

/* Receives what is there.  DONE: the head is in. */
static enum wr_step receive_some(struct leg *leg, weir_error *err)
{
    const struct wr_exchange *ex = &leg->response->exchange;
    enum wr_step step;
    uint64_t before;

    do {
        before = ex->bytes_received;
        step = wr_blocking_receive_head(leg->response, true, 0, err);
        if (ex->bytes_received != before)
            leg->heard_ns = wr_now();
    } while (step == WR_STEP_WAIT && ex->bytes_received != before);
    return step;
}

static enum wr_step go_on(struct leg *leg, weir_error *err)
{
    enum wr_step step = leg->is_sent ? WR_STEP_WAIT : send_some(leg, err);
    uint64_t now_ns;

    if (step == WR_STEP_WAIT)
        step = receive_some(leg, err);
    now_ns = wr_now();
    if (step == WR_STEP_WAIT &&
        now_ns >= wr_read_deadline(leg->response, leg->heard_ns)) {
        wr_time_ran_out(leg->response, now_ns, err);
        step = WR_STEP_ERROR;
    }
    return step;
}

/* --- the hedge ----------------------------------------------------------- */

/* Its connection is there. */
static enum wr_step begin_sending(struct pair *pair, weir_error *err)
{
    struct weir_response *response = pair->hedge.response;

    pair->hedge.is_coming = false;
    wr_hedge_sent(pair->pool, pair->course, response->number);
    wr_trace_lease(response);
    if (wr_exchange_begin(&response->exchange, pair->course->sent,
                          &pair->hedge_limits, response->fields,
                          err) != WEIR_OK)
        return WR_STEP_ERROR;
    return go_on(&pair->hedge, err);
}

static enum wr_step go_on_hedge(struct pair *pair, weir_error *err)
{
    struct weir_response *response = pair->hedge.response;
    enum wr_step step;

    if (!pair->hedge.is_coming)
        return go_on(&pair->hedge, err);
    if (response->conn)
        return begin_sending(pair, err);
    step = wr_aside_step(pair->pool, &pair->aside, response, err);
    if (step == WR_STEP_DONE)
        return begin_sending(pair, err);
    if (step == WR_STEP_WAIT && wr_now() >= response->deadline_ns) {
        wr_total_ran_out(response->limits.total_ns, err);
        err->stage = pair->aside.thread.stage;
        step = WR_STEP_ERROR;
    }
    return step;
}

/* A response, and a connection or a place in the line.  Why not, or NULL. */
static const char *begin_locked(struct pair *pair, uint64_t now_ns)
{
    const struct weir_response *first = pair->first.response;
    struct weir_pool *pool = pair->pool;
    const char *why_not =
        wr_hedge_begin_locked(pool, pair->course, first->times.sent_ns, now_ns);
    struct weir_response *response;

    if (why_not)
        return why_not;
    response = wr_take_response_locked(pool);
    if (!response)
        return wr_hedge_skip_locked(pool, pair->course);
    wr_response_begin_locked(pool, response, &first->limits,
                             first->times.begun_ns);
    pair->hedge_limits = pool->head_limits;
    pair->hedge_limits.fields = response->fields_max;
    pair->hedge = (struct leg){.response = response, .is_coming = true};
    if (wr_aside_begin_locked(pool, &pair->aside, pair->course->sent, response,
                              now_ns) == WEIR_OK)
        return NULL;
    return wr_hedge_skip_locked(pool, pair->course);
}

/* The hedge is due. */
static void begin_hedge(struct pair *pair, uint64_t now_ns)
{
    const char *why_not;

    pair->due_ns = WR_NEVER;
    pthread_mutex_lock(&pair->pool->lock);
    why_not = begin_locked(pair, now_ns);
    pthread_mutex_unlock(&pair->pool->lock);
    if (!why_not)
        return;
    wr_hedge_trace(pair->pool, pair->course, pair->first.response->number,
                   why_not);
    if (pair->hedge.response)
        wr_let_go(pair->hedge.response);
    pair->hedge.response = NULL;
}

/* --- ends ---------------------------------------------------------------- */

/* Gives up one of the pair. */
static void drop(struct pair *pair, struct leg *leg, weir_error *err)
{
    if (leg->is_coming)
        wr_aside_leave(pair->pool, &pair->aside);
    wr_fail_lease(leg->response, err, WEIR_STAGE_RESPONSE);
    wr_let_go(leg->response);
    leg->response = NULL;
}

static void forget_hedge(struct pair *pair, weir_error *err)
{
    pthread_mutex_lock(&pair->pool->lock);
    wr_hedge_forget_locked(pair->course);
    pthread_mutex_unlock(&pair->pool->lock);
    drop(pair, &pair->hedge, err);
}

/* One of the pair is over; the other one has won, or goes on. */
static void end_leg(struct pair *pair, struct leg *leg, bool has_won,
                    weir_error *err)
{
    const bool is_first = leg == &pair->first;
    const bool was_sent = !leg->is_coming;

    if (!is_first && !was_sent && (has_won || wr_is_final(err->code))) {
        forget_hedge(pair, err);
        return;
    }
    drop(pair, leg, err);
    wr_hedge_goes_on(pair->pool, pair->course,
                     &(struct wr_pair_end){.is_hedge_left = is_first,
                                           .has_won = has_won,
                                           .err = err});
}

static void skip_hedge(struct pair *pair, weir_error *err)
{
    const char *skipped;

    pthread_mutex_lock(&pair->pool->lock);
    skipped = wr_hedge_skip_locked(pair->pool, pair->course);
    pthread_mutex_unlock(&pair->pool->lock);
    wr_hedge_trace(pair->pool, pair->course, pair->first.response->number,
                   skipped);
    drop(pair, &pair->hedge, err);
}

/* The head of one is in. */
static enum wr_step win(struct pair *pair, struct leg *loser)
{
    weir_error cancelled;

    cancelled.stage = WEIR_STAGE_NONE;
    wr_error_set(&cancelled, WEIR_E_CANCELLED,
                 "the other request of a hedged pair was answered first");
    if (loser->response)
        end_leg(pair, loser, true, &cancelled);
    return WR_STEP_DONE;
}

/* One of the pair has failed.  ERROR: that was the end of both. */
static enum wr_step lose(struct pair *pair, struct leg *loser,
                         const struct leg *other, weir_error *err)
{
    if (!other->response)
        return WR_STEP_ERROR;
    if (loser == &pair->first && wr_is_final(err->code)) {
        weir_error cancelled = *err;

        end_leg(pair, &pair->hedge, false, &cancelled);
        return WR_STEP_ERROR;
    }
    if (loser->is_coming && err->code == WEIR_E_ACQUIRE_TIMEOUT)
        skip_hedge(pair, err);
    else
        end_leg(pair, loser, false, err);
    return WR_STEP_WAIT;
}

/* --- both ---------------------------------------------------------------- */

static enum wr_step go_on_first(struct pair *pair, weir_error *err)
{
    const enum wr_step step = go_on(&pair->first, err);

    if (step == WR_STEP_DONE)
        return win(pair, &pair->hedge);
    return step == WR_STEP_ERROR ? lose(pair, &pair->first, &pair->hedge, err)
                                 : step;
}

static enum wr_step step(struct pair *pair, weir_error *err)
{
    enum wr_step step = WR_STEP_WAIT;
    uint64_t now_ns;

    if (pair->first.response)
        step = go_on_first(pair, err);
    now_ns = wr_now();
    if (step == WR_STEP_WAIT && pair->first.response && pair->due_ns <= now_ns)
        begin_hedge(pair, now_ns);
    if (step != WR_STEP_WAIT || !pair->hedge.response)
        return step;
    err->stage = WEIR_STAGE_NONE;
    step = go_on_hedge(pair, err);
    if (step == WR_STEP_DONE)
        return win(pair, &pair->first);
    return step == WR_STEP_ERROR ? lose(pair, &pair->hedge, &pair->first, err)
                                 : step;
}

static unsigned add_leg(const struct leg *leg, struct pollfd *fds,
                        uint64_t *deadline_ns)
{
    if (!leg->response || leg->is_coming)
        return 0;
    *deadline_ns = wr_earlier(*deadline_ns,
                              wr_read_deadline(leg->response, leg->heard_ns));
    *fds = (struct pollfd){.fd = leg->response->conn->io.fd,
                           .events = POLLIN | (leg->is_sent ? 0 : POLLOUT)};
    return 1;
}

/* Until one of them can go on. */
static void wait_for_both(struct pair *pair)
{
    struct pollfd fds[2 + WR_ASIDE_FDS] = {{0}};
    uint64_t deadline_ns = pair->first.response ? pair->due_ns : WR_NEVER;
    unsigned count = add_leg(&pair->first, fds, &deadline_ns);
    const unsigned aside = count;

    if (pair->hedge.response && pair->hedge.is_coming) {
        deadline_ns =
            wr_earlier(deadline_ns, pair->hedge.response->deadline_ns);
        count += wr_aside_waits(&pair->aside, fds + aside, &deadline_ns);
    } else {
        count += add_leg(&pair->hedge, fds + count, &deadline_ns);
    }
    if (poll(fds, count, wr_poll_timeout(deadline_ns, wr_now())) <= 0) {
        for (unsigned i = 0; i < count; i++)
            fds[i].revents = 0;
    }
    if (pair->hedge.response && pair->hedge.is_coming)
        wr_aside_polled(&pair->aside, fds + aside);
}

/* The hedge has won, so its lease is the program's to forget. */
static void watch(struct weir_pool *pool, struct weir_response *response,
                  const struct weir_request *request)
{
    pthread_mutex_lock(&pool->lock);
    wr_leaks_watch_locked(pool, response, request, NULL, wr_leaks_place(),
                          wr_now());
    pthread_mutex_unlock(&pool->lock);
}

weir_status wr_blocking_await_hedged(struct weir_pool *pool,
                                     struct wr_course *course,
                                     struct wr_head_limits *limits,
                                     struct weir_response **response,
                                     weir_error *err)
{
    const uint64_t sent_ns = (*response)->times.sent_ns;
    struct pair pair = {
        .pool = pool,
        .course = course,
        .due_ns = wr_hedge_due(course, sent_ns),
        .first = {.response = *response, .is_sent = true, .heard_ns = sent_ns},
    };
    enum wr_step end;

    while ((end = step(&pair, err)) == WR_STEP_WAIT)
        wait_for_both(&pair);
    if (!pair.first.response) {
        if (pair.hedge.is_coming)
            wr_aside_leave(pool, &pair.aside);
        *response = pair.hedge.response;
        *limits = pair.hedge_limits;
    }
    if (end == WR_STEP_DONE && *response == pair.hedge.response)
        watch(pool, *response, course->sent);
    return end == WR_STEP_DONE ? WEIR_OK : err->code;
}
