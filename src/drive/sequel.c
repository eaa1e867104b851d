#include "drive/sequel.h"

#include <assert.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>

#include "base/error.h"
#include "drive/hedge.h"
#include "drive/outcome.h"
#include "net/clock.h"

void wr_policy_from(const weir_pool_options *options,
                    struct wr_policy *ret_policy)
{
    *ret_policy = (struct wr_policy){
        .max_redirects = options->max_redirects,
        .may_downgrade = options->redirect_downgrade,
        .retry = {.attempts = options->retry_attempts,
                  .delay_ns = wr_seconds(options->retry_delay),
                  .backoff = options->retry_backoff,
                  .max_delay_ns = wr_seconds(options->retry_max_delay)},
        .breaker = {.failures = options->breaker_failures,
                    .rate = options->breaker_rate,
                    .window_ns = wr_seconds(options->breaker_window),
                    .min_requests = options->breaker_min_requests,
                    .open_ns = wr_seconds(options->breaker_open)},
        .hedge = {.delay_ns = wr_seconds(options->hedge_delay),
                  .p95 = options->hedge_p95},
    };
}

/* The pool's policy but for what the request says itself. */
static struct wr_policy policy_of(const struct weir_pool *pool,
                                  const struct weir_request *request)
{
    struct wr_policy policy = pool->policy;

    if (request->max_redirects >= 0)
        policy.max_redirects = (unsigned)request->max_redirects;
    if (request->retry.size)
        policy.retry = (struct wr_retry_rules){
            .attempts = request->retry.attempts,
            .delay_ns = wr_seconds(request->retry.delay),
            .backoff = request->retry.backoff,
            .max_delay_ns = wr_seconds(request->retry.max_delay),
        };
    if (request->hedge.size)
        policy.hedge = (struct wr_hedge_rules){
            .delay_ns = wr_seconds(request->hedge.delay),
            .p95 = request->hedge.p95,
        };
    return policy;
}

/* --- at the origin ------------------------------------------------------- */

static bool has_breaker(const struct wr_course *course)
{
    return course->policy.breaker.failures || course->policy.breaker.rate > 0;
}

static weir_status refuse_locked(struct weir_pool *pool,
                                 const struct wr_course *course,
                                 uint64_t wait_ns, weir_error *ret_err)
{
    pool->tally.breaker_refusals++;
    wr_error_set(ret_err, WEIR_E_BREAKER_OPEN,
                 "%s has failed too often: its breaker is open, the next probe "
                 "may go in %.3f s",
                 course->sent->target->origin, (double)wait_ns / 1e9);
    if (ret_err)
        ret_err->retry_in = (double)wait_ns / 1e9;
    return WEIR_E_BREAKER_OPEN;
}

static weir_status admit_locked(struct weir_pool *pool,
                                struct wr_course *course, uint64_t now_ns,
                                weir_error *ret_err)
{
    struct wr_debt *debt = &course->debt;
    uint64_t probe_ns;

    if (!has_breaker(course))
        return WEIR_OK;
    debt->has_pass = wr_origin_admit(course->origin, &course->policy.breaker,
                                     now_ns, &debt->pass, &probe_ns);
    return debt->has_pass ? WEIR_OK
                          : refuse_locked(pool, course,
                                          wr_left(probe_ns, now_ns), ret_err);
}

/* Nothing more is owed to the origin. */
static void leave_origin_locked(struct weir_pool *pool,
                                struct wr_course *course)
{
    if (!course->origin)
        return;
    assert(!course->has_hedge && !course->hedge_debt.has_retry);
    wr_debt_settle_locked(course, &course->debt, WR_OUTCOME_NEUTRAL, wr_now());
    wr_health_close(pool->health, course->origin);
    course->origin = NULL;
}

weir_status wr_sequel_begin_locked(struct weir_pool *pool,
                                   struct wr_course *course,
                                   weir_error *ret_err)
{
    const uint64_t now_ns = wr_now();

    if (!course->origin) {
        course->origin =
            wr_health_open(pool->health, course->sent->target->origin);
        if (!course->origin)
            return wr_error_no_memory(ret_err);
        wr_origin_count_request(course->origin, now_ns);
    }
    course->hedge_ns = wr_hedge_delay_locked(course);
    return admit_locked(pool, course, now_ns, ret_err);
}

static weir_status open_course(struct weir_pool *pool,
                               struct weir_request *request,
                               struct wr_course **ret_course,
                               weir_error *ret_err)
{
    const struct wr_policy policy = policy_of(pool, request);
    struct wr_course *course;
    weir_status status;

    if (wr_policy_is_plain(&policy))
        return WEIR_OK;
    course = wr_course_new(&policy, request, wr_now());
    if (!course)
        return wr_error_no_memory(ret_err);
    pthread_mutex_lock(&pool->lock);
    status = wr_sequel_begin_locked(pool, course, ret_err);
    pthread_mutex_unlock(&pool->lock);
    if (status == WEIR_OK)
        *ret_course = course;
    else
        wr_sequel_close(pool, course, NULL, ret_err);
    return status;
}

weir_status wr_sequel_open(struct weir_pool *pool, struct weir_request *request,
                           struct wr_course **ret_course, weir_error *ret_err)
{
    *ret_course = NULL;
    if (pool->is_plain && request->max_redirects < 0 && !request->retry.size &&
        !request->hedge.size)
        return WEIR_OK; /* the warm path */
    return open_course(pool, request, ret_course, ret_err);
}

static void trace_breaker(struct weir_pool *pool,
                          const struct wr_course *course,
                          enum wr_breaker_state state)
{
    if (WR_TRACES(pool))
        wr_trace(pool, WEIR_TRACE_BREAKER, 0, course->sent->target->origin,
                 wr_now() - course->attempts[0].begun_ns, "%s",
                 wr_breaker_state_name(state));
}

/* The attempt under way has ended: tells the origin's record. */
static void report(struct weir_pool *pool, struct wr_course *course,
                   const struct wr_ending *ending,
                   const struct weir_response *response)
{
    enum wr_breaker_state before;
    enum wr_breaker_state after;

    pthread_mutex_lock(&pool->lock);
    before = wr_origin_breaker_state(course->origin);
    if (ending->exchange)
        wr_hedge_learn_locked(pool, course, response);
    wr_debt_settle_locked(course, &course->debt, wr_outcome_of(ending),
                          ending->now_ns);
    after = wr_origin_breaker_state(course->origin);
    pthread_mutex_unlock(&pool->lock);
    if (after != before)
        trace_breaker(pool, course, after);
}

/* --- what comes next ----------------------------------------------------- */

/* Jitter need not be secret, but two processes must not have the same. */
static uint64_t random_bits(void)
{
    uint64_t bits;

    if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) != sizeof bits)
        bits = wr_now() * UINT64_C(0x9e3779b97f4a7c15);
    return bits;
}

static void trace_retry(struct weir_pool *pool, const struct wr_course *course,
                        const struct wr_ending *ending, uint64_t delay_ns)
{
    const char *origin = course->sent->target->origin;
    const uint64_t elapsed_ns = ending->now_ns - course->attempts[0].begun_ns;
    char status[32];

    if (!WR_TRACES(pool))
        return;
    if (ending->exchange)
        snprintf(status, sizeof status, "status %u",
                 ending->exchange->head.status);
    wr_trace(pool, WEIR_TRACE_RETRY, ending->connection, origin, elapsed_ns,
             "%s: attempt %u of %u in %.3f s",
             ending->exchange ? status : ending->error->message,
             course->tries + 1, course->policy.retry.attempts,
             (double)delay_ns / 1e9);
}

static void trace_redirect(struct weir_pool *pool,
                           const struct wr_course *course,
                           const struct wr_ending *ending)
{
    const struct wr_url *url = &course->sent->url;

    if (WR_TRACES(pool))
        wr_trace(pool, WEIR_TRACE_REDIRECT, ending->connection,
                 course->urls.data + course->attempts[course->count - 1].url,
                 ending->now_ns - course->attempts[0].begun_ns,
                 "%u to %s://%.*s%.*s", ending->exchange->head.status,
                 url->tls ? "https" : "http", (int)url->authority.len,
                 url->authority.data, (int)url->target.len, url->target.data);
}

static enum wr_sequel go_on(struct wr_course *course, weir_attempt_kind kind,
                            uint64_t delay_ns, uint64_t due_ns,
                            weir_error *ret_err)
{
    if (wr_course_begin(course, kind, delay_ns, due_ns))
        return WR_SEQUEL_NEXT;
    wr_error_no_memory(ret_err);
    return WR_SEQUEL_FAIL;
}

static enum wr_sequel follow(struct weir_pool *pool, struct wr_course *course,
                             const struct wr_ending *ending,
                             weir_error *ret_err)
{
    trace_redirect(pool, course, ending);
    pthread_mutex_lock(&pool->lock);
    pool->tally.redirects++;
    leave_origin_locked(pool, course); /* it may be another one now */
    pthread_mutex_unlock(&pool->lock);
    return go_on(course, WEIR_ATTEMPT_REDIRECT, 0, ending->now_ns, ret_err);
}

/* A retry that its origin's budget allows, and its breaker. */
static bool may_retry_locked(struct weir_pool *pool, struct wr_course *course,
                             uint64_t now_ns)
{
    if (has_breaker(course) &&
        wr_origin_breaker_state(course->origin) != WR_BREAKER_CLOSED)
        return false;
    course->debt.has_retry = wr_origin_begin_retry(course->origin, now_ns);
    pool->tally.retries += course->debt.has_retry;
    pool->tally.retries_denied += !course->debt.has_retry;
    return course->debt.has_retry;
}

static enum wr_sequel retry(struct weir_pool *pool, struct wr_course *course,
                            const struct wr_ending *ending, uint64_t delay_ns,
                            uint64_t *ret_due_ns, weir_error *ret_err)
{
    bool may_retry;

    pthread_mutex_lock(&pool->lock);
    may_retry = may_retry_locked(pool, course, ending->now_ns);
    pthread_mutex_unlock(&pool->lock);
    if (!may_retry)
        return WR_SEQUEL_NONE;
    trace_retry(pool, course, ending, delay_ns);
    *ret_due_ns = wr_after(ending->now_ns, delay_ns);
    return go_on(course, WEIR_ATTEMPT_RETRY, delay_ns, *ret_due_ns, ret_err);
}

enum wr_sequel wr_sequel_after(struct weir_pool *pool, struct wr_course *course,
                               const struct weir_response *response,
                               const weir_error *err, uint64_t deadline_ns,
                               uint64_t *ret_due_ns, weir_error *ret_err)
{
    const struct wr_ending ending = {
        .exchange = err ? NULL : &response->exchange,
        .error = err,
        .connection = err ? err->connection : response->number,
        .now_ns = wr_now(),
        .deadline_ns = deadline_ns,
        .unix_s = time(NULL),
        .random = random_bits(),
    };
    uint64_t delay_ns = 0;

    *ret_due_ns = 0;
    if (course->origin)
        report(pool, course, &ending, response);
    switch (wr_course_judge(course, &ending, &delay_ns, ret_err)) {
    case WR_COURSE_FOLLOW:
        return follow(pool, course, &ending, ret_err);
    case WR_COURSE_RETRY:
        return retry(pool, course, &ending, delay_ns, ret_due_ns, ret_err);
    case WR_COURSE_FAIL:
        return WR_SEQUEL_FAIL;
    default:
        return WR_SEQUEL_NONE;
    }
}

static void end_course(struct weir_pool *pool, struct wr_course *course)
{
    pthread_mutex_lock(&pool->lock);
    leave_origin_locked(pool, course);
    pthread_mutex_unlock(&pool->lock);
    wr_course_end(course);
}

void wr_sequel_fail(struct weir_pool *pool, struct wr_course *course,
                    weir_error *err)
{
    if (!course)
        return;
    end_course(pool, course);
    if (!err)
        return;
    wr_course_fail(course, err, wr_now());
    err->attempts = (unsigned)course->count;
    err->may_have_been_processed =
        err->may_have_been_processed || course->was_sent;
}

void wr_sequel_close(struct weir_pool *pool, struct wr_course *course,
                     struct weir_response *response, weir_error *err)
{
    if (course && response) {
        end_course(pool, course);
        response->course = course;
        return;
    }
    wr_sequel_fail(pool, course, err);
    wr_course_free(course);
}
