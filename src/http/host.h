/* The host of a URL in canonical form: what makes two of them the same host
 * (protocol-rules 1.2). */
#ifndef WR_HTTP_HOST_H
#define WR_HTTP_HOST_H

#include <weir/error.h>

#include "http/url.h"

enum {
    WR_LABEL_MAX = 63,      /* bytes of one label (RFC 1035 section 2.3.4) */
    WR_HOST_NAME_MAX = 253, /* bytes of a name without its trailing dot */
    WR_ZONE_MAX = 15,       /* IF_NAMESIZE - 1 */
};

struct wr_host {
    enum wr_host_kind kind;
    size_t len;
    size_t address_len;              /* IPv6: without '%' and zone; else len */
    char text[WR_HOST_NAME_MAX + 3]; /* terminated */
};

/* Reads text[from, to), all of the host, brackets included.  The offset of an
 * error counts from text[0].  WEIR_E_URL or WEIR_E_NO_MEMORY. */
weir_status wr_host_parse(struct wr_host *ret_host, const char *text,
                          size_t from, size_t to, weir_error *ret_err);

#endif
