/* What the live table shows, as text: a function of what is, of a size, and of
 * nothing else. */
#ifndef WEIR_WATCH_LIVE_FRAME_H
#define WEIR_WATCH_LIVE_FRAME_H

#include <stdbool.h>
#include <stddef.h>

#include "outlets.h"
#include "recent.h"
#include "view.h"

struct live_size {
    int columns;
    int lines;
};

struct live_sight {
    const struct watch_view *view;
    const struct watch_recent *recent;
    const struct watch_outlets *outlets;
    const char *note; /* what the command itself complained of last; or NULL */
};

/* At most `lines` lines of at most `columns` columns, each ended by '\n'.  When
 * there is no room for every service, those that are not well come first.  To
 * free. */
char *live_frame(const struct live_sight *sight, struct live_size size,
                 bool in_colour);

#endif
