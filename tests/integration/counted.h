/* A program of tests, with certificates, whose memory alloc.h counts and can
 * make short. */
#ifndef INTEGRATION_COUNTED_H
#define INTEGRATION_COUNTED_H

#include "alloc.h"
#include "certified.h"

/* Before weir holds any memory. */
static inline int begin_counted(void **state)
{
    static const weir_allocator counting = {alloc_malloc, alloc_realloc,
                                            alloc_free};

    if (make_certs(state) != 0)
        return -1;
    return weir_set_allocator(&counting) == WEIR_OK ? 0 : -1;
}

#endif
