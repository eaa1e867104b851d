/* Which proxy a request goes through, as the pool's options and, if asked for,
 * the environment say.  Immutable once made. */
#ifndef WR_CONN_PROXIES_H
#define WR_CONN_PROXIES_H

#include <weir/error.h>

#include "http/proxy.h"
#include "http/url.h"

struct wr_proxies;

struct wr_proxies_options {
    const char *proxy;    /* URL; NULL or "" = none */
    const char *no_proxy; /* see http/no_proxy.h; NULL or "" = none */
    bool environment;     /* fills in what is none */
};

/* Copies all.  *ret_proxies is NULL when everything is direct.
 * WEIR_E_OPTION names the option, or the variable; WEIR_E_NO_MEMORY. */
weir_status wr_proxies_new(const struct wr_proxies_options *options,
                           struct wr_proxies **ret_proxies,
                           weir_error *ret_err);
/* Lent; NULL = direct.  proxies may be NULL. */
const struct wr_proxy *wr_proxies_choose(const struct wr_proxies *proxies,
                                         const struct wr_url *url);
void wr_proxies_free(struct wr_proxies *proxies);

#endif
