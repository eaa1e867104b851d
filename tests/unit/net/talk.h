/* A client's TLS stream and a scripted server, as the tests of reading and of
 * writing want them.  To be included once, after cmocka. */
#ifndef TEST_TALK_H
#define TEST_TALK_H

#include <openssl/err.h>
#include <poll.h>
#include <semaphore.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "certs_once.h"
#include "net/tls.h"
#include "tls_peer.h"

/* A client in this thread, a server's script in another.  The script waits for
 * `go` and posts `did` where the test needs to know. */
struct talk {
    struct wr_tls_context *context;
    struct wr_tls_stream *stream;
    int fd;
    struct tls_peer *peer;
    struct tls_talk *far;
    sem_t go;
    sem_t did;
    size_t total;  /* bytes that the far side has read */
    bool is_equal; /* and they were what was sent */
    int reason;    /* OpenSSL's, why the far side has failed */
};

static inline void talk_begin(struct talk *talk, tls_peer_fn *script,
                              int version)
{
    const struct tls_peer_options server = {.folder = certs,
                                            .max_version = version};
    struct wr_waits waits;
    enum wr_step step;
    weir_error err;

    memset(talk, 0, sizeof *talk);
    sem_init(&talk->go, 0, 0);
    sem_init(&talk->did, 0, 0);
    assert_int_equal(wr_tls_context_new(&(struct wr_tls_options){false},
                                        &talk->context, &err),
                     WEIR_OK);
    talk->peer = tls_peer_new(&server);
    talk->far = tls_peer_connect(talk->peer, script, talk, &talk->fd);
    talk->stream =
        wr_tls_stream_new(talk->context, NULL, (struct wr_slice){NULL, 0},
                          "localhost", talk->fd, &err);
    assert_non_null(talk->stream);
    while ((step = wr_tls_handshake(talk->stream, &waits, &err)) ==
           WR_STEP_WAIT)
        assert_int_equal(poll(waits.fds, waits.count, 10000), 1);
    assert_int_equal(step, WR_STEP_DONE);
}

/* The far side has run to its end; its bytes and its close are here. */
static inline void talk_join(struct talk *talk)
{
    assert_true(tls_talk_join(talk->far));
    talk->far = NULL;
}

static inline void talk_end(struct talk *talk)
{
    wr_tls_stream_free(talk->stream, false);
    close(talk->fd);
    if (talk->far)
        tls_talk_join(talk->far);
    tls_peer_free(talk->peer);
    wr_tls_context_free(talk->context);
    sem_destroy(&talk->go);
    sem_destroy(&talk->did);
    assert_int_equal(ERR_peek_error(), 0);
}

static inline void put(SSL *ssl, const char *text)
{
    SSL_write(ssl, text, (int)strlen(text));
}

/* Reads until something other than AGAIN comes, as a driver would. */
static inline enum wr_io read_some(struct talk *talk, char *buf, size_t cap,
                                   size_t *ret_len)
{
    enum wr_io io;

    do {
        io = wr_tls_read(talk->stream, buf, cap, false, ret_len);
        assert_int_equal(ERR_peek_error(), 0);
    } while (io == WR_IO_AGAIN);
    return io;
}

static inline void check_text(struct talk *talk, const char *expected)
{
    char buf[256];
    size_t used = 0;

    while (used < strlen(expected)) {
        size_t len = 0;

        assert_int_equal(read_some(talk, buf + used, sizeof buf - used, &len),
                         WR_IO_OK);
        used += len;
    }
    assert_int_equal(used, strlen(expected));
    assert_memory_equal(buf, expected, used);
}

static inline void wait_for_go(SSL *ssl, void *user)
{
    struct talk *talk = user;

    (void)ssl;
    sem_post(&talk->did);
    sem_wait(&talk->go);
}

static inline void reset_socket(SSL *ssl, void *user)
{
    const struct linger linger = {1, 0};
    struct talk *talk = user;

    sem_wait(&talk->go);
    setsockopt(SSL_get_fd(ssl), SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

#endif
