#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <weir/memory.h>

static weir_allocator allocator = {malloc, realloc, free};

weir_status weir_set_allocator(const weir_allocator *wanted)
{
    static const weir_allocator standard = {malloc, realloc, free};

    if (!wanted)
        wanted = &standard;
    if (!wanted->malloc_fn || !wanted->realloc_fn || !wanted->free_fn)
        return WEIR_E_INVALID;
    allocator = *wanted;
    return WEIR_OK;
}

void *wr_malloc(size_t size)
{
    return allocator.malloc_fn(size ? size : 1);
}

void *wr_calloc(size_t count, size_t size)
{
    size_t total;
    void *ptr;

    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    ptr = wr_malloc(total);
    if (ptr)
        memset(ptr, 0, total);
    return ptr;
}

void *wr_realloc(void *ptr, size_t size)
{
    return allocator.realloc_fn(ptr, size ? size : 1);
}

void wr_free(void *ptr)
{
    if (ptr)
        allocator.free_fn(ptr);
}

char *wr_strndup(const char *text, size_t len)
{
    char *copy = len < SIZE_MAX ? wr_malloc(len + 1) : NULL;

    if (!copy)
        return NULL;
    if (len)
        memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

char *wr_strdup(const char *text)
{
    return wr_strndup(text, strlen(text));
}
