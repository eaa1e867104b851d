#include "drive/sequel.h"

#include <sys/random.h>
#include <time.h>

#include "base/error.h"
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
    return policy;
}

weir_status wr_sequel_open(struct weir_pool *pool, struct weir_request *request,
                           struct wr_course **ret_course, weir_error *ret_err)
{
    const struct wr_policy policy = policy_of(pool, request);

    *ret_course = NULL;
    if (wr_policy_is_plain(&policy))
        return WEIR_OK;
    *ret_course = wr_course_new(&policy, request, wr_now());
    return *ret_course ? WEIR_OK : wr_error_no_memory(ret_err);
}

/* Jitter need not be secret, but two processes must not have the same. */
static uint64_t random_bits(void)
{
    uint64_t bits;

    if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) != sizeof bits)
        bits = wr_now() * UINT64_C(0x9e3779b97f4a7c15);
    return bits;
}

static void count(struct weir_pool *pool, uint64_t *figure)
{
    pthread_mutex_lock(&pool->lock);
    ++*figure;
    pthread_mutex_unlock(&pool->lock);
}

static void trace_retry(struct weir_pool *pool, const struct wr_course *course,
                        const struct wr_ending *ending, uint64_t delay_ns)
{
    const char *origin = course->sent->target->origin;
    const uint64_t elapsed_ns = ending->now_ns - course->attempts[0].begun_ns;

    if (!WR_TRACES(pool))
        return;
    if (ending->exchange)
        wr_trace(pool, WEIR_TRACE_RETRY, ending->connection, origin, elapsed_ns,
                 "status %u: attempt %u of %u in %.3f s",
                 ending->exchange->head.status, course->tries + 1,
                 course->policy.retry.attempts, (double)delay_ns / 1e9);
    else
        wr_trace(pool, WEIR_TRACE_RETRY, ending->connection, origin, elapsed_ns,
                 "%s: attempt %u of %u in %.3f s", ending->error->message,
                 course->tries + 1, course->policy.retry.attempts,
                 (double)delay_ns / 1e9);
}

static void trace_redirect(struct weir_pool *pool,
                           const struct wr_course *course,
                           const struct wr_ending *ending)
{
    if (WR_TRACES(pool))
        wr_trace(pool, WEIR_TRACE_REDIRECT, ending->connection,
                 course->attempts[0].url + course->urls.data,
                 ending->now_ns - course->attempts[0].begun_ns,
                 "%u to %s://%.*s%.*s", ending->exchange->head.status,
                 course->sent->url.tls ? "https" : "http",
                 (int)course->sent->url.authority.len,
                 course->sent->url.authority.data,
                 (int)course->sent->url.target.len,
                 course->sent->url.target.data);
}

static enum wr_sequel begin(struct wr_course *course, weir_attempt_kind kind,
                            uint64_t delay_ns, uint64_t due_ns,
                            weir_error *ret_err)
{
    if (wr_course_begin(course, kind, delay_ns, due_ns))
        return WR_SEQUEL_NEXT;
    wr_error_no_memory(ret_err);
    return WR_SEQUEL_FAIL;
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

    *ret_due_ns = ending.now_ns;
    switch (wr_course_judge(course, &ending, &delay_ns, ret_err)) {
    case WR_COURSE_FOLLOW:
        trace_redirect(pool, course, &ending);
        count(pool, &pool->tally.redirects);
        return begin(course, WEIR_ATTEMPT_REDIRECT, 0, ending.now_ns, ret_err);
    case WR_COURSE_RETRY:
        *ret_due_ns = wr_after(ending.now_ns, delay_ns);
        trace_retry(pool, course, &ending, delay_ns);
        count(pool, &pool->tally.retries);
        return begin(course, WEIR_ATTEMPT_RETRY, delay_ns, *ret_due_ns,
                     ret_err);
    case WR_COURSE_FAIL:
        return WR_SEQUEL_FAIL;
    default:
        return WR_SEQUEL_NONE;
    }
}

void wr_sequel_close(struct wr_course *course, struct weir_response *response,
                     weir_error *err)
{
    if (!course)
        return;
    wr_course_end(course);
    if (response) {
        response->course = course;
    } else {
        err->attempts = (unsigned)course->count;
        wr_course_free(course);
    }
}
