/* Where the page listens. */
#ifndef WEIR_WATCH_PAGE_LISTEN_H
#define WEIR_WATCH_PAGE_LISTEN_H

#include <stdbool.h>
#include <sys/socket.h>

#include <weir/weir.h>

/* Reads "127.0.0.1:8090", "[::1]:0" or "localhost:8090": an address, or
 * localhost, and a port. */
bool page_read_address(const char *text, struct sockaddr_storage *ret_address,
                       weir_error *ret_err);
bool page_is_loopback(const struct sockaddr_storage *address);
/* A socket that listens there, non-blocking; -1: `ret_err` says why. */
int page_listen(const struct sockaddr_storage *address, const char *text,
                weir_error *ret_err);
/* Where a socket listens indeed: "127.0.0.1:41233".  To free. */
char *page_address_of(int fd);

#endif
