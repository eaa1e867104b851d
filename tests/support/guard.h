/* Memory between two unreadable pages: a read or write of one byte too many
 * ends the program at once.
 *
 *   | unreadable | begin ... end | unreadable | */
#ifndef GUARD_H
#define GUARD_H

#include <stddef.h>

struct guard {
    char *begin; /* right behind an unreadable page */
    char *end;   /* right before one */
    void *pages; /* private */
    size_t mapped;
};

/* Maps room for at least `size` bytes.  Ends the program when it cannot. */
struct guard guard_open(size_t size);
/* Unmaps it. */
void guard_close(struct guard *guard);
/* Copies len bytes so that they end at the unreadable page behind. */
char *guard_at_end(const struct guard *guard, const void *bytes, size_t len);
/* Copies len bytes so that they begin at the unreadable page before. */
char *guard_at_begin(const struct guard *guard, const void *bytes, size_t len);

#endif
