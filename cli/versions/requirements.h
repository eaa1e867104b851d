/* Requirements files, with all that they include. */
#ifndef WEIR_CLI_REQUIREMENTS_H
#define WEIR_CLI_REQUIREMENTS_H

#include <stdbool.h>
#include <stddef.h>

/* A package that a file names. */
struct requirement {
    char *name; /* as written */
    char *pin;  /* the version of "==", or NULL */
};

struct requirements {
    struct requirement *list; /* in their order; a name may come again */
    size_t count;
};

/* Appends what a file names.  What is ignored is told on standard error, and so
 * is every wrong line.  false: there was one, or a file cannot be read. */
bool requirements_read(const char *path, struct requirements *requirements);
void requirements_free(struct requirements *requirements);

#endif
