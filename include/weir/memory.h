/**
 * @file
 * The allocator that weir uses.
 */
#ifndef WEIR_MEMORY_H
#define WEIR_MEMORY_H

#include <stddef.h>

#include <weir/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Replaces malloc for everything that weir itself allocates (its libraries
 * keep their own).  Members follow the C functions of the same names; none
 * may be NULL.  They are called from any thread, under locks of weir's: they
 * must not call weir.
 */
typedef struct weir_allocator {
    void *(*malloc_fn)(size_t size);             /**< as malloc() */
    void *(*realloc_fn)(void *ptr, size_t size); /**< as realloc() */
    void (*free_fn)(void *ptr);                  /**< as free() */
} weir_allocator;

/**
 * Sets the allocator; NULL sets malloc again.  Only while weir holds no
 * memory: before the first call, or after everything has been freed.
 *
 * Threads: while no other thread is in weir.
 */
WEIR_API weir_status weir_set_allocator(const weir_allocator *allocator);

#ifdef __cplusplus
}
#endif
#endif
