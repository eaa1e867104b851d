/* Real servers as peers of a test: nginx, httpbin under gunicorn, and proxies.
 *
 * Each runs as a child with a temporary folder of its own and ends with
 * peer_stop(), or with the test.  It knows nothing of weir. */
#ifndef PEER_H
#define PEER_H

#include <stdbool.h>
#include <stddef.h>

struct peer;

enum {
    PEER_ADDRESSES = 10,     /* 127.0.0.1 to 127.0.0.10 */
    PEER_CONNECTIONS = 12000 /* that nginx takes at a time */
};

/* nginx with a plain port on each of PEER_ADDRESSES, a TLS port on the first,
 * and a Unix socket; `certs` is a folder of certs_new().  It serves
 *
 *   /102 /10k /60k.json /1m   files of 102 B, 10 KiB, 60,000 B and 1 MiB, byte
 *                             i of which is peer_byte(i); the third a JSON text
 *   /close/…                  the same, and closes after each answer
 *   /upload                   204 to any body, without reading it first
 *
 * NULL after printing why, also when the program is not installed. */
struct peer *peer_start_nginx(const char *certs);
/* httpbin, plain. */
struct peer *peer_start_httpbin(void);

/* Proxies on 127.0.0.1 that allow everything.  userinfo: "user:password" that
 * an HTTP proxy wants as Basic, NULL = none. */
struct peer *peer_start_squid(const char *userinfo);
struct peer *peer_start_tinyproxy(const char *userinfo);
/* Dante, SOCKS5 without authentication. */
struct peer *peer_start_dante(void);
/* haproxy, which takes TLS off what it hands on to 127.0.0.1:`port`; `cert` is
 * the name of a certificate in `certs`. */
struct peer *peer_start_haproxy(const char *certs, const char *cert,
                                unsigned short port);

/* dnsmasq at `address` and loopback, UDP and TCP; it knows the names that
 * peer_set_hosts() tells it, and asks nobody but loopback's port `upstream`, of
 * names under else.test. */
struct peer *peer_start_dnsmasq(const char *address, unsigned short upstream);
/* "ADDRESS NAME" lines in place of what it knew; it reads them soon. */
bool peer_set_hosts(const struct peer *peer, const char *lines);

/* Kills it, and starts it again on the same ports; false: it does not start. */
bool peer_restart(struct peer *peer);
/* Ends it by its process number and waits for it; NULL is allowed. */
void peer_stop(struct peer *peer);

/* "http://127.0.0.1:PORT/path" in buf, which it returns. */
const char *peer_url(const struct peer *peer, bool tls, const char *path,
                     char *buf, size_t cap);
/* The same at 127.0.0.`host`, which begins at 1; plain. */
const char *peer_url_at(const struct peer *peer, unsigned host,
                        const char *path, char *buf, size_t cap);
unsigned short peer_port(const struct peer *peer);
/* Path of the Unix socket; lent. */
const char *peer_path(const struct peer *peer);
/* Byte i of a file but the JSON text. */
char peer_byte(size_t i);

#endif
