/* What a redirect makes of a request (RFC 9110 section 15.4, protocol-rules
 * section 3).  It may point into the request that the caller asked for. */
#ifndef WR_CONN_HOP_H
#define WR_CONN_HOP_H

#include "conn/request.h"

struct wr_redirected {
    const struct weir_request *sent; /* the one that was redirected */
    int status;
    bool is_stripped; /* credentials have gone before */
};

/* Is it a redirect that a client follows by itself: 301, 302, 303, 307, 308? */
bool wr_hop_is_redirect(int status);
/* Method of the next request: GET after 303 unless it was HEAD, and after 301
 * and 302 of a POST; else the same. */
const char *wr_hop_method(const char *method, int status);
/* Will it be sent without the body that the one before had? */
bool wr_hop_drops_body(const struct weir_request *sent, int status);

/* A request for `url`, which is taken over on success: the fields of the one
 * before without Authorization, Cookie and Proxy-* once the origin has changed,
 * without those of a body that is dropped; a body that is sent again is that
 * request's, borrowed.  NULL: no memory. */
struct weir_request *wr_hop_request(const struct wr_redirected *hop,
                                    struct wr_url *url);

#endif
