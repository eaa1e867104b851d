/* One line of a requirements file: what it asks of weir versions.
 *
 * The form is that of pip's "Requirements file format", a name that of PEP 508.
 * Markers are not evaluated: a name is a name on every machine. */
#ifndef WEIR_CLI_REQUIREMENT_H
#define WEIR_CLI_REQUIREMENT_H

#include <stddef.h>

enum requirement_kind {
    REQUIREMENT_NONE,    /* empty, or a comment */
    REQUIREMENT_NAME,    /* a package of the index */
    REQUIREMENT_INCLUDE, /* -r PATH */
    REQUIREMENT_IGNORED, /* an option, or what no index knows; see `why` */
    REQUIREMENT_WRONG    /* see `why` */
};

/* What a line says; stretches are borrowed from it. */
struct requirement_line {
    enum requirement_kind kind;
    const char *text; /* the name, or the path */
    size_t len;
    const char *pin; /* the version of "==", or NULL */
    size_t pin_len;
    char why[200];
};

/* Reads a line whose continuations have been joined. */
void requirement_read(const char *line, struct requirement_line *ret_line);

#endif
