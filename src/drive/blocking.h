/* The blocking driver: calls on the caller's own thread. */
#ifndef WR_DRIVE_BLOCKING_H
#define WR_DRIVE_BLOCKING_H

#include "drive/runtime.h"

/* As weir_send(), for a prepared-or-not request of this pool. */
weir_status wr_blocking_send(struct weir_pool *pool,
                             struct weir_request *request,
                             struct weir_response **ret_response,
                             weir_error *ret_err);
/* Reads the whole body into the response and gives the connection back, also
 * on failure, which leaves the response to be freed. */
weir_status wr_blocking_collect(struct weir_response *response,
                                weir_error *ret_err);
/* As weir_response_read(). */
weir_status wr_blocking_read(struct weir_response *response, void *buf,
                             size_t cap, size_t *ret_len, weir_error *ret_err);
/* Reads and drops what is left of a short body, waiting for it a moment, so
 * that the connection can be lent again. */
void wr_blocking_pass_over(struct weir_response *response);
/* As weir_response_free(). */
void wr_blocking_end(struct weir_response *response);

#endif
