/* The progress line on a terminal; all functions take calls from any thread. */
#ifndef WEIR_CLI_PROGRESS_H
#define WEIR_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void progress_begin(size_t jobs, bool is_wanted);
/* Bytes came; `expected` is the length of what they are part of, or
 * WEIR_LENGTH_UNKNOWN. */
void progress_bytes(size_t bytes, uint64_t expected);
void progress_job_done(void);
void progress_end(void);
/* Clears the line so that something else may be printed. */
void progress_hide(void);

#endif
