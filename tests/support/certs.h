/* Certificates for tests, made at run time, as PEM files in a folder.
 *
 * Every certificate NAME becomes NAME.pem and its key NAME.key (EC P-256 unless
 * told otherwise, no pass phrase).  Functions return false, or NULL, after
 * printing why. */
#ifndef TEST_CERTS_H
#define TEST_CERTS_H

#include <stdbool.h>
#include <stddef.h>

struct certs_spec {
    const char *name;        /* of the files */
    const char *common_name; /* NULL = `name` */
    const char *alt_names;   /* "DNS:example.test,IP:127.0.0.1"; NULL = none */
    const char *issuer;      /* name of a CA made before; NULL = itself */
    bool is_ca;
    bool is_client;       /* for client authentication, not for a server */
    int begins_days;      /* from now; usually below 0 */
    int ends_days;        /* from now */
    unsigned rsa_bits;    /* of an RSA key; 0 = EC P-256 */
    const char *digest;   /* of the signature, "SHA1"; NULL = SHA256 */
    const char *chain;    /* name of a certificate that follows in the file */
    const char *nul_name; /* DNS name in which '|' stands for a NUL byte, the
                           * one alternative name; NULL = none */
};

/* Makes one certificate. */
bool certs_make(const char *folder, const struct certs_spec *spec);

/* Makes a new folder in the temporary one with the standard set:
 *
 *   ca, other-ca   two authorities; hashed/ holds the first, as OpenSSL's
 *                  ca_path wants it
 *   server         by ca, for localhost, example.test, *.wild.test, 127.0.0.1
 *                  and ::1
 *   wrong-name     by ca, for other.test
 *   cn-only        by ca, common name localhost, no alternative name
 *   partial        by ca, for loc*host
 *   expired        by ca, as server, ended yesterday
 *   future         by ca, as server, begins tomorrow
 *   self-signed    as server, by itself
 *   client         by ca, for client authentication
 *   other-client   by other-ca, for client authentication
 *   client-chain   client.pem followed by client.key, in one file
 *   locked.key     client.key under a pass phrase
 *
 * The name is the caller's, to end with certs_done(). */
char *certs_new(void);
/* Removes the folder and what is in it; NULL is allowed. */
void certs_done(char *folder);
/* "FOLDER/FILE" in buf, which it returns. */
const char *certs_path(const char *folder, const char *file, char *buf,
                       size_t cap);

#endif
