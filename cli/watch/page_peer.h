/* Whose process is at the other end of a connection on loopback. */
#ifndef WEIR_WATCH_PAGE_PEER_H
#define WEIR_WATCH_PAGE_PEER_H

#include <stdbool.h>
#include <sys/types.h>

/* false: that cannot be known, as of a peer in another network namespace. */
bool page_peer_user(int fd, uid_t *ret_user);
/* The same by the kernel's table alone, which is there when its answers are
 * not. */
bool page_peer_search(int fd, uid_t *ret_user);

#endif
