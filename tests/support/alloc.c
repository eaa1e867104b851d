#include "alloc.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>

static atomic_uint_least64_t calls;
static atomic_uint_least64_t held;
static atomic_uint_least64_t held_bytes;
static atomic_uint_least64_t failures;
static atomic_uint_least64_t countdown; /* 0 = off */

/* Is this the call that must fail? */
static int must_fail(void)
{
    uint64_t left = atomic_load(&countdown);

    atomic_fetch_add(&calls, 1);
    while (left > 0) {
        if (!atomic_compare_exchange_weak(&countdown, &left, left - 1))
            continue;
        if (left > 1)
            return 0;
        atomic_fetch_add(&failures, 1);
        return 1;
    }
    return 0;
}

void *alloc_malloc(size_t size)
{
    void *ptr = must_fail() ? NULL : malloc(size);

    if (ptr)
        atomic_fetch_add(&held, 1);
    atomic_fetch_add(&held_bytes, malloc_usable_size(ptr));
    return ptr;
}

void *alloc_realloc(void *ptr, size_t size)
{
    const size_t before = malloc_usable_size(ptr);
    void *moved = must_fail() ? NULL : realloc(ptr, size);

    if (moved && !ptr)
        atomic_fetch_add(&held, 1);
    if (moved)
        atomic_fetch_add(&held_bytes, malloc_usable_size(moved) - before);
    return moved;
}

void alloc_free(void *ptr)
{
    if (ptr)
        atomic_fetch_sub(&held, 1);
    atomic_fetch_sub(&held_bytes, malloc_usable_size(ptr));
    free(ptr);
}

uint64_t alloc_calls(void)
{
    return atomic_load(&calls);
}

uint64_t alloc_held(void)
{
    return atomic_load(&held);
}

uint64_t alloc_held_bytes(void)
{
    return atomic_load(&held_bytes);
}

void alloc_fail_at(uint64_t nth)
{
    atomic_store(&countdown, nth);
}

uint64_t alloc_failures(void)
{
    return atomic_load(&failures);
}
