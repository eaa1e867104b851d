/* nginx as the peer of a whole test program: one for all its tests. */
#ifndef NGINX_H
#define NGINX_H

#include "certified.h"

#include "peer.h"

static struct peer *nginx; /* NULL: there is none here */

static inline int start_nginx(void **state)
{
    if (make_certs(state) != 0)
        return -1;
    nginx = peer_start_nginx(certs);
    return 0;
}

static inline int stop_nginx(void **state)
{
    peer_stop(nginx);
    return drop_certs(state);
}

static inline void need_nginx(void)
{
    if (!nginx)
        skip();
}

#endif
