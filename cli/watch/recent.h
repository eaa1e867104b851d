/* The latest events, kept in memory for the page and the live table. */
#ifndef WEIR_WATCH_RECENT_H
#define WEIR_WATCH_RECENT_H

#include <stddef.h>

#include "event.h"

enum {
    WATCH_RECENT_MAX = 50
};

/* Begins zeroed; ends with watch_recent_done(). */
struct watch_recent {
    struct watch_event events[WATCH_RECENT_MAX]; /* their texts are its own */
    size_t count;
    size_t next;    /* where the next one goes */
    uint64_t total; /* of all that ever came */
    uint64_t by_kind[WATCH_EVENT_COUNT];
};

/* A sink's emit; `user` is the watch_recent. */
void watch_recent_emit(void *user, const struct watch_event *event);
/* The newest is 0; lent until the next emit.  `index` is less than count. */
const struct watch_event *watch_recent_at(const struct watch_recent *recent,
                                          size_t index);
void watch_recent_done(struct watch_recent *recent);

#endif
