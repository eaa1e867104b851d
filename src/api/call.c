/* Calls: send, fetch, get. */
#include "api/pool.h"
#include "base/error.h"
#include "drive/blocking.h"
#include "drive/leaks.h"

static weir_status check(const weir_pool *pool, const weir_request *request,
                         weir_response **ret_res, weir_error *ret_err)
{
    if (!pool)
        return wr_no_pool(ret_err);
    if (!request || !ret_res)
        return wr_error_set(ret_err, WEIR_E_INVALID, "%s is NULL",
                            request ? "ret_res" : "request");
    return WEIR_OK;
}

void weir_place(const char *file, unsigned line)
{
    wr_leaks_set_place(file, line);
}

/* In brackets: it is a macro in a debug build. */
weir_status(weir_send)(weir_pool *pool, weir_request *request,
                       weir_response **ret_res, weir_error *ret_err)
{
    weir_status status = check(pool, request, ret_res, ret_err);

    if (status == WEIR_OK)
        status = wr_blocking_send(pool, request, ret_res, ret_err);
    if (status == WEIR_OK)
        wr_leaks_hand_over(*ret_res);
    wr_leaks_set_place(NULL, 0);
    return status;
}

weir_status weir_fetch(weir_pool *pool, weir_request *request,
                       weir_response **ret_res, weir_error *ret_err)
{
    struct weir_response *response;
    weir_status status = check(pool, request, ret_res, ret_err);

    if (status != WEIR_OK)
        return status;
    status = wr_blocking_send(pool, request, &response, ret_err);
    if (status != WEIR_OK)
        return status;
    status = wr_blocking_collect(response, ret_err);
    if (status != WEIR_OK) {
        wr_blocking_end(response);
        return status;
    }
    *ret_res = response;
    return WEIR_OK;
}

weir_status weir_get(weir_pool *pool, const char *url, weir_response **ret_res,
                     weir_error *ret_err)
{
    weir_request *request;
    weir_status status;

    if (!pool)
        return wr_no_pool(ret_err);
    status = weir_request_new("GET", url, &request, ret_err);
    if (status != WEIR_OK)
        return status;
    status = weir_fetch(pool, request, ret_res, ret_err);
    weir_request_free(request);
    return status;
}
