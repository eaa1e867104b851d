/* The blocking driver: reading bodies. */
#include <string.h>

#include "base/error.h"
#include "conn/decoding.h"
#include "drive/blocking.h"
#include "drive/lease.h"
#include "drive/receive.h"
#include "drive/transact.h"
#include "net/clock.h"

enum {
    DIRECT_MIN = 4096, /* smaller reads go through the buffer */
};

/* A body has failed: the lease ends, and later reads say so again. */
static weir_status fail_body(struct weir_response *response, weir_error *err)
{
    wr_fail_lease(response, err, WEIR_STAGE_BODY);
    wr_count_failure(response->pool);
    response->failure = *err;
    return err->code;
}

/* What has been received goes to where the body is collected. */
static enum wr_step collect(struct weir_response *response, size_t *ret_want,
                            weir_error *err)
{
    *ret_want = 0;
    if (response->decoder)
        return wr_decoding_collect(response, response->limits.max_body, err);
    return wr_exchange_collect(&response->exchange, response->limits.max_body,
                               ret_want, err);
}

weir_status wr_blocking_collect(struct weir_response *response,
                                weir_error *ret_err)
{
    struct wr_exchange *ex = &response->exchange;
    weir_error scratch;
    weir_error *err = ret_err ? ret_err : &scratch;
    uint64_t now_ns = response->times.head_ns;
    enum wr_step step = WR_STEP_DONE;

    response->is_collected = true;
    while (response->conn) {
        size_t want;
        size_t cap;
        size_t len = 0;
        char *at;

        step = collect(response, &want, err);
        if (step == WR_STEP_WAIT) {
            if (!wr_exchange_room(ex, want, &at, &cap)) {
                wr_error_no_memory(err);
                return fail_body(response, err);
            }
            step = wr_receive(response, at, cap, now_ns, &len, err);
            now_ns = wr_now();
            if (step == WR_STEP_DONE && response->decoder)
                step = WR_STEP_WAIT; /* what has come may hold more */
        }
        if (step == WR_STEP_ERROR)
            return fail_body(response, err);
        if (step == WR_STEP_DONE)
            wr_finish_lease(response);
        else
            wr_exchange_received(ex, len);
    }
    return WEIR_OK;
}

/* Copies decoded bytes that wait. */
static size_t take_unread(struct weir_response *response, void *buf, size_t cap)
{
    struct wr_slice *unread = &response->unread;
    const size_t len = unread->len < cap ? unread->len : cap;

    if (len == 0)
        return 0;
    memcpy(buf, unread->data, len);
    unread->data += len;
    unread->len -= len;
    return len;
}

/* Receives more of the body: into the caller's buffer if it can, and then
 * *ret_len tells how much; else into the response's. */
static enum wr_step receive_body(struct weir_response *response, void *buf,
                                 size_t cap, size_t *ret_len, weir_error *err)
{
    struct wr_exchange *ex = &response->exchange;
    const size_t direct = wr_exchange_direct(ex);
    enum wr_step step;
    size_t len;
    char *at;

    if (direct > 0 && cap >= DIRECT_MIN) {
        step = wr_receive(response, buf, cap < direct ? cap : direct, wr_now(),
                          &len, err);
        if (step == WR_STEP_WAIT) {
            wr_exchange_took(ex, len);
            *ret_len = len;
        }
        return step;
    }
    if (!wr_exchange_room(ex, 0, &at, &cap)) {
        wr_error_no_memory(err);
        return WR_STEP_ERROR;
    }
    step = wr_receive(response, at, cap, wr_now(), &len, err);
    if (step == WR_STEP_WAIT)
        wr_exchange_received(ex, len);
    return step;
}

/* Receives more of a coded body. */
static enum wr_step receive_coded(struct weir_response *response,
                                  weir_error *err)
{
    size_t cap;
    size_t len = 0;
    enum wr_step step;
    char *at;

    if (!wr_exchange_room(&response->exchange, 0, &at, &cap)) {
        wr_error_no_memory(err);
        return WR_STEP_ERROR;
    }
    step = wr_receive(response, at, cap, wr_now(), &len, err);
    if (step == WR_STEP_WAIT)
        wr_exchange_received(&response->exchange, len);
    /* At the end of the connection what has come may hold more. */
    return step == WR_STEP_DONE ? WR_STEP_WAIT : step;
}

static weir_status read_decoded(struct weir_response *response, void *buf,
                                size_t cap, size_t *ret_len, weir_error *err)
{
    *ret_len = 0;
    while (*ret_len == 0 && response->conn) {
        enum wr_step step = wr_decoding_next(response, buf, cap, ret_len, err);

        if (step == WR_STEP_DONE)
            wr_finish_lease(response);
        else if (step == WR_STEP_WAIT && *ret_len == 0)
            step = receive_coded(response, err);
        if (step == WR_STEP_ERROR)
            return fail_body(response, err);
    }
    return WEIR_OK;
}

static weir_status read_plain(struct weir_response *response, void *buf,
                              size_t cap, size_t *ret_len, weir_error *err)
{
    size_t len = take_unread(response, buf, cap);

    while (len == 0 && response->conn) {
        enum wr_step step =
            wr_exchange_next(&response->exchange, &response->unread, err);

        if (step == WR_STEP_WAIT) {
            len = take_unread(response, buf, cap);
            if (len == 0)
                step = receive_body(response, buf, cap, &len, err);
        }
        if (step == WR_STEP_ERROR)
            return fail_body(response, err);
        if (step == WR_STEP_DONE)
            wr_finish_lease(response);
    }
    *ret_len = len;
    return WEIR_OK;
}

weir_status wr_blocking_read(struct weir_response *response, void *buf,
                             size_t cap, size_t *ret_len, weir_error *ret_err)
{
    weir_error scratch;
    weir_error *err = ret_err ? ret_err : &scratch;
    size_t len = 0;
    const weir_status status = response->decoder
                                   ? read_decoded(response, buf, cap, &len, err)
                                   : read_plain(response, buf, cap, &len, err);

    if (status != WEIR_OK)
        return status;
    if (len == 0 && response->failure.code != WEIR_OK) {
        *err = response->failure;
        return err->code;
    }
    *ret_len = len;
    return WEIR_OK;
}

/* Receives for drain(): what has come, or what comes before the deadline. */
static bool receive_more(struct weir_response *response, char *at, size_t cap,
                         bool may_wait, size_t *ret_len)
{
    struct wr_transport *transport = &response->conn->io;

    if (may_wait)
        return wr_receive(response, at, cap, wr_now(), ret_len, NULL) ==
               WR_STEP_WAIT;
    if (wr_transport_read(transport, at, cap, true, ret_len) != WR_IO_OK)
        return false;
    response->is_drained = wr_transport_is_drained(transport, *ret_len, cap);
    return true;
}

/* Reads what is left of a body if it is short, so that the connection can be
 * lent again; decodes nothing but framing, takes no memory. */
static void drain(struct weir_response *response, bool may_wait)
{
    struct wr_exchange *ex = &response->exchange;
    size_t budget = WR_REST_MAX;

    for (;;) {
        struct wr_slice data;
        char *at;
        size_t cap;
        size_t len;
        const enum wr_step step = wr_exchange_next(ex, &data, NULL);

        if (step != WR_STEP_WAIT)
            return;
        if (data.len > 0)
            continue;
        if (ex->state == WR_EXCHANGE_TRAILERS ||
            !wr_exchange_room(ex, 0, &at, &cap) || cap == 0 ||
            !receive_more(response, at, cap, may_wait, &len) || len > budget)
            return;
        budget -= len;
        wr_exchange_received(ex, len);
    }
}

void wr_blocking_pass_over(struct weir_response *response)
{
    if (!response->conn || !wr_is_rest_short(&response->exchange))
        return;
    response->deadline_ns =
        wr_earlier(response->deadline_ns, wr_after(wr_now(), WR_REST_WAIT_NS));
    drain(response, true);
}

void wr_blocking_end(struct weir_response *response)
{
    if (response->conn) {
        drain(response, false);
        wr_finish_lease(response);
    }
    wr_let_go(response);
}
