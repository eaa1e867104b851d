/* What waiting for one request (blocking.c) and for two (blocking_hedge.c)
 * share. */
#ifndef WR_DRIVE_BLOCKING_INNER_H
#define WR_DRIVE_BLOCKING_INNER_H

#include "drive/runtime.h"

/* Receives once and parses the head.  DONE: the final head is in. */
enum wr_step wr_blocking_receive_head(struct weir_response *response,
                                      bool dont_wait, uint64_t now_ns,
                                      weir_error *err);
/* The request's body has nothing to send for now.  ERROR. */
enum wr_step wr_blocking_body_is_late(weir_error *err);

#endif
