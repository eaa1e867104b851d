#include "tls_peer.h"

#include "certs.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct tls_peer {
    SSL_CTX *ctx;
};

struct tls_talk {
    pthread_t thread;
    SSL *ssl;
    int fd;
    tls_peer_fn *script;
    void *user;
    bool is_accepted;
};

static int choose_protocol(SSL *ssl, const unsigned char **out,
                           unsigned char *out_len, const unsigned char *in,
                           unsigned in_len, void *user)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen;

    (void)ssl;
    (void)user;
    if (SSL_select_next_proto(&chosen, out_len, ours, sizeof ours - 1, in,
                              in_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static bool add_ca(SSL_CTX *ctx, const char *folder)
{
    char path[512];
    BIO *file =
        BIO_new_file(certs_path(folder, "ca.pem", path, sizeof path), "r");
    X509 *ca = file ? PEM_read_bio_X509(file, NULL, NULL, NULL) : NULL;
    const bool is_added = ca && SSL_CTX_add1_chain_cert(ctx, ca) == 1;

    X509_free(ca);
    BIO_free(file);
    return is_added;
}

static bool configure(SSL_CTX *ctx, const struct tls_peer_options *options)
{
    const char *name = options->cert ? options->cert : "server";
    char file[64], path[512];

    snprintf(file, sizeof file, "%s.pem", name);
    if (SSL_CTX_use_certificate_file(
            ctx, certs_path(options->folder, file, path, sizeof path),
            SSL_FILETYPE_PEM) != 1)
        return false;
    snprintf(file, sizeof file, "%s.key", name);
    if (SSL_CTX_use_PrivateKey_file(
            ctx, certs_path(options->folder, file, path, sizeof path),
            SSL_FILETYPE_PEM) != 1)
        return false;
    if (options->max_version &&
        SSL_CTX_set_max_proto_version(ctx, options->max_version) != 1)
        return false;
    if (options->has_alpn)
        SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
    if (options->sends_ca && !add_ca(ctx, options->folder))
        return false;
    SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"weir", 4);
    if (!options->wants_client)
        return true;
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                       NULL);
    return SSL_CTX_load_verify_file(ctx, certs_path(options->folder, "ca.pem",
                                                    path, sizeof path)) == 1;
}

struct tls_peer *tls_peer_new(const struct tls_peer_options *options)
{
    struct tls_peer *peer = calloc(1, sizeof *peer);

    /* OpenSSL's own socket BIO, which this side uses, would raise it. */
    signal(SIGPIPE, SIG_IGN);
    peer->ctx = SSL_CTX_new(TLS_server_method());
    if (peer->ctx && configure(peer->ctx, options))
        return peer;
    ERR_print_errors_fp(stderr);
    tls_peer_free(peer);
    return NULL;
}

void tls_peer_free(struct tls_peer *peer)
{
    if (!peer)
        return;
    SSL_CTX_free(peer->ctx);
    free(peer);
}

int tcp_pair(int ret_fds[2])
{
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in addr = {.sin_family = AF_INET};
    struct sockaddr *sa = (struct sockaddr *)&addr;
    socklen_t len = sizeof addr;
    const int one = 1;

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, sa, len) != 0 || listen(listener, 1) != 0 ||
        getsockname(listener, sa, &len) != 0 || connect(fd, sa, len) != 0) {
        perror("tcp_pair");
        return -1;
    }
    ret_fds[0] = fd;
    ret_fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    close(listener);
    /* What has been sent is there: no Nagle, no delayed acknowledgement. */
    setsockopt(ret_fds[0], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(ret_fds[1], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return ret_fds[1] < 0 ? -1 : 0;
}

/* What `count` times `prepare` and a handshake would send, in one write. */
static bool send_at_once(SSL *ssl, int (*prepare)(SSL *ssl), int count)
{
    BIO *socket = SSL_get_wbio(ssl);
    BIO *all = BIO_new(BIO_s_mem());
    const char *bytes;
    long len, sent;
    bool is_sent = all != NULL;

    BIO_up_ref(socket);
    SSL_set0_wbio(ssl, all);
    while (is_sent && count-- > 0)
        is_sent = prepare(ssl) == 1 && SSL_do_handshake(ssl) == 1;
    len = BIO_get_mem_data(all, &bytes);
    while (is_sent && len > 0) {
        sent = BIO_write(socket, bytes, (int)len);
        is_sent = sent > 0;
        bytes += sent;
        len -= sent;
    }
    SSL_set0_wbio(ssl, socket);
    return is_sent;
}

bool tls_peer_hello_requests(SSL *ssl, int count)
{
    return send_at_once(ssl, SSL_renegotiate, count);
}

bool tls_peer_tickets(SSL *ssl, int count)
{
    return send_at_once(ssl, SSL_new_session_ticket, count);
}

static void *talk_main(void *user)
{
    struct tls_talk *talk = user;

    talk->is_accepted = SSL_accept(talk->ssl) == 1;
    if (talk->is_accepted && talk->script)
        talk->script(talk->ssl, talk->user);
    /* A session freed without a shutdown could not be resumed by its id. */
    SSL_set_shutdown(talk->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(talk->ssl);
    close(talk->fd);
    ERR_clear_error();
    return NULL;
}

struct tls_talk *tls_peer_connect(struct tls_peer *peer, tls_peer_fn *script,
                                  void *user, int *ret_fd)
{
    struct tls_talk *talk = calloc(1, sizeof *talk);
    int fds[2];

    if (!talk || tcp_pair(fds) != 0)
        abort();
    talk->fd = fds[1];
    talk->script = script;
    talk->user = user;
    talk->ssl = SSL_new(peer->ctx);
    SSL_set_fd(talk->ssl, talk->fd);
    if (pthread_create(&talk->thread, NULL, talk_main, talk) != 0)
        abort();
    *ret_fd = fds[0];
    return talk;
}

bool tls_talk_join(struct tls_talk *talk)
{
    bool is_accepted;

    pthread_join(talk->thread, NULL);
    is_accepted = talk->is_accepted;
    free(talk);
    return is_accepted;
}
