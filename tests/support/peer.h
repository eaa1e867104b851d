/* Real servers as peers of a test: nginx, and httpbin under gunicorn.
 *
 * Each runs as a child with a temporary folder of its own and ends with
 * peer_stop(), or with the test.  It knows nothing of weir. */
#ifndef PEER_H
#define PEER_H

#include <stdbool.h>
#include <stddef.h>

struct peer;

/* nginx with a plain and a TLS port and a Unix socket; `certs` is a folder of
 * certs_new().  It serves
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
/* Ends it by its process number and waits for it; NULL is allowed. */
void peer_stop(struct peer *peer);

/* "http://127.0.0.1:PORT/path" in buf, which it returns. */
const char *peer_url(const struct peer *peer, bool tls, const char *path,
                     char *buf, size_t cap);
/* Path of the Unix socket; lent. */
const char *peer_path(const struct peer *peer);
/* Byte i of a file but the JSON text. */
char peer_byte(size_t i);

#endif
