/* Absolute http and https URLs, taken apart and made canonical (RFC 3986,
 * RFC 9110 section 4.2).
 *
 * Strict: spaces, controls, bad ports and bad percent signs are refused with
 * their offset in the text as given.  Parts are slices of one owned block. */
#ifndef WR_HTTP_URL_H
#define WR_HTTP_URL_H

#include <stdbool.h>
#include <stdint.h>

#include <weir/error.h>

#include "base/slice.h"

enum wr_host_kind {
    WR_HOST_NAME,
    WR_HOST_IPV4,
    WR_HOST_IPV6
};

struct wr_url {
    bool tls; /* scheme is https */
    enum wr_host_kind host_kind;
    uint16_t port;        /* given or the scheme's default */
    char *block;          /* owned: what the slices point into */
    struct wr_slice host; /* canonical: lower-case A-label, or an IP literal
                           * in canonical form without brackets, IPv6 with
                           * its zone ("fe80::1%eth0"); one trailing dot is
                           * dropped; terminated by a NUL */
    struct wr_slice authority; /* for the Host field: brackets and no zone for
                                * IPv6; port only when not the default */
    struct wr_slice target;    /* origin-form: path (at least "/") and query;
                                * the fragment is dropped */
    struct wr_slice userinfo;  /* "user:password", percent-decoded, the colon
                                * always there; data is NULL when the URL has
                                * none, or an empty one */
};

/* Parses len bytes.  On failure *ret_url is untouched.
 * WEIR_E_URL (offset, a specimen and what was expected in the message) or
 * WEIR_E_NO_MEMORY. */
weir_status wr_url_parse(struct wr_url *ret_url, const char *text, size_t len,
                         weir_error *ret_err);
/* Frees the block; a zeroed url is allowed. */
void wr_url_done(struct wr_url *url);

#endif
