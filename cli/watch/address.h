/* The address of a control socket. */
#ifndef WEIR_WATCH_ADDRESS_H
#define WEIR_WATCH_ADDRESS_H

#include <stdbool.h>
#include <sys/un.h>

/* false: it has complained, for a path can be too long. */
bool watch_control_address(const char *path, struct sockaddr_un *ret_address);

#endif
