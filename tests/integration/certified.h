/* Certificates, and a pool that trusts their authority. */
#ifndef INTEGRATION_CERTIFIED_H
#define INTEGRATION_CERTIFIED_H

#include "client.h"

#include "certs_once.h"

static inline weir_pool_options trusting(void)
{
    weir_pool_options options = test_options();

    options.ca_file = cert_file("ca.pem");
    return options;
}

#endif
