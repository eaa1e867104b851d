/* What a pool dials with: resolver, TLS context and sessions.  A fork's child
 * gets its own, the TLS context not before it is needed. */
#ifndef WR_DRIVE_MEANS_H
#define WR_DRIVE_MEANS_H

#include "drive/runtime.h"

/* Makes a resolver and a store of sessions in place of those that are there,
 * which are forgotten.  WEIR_E_OPTION, WEIR_E_NO_MEMORY. */
weir_status wr_means_make(struct weir_pool *pool, weir_error *ret_err);
/* Makes the TLS context, from the options.  As wr_tls_context_new. */
weir_status wr_means_make_tls(struct weir_pool *pool, weir_error *ret_err);
/* Makes the proxies, from the options and the environment.  WEIR_E_OPTION,
 * WEIR_E_NO_MEMORY. */
weir_status wr_means_make_proxies(struct weir_pool *pool, weir_error *ret_err);
/* Requests that were prepared before must be prepared anew from here on. */
void wr_means_renew_surroundings(struct weir_pool *pool);
/* Gets a request ready for this pool: wr_request_prepare.  Without the lock. */
weir_status wr_means_prepare(struct weir_pool *pool,
                             struct weir_request *request, weir_error *ret_err);

#endif
