/* The target of a redirect: a reference resolved against the URL it came from
 * (RFC 3986 section 5, RFC 9110 section 10.2.2). */
#ifndef WR_HTTP_RESOLVE_H
#define WR_HTTP_RESOLVE_H

#include "base/buf.h"
#include "http/url.h"

/* Appends to `out` the absolute URL that `reference`, the value of a Location
 * field, means where `base` was asked for; to be taken by wr_url_parse(), which
 * also checks it.  Dot segments are removed; the fragment is dropped; bytes of
 * path and query that servers send though no URL holds them (spaces, quotes,
 * braces, anything beyond ASCII) are percent-encoded, as browsers do.
 *
 * A backslash is not: it is refused by wr_url_parse(), as some take it for a
 * slash.  So is every other fault.
 *
 * WEIR_E_REDIRECT: a scheme other than http and https; user information, which
 * a server has no business to send (RFC 9110 section 4.2.4).
 * WEIR_E_NO_MEMORY.  `out` may have grown then. */
weir_status wr_url_resolve(const struct wr_url *base, struct wr_slice reference,
                           struct wr_buf *out, weir_error *ret_err);
/* Appends the URL as text: "https://example.org:8443/path?query"; never its
 * user information.  false: out of memory. */
bool wr_url_print(const struct wr_url *url, struct wr_buf *out);
/* Scheme, host and port are the same: they share credentials. */
bool wr_url_same_origin(const struct wr_url *a, const struct wr_url *b);

#endif
