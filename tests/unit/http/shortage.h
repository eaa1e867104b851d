/* An allocator that fails on request. */
#ifndef SHORTAGE_H
#define SHORTAGE_H

#include <stdlib.h>

#include <weir/memory.h>

static long shortage_in = -1; /* calls until one fails; below 0: none */
static long shortage_held;    /* blocks that are allocated */

static inline int shortage_strikes(void)
{
    return shortage_in >= 0 && shortage_in-- == 0;
}

static void *shortage_malloc(size_t size)
{
    void *ptr = shortage_strikes() ? NULL : malloc(size);

    shortage_held += ptr != NULL;
    return ptr;
}

static void *shortage_realloc(void *ptr, size_t size)
{
    void *moved = shortage_strikes() ? NULL : realloc(ptr, size);

    shortage_held += moved != NULL && ptr == NULL;
    return moved;
}

static void shortage_free(void *ptr)
{
    shortage_held -= ptr != NULL;
    free(ptr);
}

static inline void shortage_begin(void)
{
    static const weir_allocator failing = {shortage_malloc, shortage_realloc,
                                           shortage_free};

    shortage_in = -1;
    shortage_held = 0;
    weir_set_allocator(&failing);
}

static inline void shortage_end(void)
{
    weir_set_allocator(NULL);
}

#endif
