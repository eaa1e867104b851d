/* The figures of a pool by name, for all who list them. */
#ifndef WEIR_WATCH_POOL_FIGURES_H
#define WEIR_WATCH_POOL_FIGURES_H

#include <stddef.h>

#include <weir/weir.h>

/* X(member, metric, is_counter, meaning) */
#define WATCH_POOL_TABLE(X)                                                    \
    X(open, "connections_open", false, "connections now, dials included")      \
    X(idle, "connections_idle", false, "connections with no exchange")         \
    X(leased, "connections_leased", false, "connections lent")                 \
    X(dialing, "connections_dialing", false, "connections being dialled")      \
    X(waiting, "callers_waiting", false, "callers in line")                    \
    X(buckets, "buckets", false, "pool keys with a connection or a waiter")    \
    X(requests, "requests", true, "calls begun")                               \
    X(responses, "responses", true, "exchanges that had a response")           \
    X(failures, "failures", true, "calls that ended in an error")              \
    X(leases, "leases", true, "connections lent")                              \
    X(reused, "reused", true, "connections lent that had served before")       \
    X(dialed, "dialed", true, "dials that succeeded")                          \
    X(dial_failures, "dial_failures", true, "dials that failed")               \
    X(tls_resumed, "tls_resumed", true, "TLS handshakes that were resumed")    \
    X(stale_retries, "stale_retries", true,                                    \
      "replays after a stale connection")                                      \
    X(queued, "queued", true, "callers that had to wait")                      \
    X(queue_full, "queue_full", true, "callers refused by a full line")        \
    X(acquire_timeouts, "acquire_timeouts", true,                              \
      "callers that left the line by time limit")                              \
    X(bytes_sent, "sent_bytes", true, "request bytes, TLS excluded")           \
    X(bytes_received, "received_bytes", true, "response bytes, TLS excluded")  \
    X(retries, "retries", true, "attempts after one that failed")              \
    X(redirects, "redirects", true, "redirects followed")                      \
    X(retries_denied, "retries_denied", true,                                  \
      "retries that a budget did not allow")                                   \
    X(breaker_refusals, "breaker_refusals", true,                              \
      "attempts that an open breaker refused")

#endif
