/* OpenSSL's own socket BIO uses read and write: it raises SIGPIPE, and waits
 * or not by the mode of the descriptor.  This one sends with MSG_NOSIGNAL,
 * never waits to send, and makes at most one receive that waits per call, so
 * that the caller can look at its clock in between: a peer that sends a record
 * byte by byte cannot hold it beyond its time limits. */
#include <errno.h>

#include "net/tls_inner.h"

/* For the stream above, an end without close_notify below is a bare end: its
 * own close_notify says whether all has come. */
static enum wr_io read_under(struct wr_tls_socket *sock, void *buf, size_t cap,
                             size_t *ret_len)
{
    const enum wr_io io =
        wr_tls_read(sock->under, buf, cap, sock->dont_wait, ret_len);

    return io == WR_IO_ERROR && wr_tls_was_cut(sock->under) ? WR_IO_EOF : io;
}

/* In a handshake what comes after bytes sent is their answer, which takes a
 * round trip: no need to look. */
static bool is_too_early(const struct wr_tls_socket *sock)
{
    return sock->is_asking && sock->has_asked && !sock->under;
}

static int on_read(BIO *bio, char *buf, size_t cap, size_t *ret_len)
{
    struct wr_tls_socket *sock = BIO_get_data(bio);
    enum wr_io io = WR_IO_AGAIN;

    BIO_clear_retry_flags(bio);
    if (!is_too_early(sock) && (sock->dont_wait || !sock->is_spent)) {
        sock->is_spent = true;
        io = __builtin_expect(sock->under != NULL, 0)
                 ? read_under(sock, buf, cap, ret_len)
                 : wr_sock_read(sock->fd, buf, cap, sock->dont_wait, ret_len);
    }
    if (io == WR_IO_OK) {
        sock->is_drained = *ret_len < cap;
        return 1;
    }
    if (io == WR_IO_AGAIN) {
        sock->is_dry = true;
        BIO_set_retry_read(bio);
    } else if (io == WR_IO_EOF) {
        sock->is_ended = true;
    } else {
        sock->error = errno;
    }
    return 0;
}

static enum wr_io write_under(const struct wr_tls_socket *sock, const char *buf,
                              size_t len, size_t *ret_len)
{
    /* Nobody writes to the vector, though its type could. */
    const struct iovec bytes = {(void *)(uintptr_t)buf, len};

    return wr_tls_writev(sock->under, &bytes, 1, ret_len);
}

static int on_write(BIO *bio, const char *buf, size_t len, size_t *ret_len)
{
    struct wr_tls_socket *sock = BIO_get_data(bio);
    const enum wr_io io = __builtin_expect(sock->under != NULL, 0)
                              ? write_under(sock, buf, len, ret_len)
                              : wr_sock_write(sock->fd, buf, len, ret_len);

    BIO_clear_retry_flags(bio);
    sock->has_asked = true;
    if (io == WR_IO_OK)
        return 1;
    if (io == WR_IO_AGAIN)
        BIO_set_retry_write(bio);
    else
        sock->error = errno;
    return 0;
}

static long on_control(BIO *bio, int command, long number, void *pointer)
{
    const struct wr_tls_socket *sock = BIO_get_data(bio);

    (void)number;
    (void)pointer;
    if (command == BIO_CTRL_FLUSH)
        return 1;
    if (command == BIO_CTRL_EOF)
        return sock->is_ended;
    return 0;
}

static BIO_METHOD *method;

static void make_method(void)
{
    const int type = BIO_get_new_index();

    method = BIO_meth_new(type | BIO_TYPE_SOURCE_SINK, "weir socket");
    if (!method)
        return;
    BIO_meth_set_read_ex(method, on_read);
    BIO_meth_set_write_ex(method, on_write);
    BIO_meth_set_ctrl(method, on_control);
}

BIO *wr_tls_bio_new(struct wr_tls_socket *socket)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    BIO *bio;

    pthread_once(&once, make_method);
    bio = method ? BIO_new(method) : NULL;
    if (!bio)
        return NULL;
    BIO_set_data(bio, socket);
    BIO_set_init(bio, 1);
    return bio;
}
