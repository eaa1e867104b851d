/**
 * @file
 * Version of the headers and of the library.
 */
#ifndef WEIR_VERSION_H
#define WEIR_VERSION_H

#include <weir/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Version of the headers. */
#define WEIR_VERSION "0.1.0"

/** Version of the library that is running, e.g. "0.1.0". */
WEIR_API const char *weir_version(void);

#ifdef __cplusplus
}
#endif
#endif
