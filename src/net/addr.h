/* Socket addresses and lists of them. */
#ifndef WR_NET_ADDR_H
#define WR_NET_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <weir/error.h>
#include <weir/pool.h>

enum {
    WR_ADDRS_MAX = 16,
    WR_ADDR_TEXT = 128
};

struct wr_addr {
    struct sockaddr_storage sa;
    socklen_t len;
};

struct wr_addrs {
    unsigned count;
    struct wr_addr list[WR_ADDRS_MAX];
};

/* An IPv4 or IPv6 literal, without brackets, IPv6 with an optional zone.
 * false: it is none. */
bool wr_addr_parse(struct wr_addr *ret_addr, const char *text, uint16_t port);
/* A Unix-domain socket; a path that begins with '@' is abstract.
 * false: the path is empty or too long. */
bool wr_addr_unix(struct wr_addr *ret_addr, const char *path);
void wr_addr_set_port(struct wr_addr *addr, uint16_t port);
bool wr_addr_equal(const struct wr_addr *a, const struct wr_addr *b);
/* The same, whatever the ports are. */
bool wr_addr_equal_host(const struct wr_addr *a, const struct wr_addr *b);
/* "127.0.0.1:80", "[::1]:443", "unix:/run/x.sock"; cap >= WR_ADDR_TEXT. */
const char *wr_addr_text(const struct wr_addr *addr, char *buf, size_t cap);
/* Reorders for RFC 8305 section 4: families alternate, the first one stays. */
void wr_addrs_interleave(struct wr_addrs *addrs);

#endif
