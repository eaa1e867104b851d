/* The wire itself: packets in, packets out, by the rules.
 *
 * It knows no descriptor and no clock: the time is an argument, and what is
 * due goes to a function of the caller's.  Everything random comes from the
 * seed. */
#ifndef WIRE_LINK_H
#define WIRE_LINK_H

#include "rules.h"

enum {
    PACKET_BYTES = 2048, /* more than the MTU */
    LINK_PACKETS = 8192  /* on their way at a time; more are lost */
};

struct counts {
    unsigned long carried[SIDES]; /* by the side that they came from */
    unsigned long lost;           /* at random, or for lack of room */
    unsigned long swallowed;      /* by a hole */
    unsigned long refused;        /* answered by the router */
    unsigned long reordered;
    unsigned long duplicated;
};

struct link;

/* Hands a packet to the side opposite `from`. */
typedef void link_deliver_fn(void *user, enum side from, const void *bytes,
                             size_t len);

/* rules: borrowed, may change between any two calls.  NULL: no memory. */
struct link *link_new(const struct rules *rules, link_deliver_fn *deliver,
                      void *user);
void link_free(struct link *link);
/* The random numbers begin anew, from the seed of the rules. */
void link_reseed(struct link *link);
/* A packet has come from a side; may deliver at once. */
void link_take(struct link *link, enum side from, const void *bytes, size_t len,
               uint64_t now_ns);
/* Delivers what is due.  Returns when the next is, UINT64_MAX = nothing. */
uint64_t link_run(struct link *link, uint64_t now_ns);
const struct counts *link_counts(const struct link *link);

/* The ICMP message with which a router answers an IP packet; returns its
 * length, 0 = none is due. */
size_t make_unreachable(const unsigned char *packet, size_t len,
                        enum unreachable kind, unsigned char *answer,
                        size_t cap);

#endif
