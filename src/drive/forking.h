/* fork(), design.md 4.7: the child drops silently what it has inherited, so
 * that the parent's connections stay healthy, and each pool starts empty.
 *
 * A child has the one thread that forked.  What other threads had under way is
 * gone there; what only they looked after (the memory of their calls, of TLS
 * and of loops) cannot be freed safely and is left. */
#ifndef WR_DRIVE_FORKING_H
#define WR_DRIVE_FORKING_H

#include "drive/runtime.h"

/* Makes fork() look after pools, from the first call on. */
void wr_forking_prepare(void);
/* The pool exists from now on; it is gone. */
void wr_forking_add(struct weir_pool *pool);
void wr_forking_remove(struct weir_pool *pool);

#endif
