/* weir fetch: what the command line changes in the options of the pool.  They
 * come from settings, which are loaded when all of the command line is known,
 * so the changes are kept in their order until then. */
#ifndef WEIR_CLI_FETCH_POOL_H
#define WEIR_CLI_FETCH_POOL_H

#include "fetch.h"

/* Options without a letter. */
enum {
    OPT_JSON = 256,
    OPT_INPUT,
    OPT_BEARER,
    OPT_REPORT,
    OPT_NO_BODY,
    OPT_STATS,
    OPT_NO_PROGRESS,
    OPT_PARALLEL,
    OPT_NO_POOL,
    OPT_UNIX_SOCKET,
    OPT_RESOLVE,
    OPT_INTERFACE,
    OPT_PROXY,
    OPT_NOPROXY,
    OPT_PROXY_USER,
    OPT_COMPRESSED,
    OPT_MAX_REDIRECTS,
    OPT_REDIRECT_DOWNGRADE,
    OPT_MAX_DECODED,
    OPT_MAX_DECODE_RATIO,
    OPT_RETRY,
    OPT_RETRY_DELAY,
    OPT_RETRY_BACKOFF,
    OPT_RETRY_MAX_DELAY,
    OPT_BREAKER,
    OPT_BREAKER_RATE,
    OPT_BREAKER_WINDOW,
    OPT_BREAKER_MIN_REQUESTS,
    OPT_BREAKER_OPEN,
    OPT_HEDGE,
    OPT_CACERT,
    OPT_CAPATH,
    OPT_CERT,
    OPT_KEY,
    OPT_TLS_MIN,
    OPT_CONNECT_TIMEOUT,
    OPT_ACQUIRE_TIMEOUT,
    OPT_FIRST_BYTE_TIMEOUT,
    OPT_READ_TIMEOUT,
    OPT_MAX_BODY,
    OPT_CONFIG,
};

/* Keeps an option of the pool for later.  false: it is none. */
bool fetch_take_pool_option(struct fetch_options *options, int option,
                            const char *argument);
/* Changes options->pool, which has been loaded.  false: it has complained. */
bool fetch_change_pool(struct fetch_options *options);

#endif
