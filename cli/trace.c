/* -v: each step of the pool as it happens, on standard error. */
#include "trace.h"

#include <stdio.h>

#include "fetch.h"

void cli_trace(void *user, const weir_trace_event *event)
{
    static const char *const names[] = {[WEIR_TRACE_WAIT] = "wait",
                                        [WEIR_TRACE_DIAL] = "dial",
                                        [WEIR_TRACE_RESOLVED] = "resolved",
                                        [WEIR_TRACE_CONNECTED] = "connected",
                                        [WEIR_TRACE_TLS] = "tls",
                                        [WEIR_TRACE_LEASE] = "lease",
                                        [WEIR_TRACE_SENT] = "sent",
                                        [WEIR_TRACE_RESPONSE] = "response",
                                        [WEIR_TRACE_RELEASE] = "release",
                                        [WEIR_TRACE_CLOSE] = "close",
                                        [WEIR_TRACE_RETRY] = "retry",
                                        [WEIR_TRACE_PROXY] = "proxy",
                                        [WEIR_TRACE_BREAKER] = "breaker",
                                        [WEIR_TRACE_REDIRECT] = "redirect"};
    char number[48] = "";

    (void)user;
    if (event->connection)
        snprintf(number, sizeof number, " connection %llu",
                 (unsigned long long)event->connection);
    progress_hide();
    fprintf(stderr, "* %9.6f %s %s%s%s%s\n", event->elapsed, names[event->kind],
            event->origin, number, event->detail[0] ? ": " : "", event->detail);
}
