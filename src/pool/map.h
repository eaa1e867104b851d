/* uthash on our memory: after an insertion that found no memory the element's
 * hh.tbl is NULL, and nothing has changed. */
#ifndef WR_POOL_MAP_H
#define WR_POOL_MAP_H

#include "base/mem.h"

#define HASH_NONFATAL_OOM 1
#define uthash_malloc(size) wr_malloc(size)
#define uthash_free(ptr, size) wr_free(ptr)
#include <uthash.h>

#endif
