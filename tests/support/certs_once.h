/* The certificates of a whole program of tests: made before the first of them,
 * removed after the last. */
#ifndef CERTS_ONCE_H
#define CERTS_ONCE_H

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

/* "FOLDER/NAME", lent until 32 more have been asked for. */
static inline const char *cert_file(const char *name)
{
    enum {
        MANY = 32,
        PATH_BYTES = 256
    };
    static char paths[MANY][PATH_BYTES];
    static unsigned next;

    return certs_path(certs, name, paths[next++ % MANY], PATH_BYTES);
}

#endif
