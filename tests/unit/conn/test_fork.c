/* What a fork's child does to its parent's connections: nothing; and that it
 * can make everything anew.  The server is a process, so that no other thread
 * of this one can hold a lock of OpenSSL when it forks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "certs_once.h"
#include "child.h"
#include "conn/transport.h"
#include "dns.h"
#include "net/clock.h"
#include "net/resolver.h"
#include "tls_peer.h"

/* --- the server ------------------------------------------------------------
 */

static int echo_plain(int fd)
{
    char buf[64];
    ssize_t got;

    while ((got = recv(fd, buf, sizeof buf, 0)) > 0)
        send(fd, buf, (size_t)got, MSG_NOSIGNAL);
    return got == 0 ? 0 : 1;
}

static int echo_tls(int fd, int version)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    char buf[64];
    SSL *ssl;
    int got;

    SSL_CTX_set_max_proto_version(ctx, version);
    SSL_CTX_use_certificate_file(ctx, cert_file("server.pem"),
                                 SSL_FILETYPE_PEM);
    SSL_CTX_use_PrivateKey_file(ctx, cert_file("server.key"), SSL_FILETYPE_PEM);
    ssl = SSL_new(ctx);
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) != 1)
        return 2;
    while ((got = SSL_read(ssl, buf, sizeof buf)) > 0)
        SSL_write(ssl, buf, got);
    return SSL_get_error(ssl, got) == SSL_ERROR_ZERO_RETURN ? 0 : 3;
}

/* Starts a process that echoes until a proper close; version 0 = plain. *ret_fd
 * leads to it. */
static pid_t serve(int version, int *ret_fd)
{
    int fds[2];
    pid_t pid;

    assert_int_equal(tcp_pair(fds), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        alarm(20);
        close(fds[0]);
        end_child(version ? echo_tls(fds[1], version) : echo_plain(fds[1]));
    }
    close(fds[1]);
    *ret_fd = fds[0];
    return pid;
}

static void check_exit(pid_t pid)
{
    int status = -1;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* --- the client; these say false, as a child may not fail a test -----------
 */

struct means {
    struct wr_tls_context *context;
    struct wr_tls_sessions *sessions;
};

static bool make_means(struct means *means)
{
    const struct wr_tls_options options = {.verify = true,
                                           .ca_file = cert_file("ca.pem")};

    means->context = NULL;
    means->sessions = wr_tls_sessions_new(4);
    return means->sessions &&
           wr_tls_context_new(&options, &means->context, NULL) == WEIR_OK;
}

static void free_means(struct means *means)
{
    wr_tls_sessions_free(means->sessions);
    wr_tls_context_free(means->context);
}

static bool begin(struct wr_transport *io, const struct means *means, int fd)
{
    memset(io, 0, sizeof *io);
    io->fd = fd;
    io->tls =
        wr_tls_stream_new(means->context, means->sessions,
                          (struct wr_slice){"key", 3}, "localhost", fd, NULL);
    return io->tls;
}

static bool shake_hands(struct wr_transport *io)
{
    struct wr_waits waits;
    enum wr_step step;

    while ((step = wr_tls_handshake(io->tls, &waits, NULL)) == WR_STEP_WAIT) {
        if (poll(waits.fds, waits.count, 10000) != 1)
            return false;
    }
    return step == WR_STEP_DONE;
}

static bool exchange(struct wr_transport *io, const char *text)
{
    const struct iovec piece = {(void *)(uintptr_t)text, strlen(text)};
    size_t used = 0, len;
    char buf[64];

    if (wr_transport_writev(io, &piece, 1, &len) != WR_IO_OK)
        return false;
    while (used < piece.iov_len) {
        const enum wr_io got =
            wr_transport_read(io, buf + used, sizeof buf - used, false, &len);

        if (got == WR_IO_OK)
            used += len;
        else if (got != WR_IO_AGAIN)
            return false;
    }
    return used == piece.iov_len && memcmp(buf, text, used) == 0;
}

/* --- tests ------------------------------------------------------------------
 */

static void close_silently(struct wr_transport *io)
{
    wr_transport_close(io, true);
}

static void close_in_child(struct wr_transport *io,
                           void (*close_fn)(struct wr_transport *))
{
    const pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        alarm(20);
        close_fn(io);
        end_child(io->fd == -1 && !io->tls ? 0 : 1);
    }
    check_exit(pid);
}

static void
check_that_the_parent_goes_on(void (*close_fn)(struct wr_transport *))
{
    static const int versions[] = {0, TLS1_2_VERSION, TLS1_3_VERSION};
    struct means means;

    assert_true(make_means(&means));
    for (int i = 0; i < 3; i++) {
        struct wr_transport io = {.fd = -1};
        pid_t server;
        int fd;

        server = serve(versions[i], &fd);
        if (versions[i]) {
            assert_true(begin(&io, &means, fd));
            assert_true(shake_hands(&io));
        }
        io.fd = fd;
        assert_true(exchange(&io, "before"));
        close_in_child(&io, close_fn);
        assert_int_equal(wr_transport_peek(&io), WR_IO_AGAIN);
        assert_true(exchange(&io, "after"));
        wr_transport_close(&io, false);
        check_exit(server); /* it has seen a proper close */
    }
    free_means(&means);
}

static void a_silent_close_in_a_child_is_not_noticed(void **state)
{
    (void)state;
    check_that_the_parent_goes_on(close_silently);
}

static void nor_is_an_abandoned_connection(void **state)
{
    (void)state;
    check_that_the_parent_goes_on(wr_transport_abandon);
}

static void nor_is_a_silent_close_during_the_handshake(void **state)
{
    struct wr_transport io;
    struct wr_waits waits;
    struct means means;
    pid_t server;
    int fd;

    (void)state;
    assert_true(make_means(&means));
    server = serve(TLS1_3_VERSION, &fd);
    assert_true(begin(&io, &means, fd));
    assert_int_equal(wr_tls_handshake(io.tls, &waits, NULL), WR_STEP_WAIT);
    close_in_child(&io, close_silently);
    assert_true(shake_hands(&io));
    assert_true(exchange(&io, "hello"));
    wr_transport_close(&io, false);
    check_exit(server);
    free_means(&means);
}

static bool resolve(struct wr_resolver *resolver)
{
    struct wr_waits waits;
    struct wr_addrs addrs;
    struct wr_query *query =
        wr_query_new(resolver, "a.test", WEIR_IP_V4, wr_now(), NULL);
    enum wr_step step;

    if (!query)
        return false;
    step = wr_query_step(query, NULL, wr_now(), &waits, &addrs, NULL);
    while (step == WR_STEP_WAIT) {
        poll(waits.fds, waits.count,
             wr_poll_timeout(waits.deadline_ns, wr_now()));
        step = wr_query_step(query, &waits, wr_now(), &waits, &addrs, NULL);
    }
    wr_query_free(query);
    return step == WR_STEP_DONE && addrs.count == 1;
}

/* In a child, which has the parent's as well and leaves them alone. */
static bool make_anew(const struct wr_resolver_options *options, int fd)
{
    struct wr_resolver *resolver = wr_resolver_new(options);
    struct wr_transport io;
    struct means means;
    bool is_good;

    if (!resolver || !resolve(resolver) || !make_means(&means))
        return false;
    is_good =
        begin(&io, &means, fd) && shake_hands(&io) && exchange(&io, "hello");
    wr_transport_close(&io, false);
    free_means(&means);
    wr_resolver_free(resolver);
    return is_good;
}

static void a_child_makes_everything_anew(void **state)
{
    struct wr_resolver_options options = {0, WR_SECOND, NULL};
    struct wr_resolver *resolver;
    struct dns_server *dns;
    struct wr_transport io;
    struct means means;
    pid_t servers[2];
    pid_t child;
    int fds[2];

    (void)state;
    for (int i = 0; i < 2; i++)
        servers[i] = serve(TLS1_3_VERSION, &fds[i]);
    dns = dns_start(); /* its thread may hold a lock when a process is forked */
    options.servers = dns_address(dns);
    resolver = wr_resolver_new(&options);
    dns_answer(dns, "a.test", "127.0.0.1", 60);
    assert_true(make_means(&means));
    assert_true(begin(&io, &means, fds[0]));
    assert_true(shake_hands(&io));
    assert_true(exchange(&io, "before"));
    assert_true(resolve(resolver));
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(20);
        wr_transport_abandon(&io);
        end_child(make_anew(&options, fds[1]) ? 0 : 1);
    }
    close(fds[1]);
    check_exit(child);
    check_exit(servers[1]);
    assert_true(exchange(&io, "after"));
    assert_true(resolve(resolver));
    wr_transport_close(&io, false);
    check_exit(servers[0]);
    free_means(&means);
    wr_resolver_free(resolver);
    dns_stop(dns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_silent_close_in_a_child_is_not_noticed),
        cmocka_unit_test(nor_is_an_abandoned_connection),
        cmocka_unit_test(nor_is_a_silent_close_during_the_handshake),
        cmocka_unit_test(a_child_makes_everything_anew),
    };

    return cmocka_run_group_tests(tests, make_certs, drop_certs);
}
