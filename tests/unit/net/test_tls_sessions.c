/* Resumption: what may be resumed, how often, and under which key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weir/memory.h>

#include "certs_once.h"
#include "net/tls.h"
#include "tls_peer.h"

static struct wr_slice key_of(const char *text)
{
    return (struct wr_slice){text, strlen(text)};
}

/* A client's cache and configuration, and a server with its own. */
struct world {
    struct wr_tls_sessions *sessions;
    struct wr_tls_context *context;
    struct tls_peer *peer;
};

static void begin(struct world *world, int version, unsigned max,
                  const char *cert)
{
    const struct wr_tls_options client = {.verify = true,
                                          .ca_file = cert_file("ca.pem")};
    const struct tls_peer_options server = {
        .folder = certs, .max_version = version, .cert = cert};
    weir_error err;

    world->sessions = wr_tls_sessions_new(max);
    assert_non_null(world->sessions);
    assert_int_equal(wr_tls_context_new(&client, &world->context, &err),
                     WEIR_OK);
    world->peer = tls_peer_new(&server);
    assert_non_null(world->peer);
}

static void end(struct world *world)
{
    wr_tls_sessions_free(world->sessions);
    wr_tls_context_free(world->context);
    tls_peer_free(world->peer);
}

enum meeting {
    FAILED,
    FULL,
    RESUMED,
};

static void say_hello(SSL *ssl, void *user)
{
    (void)user;
    SSL_write(ssl, "hello", 5);
    SSL_shutdown(ssl);
}

/* Connects, reads to the end (which brings the tickets of TLS 1.3), closes. */
static enum meeting meet(struct world *world, const char *key, bool reads)
{
    struct wr_tls_stream *stream;
    struct wr_waits waits;
    struct tls_talk *talk;
    enum meeting outcome = FAILED;
    enum wr_step step;
    weir_error err;
    char buf[16];
    size_t len;
    int fd;

    talk = tls_peer_connect(world->peer, say_hello, NULL, &fd);
    stream = wr_tls_stream_new(world->context, world->sessions, key_of(key),
                               "localhost", fd, &err);
    assert_non_null(stream);
    while ((step = wr_tls_handshake(stream, &waits, &err)) == WR_STEP_WAIT)
        assert_int_equal(poll(waits.fds, waits.count, 10000), 1);
    if (step == WR_STEP_DONE) {
        enum wr_io io = reads ? WR_IO_OK : WR_IO_EOF;

        outcome = wr_tls_is_resumed(stream) ? RESUMED : FULL;
        while (io == WR_IO_OK || io == WR_IO_AGAIN)
            io = wr_tls_read(stream, buf, sizeof buf, false, &len);
        assert_int_equal(io, WR_IO_EOF);
    }
    wr_tls_stream_free(stream, false);
    close(fd);
    tls_talk_join(talk);
    return outcome;
}

static void a_second_connection_resumes(void **state)
{
    struct world world;

    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        begin(&world, version, 100, NULL);
        assert_int_equal(meet(&world, "a", true), FULL);
        for (int i = 0; i < 5; i++)
            assert_int_equal(meet(&world, "a", true), RESUMED);
        end(&world);
    }
}

/* rule 1: TLS session tickets are cached under the pool key */
static void a_session_never_serves_another_key(void **state)
{
    struct world world;

    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        begin(&world, version, 100, NULL);
        assert_int_equal(meet(&world, "a", true), FULL);
        assert_int_equal(meet(&world, "b", true), FULL);
        assert_int_equal(meet(&world, "", true), FULL);
        assert_int_equal(meet(&world, "ab", true), FULL);
        assert_int_equal(meet(&world, "a", true), RESUMED);
        assert_int_equal(meet(&world, "b", true), RESUMED);
        end(&world);
    }
}

/* RFC 8446 appendix C.4: clients should not reuse a ticket */
static void a_tls_1_3_ticket_is_used_once(void **state)
{
    struct world world;

    (void)state;
    begin(&world, TLS1_3_VERSION, 100, NULL);
    assert_int_equal(meet(&world, "a", true), FULL); /* brings two tickets */
    assert_int_equal(meet(&world, "a", false), RESUMED);
    assert_int_equal(meet(&world, "a", false), RESUMED);
    assert_int_equal(meet(&world, "a", false), FULL);
    end(&world);
}

static void a_tls_1_2_session_serves_again(void **state)
{
    struct world world;

    (void)state;
    begin(&world, TLS1_2_VERSION, 100, NULL);
    assert_int_equal(meet(&world, "a", false), FULL);
    for (int i = 0; i < 5; i++)
        assert_int_equal(meet(&world, "a", false), RESUMED);
    end(&world);
}

/* rule 1: stored only after verification has passed */
static void nothing_is_kept_of_a_peer_that_was_refused(void **state)
{
    struct world world;

    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        begin(&world, version, 100, "wrong-name");
        assert_int_equal(meet(&world, "a", true), FAILED);
        tls_peer_free(world.peer);
        world.peer = tls_peer_new(&(struct tls_peer_options){
            .folder = certs, .max_version = version});
        assert_int_equal(meet(&world, "a", true), FULL);
        end(&world);
    }
}

static void the_oldest_goes_first_when_full(void **state)
{
    struct world world;

    (void)state;
    begin(&world, TLS1_2_VERSION, 2, NULL);
    assert_int_equal(meet(&world, "a", true), FULL);
    assert_int_equal(meet(&world, "b", true), FULL);
    assert_int_equal(meet(&world, "c", true), FULL);
    assert_int_equal(meet(&world, "b", true), RESUMED);
    assert_int_equal(meet(&world, "c", true), RESUMED);
    assert_int_equal(meet(&world, "a", true), FULL);
    end(&world);

    begin(&world, TLS1_3_VERSION, 1, NULL);
    assert_int_equal(meet(&world, "a", true), FULL);
    assert_int_equal(meet(&world, "a", false), RESUMED);
    assert_int_equal(meet(&world, "a", true), FULL);
    end(&world);
}

static void a_cache_of_none_keeps_none(void **state)
{
    struct world world;

    (void)state;
    begin(&world, 0, 0, NULL);
    assert_int_equal(meet(&world, "a", true), FULL);
    assert_int_equal(meet(&world, "a", true), FULL);
    end(&world);
}

/* A server that goes away while idle, as most do, without close_notify. */
static void a_cut_found_while_idle_leaves_the_session_good(void **state)
{
    struct world world;
    struct wr_tls_stream *stream;
    struct wr_waits waits;
    struct tls_talk *talk;
    weir_error err;
    int fd;

    (void)state;
    begin(&world, TLS1_2_VERSION, 100, NULL);
    talk = tls_peer_connect(world.peer, NULL, NULL, &fd);
    stream = wr_tls_stream_new(world.context, world.sessions, key_of("a"),
                               "localhost", fd, &err);
    while (wr_tls_handshake(stream, &waits, &err) == WR_STEP_WAIT)
        assert_int_equal(poll(waits.fds, waits.count, 10000), 1);
    tls_talk_join(talk);
    assert_int_equal(wr_tls_peek(stream), WR_IO_ERROR);
    assert_true(wr_tls_was_cut(stream));
    wr_tls_stream_free(stream, false);
    close(fd);
    assert_int_equal(meet(&world, "a", true), RESUMED);
    end(&world);
}

static int allocations_left;

static void *failing_malloc(size_t size)
{
    return allocations_left-- > 0 ? malloc(size) : NULL;
}

static void *failing_realloc(void *ptr, size_t size)
{
    return allocations_left-- > 0 ? realloc(ptr, size) : NULL;
}

static void without_memory_a_session_is_not_kept(void **state)
{
    const weir_allocator failing = {failing_malloc, failing_realloc, free};
    struct world world;

    (void)state;
    assert_int_equal(weir_set_allocator(&failing), WEIR_OK);
    allocations_left = 1000;
    begin(&world, 0, 100, NULL);
    for (int n = 1; n < 5; n++) {
        allocations_left = n; /* the stream, then what the cache needs */
        assert_int_equal(meet(&world, "a", true), FULL);
        if (allocations_left >= 0)
            break;
    }
    allocations_left = 1000;
    assert_int_equal(meet(&world, "a", true), RESUMED);
    end(&world);
    assert_int_equal(weir_set_allocator(NULL), WEIR_OK);
}

enum {
    THREADS = 4,
    ROUNDS = 8
};

static void *meet_many(void *user)
{
    struct world *world = user;

    for (int i = 0; i < ROUNDS; i++) {
        if (meet(world, i % 2 ? "a" : "b", true) == FAILED)
            return user;
    }
    return NULL;
}

static void threads_share_context_and_sessions(void **state)
{
    struct world world;

    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        pthread_t threads[THREADS];

        begin(&world, version, 3, NULL);
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(
                pthread_create(&threads[i], NULL, meet_many, &world), 0);
        for (int i = 0; i < THREADS; i++) {
            void *failure;

            pthread_join(threads[i], &failure);
            assert_null(failure);
        }
        end(&world);
    }
}

/* The store is read by the first handshake, whichever thread makes it. */
static void threads_share_the_systems_store(void **state)
{
    struct world world;
    pthread_t threads[THREADS];
    weir_error err;

    (void)state;
    begin(&world, 0, 100, NULL);
    wr_tls_context_free(world.context);
    setenv("SSL_CERT_FILE", cert_file("ca.pem"), 1);
    assert_int_equal(
        wr_tls_context_new(&(struct wr_tls_options){.verify = true},
                           &world.context, &err),
        WEIR_OK);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, meet_many, &world),
                         0);
    for (int i = 0; i < THREADS; i++) {
        void *failure;

        pthread_join(threads[i], &failure);
        assert_null(failure);
    }
    unsetenv("SSL_CERT_FILE");
    end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_connection_resumes),
        cmocka_unit_test(a_session_never_serves_another_key),
        cmocka_unit_test(a_tls_1_3_ticket_is_used_once),
        cmocka_unit_test(a_tls_1_2_session_serves_again),
        cmocka_unit_test(nothing_is_kept_of_a_peer_that_was_refused),
        cmocka_unit_test(the_oldest_goes_first_when_full),
        cmocka_unit_test(a_cache_of_none_keeps_none),
        cmocka_unit_test(a_cut_found_while_idle_leaves_the_session_good),
        cmocka_unit_test(without_memory_a_session_is_not_kept),
        cmocka_unit_test(threads_share_context_and_sessions),
        cmocka_unit_test(threads_share_the_systems_store),
    };

    return cmocka_run_group_tests(tests, make_certs, drop_certs);
}
