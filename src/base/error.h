/* Filling in a weir_error.  Every function takes NULL for an error that nobody
 * wants, and returns the code, so that a failure is one `return`. */
#ifndef WR_BASE_ERROR_H
#define WR_BASE_ERROR_H

#include <stddef.h>

#include <weir/error.h>

#include "base/cold.h"

/* Sets code, class and message; all other members become zero. */
WR_COLD __attribute__((format(printf, 3, 4))) weir_status
wr_error_set(weir_error *err, weir_status code, const char *format, ...);
/* The same with errno's value `system_code`, whose text follows ": ". */
WR_COLD __attribute__((format(printf, 4, 5))) weir_status
wr_error_system(weir_error *err, weir_status code, int system_code,
                const char *format, ...);
/* The same with a byte offset. */
WR_COLD __attribute__((format(printf, 4, 5))) weir_status
wr_error_at(weir_error *err, weir_status code, uint64_t offset,
            const char *format, ...);
/* WEIR_E_NO_MEMORY. */
WR_COLD weir_status wr_error_no_memory(weir_error *err);
/* Writes the text of a system error in lower case, e.g. "connection refused",
 * to buf and returns buf.  Thread-safe. */
const char *wr_system_text(int system_code, char *buf, size_t cap);

#endif
