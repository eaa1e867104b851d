#include <string.h>

#include "api/pool.h"

void wr_export(void *caller, const void *ours, size_t ours_size)
{
    size_t size;
    size_t common;

    memcpy(&size, caller, sizeof size);
    if (size < sizeof size)
        return;
    common = size < ours_size ? size : ours_size;
    memcpy((char *)caller + sizeof size, (const char *)ours + sizeof size,
           common - sizeof size);
    memset((char *)caller + common, 0, size - common);
}
