/* Fetches memory into the processor's cache, to be written, without waiting. */
#ifndef WR_BASE_PREFETCH_H
#define WR_BASE_PREFETCH_H

#include <stddef.h>

enum {
    WR_CACHE_LINE = 64
};

/* Always inline: a function that does nothing else would be left out. */
__attribute__((always_inline)) static inline void wr_prefetch(const void *at,
                                                              size_t len)
{
#pragma GCC unroll 16
    for (size_t i = 0; i < len; i += WR_CACHE_LINE)
        __builtin_prefetch((const char *)at + i, 1);
}

#endif
