/* Shared by the files of the API. */
#ifndef WR_API_POOL_H
#define WR_API_POOL_H

#include <stddef.h>

#include "drive/runtime.h"

/* Copies a struct to a caller's, which may be of an older or newer version: its
 * first member says how large it is, and keeps saying so; members that this
 * version does not know become zero. */
void wr_export(void *caller, const void *ours, size_t ours_size);

/* One of the attempts of a call, which weir_response_attempt() and
 * weir_call_attempt() tell of; `course` may be NULL. */
weir_status wr_export_attempt(const struct wr_course *course, size_t index,
                              weir_attempt *ret_attempt);

/* The reason why there is no shared pool, for calls that were given NULL. */
weir_status wr_no_pool(weir_error *ret_err);

#endif
