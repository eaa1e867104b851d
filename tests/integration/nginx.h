/* nginx as the peer of a whole test program: one for all its tests. */
#ifndef NGINX_H
#define NGINX_H

#include "client.h"

#include "certs.h"
#include "peer.h"

static char *certs;
static struct peer *nginx; /* NULL: there is none here */

static inline int start_nginx(void **state)
{
    (void)state;
    certs = certs_new();
    if (!certs)
        return -1;
    nginx = peer_start_nginx(certs);
    return 0;
}

static inline int stop_nginx(void **state)
{
    (void)state;
    peer_stop(nginx);
    certs_done(certs);
    return 0;
}

static inline void need_nginx(void)
{
    if (!nginx)
        skip();
}

#endif
