#include "alloc.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>

static atomic_uint_least64_t calls;
static atomic_uint_least64_t held;
static atomic_uint_least64_t bytes;
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

/* With the word that malloc keeps before a block. */
static uint64_t cost(void *ptr)
{
    return malloc_usable_size(ptr) + sizeof(size_t);
}

static void *took(void *ptr)
{
    if (ptr) {
        atomic_fetch_add(&held, 1);
        atomic_fetch_add(&bytes, cost(ptr));
    }
    return ptr;
}

void *alloc_malloc(size_t size)
{
    return must_fail() ? NULL : took(malloc(size));
}

void *alloc_realloc(void *ptr, size_t size)
{
    const uint64_t before = ptr ? cost(ptr) : 0;
    void *moved = must_fail() ? NULL : realloc(ptr, size);

    if (!ptr || !moved)
        return took(moved);
    atomic_fetch_add(&bytes, cost(moved) - before);
    return moved;
}

void alloc_free(void *ptr)
{
    if (ptr) {
        atomic_fetch_sub(&held, 1);
        atomic_fetch_sub(&bytes, cost(ptr));
    }
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

uint64_t alloc_bytes(void)
{
    return atomic_load(&bytes);
}

void alloc_fail_at(uint64_t nth)
{
    atomic_store(&countdown, nth);
}

uint64_t alloc_failures(void)
{
    return atomic_load(&failures);
}
