/* A health check: one request to a service, and what it says of it.
 *
 * Over a connection of its own unless `probe: pooled`; through no proxy; once,
 * with no retry; redirects are followed within the service alone; of a body no
 * more than a bounded piece is read. */
#ifndef WEIR_WATCH_PROBE_H
#define WEIR_WATCH_PROBE_H

#include "settings.h"

struct watch_probe_result {
    uint64_t serial;
    enum watch_verdict verdict;
    int status; /* 0: there was no answer */
    double latency_ms;
    const char *why; /* if not OK; lent for the call */
};

struct watch_probe;
typedef void (*watch_probed_fn)(void *user,
                                const struct watch_probe_result *result);

/* settings: borrowed, with a health address. */
struct watch_probe *
watch_probe_new(weir_pool *pool, const struct watch_service_settings *settings,
                watch_probed_fn done, void *user);
/* Asks.  What was asked before and has no answer yet is given up without one.
 * The answer may come before this returns, if no request could be made. */
void watch_probe_send(struct watch_probe *probe, uint64_t serial);
/* No answer comes any more.  NULL is allowed. */
void watch_probe_free(struct watch_probe *probe);

/* What an error of weir's says of the service: of a failure on this side it
 * says nothing. */
enum watch_verdict watch_probe_judge(const weir_error *error);

#endif
