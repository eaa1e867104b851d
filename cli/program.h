/* What a command that makes requests begins and ends with: the process's one
 * pool, and signals that end the work in order.
 *
 * SIGINT and SIGTERM are noticed once each; a second one of the same kind ends
 * the process at once.  A handler does nothing but set a flag and write a byte
 * to a pipe. */
#ifndef WEIR_CLI_PROGRAM_H
#define WEIR_CLI_PROGRAM_H

#include <pthread.h>

#include "cli.h"

/* Who acts on a signal. */
enum program_mode {
    PROGRAM_CLOSES, /* a thread closes the pool at once, so that all calls end
                     * with WEIR_E_CLOSED or _CANCELLED */
    PROGRAM_TELLS,  /* the command, in its own loop: `signals` is readable */
};

struct program {
    weir_pool *pool; /* weir_shared() */
    int signals;     /* a byte a signal; for poll() */
    int tell;        /* the end that is written to */
    enum program_mode mode;
    pthread_t watcher;
};

/* Opens the pool and takes the signals.  One at a time in a process.
 * EXIT_ALL, or an exit code: it has complained. */
int program_begin(struct program *program, const weir_pool_options *options,
                  enum program_mode mode);
/* The first signal that came; 0: none has. */
int program_signal(void);
/* Closes the pool, with `grace` seconds for what runs if no signal came, and
 * gives back the signals.  Returns 128 and the signal's number if one came,
 * `status` if not. */
int program_end(struct program *program, double grace, int status);

#endif
