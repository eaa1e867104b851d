/* What waiting for a connection alone (acquire.c) and beside something else
 * (aside.c) share. */
#ifndef WR_DRIVE_ACQUIRE_INNER_H
#define WR_DRIVE_ACQUIRE_INNER_H

#include "drive/runtime.h"

enum wr_dial_end {
    WR_DIAL_OK,
    WR_DIAL_ERROR,
    WR_DIAL_INTERRUPTED,
};

/* The thread's dial has ended, or the thread leaves it: tells the core.  Lets
 * go of the lock meanwhile. */
void wr_end_dial_locked(struct weir_pool *pool, struct wr_thread *thread,
                        struct wr_dial *dial, enum wr_dial_end end,
                        const weir_error *err);
/* The thread leaves with a dial that it was offered and has not begun. */
void wr_leave_dial_locked(struct weir_pool *pool, struct wr_thread *thread);
/* response->conn has been granted: makes it this thread's.  false: it was dead,
 * and is gone. */
bool wr_take_granted_locked(struct weir_pool *pool,
                            struct weir_response *response, uint64_t now_ns);

#endif
