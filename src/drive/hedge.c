#include "drive/hedge.h"

#include "drive/outcome.h"
#include "net/clock.h"

/* --- when ---------------------------------------------------------------- */

uint64_t wr_hedge_delay_locked(const struct wr_course *course)
{
    const struct wr_hedge_rules *rules = &course->policy.hedge;
    uint64_t delay_ns = rules->delay_ns;

    if (!wr_request_is_repeatable(course->sent))
        return 0;
    if (rules->p95 && wr_origin_p95(course->origin, &delay_ns) && delay_ns == 0)
        delay_ns = 1; /* 0 is never */
    return delay_ns;
}

/* Like is measured by like: what could not have been hedged, or is hedged by a
 * fixed delay, says nothing.  What a hedge has won would have taken the first
 * request longer, and counts at least as long: else each hedge would make the
 * next ones come earlier. */
void wr_hedge_learn_locked(struct weir_pool *pool, struct wr_course *course,
                           const struct weir_response *response)
{
    const struct wr_call_times *times = &response->times;
    const uint64_t sent_ns =
        course->first_sent_ns ? course->first_sent_ns : times->sent_ns;

    if (course->attempts[course->now].kind == WEIR_ATTEMPT_HEDGE)
        pool->tally.hedges_won++;
    if (course->policy.hedge.p95 && response->exchange.head.status < 500 &&
        wr_request_is_repeatable(course->sent))
        wr_origin_count_latency(course->origin, times->head_ns - sent_ns);
}

/* --- whether ------------------------------------------------------------- */

/* No probe of a breaker is a hedge. */
static bool is_admitted_locked(struct wr_course *course, uint64_t now_ns)
{
    struct wr_debt *debt = &course->hedge_debt;
    uint64_t probe_ns;

    if (course->debt.has_pass)
        debt->has_pass =
            wr_origin_breaker_state(course->origin) == WR_BREAKER_CLOSED &&
            wr_origin_admit(course->origin, &course->policy.breaker, now_ns,
                            &debt->pass, &probe_ns);
    if (course->debt.has_pass && !debt->has_pass)
        return false;
    debt->has_retry = wr_origin_begin_retry(course->origin, now_ns);
    return debt->has_retry;
}

static void settle_hedge_locked(struct wr_course *course)
{
    wr_debt_settle_locked(course, &course->hedge_debt, WR_OUTCOME_NEUTRAL,
                          wr_now());
}

const char *wr_hedge_begin_locked(struct weir_pool *pool,
                                  struct wr_course *course, uint64_t sent_ns,
                                  uint64_t now_ns)
{
    if (!wr_source_can_begin(&course->sent->body))
        return "skipped: the body cannot be sent again";
    if (!wr_core_has_place(pool->core, &course->sent->target->key)) {
        pool->tally.hedges_skipped++;
        return "skipped: no connection is free";
    }
    if (!is_admitted_locked(course, now_ns)) {
        settle_hedge_locked(course);
        pool->tally.hedges_denied++;
        return "denied by the budget of the origin, or its breaker";
    }
    if (!wr_course_hedge(course, sent_ns, now_ns)) {
        settle_hedge_locked(course);
        pool->tally.hedges_skipped++;
        return "skipped: no memory";
    }
    return NULL;
}

const char *wr_hedge_skip_locked(struct weir_pool *pool,
                                 struct wr_course *course)
{
    wr_hedge_forget_locked(course);
    pool->tally.hedges_skipped++;
    return "skipped: no connection is free";
}

void wr_hedge_forget_locked(struct wr_course *course)
{
    settle_hedge_locked(course);
    wr_course_forget_hedge(course);
}

/* --- what comes of it ---------------------------------------------------- */

void wr_hedge_trace(struct weir_pool *pool, const struct wr_course *course,
                    uint64_t connection, const char *what)
{
    if (WR_TRACES(pool))
        wr_trace(pool, WEIR_TRACE_HEDGE, connection,
                 course->sent->target->origin,
                 wr_now() - course->attempts[0].begun_ns, "%s", what);
}

void wr_hedge_sent(struct weir_pool *pool, const struct wr_course *course,
                   uint64_t connection)
{
    pthread_mutex_lock(&pool->lock);
    pool->tally.hedges++;
    pthread_mutex_unlock(&pool->lock);
    if (WR_TRACES(pool))
        wr_trace(pool, WEIR_TRACE_HEDGE, connection,
                 course->sent->target->origin,
                 wr_now() - course->attempts[0].begun_ns,
                 "a second request, %.3f s after the first",
                 (double)(wr_now() - course->first_sent_ns) / 1e9);
}

static void trace_end(struct weir_pool *pool, const struct wr_course *course,
                      const struct wr_pair_end *end)
{
    const char *left = end->is_hedge_left ? "second" : "first";

    if (!WR_TRACES(pool))
        return;
    if (end->has_won)
        wr_trace(pool, WEIR_TRACE_HEDGE, end->err->connection,
                 course->sent->target->origin,
                 wr_now() - course->attempts[0].begun_ns,
                 "the %s request has won", left);
    else
        wr_trace(pool, WEIR_TRACE_HEDGE, end->err->connection,
                 course->sent->target->origin,
                 wr_now() - course->attempts[0].begun_ns,
                 "%s: the %s request goes on", end->err->message, left);
}

void wr_hedge_goes_on(struct weir_pool *pool, struct wr_course *course,
                      const struct wr_pair_end *end)
{
    const struct wr_ending ending = {.error = end->err,
                                     .connection = end->err->connection,
                                     .now_ns = wr_now()};
    struct wr_debt *gone =
        end->is_hedge_left ? &course->debt : &course->hedge_debt;

    pthread_mutex_lock(&pool->lock);
    wr_debt_settle_locked(course, gone, wr_outcome_of(&ending), ending.now_ns);
    if (end->is_hedge_left) {
        course->debt = course->hedge_debt;
        course->hedge_debt = (struct wr_debt){.has_pass = false};
    }
    pthread_mutex_unlock(&pool->lock);
    wr_course_go_on_with(course, end->is_hedge_left, &ending);
    trace_end(pool, course, end);
}
