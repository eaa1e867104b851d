/* The certificates of a whole program of tests, made once, and a pool that
 * trusts their authority. */
#ifndef INTEGRATION_CERTIFIED_H
#define INTEGRATION_CERTIFIED_H

#include "client.h"

#include "certs.h"

static char *certs;

static inline int make_certs(void **state)
{
    (void)state;
    certs = certs_new();
    return certs ? 0 : -1;
}

static inline int drop_certs(void **state)
{
    (void)state;
    certs_done(certs);
    return 0;
}

/* A file of the standard set; four such names are good at a time. */
static inline const char *cert_file(const char *name)
{
    static char paths[4][256];
    static unsigned next;

    next = (next + 1) % 4;
    return certs_path(certs, name, paths[next], sizeof paths[next]);
}

static inline weir_pool_options trusting(void)
{
    weir_pool_options options = test_options();

    options.ca_file = cert_file("ca.pem");
    return options;
}

#endif
