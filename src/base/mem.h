/* Memory: the one door to the allocator (weir/memory.h).
 *
 * Every function returns NULL when memory is short; nothing aborts.  A size
 * that would overflow counts as short. */
#ifndef WR_BASE_MEM_H
#define WR_BASE_MEM_H

#include <stddef.h>

void *wr_malloc(size_t size);
/* count * size zeroed bytes. */
void *wr_calloc(size_t count, size_t size);
void *wr_realloc(void *ptr, size_t size);
void wr_free(void *ptr);
/* A terminated copy of len bytes, which may hold no NUL. */
char *wr_strndup(const char *text, size_t len);
char *wr_strdup(const char *text);

#endif
