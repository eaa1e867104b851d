/* How often a service has been restarted, and how long to wait before the next
 * time: a window that limits, and a delay that grows. */
#ifndef WEIR_WATCH_RESTARTS_H
#define WEIR_WATCH_RESTARTS_H

#include <stdbool.h>
#include <stdint.h>

/* From 0 up to, and not including, 1. */
struct watch_random {
    double (*next)(void *user);
    void *user;
};

struct watch_restart_rules {
    unsigned max_restarts; /* in the window; 0: unlimited */
    uint64_t window_ns;
    uint64_t delay_ns;     /* before the first restart, at most */
    double multiplier;     /* from one to the next */
    uint64_t max_delay_ns; /* the longest */
};

struct watch_restarts {
    struct watch_restart_rules rules;
    uint64_t *times;   /* ring of the latest restarts */
    unsigned capacity; /* of the ring: no more of them need be known */
    unsigned count;    /* in the ring */
    unsigned newest;   /* index */
    unsigned in_a_row; /* exponent of the delay */
    unsigned total;    /* since init, never forgotten */
};

void watch_restarts_init(struct watch_restarts *restarts,
                         const struct watch_restart_rules *rules);
void watch_restarts_done(struct watch_restarts *restarts);

/* Those in the window that ends now. */
unsigned watch_restarts_in_window(const struct watch_restarts *restarts,
                                  uint64_t now_ns);
/* One more would be too many. */
bool watch_restarts_are_used_up(const struct watch_restarts *restarts,
                                uint64_t now_ns);
/* Counts one. */
void watch_restarts_note(struct watch_restarts *restarts, uint64_t now_ns);
/* Full jitter: anything up to delay * multiplier^(in a row), capped.  Asking
 * makes the next one longer. */
uint64_t watch_restarts_delay(struct watch_restarts *restarts,
                              const struct watch_random *random);
/* It has been well for long: the delay begins anew. */
void watch_restarts_settle(struct watch_restarts *restarts);
/* A person has taken a hand: the window is empty too. */
void watch_restarts_forget(struct watch_restarts *restarts);

#endif
