#include "guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct guard guard_open(size_t size)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t inner = (size / page + 1) * page;
    struct guard guard = {.mapped = inner + 2 * page};

    guard.pages =
        mmap(NULL, guard.mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (guard.pages == MAP_FAILED ||
        mprotect((char *)guard.pages + page, inner, PROT_READ | PROT_WRITE)) {
        perror("guard_open");
        exit(1);
    }
    guard.begin = (char *)guard.pages + page;
    guard.end = guard.begin + inner;
    return guard;
}

void guard_close(struct guard *guard)
{
    if (guard->pages)
        munmap(guard->pages, guard->mapped);
    *guard = (struct guard){0};
}

char *guard_at_end(const struct guard *guard, const void *bytes, size_t len)
{
    char *at = guard->end - len;

    if (len)
        memmove(at, bytes, len);
    return at;
}

char *guard_at_begin(const struct guard *guard, const void *bytes, size_t len)
{
    if (len)
        memmove(guard->begin, bytes, len);
    return guard->begin;
}
