/* Events to an HTTP address, through the pool: POST, one JSON object each, one
 * after another and in order.
 *
 * What cannot be delivered now is tried again: a few times by the pool, and
 * then by us, with growing pauses, for as long as it takes.  Meanwhile events
 * queue up; when the queue is full the oldest go, and the next one that is
 * delivered says how many ("dropped").  Each has an Idempotency-Key of its own,
 * the same in every attempt, so a receiver can tell a repetition. */
#ifndef WEIR_WATCH_WEBHOOK_H
#define WEIR_WATCH_WEBHOOK_H

#include <stddef.h>
#include <stdint.h>

#include <weir/weir.h>

#include "event.h"
#include "loop.h"

struct webhook_options {
    const char *url;   /* may hold a secret: it is never printed */
    const char *token; /* for Authorization: Bearer; NULL: none */
    double timeout; /* seconds for one delivery, the pool's retries included */
    unsigned attempts; /* by the pool, in one delivery */
    double delay;      /* seconds before the first repetition; then doubled */
    double max_delay;  /* seconds */
    size_t max_queue;  /* events that wait */
};

struct webhook_figures {
    size_t queued;      /* now, the one on its way included */
    uint64_t delivered; /* answered 2xx */
    uint64_t refused;   /* answered in a way that no repetition will change */
    uint64_t dropped;   /* too old for a full queue */
    uint64_t failures;  /* deliveries that failed and will be tried again */
};

struct webhook;

/* Strings are copied; the pool, whose loop is the caller's, and the loop are
 * borrowed.  NULL: the reason is in `ret_err`. */
struct webhook *webhook_open(const struct webhook_options *options,
                             weir_pool *pool, struct watch_loop *loop,
                             weir_error *ret_err);
/* Delivers what it can within `grace` seconds, for which it takes the pool's
 * loop forward, and says what it could not.  NULL is allowed. */
void webhook_close(struct webhook *hook, double grace);
/* A sink's emit; `user` is the webhook. */
void webhook_emit(void *user, const struct watch_event *event);
struct webhook_figures webhook_figures(const struct webhook *hook);

#endif
