/* Shared by traffic.c (pools, life and accounts) and traffic_calls.c (the calls
 * themselves) alone. */
#ifndef TRAFFIC_INNER_H
#define TRAFFIC_INNER_H

#include <pthread.h>
#include <stdatomic.h>

#include "traffic.h"
#include "trial_call.h"

enum {
    TRAFFIC_LANES = 3,
    TRAFFIC_SLOTS_MAX = 64,
    TRAFFIC_BLOCKERS_MAX = 8
};

struct traffic_lane;

/* What a slot, or a thread that blocks, has counted. */
struct traffic_tally {
    uint64_t outcomes[CALL_UNEXPECTED + 1];
    uint64_t ways[HOSTILE_WAY_COUNT];
    uint64_t surprises;
    char name[48]; /* whose */
    char complaint[400];
};

struct traffic_slot {
    struct traffic_lane *lane;
    pthread_mutex_t lock; /* of `call`, for those who cancel */
    weir_call *call;
    uint64_t random;
    bool is_over;      /* begins no further call */
    bool is_tls;       /* this call is */
    bool is_surprised; /* the next one follows a surprise */
    struct trial_call trial;
    struct traffic_tally tally;
    char tag[24];
};

struct traffic_blocker {
    struct traffic_lane *lane;
    pthread_t thread;
    uint64_t random;
    struct traffic_tally tally;
    char tag[24];
};

struct traffic_lane {
    struct traffic *traffic;
    weir_pool *pool;
    weir_pool_options options;
    bool may_be_late; /* every connection is looked at before it is lent */
    bool is_external;
    unsigned slot_count;
    unsigned blocker_count;
    struct traffic_slot slots[TRAFFIC_SLOTS_MAX];
    struct traffic_blocker blockers[TRAFFIC_BLOCKERS_MAX];
    pthread_t dispatcher;
    atomic_uint active; /* slots that are not over */
};

struct traffic {
    struct traffic_options options;
    struct hostile *plain;
    struct hostile *tls;
    char ca_file[512];
    unsigned lane_count;
    struct traffic_lane lanes[TRAFFIC_LANES];
    pthread_t disturber;
    atomic_uint_least64_t begun;
    atomic_bool is_ending;
    atomic_bool is_over; /* all calls have ended */
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

/* Begins the first call of a slot. */
void traffic_slot_begin(struct traffic_slot *slot);
/* Makes blocking calls until the traffic ends.  For pthread_create(). */
void *traffic_block(void *blocker);

#endif
