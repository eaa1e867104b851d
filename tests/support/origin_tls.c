/* TLS of an origin: its certificate, its handshakes, its odd habits. */
#include <openssl/err.h>
#include <stdio.h>

#include "certs.h"
#include "origin_inner.h"
#include "tls_peer.h"

/* Whatever the certificate and the version: it is the client who must mind. */
static bool take_all(SSL_CTX *ctx, const struct origin_options *options)
{
    SSL_CTX_set_security_level(ctx, 0);
    if (!options->tls_max_version)
        return true;
    return SSL_CTX_set_min_proto_version(ctx, 0) == 1 &&
           SSL_CTX_set_max_proto_version(ctx, options->tls_max_version) == 1;
}

static bool load(SSL_CTX *ctx, const char *folder, const char *name)
{
    char file[64];
    char path[512];

    snprintf(file, sizeof file, "%s.pem", name);
    if (SSL_CTX_use_certificate_chain_file(
            ctx, certs_path(folder, file, path, sizeof path)) != 1)
        return false;
    snprintf(file, sizeof file, "%s.key", name);
    return SSL_CTX_use_PrivateKey_file(
               ctx, certs_path(folder, file, path, sizeof path),
               SSL_FILETYPE_PEM) == 1;
}

static bool want_client(SSL_CTX *ctx, const struct origin_options *options)
{
    char path[512];

    if (!options->wants_client)
        return true;
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                       NULL);
    return SSL_CTX_load_verify_file(ctx, certs_path(options->certs, "ca.pem",
                                                    path, sizeof path)) == 1;
}

SSL_CTX *origin_new_ctx(const struct origin_options *options, const char *name)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    if (!ctx)
        return NULL;
    SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"origin", 6);
    if (take_all(ctx, options) &&
        load(ctx, options->certs, name ? name : "server") &&
        want_client(ctx, options))
        return ctx;
    SSL_CTX_free(ctx);
    return NULL;
}

void origin_use_cert(struct origin *origin, const char *name)
{
    SSL_CTX *ctx = origin_new_ctx(&origin->options, name);
    SSL_CTX *old;

    if (!ctx)
        origin_die("certificate");
    pthread_mutex_lock(&origin->lock);
    old = origin->ctx;
    origin->ctx = ctx;
    pthread_mutex_unlock(&origin->lock);
    SSL_CTX_free(old);
}

bool origin_shake_hands(struct connection *conn)
{
    struct origin *origin = conn->origin;

    if (!origin->options.certs)
        return true;
    pthread_mutex_lock(&origin->lock);
    conn->ssl = SSL_new(origin->ctx);
    pthread_mutex_unlock(&origin->lock);
    if (!conn->ssl || SSL_set_fd(conn->ssl, conn->fd) != 1)
        origin_die("TLS");
    if (SSL_accept(conn->ssl) != 1)
        return false;
    pthread_mutex_lock(&origin->lock);
    origin->handshakes++;
    origin->resumed += SSL_session_reused(conn->ssl) == 1;
    pthread_mutex_unlock(&origin->lock);
    return true;
}

bool origin_renegotiate(struct connection *conn, unsigned count)
{
    return tls_peer_hello_requests(conn->ssl, (int)count);
}

bool origin_send_tickets(struct connection *conn, unsigned count)
{
    return tls_peer_tickets(conn->ssl, (int)count);
}
