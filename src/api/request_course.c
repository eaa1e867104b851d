/* What a call of a request may do beyond one attempt. */
#include <math.h>
#include <string.h>

#include "api/request.h"
#include "base/error.h"

enum {
    REDIRECTS_MAX = 100,
    ATTEMPTS_MAX = 100
};

weir_status weir_request_set_redirects(weir_request *request, int max,
                                       weir_redirect_fn fn, void *user,
                                       weir_error *ret_err)
{
    if (!request)
        return wr_missing(ret_err, "request");
    if (max < WEIR_REDIRECTS_OF_POOL || max > REDIRECTS_MAX)
        return wr_error_set(ret_err, WEIR_E_OPTION,
                            "max: found %d, expected an integer from -1 to %d",
                            max, REDIRECTS_MAX);
    if (wr_check_unused(request, ret_err) != WEIR_OK)
        return WEIR_E_STATE;
    request->max_redirects = max;
    request->on_redirect = fn;
    request->on_redirect_user = user;
    return WEIR_OK;
}

static const weir_retry default_retry = {
    .attempts = 1, .delay = 1, .backoff = 2, .max_delay = 30};

void weir_retry_init_sized(weir_retry *retry, size_t size)
{
    const size_t common = size < sizeof *retry ? size : sizeof *retry;

    if (size < sizeof retry->size)
        return;
    memset(retry, 0, size);
    memcpy(retry, &default_retry, common);
    retry->size = size;
}

void weir_hedge_init_sized(weir_hedge *hedge, size_t size)
{
    if (size < sizeof hedge->size)
        return;
    memset(hedge, 0, size);
    hedge->size = size;
}

static weir_status out_of_range(weir_error *ret_err, const char *member,
                                double found, const char *expected)
{
    return wr_error_set(ret_err, WEIR_E_OPTION, "%s: found %g, expected %s",
                        member, found, expected);
}

/* As the pool's options have it: a delay without end is none. */
static weir_status check_delay(const char *member, double seconds,
                               weir_error *ret_err)
{
    if (isfinite(seconds) && seconds >= 0)
        return WEIR_OK;
    return out_of_range(ret_err, member, seconds, "seconds, 0 or more");
}

/* Comparisons with what is no number are false. */
static weir_status check_retry(const weir_retry *retry, weir_error *ret_err)
{
    weir_status status;

    if (retry->attempts < 1 || retry->attempts > ATTEMPTS_MAX)
        return out_of_range(ret_err, "attempts", retry->attempts,
                            "an integer from 1 to 100");
    if (!(retry->backoff >= 1 && retry->backoff <= 100))
        return out_of_range(ret_err, "backoff", retry->backoff,
                            "a number from 1 to 100");
    status = check_delay("delay", retry->delay, ret_err);
    return status == WEIR_OK
               ? check_delay("max_delay", retry->max_delay, ret_err)
               : status;
}

weir_status weir_request_set_retry(weir_request *request,
                                   const weir_retry *retry, weir_error *ret_err)
{
    weir_retry own = {0};
    weir_status status;

    if (!request)
        return wr_missing(ret_err, "request");
    if (retry && retry->size != sizeof own)
        return wr_error_set(ret_err, WEIR_E_INVALID,
                            "retry->size: found %zu, expected "
                            "sizeof(weir_retry)",
                            retry->size);
    if (retry) {
        own = *retry;
        status = check_retry(&own, ret_err);
        if (status != WEIR_OK)
            return status;
    }
    status = wr_check_unused(request, ret_err);
    if (status == WEIR_OK)
        request->retry = own;
    return status;
}

weir_status weir_request_set_hedge(weir_request *request,
                                   const weir_hedge *hedge, weir_error *ret_err)
{
    weir_hedge own = {0};
    weir_status status;

    if (!request)
        return wr_missing(ret_err, "request");
    if (hedge && hedge->size != sizeof own)
        return wr_error_set(ret_err, WEIR_E_INVALID,
                            "hedge->size: found %zu, expected "
                            "sizeof(weir_hedge)",
                            hedge->size);
    if (hedge)
        own = *hedge;
    status = check_delay("delay", own.delay, ret_err);
    if (status == WEIR_OK)
        status = wr_check_unused(request, ret_err);
    if (status == WEIR_OK)
        request->hedge = own;
    return status;
}
