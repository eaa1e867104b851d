/* The floor with a connection for every request.  TLS resumes with the newest
 * session that the server has given. */
#include "floor.h"

struct dialer {
    struct floor_peer peer;
    struct floor_link link;
    SSL_SESSION *session; /* NULL = none yet */
    char in[1 << 16];
};

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct dialer *dialer = SSL_get_app_data(ssl);

    SSL_SESSION_free(dialer->session);
    dialer->session = session;
    return 1;
}

static void close_link(struct floor_link *link)
{
    if (link->ssl) {
        SSL_shutdown(link->ssl);
        SSL_free(link->ssl);
        link->ssl = NULL;
    }
    close(link->fd);
}

static void get(void *user)
{
    struct dialer *dialer = user;

    floor_dial(&dialer->peer, &dialer->link, dialer->session, dialer);
    floor_limit_reads(&dialer->link);
    floor_get(&dialer->peer, &dialer->link, dialer->in, sizeof dialer->in);
    close_link(&dialer->link);
}

int main(int argc, char **argv)
{
    static struct dialer dialer;
    const struct client_args args = client_args(argc, argv, 0);

    floor_peer_init(&dialer.peer, &args);
    if (dialer.peer.context) {
        SSL_CTX_set_session_cache_mode(dialer.peer.context,
                                       SSL_SESS_CACHE_CLIENT |
                                           SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(dialer.peer.context, keep_session);
    }
    return client_run(&args, get, &dialer);
}
