/* The two ends of a wire: network namespaces of the program's own, each with a
 * TUN device and an address.  Nothing of the machine's own network is touched,
 * and all is gone when the last process in it ends. */
#ifndef WIRE_PLACE_H
#define WIRE_PLACE_H

#include "rules.h"

#define NEAR_ADDRESS "10.99.0.1"
#define FAR_ADDRESS "10.99.0.2"
#define NEAR_ADDRESS_6 "fd99::1"
#define FAR_ADDRESS_6 "fd99::2"

struct place {
    int tun; /* where the namespace's packets come out and go in */
    int net; /* the namespace, for setns() */
};

/* Makes both and leaves the process in the far one.  false: not allowed or not
 * possible here; the reason is in `why`. */
bool places_make(struct place places[SIDES], char *why, size_t cap);

#endif
