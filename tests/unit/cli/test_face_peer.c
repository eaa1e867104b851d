/* Whose process is at the other end: asked of the kernel, and searched in its
 * table. */
#include "made_up.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <watch/page_peer.h>

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static socklen_t size_of(const union address *address)
{
    return address->any.sa_family == AF_INET ? sizeof address->v4
                                             : sizeof address->v6;
}

static union address v4(const char *host, in_port_t port)
{
    union address address = {.v4 = {.sin_family = AF_INET, .sin_port = port}};

    assert_int_equal(inet_pton(AF_INET, host, &address.v4.sin_addr), 1);
    return address;
}

static union address v6(const char *host, in_port_t port)
{
    union address address = {
        .v6 = {.sin6_family = AF_INET6, .sin6_port = port}};

    assert_int_equal(inet_pton(AF_INET6, host, &address.v6.sin6_addr), 1);
    return address;
}

/* A listener; its port goes to *ret_port. */
static int listen_at(union address address, in_port_t *ret_port)
{
    const int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t len = sizeof address;

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, &address.any, size_of(&address)), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, &address.any, &len), 0);
    *ret_port = address.any.sa_family == AF_INET ? address.v4.sin_port
                                                 : address.v6.sin6_port;
    return fd;
}

static int connect_to(union address address)
{
    const int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, &address.any, size_of(&address)), 0);
    return fd;
}

static void assert_known(int fd)
{
    uid_t user = 12345;

    assert_true(page_peer_user(fd, &user));
    assert_int_equal(user, getuid());
    user = 12345;
    assert_true(page_peer_search(fd, &user));
    assert_int_equal(user, getuid());
}

/* What is closed belongs to nobody, and must not pass for root's. */
static void check(int listener, int client)
{
    const int served = accept(listener, NULL, NULL);
    struct pollfd end = {.fd = served, .events = POLLRDHUP};
    uid_t user;

    assert_true(served >= 0);
    assert_known(served);
    close(client);
    assert_int_equal(poll(&end, 1, 20000), 1);
    assert_false(page_peer_user(served, &user));
    assert_false(page_peer_search(served, &user));
    close(served);
    close(listener);
}

static void test_over_ipv4(void **state)
{
    in_port_t port;
    const int listener = listen_at(v4("127.0.0.1", 0), &port);

    (void)state;
    check(listener, connect_to(v4("127.0.0.1", port)));
}

static void test_from_another_address_of_loopback(void **state)
{
    in_port_t port;
    const int listener = listen_at(v4("127.0.0.2", 0), &port);

    (void)state;
    check(listener, connect_to(v4("127.0.0.2", port)));
}

/* A client may reach 127.0.0.1 by a socket of the other family. */
static void test_over_ipv4_by_a_socket_of_ipv6(void **state)
{
    in_port_t port;
    const int listener = listen_at(v4("127.0.0.1", 0), &port);

    (void)state;
    check(listener, connect_to(v6("::ffff:127.0.0.1", port)));
}

static void test_over_ipv6(void **state)
{
    in_port_t port;
    const int listener = listen_at(v6("::1", 0), &port);

    (void)state;
    check(listener, connect_to(v6("::1", port)));
}

static void test_what_is_no_connection(void **state)
{
    in_port_t port;
    const int listener = listen_at(v4("127.0.0.1", 0), &port);
    int pair[2];
    uid_t user;

    (void)state;
    assert_false(page_peer_user(listener, &user));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_false(page_peer_user(pair[0], &user));
    close(pair[0]);
    close(pair[1]);
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_over_ipv4),
        cmocka_unit_test(test_from_another_address_of_loopback),
        cmocka_unit_test(test_over_ipv4_by_a_socket_of_ipv6),
        cmocka_unit_test(test_over_ipv6),
        cmocka_unit_test(test_what_is_no_connection),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
