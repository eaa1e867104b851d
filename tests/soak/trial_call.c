#include "trial_call.h"

#include <stdio.h>
#include <string.h>

enum {
    SERIAL_DIGITS = 12, /* of a token; the rest is chance */
    EARLY_BODY_MIN = 60000,
    EARLY_BODY_MAX = 200000
};

static const char body_bytes[EARLY_BODY_MAX];

uint64_t call_choose(uint64_t *random, uint64_t count)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return (*random >> 20) % count;
}

/* --- planning ------------------------------------------------------------ */

/* Ways that leave the connection as it was. */
static enum hostile_way choose_kind_way(uint64_t *random)
{
    static const enum hostile_way kind[] = {
        HOSTILE_PLAIN,   HOSTILE_PLAIN,  HOSTILE_PLAIN,  HOSTILE_CHUNKED,
        HOSTILE_CHUNKED, HOSTILE_SINGLY, HOSTILE_INTERIM};

    return kind[call_choose(random, sizeof kind / sizeof kind[0])];
}

static enum hostile_way choose_way(uint64_t *random, bool is_tls,
                                   bool may_be_late)
{
    const uint64_t attacks = is_tls ? 5 : 30; /* a handshake costs more */
    enum hostile_way way;

    if (call_choose(random, 100) >= attacks)
        return choose_kind_way(random);
    way = (enum hostile_way)call_choose(random, HOSTILE_WAY_COUNT);
    if ((way == HOSTILE_LATE && !may_be_late) ||
        /* these take longer */
        ((way == HOSTILE_STALL || way == HOSTILE_EARLY ||
          way == HOSTILE_LATE) &&
         call_choose(random, 4) != 0))
        return HOSTILE_PLAIN;
    return way;
}

static size_t choose_size(uint64_t *random, enum hostile_way way)
{
    static const size_t bounds[] = {1, 200, 200, 200, 200, 200, 4000, 4000};
    size_t most = bounds[call_choose(random, 8)];

    if (call_choose(random, 200) == 0)
        most = CALL_BODY_MAX;
    if (way == HOSTILE_SECOND_TAIL)
        most = HOSTILE_TAIL_MAX;
    else if (way >= HOSTILE_SECOND_SAME && way <= HOSTILE_SECOND_CLOSE &&
             most > HOSTILE_SECOND_MAX)
        most = HOSTILE_SECOND_MAX;
    return (size_t)call_choose(random, most);
}

static const char *choose_method(uint64_t *random, enum hostile_way way)
{
    const uint64_t choice = call_choose(random, 16);

    if (way == HOSTILE_HEAD_BODY)
        return "HEAD";
    if (way == HOSTILE_EARLY)
        return "PUT";
    if (choice == 0 && (way == HOSTILE_PLAIN || way == HOSTILE_CHUNKED ||
                        way == HOSTILE_SECOND_SAME))
        return "HEAD";
    return choice == 1 ? "PUT" : choice == 2 ? "POST" : "GET";
}

static enum call_handling choose_handling(uint64_t *random, bool is_blocking)
{
    const uint64_t choice = call_choose(random, 64);

    if (is_blocking)
        return choice < 4    ? CALL_GIVES_UP
               : choice < 34 ? CALL_STREAMS
                             : CALL_COLLECTS;
    switch (choice) {
    case 0:
        return CALL_CANCELS_AT_ONCE;
    case 1:
        return CALL_CANCELS_ON_RESPONSE;
    case 2:
        return CALL_CANCELS_ON_BODY;
    default:
        return choice < 32 ? CALL_STREAMS : CALL_COLLECTS;
    }
}

static void reset(struct trial_call *call, uint64_t serial, uint64_t chance)
{
    call->seen = 0;
    call->has_head = false;
    call->is_foreign = false;
    call->is_complete = false;
    call->connection = 0;
    memset(call->cause, 0, sizeof call->cause);
    atomic_store(&call->was_cancelled, false);
    snprintf(call->token, sizeof call->token, "%0*llx%04llx", SERIAL_DIGITS,
             (unsigned long long)serial, (unsigned long long)(chance & 0xffff));
}

void call_plan(struct trial_call *call, uint64_t *random, uint64_t serial,
               bool is_tls, bool is_blocking, bool may_be_late)
{
    reset(call, serial, call_choose(random, 0x10000));
    call->way = choose_way(random, is_tls, may_be_late);
    call->method = choose_method(random, call->way);
    call->size = choose_size(random, call->way);
    call->handling = choose_handling(random, is_blocking);
    call->is_late = call->way == HOSTILE_LATE;
    if (call->is_late)
        call->handling = CALL_COLLECTS;
    call->body_size = 0;
    if (call->way == HOSTILE_EARLY)
        call->body_size = EARLY_BODY_MIN +
                          call_choose(random, EARLY_BODY_MAX - EARLY_BODY_MIN);
    else if (call->method[0] == 'P')
        call->body_size = call_choose(random, 500);
}

void call_plan_follow_up(struct trial_call *call, uint64_t serial)
{
    reset(call, serial, serial);
    call->way = HOSTILE_PLAIN;
    call->method = "GET";
    call->size = 100;
    call->body_size = 0;
    call->handling = CALL_COLLECTS;
    call->is_late = true;
}

weir_request *call_request(const struct trial_call *call, bool is_tls,
                           uint16_t port, const char *tag)
{
    weir_request *request;
    char url[128];

    snprintf(url, sizeof url, "%s://127.0.0.1:%u/%u/%s/%zu",
             is_tls ? "https" : "http", port, (unsigned)call->way, call->token,
             call->size);
    if (weir_request_new(call->method, url, &request, NULL) != WEIR_OK)
        return NULL;
    if ((call->body_size &&
         weir_request_set_body(request, body_bytes, call->body_size, NULL) !=
             WEIR_OK) ||
        (call->is_late &&
         weir_request_set_isolation(request, tag, NULL) != WEIR_OK) ||
        (call->way == HOSTILE_STALL &&
         weir_request_set_timeout(request, WEIR_TIMEOUT_TOTAL,
                                  HOSTILE_STALL_MS / 1000.0,
                                  NULL) != WEIR_OK)) {
        weir_request_free(request);
        return NULL;
    }
    return request;
}

/* --- what came ----------------------------------------------------------- */

static bool is_token(const struct trial_call *call, weir_slice value)
{
    return value.len == HOSTILE_TOKEN &&
           memcmp(value.data, call->token, HOSTILE_TOKEN) == 0;
}

static int right_status(const struct trial_call *call)
{
    if (call->way == HOSTILE_AFTER_204 || call->way == HOSTILE_BODY_204)
        return 204;
    return call->way == HOSTILE_AFTER_304 ? 304 : 200;
}

static size_t right_size(const struct trial_call *call)
{
    return right_status(call) != 200 || strcmp(call->method, "HEAD") == 0
               ? 0
               : call->size;
}

void call_see_head(struct trial_call *call, const weir_response *response)
{
    const weir_slice number = weir_response_find(response, "X-Connection");

    const weir_slice cause = weir_response_find(response, "X-Cause");

    call->has_head = true;
    if (!is_token(call, weir_response_find(response, "X-Token")) ||
        weir_response_status(response) != right_status(call))
        call->is_foreign = true;
    if (cause.len > 0 && cause.len < sizeof call->cause)
        memcpy(call->cause, cause.data, cause.len);
    for (size_t i = 0; i < number.len; i++)
        call->connection =
            call->connection * 10 + (uint64_t)(number.data[i] - '0');
}

void call_see_body(struct trial_call *call, const void *data, size_t len)
{
    const char *bytes = data;

    for (size_t i = 0; i < len; i++) {
        if (bytes[i] != call->token[(call->seen + i) % HOSTILE_TOKEN])
            call->is_foreign = true;
    }
    call->seen += len;
}

/* --- how it ended -------------------------------------------------------- */

/* Does something that happens to calls of this run explain the error? */
static bool is_explained(const struct trial_call *call, const weir_error *err)
{
    switch (err->code) {
    case WEIR_E_RESET:
        return (strcmp(call->method, "POST") == 0 && err->reused &&
                err->may_have_been_processed) ||
               call->is_disturbed;
    case WEIR_E_TOTAL_TIMEOUT:
        return call->way == HOSTILE_STALL;
    case WEIR_E_CONNECT:
    case WEIR_E_SYSTEM:
    case WEIR_E_NO_MEMORY:
    case WEIR_E_TLS:
    case WEIR_E_TRUNCATED:
        return call->is_disturbed;
    default:
        return false;
    }
}

enum call_outcome call_judge(const struct trial_call *call,
                             const weir_error *err)
{
    const enum hostile_verdict verdict = hostile_way_verdict(call->way);

    /* What a way that fails has sent is not the right body to its end, but it
     * is of no other exchange either. */
    if (call->is_foreign && (call->has_head || call->seen))
        return CALL_MISMATCH;
    if (!err) {
        if (call->is_complete && call->seen != right_size(call))
            return CALL_MISMATCH;
        if (verdict == HOSTILE_FAILS && call->handling != CALL_GIVES_UP)
            return CALL_UNEXPECTED;
        return CALL_ANSWERED;
    }
    if (err->code == WEIR_E_CANCELLED)
        return atomic_load(&call->was_cancelled) ? CALL_CANCELLED
                                                 : CALL_UNEXPECTED;
    if (err->code == WEIR_E_CLOSED)
        return call->is_closed_over ? CALL_REFUSED : CALL_UNEXPECTED;
    if (err->code == WEIR_E_QUEUE_FULL)
        return call->is_resized ? CALL_REFUSED : CALL_UNEXPECTED;
    return verdict == HOSTILE_FAILS || is_explained(call, err)
               ? CALL_FAILED
               : CALL_UNEXPECTED;
}
