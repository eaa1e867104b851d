/* Names of packages: PEP 508, "Names", and their one normal form (PEP 503). */
#ifndef WEIR_CLI_PACKAGE_NAME_H
#define WEIR_CLI_PACKAGE_NAME_H

#include <stddef.h>

/* Length of the name that `text` begins with: letters, digits, '.', '_' and
 * '-', the first and the last a letter or a digit; 0: none. */
size_t package_name_len(const char *text);

/* In lower case, each run of '.', '_' and '-' one '-'.  To free. */
char *package_name_normalise(const char *name, size_t len);

#endif
