/* One exchange of traffic: what is asked, and whether what came is its own
 * answer. */
#ifndef TRIAL_CALL_H
#define TRIAL_CALL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/weir.h>

#include "hostile.h"

enum {
    CALL_BODY_MAX = 100000
};

/* What is done to it on its way. */
enum call_handling {
    CALL_COLLECTS,
    CALL_STREAMS,
    CALL_GIVES_UP,        /* once the head is in */
    CALL_CANCELS_AT_ONCE, /* asynchronous alone, as those that follow */
    CALL_CANCELS_ON_RESPONSE,
    CALL_CANCELS_ON_BODY,
};

enum call_outcome {
    CALL_ANSWERED,
    CALL_FAILED,
    CALL_CANCELLED,
    CALL_REFUSED,
    CALL_MISMATCH,
    CALL_UNEXPECTED,
};

struct trial_call {
    enum hostile_way way;
    enum call_handling handling;
    const char *method;
    char token[HOSTILE_TOKEN + 1];
    size_t size;         /* asked for */
    size_t body_size;    /* sent */
    size_t seen;         /* bytes of the body that came */
    bool is_late;        /* on connections of its own */
    bool is_disturbed;   /* system calls fail */
    bool is_resized;     /* limits change */
    bool is_closed_over; /* the pool may be closed */
    bool has_head;
    char cause[48];   /* what a foreign response says of itself */
    bool is_foreign;  /* something else has come */
    bool is_complete; /* the whole response was read */
    atomic_bool was_cancelled;
    uint64_t connection; /* the origin's number of it; 0 = not told */
};

/* xorshift64: the same choices for the same seed. */
uint64_t call_choose(uint64_t *random, uint64_t count);

/* Chooses what to ask.  `serial` is unique. */
void call_plan(struct trial_call *call, uint64_t *random, uint64_t serial,
               bool is_tls, bool is_blocking, bool may_be_late);
/* The one behind a surprise: plain, on the same connections. */
void call_plan_follow_up(struct trial_call *call, uint64_t serial);
/* NULL: no memory.  `tag` keeps late ones apart. */
weir_request *call_request(const struct trial_call *call, bool is_tls,
                           uint16_t port, const char *tag);

/* A response has come, so far as its head. */
void call_see_head(struct trial_call *call, const weir_response *response);
/* The next bytes of the body. */
void call_see_body(struct trial_call *call, const void *data, size_t len);
/* How it ended; err NULL = well. */
enum call_outcome call_judge(const struct trial_call *call,
                             const weir_error *err);

#endif
