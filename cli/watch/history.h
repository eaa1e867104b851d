/* Events in SQLite, for `weir watch history`. */
#ifndef WEIR_WATCH_HISTORY_H
#define WEIR_WATCH_HISTORY_H

#include "event.h"

struct history;

/* Opens the database of that name in a folder, and makes both if need be.
 * Events older than `days` go; 0: none.  NULL: it has complained. */
struct history *history_open(const char *folder, const char *name, long days);
/* NULL is allowed. */
void history_close(struct history *history);
/* A sink's emit; `user` is the history. */
void history_emit(void *user, const struct watch_event *event);
/* Events that could not be kept: the disk is full, or somebody holds the
 * database. */
uint64_t history_lost(const struct history *history);

/* Which events are wanted. */
struct history_query {
    const char *service; /* NULL: of all, and of the supervisor */
    uint64_t since_ms;
    long limit; /* the latest so many; 0: all */
};

/* The events, oldest first, each lent for its call.  false: it has
 * complained. */
bool history_read(struct history *history, const struct history_query *query,
                  void (*each)(void *user, const struct watch_event *event),
                  void *user);

#endif
