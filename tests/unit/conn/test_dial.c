/* The dial machine, stepped by hand with a virtual clock where it can be. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "conn/dial.h"

static struct wr_dial_means means;

static int make_means(void **state)
{
    const struct wr_resolver_options options = {.max_ttl_ns = WR_SECOND,
                                                .servers = "127.0.0.1:9"};

    (void)state;
    means.resolver = wr_resolver_new(&options);
    means.sessions = wr_tls_sessions_new(4);
    return means.resolver && means.sessions ? 0 : -1;
}

static int free_means(void **state)
{
    (void)state;
    wr_resolver_free(means.resolver);
    wr_tls_sessions_free(means.sessions);
    return 0;
}

/* A listening socket on 127.0.0.1 and its port. */
static int listen_on_loopback(uint16_t *ret_port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof addr;
    const int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&addr, len), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    *ret_port = ntohs(addr.sin_port);
    return fd;
}

static struct wr_dial *dial_to(const struct wr_target_parts *parts,
                               uint64_t limit_ns)
{
    struct wr_target *target = wr_target_new(parts);
    struct wr_dial *dial = wr_dial_new(&means, target, 1, limit_ns);

    wr_target_unref(target);
    assert_non_null(dial);
    return dial;
}

/* Steps until the dial ends; the clock stands still. */
static enum wr_step run(struct wr_dial *dial, weir_error *err)
{
    struct wr_waits waits;
    const struct wr_waits *ready = NULL;
    enum wr_step step;

    while ((step = wr_dial_step(dial, ready, 1, &waits, err)) == WR_STEP_WAIT) {
        assert_true(poll(waits.fds, waits.count, 5000) > 0);
        ready = &waits;
    }
    return step;
}

static void a_literal_is_connected_without_dns(void **state)
{
    uint16_t port;
    const int listener = listen_on_loopback(&port);
    const struct wr_target_parts parts = {.host = "127.0.0.1", .port = port};
    struct wr_dial *dial = dial_to(&parts, WR_SECOND);
    char text[WR_ADDR_TEXT];
    struct wr_conn *conn;
    weir_error err;

    (void)state;
    assert_int_equal(run(dial, &err), WR_STEP_DONE);
    conn = wr_dial_take(dial);
    assert_non_null(conn);
    assert_memory_equal(wr_conn_peer_text(conn, text, sizeof text),
                        "127.0.0.1:", 10);
    wr_conn_free(conn);
    wr_dial_free(dial);
    close(listener);
}

static void an_override_replaces_dns(void **state)
{
    uint16_t port;
    const int listener = listen_on_loopback(&port);
    const struct wr_target_parts parts = {
        .host = "no.such.name.invalid", .port = port, .address = "127.0.0.1"};
    struct wr_dial *dial = dial_to(&parts, WR_SECOND);
    weir_error err;

    (void)state;
    assert_int_equal(run(dial, &err), WR_STEP_DONE);
    wr_dial_free(dial); /* frees the connection that nobody took */
    close(listener);
}

static void refused_is_a_connect_error_in_its_stage(void **state)
{
    uint16_t port;
    const int listener = listen_on_loopback(&port);
    const struct wr_target_parts parts = {.host = "127.0.0.1", .port = port};
    struct wr_dial *dial;
    weir_error err;

    (void)state;
    close(listener);
    dial = dial_to(&parts, WR_SECOND);
    assert_int_equal(run(dial, &err), WR_STEP_ERROR);
    assert_int_equal(err.code, WEIR_E_CONNECT);
    assert_int_equal(err.stage, WEIR_STAGE_CONNECT);
    assert_int_equal(err.system_code, ECONNREFUSED);
    assert_non_null(strstr(err.message, "refused"));
    wr_dial_free(dial);
}

static void the_connect_limit_names_the_stage_it_ran_out_in(void **state)
{
    uint16_t port;
    const int listener = listen_on_loopback(&port);
    struct wr_tls_context *context;
    const struct wr_tls_options options = {.min_version = "1.2"};
    struct wr_target_parts parts = {
        .tls = true, .host = "127.0.0.1", .port = port};
    struct wr_waits waits;
    struct wr_dial *dial;
    weir_error err;

    (void)state;
    assert_int_equal(wr_tls_context_new(&options, &context, &err), WEIR_OK);
    parts.context = context;
    dial = dial_to(&parts, WR_SECOND);
    /* Nobody accepts: connected by the kernel, silent in the handshake. */
    for (const struct wr_waits *ready = NULL;
         wr_dial_stage(dial) != WEIR_STAGE_TLS; ready = &waits) {
        assert_int_equal(wr_dial_step(dial, ready, 1, &waits, &err),
                         WR_STEP_WAIT);
        if (wr_dial_stage(dial) != WEIR_STAGE_TLS)
            assert_true(poll(waits.fds, waits.count, 5000) > 0);
    }
    assert_int_equal(wr_dial_step(dial, NULL, WR_SECOND, &waits, &err),
                     WR_STEP_WAIT);
    assert_true(waits.deadline_ns == 1 + WR_SECOND);
    assert_int_equal(wr_dial_step(dial, NULL, 1 + WR_SECOND, &waits, &err),
                     WR_STEP_ERROR);
    assert_int_equal(err.code, WEIR_E_CONNECT_TIMEOUT);
    assert_int_equal(err.stage, WEIR_STAGE_TLS);
    wr_dial_free(dial);
    wr_tls_context_free(context);
    close(listener);
}

static void a_literal_of_the_wrong_family_is_refused(void **state)
{
    const struct wr_target_parts parts = {
        .host = "127.0.0.1", .port = 1, .ip_version = WEIR_IP_V6};
    struct wr_dial *dial = dial_to(&parts, WR_SECOND);
    weir_error err;

    (void)state;
    assert_int_equal(run(dial, &err), WR_STEP_ERROR);
    assert_int_equal(err.code, WEIR_E_RESOLVE);
    assert_string_equal(err.message, "resolve 127.0.0.1: not an IPv6 address");
    wr_dial_free(dial);
}

static void a_dial_can_be_freed_before_its_first_step(void **state)
{
    const struct wr_target_parts parts = {.host = "127.0.0.1", .port = 1};

    (void)state;
    wr_dial_free(dial_to(&parts, WR_SECOND));
    wr_dial_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_literal_is_connected_without_dns),
        cmocka_unit_test(an_override_replaces_dns),
        cmocka_unit_test(refused_is_a_connect_error_in_its_stage),
        cmocka_unit_test(the_connect_limit_names_the_stage_it_ran_out_in),
        cmocka_unit_test(a_literal_of_the_wrong_family_is_refused),
        cmocka_unit_test(a_dial_can_be_freed_before_its_first_step),
    };

    return cmocka_run_group_tests(tests, make_means, free_means);
}
