/* Following DNS: a connection whose peer has left the answer for its name is
 * not lent again (option follow_dns). */
#ifndef WR_DRIVE_FOLLOW_H
#define WR_DRIVE_FOLLOW_H

#include "drive/runtime.h"

/* Has the peer of an idle or just returned connection left its name?  Cheap
 * while no answer has changed. */
bool wr_has_moved_locked(struct weir_pool *pool, struct wr_conn *conn);
/* Closes idle ones that have, if an answer has changed since the last time. */
void wr_close_moved_locked(struct weir_pool *pool);

#endif
