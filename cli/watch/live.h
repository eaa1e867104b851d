/* What a person at the terminal sees: a table that is redrawn in place, on the
 * alternate screen as full-screen programs use it; or, where that cannot be, a
 * line an event. */
#ifndef WEIR_WATCH_LIVE_H
#define WEIR_WATCH_LIVE_H

#include "loop.h"
#include "outlets.h"
#include "recent.h"
#include "view.h"

struct live_source {
    const struct watch_view *(*view)(void *user);
    struct watch_outlets (*outlets)(void *user);
    void *user;
    const struct watch_recent *recent;
};

struct live;

/* Draws on standard output, which live_is_possible().  The source is copied,
 * the loop borrowed. */
struct live *live_open(const struct live_source *source,
                       struct watch_loop *loop);
/* Leaves the alternate screen, and the last table on the usual one.  NULL is
 * allowed. */
void live_close(struct live *live);
/* Something has happened: draw soon. */
void live_touch(struct live *live);
/* Standard output is a terminal that can be drawn on. */
bool live_is_possible(void);

/* The other way: a sink's emit that prints a line; `user` is not used. */
void live_print_event(void *user, const struct watch_event *event);

#endif
