/* The calls of traffic: asynchronous ones, each beginning the next, and
 * blocking ones. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "traffic_inner.h"

/* The number of a new exchange; 0: there shall be no more. */
static uint64_t begin_exchange(struct traffic *traffic)
{
    const uint64_t most = traffic->options.exchanges;
    uint64_t serial;

    if (atomic_load_explicit(&traffic->is_ending, memory_order_relaxed))
        return 0;
    serial = atomic_fetch_add(&traffic->begun, 1) + 1;
    if (most == 0 || serial <= most)
        return serial;
    atomic_fetch_sub(&traffic->begun, 1);
    return 0;
}

static bool choose_tls(const struct traffic_lane *lane, uint64_t *random)
{
    return lane->traffic->tls && call_choose(random, 8) == 0;
}

static struct hostile *origin_for(const struct traffic *traffic, bool is_tls)
{
    return is_tls ? traffic->tls : traffic->plain;
}

static weir_request *prepare(struct traffic_lane *lane, struct trial_call *call,
                             bool is_tls, const char *tag)
{
    const struct traffic *traffic = lane->traffic;

    call->is_disturbed = traffic->options.is_disturbed;
    call->is_resized = traffic->options.reconfigures;
    return call_request(call, is_tls, hostile_port(origin_for(traffic, is_tls)),
                        tag);
}

static void count(struct traffic_tally *tally, const struct trial_call *call,
                  bool is_tls, const weir_error *err)
{
    const enum call_outcome outcome = call_judge(call, err);

    tally->outcomes[outcome]++;
    tally->ways[call->way]++;
    if (outcome < CALL_MISMATCH)
        return;
    snprintf(tally->complaint, sizeof tally->complaint,
             "%s: %s %s%s token %s size %zu seen %zu handling %d [%s]: %s "
             "%.150s",
             outcome == CALL_MISMATCH ? "mismatch" : "unexpected", tally->name,
             hostile_way_name(call->way), is_tls ? " over TLS" : "",
             call->token, call->size, call->seen, (int)call->handling,
             call->cause, err ? weir_status_name(err->code) : "WEIR_OK",
             err ? err->message : "");
    fprintf(stderr, "%s\n", tally->complaint);
}

/* The connection that has just come to rest receives a second response.  true:
 * it was still there. */
static bool surprise(struct traffic *traffic, struct traffic_tally *tally,
                     const struct trial_call *call, bool is_tls)
{
    if (!hostile_surprise(origin_for(traffic, is_tls), call->connection))
        return false;
    tally->surprises++;
    return true;
}

/* --- asynchronous -------------------------------------------------------- */

static void begin_next(struct traffic_slot *slot);

static void cancel_now(struct traffic_slot *slot, weir_call *call)
{
    atomic_store(&slot->trial.was_cancelled, true);
    weir_call_cancel(call);
}

static void on_response(void *user, weir_call *call, weir_response *response)
{
    struct traffic_slot *slot = user;

    call_see_head(&slot->trial, response);
    if (slot->trial.handling == CALL_CANCELS_ON_RESPONSE)
        cancel_now(slot, call);
}

static weir_flow on_body(void *user, weir_call *call, const void *data,
                         size_t len)
{
    struct traffic_slot *slot = user;

    call_see_body(&slot->trial, data, len);
    if (slot->trial.handling == CALL_CANCELS_ON_BODY)
        cancel_now(slot, call);
    return WEIR_FLOW_ON;
}

static void on_done(void *user, weir_call *call, weir_response *response,
                    const weir_error *error)
{
    struct traffic_slot *slot = user;
    struct trial_call *trial = &slot->trial;

    (void)call;
    pthread_mutex_lock(&slot->lock);
    weir_call_free(slot->call);
    slot->call = NULL;
    pthread_mutex_unlock(&slot->lock);
    if (!error && trial->handling == CALL_COLLECTS) {
        const weir_slice body = weir_response_body(response);

        call_see_body(trial, body.data, body.len);
    }
    trial->is_complete = !error;
    count(&slot->tally, trial, slot->is_tls, error);
    slot->is_surprised =
        trial->way == HOSTILE_LATE && !error &&
        surprise(slot->lane->traffic, &slot->tally, trial, slot->is_tls);
    begin_next(slot);
}

static weir_status submit(struct traffic_slot *slot, weir_error *err)
{
    static const weir_handlers streams = {.size = sizeof streams,
                                          .on_response = on_response,
                                          .on_body = on_body,
                                          .on_done = on_done};
    static const weir_handlers collects = {.size = sizeof collects,
                                           .on_response = on_response,
                                           .on_done = on_done};
    const enum call_handling handling = slot->trial.handling;
    weir_request *request =
        prepare(slot->lane, &slot->trial, slot->is_tls, slot->tag);
    weir_status status;

    if (!request)
        abort();
    pthread_mutex_lock(&slot->lock);
    status = weir_submit(slot->lane->pool, request,
                         handling == CALL_COLLECTS ? &collects : &streams, slot,
                         &slot->call, err);
    /* Its end may have come; not that of the next one, which wants the lock. */
    if (status == WEIR_OK && handling == CALL_CANCELS_AT_ONCE)
        cancel_now(slot, slot->call);
    pthread_mutex_unlock(&slot->lock);
    weir_request_free(request);
    return status;
}

static void end_slot(struct traffic_slot *slot)
{
    struct traffic *traffic = slot->lane->traffic;

    pthread_mutex_lock(&traffic->lock);
    slot->is_over = true;
    atomic_fetch_sub(&slot->lane->active, 1);
    pthread_cond_broadcast(&traffic->changed);
    pthread_mutex_unlock(&traffic->lock);
}

static void begin_next(struct traffic_slot *slot)
{
    struct traffic_lane *lane = slot->lane;
    weir_error err;

    for (;;) {
        const uint64_t serial = begin_exchange(lane->traffic);

        if (serial == 0) {
            end_slot(slot);
            return;
        }
        if (slot->is_surprised) {
            call_plan_follow_up(&slot->trial, serial);
        } else {
            slot->is_tls = choose_tls(lane, &slot->random);
            call_plan(&slot->trial, &slot->random, serial, slot->is_tls, false,
                      lane->may_be_late);
        }
        slot->is_surprised = false;
        if (submit(slot, &err) == WEIR_OK)
            return;
        count(&slot->tally, &slot->trial, slot->is_tls, &err);
    }
}

void traffic_slot_begin(struct traffic_slot *slot)
{
    begin_next(slot);
}

/* --- blocking ------------------------------------------------------------ */

static weir_status read_all(struct trial_call *call, weir_response *response,
                            uint64_t *random, weir_error *err)
{
    static const size_t caps[] = {64, 1000, 8192, 65536};
    const size_t cap = caps[call_choose(random, 4)];
    char buf[65536];
    size_t len;

    do {
        const weir_status status =
            weir_response_read(response, buf, cap, &len, err);

        if (status != WEIR_OK)
            return status;
        call_see_body(call, buf, len);
    } while (len > 0);
    call->is_complete = true;
    return WEIR_OK;
}

static weir_status block_once(struct traffic_blocker *blocker,
                              struct trial_call *call, weir_request *request,
                              weir_error *err)
{
    weir_pool *pool = blocker->lane->pool;
    weir_response *response = NULL;
    weir_status status = call->handling == CALL_COLLECTS
                             ? weir_fetch(pool, request, &response, err)
                             : weir_send(pool, request, &response, err);

    if (status != WEIR_OK)
        return status;
    call_see_head(call, response);
    if (call->handling == CALL_COLLECTS) {
        const weir_slice body = weir_response_body(response);

        call_see_body(call, body.data, body.len);
        call->is_complete = true;
    } else if (call->handling == CALL_STREAMS) {
        status = read_all(call, response, &blocker->random, err);
    }
    weir_response_free(response);
    return status;
}

/* One call, and what has been counted of it. */
static weir_status block_and_count(struct traffic_blocker *blocker,
                                   struct trial_call *call, bool is_tls)
{
    weir_request *request = prepare(blocker->lane, call, is_tls, blocker->tag);
    weir_status status;
    weir_error err;

    if (!request)
        abort();
    status = block_once(blocker, call, request, &err);
    weir_request_free(request);
    count(&blocker->tally, call, is_tls, status == WEIR_OK ? NULL : &err);
    return status;
}

bool traffic_in_child(struct traffic *traffic, unsigned calls)
{
    struct traffic_lane *lane = &traffic->lanes[0];
    struct traffic_blocker blocker = {
        .lane = lane, .random = traffic->options.seed + (uint64_t)getpid()};
    struct trial_call call = {.way = HOSTILE_PLAIN};

    for (unsigned i = 0; i < calls; i++) {
        const bool is_tls = choose_tls(lane, &blocker.random);

        call_plan(&call, &blocker.random, i + 1, is_tls, true, false);
        block_and_count(&blocker, &call, is_tls);
    }
    return weir_pool_close(lane->pool, 1, NULL) == WEIR_OK &&
           blocker.tally.outcomes[CALL_MISMATCH] == 0 &&
           blocker.tally.outcomes[CALL_UNEXPECTED] == 0;
}

void *traffic_block(void *user)
{
    struct traffic_blocker *blocker = user;
    struct traffic *traffic = blocker->lane->traffic;
    struct trial_call call = {.way = HOSTILE_PLAIN};
    bool is_surprised = false;
    bool is_tls = false;
    uint64_t serial;

    while ((serial = begin_exchange(traffic)) != 0) {
        weir_status status;

        if (is_surprised) {
            call_plan_follow_up(&call, serial);
        } else {
            is_tls = choose_tls(blocker->lane, &blocker->random);
            call_plan(&call, &blocker->random, serial, is_tls, true,
                      blocker->lane->may_be_late);
        }
        status = block_and_count(blocker, &call, is_tls);
        is_surprised = call.way == HOSTILE_LATE && status == WEIR_OK &&
                       surprise(traffic, &blocker->tally, &call, is_tls);
    }
    return NULL;
}
