/* What the command says on standard error while the live table has the
 * terminal: it would be painted over, so it is caught, shown below the head,
 * and said again at the end. */
#ifndef WEIR_WATCH_LIVE_NOTES_H
#define WEIR_WATCH_LIVE_NOTES_H

#include <stdbool.h>

#include "loop.h"

struct live_notes;

/* NULL: standard error is no terminal, or cannot be caught; it stays as it
 * is.  `is_touched` is set when something has been said. */
struct live_notes *live_notes_open(struct watch_loop *loop, bool *is_touched);
/* The latest line, without its end; NULL: none yet.  Lent.  NULL is allowed. */
const char *live_notes_last(const struct live_notes *notes);
/* Gives standard error back, and says on it what has been caught, up to a
 * bound.  NULL is allowed. */
void live_notes_close(struct live_notes *notes);

#endif
