/* An allocator that counts, and fails when it is told to.
 *
 * It knows nothing of weir; a test hands its functions to weir_set_allocator()
 * while weir holds no memory:
 *
 *   static const weir_allocator counting = {alloc_malloc, alloc_realloc,
 *                                           alloc_free};
 *
 * Thread-safe. */
#ifndef ALLOC_H
#define ALLOC_H

#include <stddef.h>
#include <stdint.h>

void *alloc_malloc(size_t size);
void *alloc_realloc(void *ptr, size_t size);
void alloc_free(void *ptr);

/* Calls so far that asked for memory, a realloc among them. */
uint64_t alloc_calls(void);
/* Blocks that have not been freed, and their bytes. */
uint64_t alloc_held(void);
uint64_t alloc_held_bytes(void);
/* Fails the nth call from now, counted from 1, and only that one; 0 = none. */
void alloc_fail_at(uint64_t nth);
/* Calls failed so far. */
uint64_t alloc_failures(void);

#endif
