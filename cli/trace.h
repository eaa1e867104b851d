/* The -v lines. */
#ifndef WEIR_CLI_TRACE_H
#define WEIR_CLI_TRACE_H

#include "cli.h"

/* For weir_pool_options.trace: a line an event, from any thread. */
void cli_trace(void *user, const weir_trace_event *event);

#endif
