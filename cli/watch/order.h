/* Who starts before whom, and ends after whom (`after:` in the settings).
 *
 * A member is held while one that it comes after is not RUNNING.  In an orderly
 * stop a member is asked to end once nothing that comes after it, over however
 * many others, has a process any more. */
#ifndef WEIR_WATCH_ORDER_H
#define WEIR_WATCH_ORDER_H

#include <stddef.h>

#include "machine.h"

struct watch_member {
    struct watch_machine *machine;
    struct watch_member **after;
    size_t after_count;
    bool is_needed; /* by one that has a process; of watch_order_stop() */
    bool is_marked; /* of watch_order_cycle() */
};

/* The first that it waits for; NULL: none. */
const struct watch_member *
watch_order_obstacle(const struct watch_member *member);
/* Holds those that must wait, and lets go of the others. */
void watch_order_settle(struct watch_member **members, size_t count,
                        uint64_t now_ns);
/* One step of an orderly stop; again after every exit.  true: all are down. */
bool watch_order_stop(struct watch_member **members, size_t count,
                      uint64_t now_ns);
/* A member that comes, over however many others, after itself; NULL: none. */
const struct watch_member *watch_order_cycle(struct watch_member **members,
                                             size_t count);

#endif
