/* Traffic against hostile origins, plain and over TLS, through every driver:
 * each exchange carries a token of its own, and whatever comes back must be
 * its own answer.
 *
 * A *lane* is a pool with the calls that go through it: *slots*, of which each
 * is an asynchronous call that begins the next one when it has ended, and
 * threads that make blocking calls.  All choices follow from the seed. */
#ifndef TRAFFIC_H
#define TRAFFIC_H

#include <stdbool.h>
#include <stdint.h>

#include <weir/weir.h>

#include "hostile.h"

struct traffic_options {
    uint64_t seed;                 /* not 0 */
    uint64_t exchanges;            /* to be made; 0 = until traffic_end() */
    const char *certs;             /* folder of certs_new() */
    bool reconfigures;             /* the limits change all the while */
    bool is_disturbed;             /* system calls fail: see faults.h */
    bool slows;                    /* a sanitizer: fewer at a time */
    void (*on_thread)(void);       /* see hostile_options */
    void (*on_tls_port)(uint16_t); /* told the port of the one over TLS */
};

/* How they ended.  sent = answered + failed + cancelled + refused. */
struct traffic_report {
    uint64_t sent;
    uint64_t answered;
    uint64_t failed; /* as their way wants it, or a fault explains */
    uint64_t cancelled;
    uint64_t refused;    /* the line was full, or the pool closed */
    uint64_t mismatches; /* something of another exchange has come */
    uint64_t unexpected; /* an outcome that nothing explains */
    uint64_t surprises;  /* late responses on idle connections */
    uint64_t ways[HOSTILE_WAY_COUNT];
    uint64_t pipelined; /* requests that did not wait for an answer */
    uint64_t dialed;
    uint64_t reused;
    uint64_t leaked;      /* connections, leases, dials or waiters left over */
    uint64_t unaccounted; /* |requests of the pools - sent| */
    char complaint[512];
};

struct traffic;

struct traffic *traffic_start(const struct traffic_options *options);
/* Exchanges begun so far. */
uint64_t traffic_sent(struct traffic *traffic);
/* No further exchange begins. */
void traffic_end(struct traffic *traffic);
/* In a child that was forked meanwhile: blocking calls through an inherited
 * pool, to the parent's origins; then closes it.  true: all were right. */
bool traffic_in_child(struct traffic *traffic, unsigned calls);
/* In a child that was forked meanwhile: blocking calls through an inherited
 * pool, to the parent's origins; then closes it.  true: all were right. */
bool traffic_in_child(struct traffic *traffic, unsigned calls);
/* Waits for the last one, closes the pools and stops the origins. */
struct traffic_report traffic_join(struct traffic *traffic);
void traffic_print(const struct traffic_report *report);

#endif
