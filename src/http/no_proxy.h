/* What is reached without a proxy: a list of entries, set off by commas or
 * white space, as in the variable no_proxy.
 *
 *   *                     everything
 *   example.org           that host and its subdomains; .example.org and
 *                         *.example.org say the same
 *   192.0.2.1  2001:db8::1  [2001:db8::1]   that address, in any spelling
 *   10.0.0.0/8  2001:db8::/32  [2001:db8::]/32   addresses with that prefix
 *   example.org:8080  192.0.2.1:80  [::1]:80     only at that port
 *
 * Case and one trailing dot make no difference, names are compared as A-labels,
 * and ::ffff:192.0.2.1 is 192.0.2.1.  Names are not resolved: an address never
 * stands for a name.  An entry of no such form matches nothing, as in curl. */
#ifndef WR_HTTP_NO_PROXY_H
#define WR_HTTP_NO_PROXY_H

#include <stdbool.h>
#include <stdint.h>

/* host: canonical, see http/url.h; brackets and name as in wr_url.host. */
bool wr_no_proxy_has(const char *list, const char *host, uint16_t port);

#endif
