/* What a TLS connection costs while it rests, OpenSSL included, and that a rest
 * changes nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <malloc.h>
#include <openssl/crypto.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/memory.h>

#include "talk.h"

enum {
    CONNECTIONS = 50,
    HELLO_REQUESTS = 1000, /* 33 KB */
    BURSTS = 200,
    IDLE_BYTES_MAX = 28000
};

/* --- an allocator that counts what this thread asks for, when told to ---- */

/* Before every block; keeps what follows aligned. */
union mark {
    bool is_counted;
    max_align_t align;
};

static _Thread_local bool counts;
static atomic_size_t counted;

/* With what malloc itself needs: a word before the block, and its rounding. */
static size_t cost(union mark *mark)
{
    return malloc_usable_size(mark) + sizeof(size_t) - sizeof *mark;
}

static void *count_malloc(size_t size)
{
    union mark *mark = malloc(sizeof *mark + size);

    if (!mark)
        return NULL;
    mark->is_counted = counts;
    if (counts)
        atomic_fetch_add(&counted, cost(mark));
    return mark + 1;
}

static void count_free(void *ptr)
{
    union mark *mark = ptr;

    if (!mark)
        return;
    if (mark[-1].is_counted)
        atomic_fetch_sub(&counted, cost(mark - 1));
    free(mark - 1);
}

static void *count_realloc(void *ptr, size_t size)
{
    union mark *mark = ptr;
    const bool counted_before = counts;
    size_t room;
    void *moved;

    if (mark)
        counts = mark[-1].is_counted;
    moved = count_malloc(size);
    counts = counted_before;
    if (!mark || !moved)
        return moved;
    room = malloc_usable_size(mark - 1) - sizeof *mark;
    memcpy(moved, ptr, room < size ? room : size);
    count_free(ptr);
    return moved;
}

static void *ssl_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return count_malloc(size);
}

static void *ssl_realloc(void *ptr, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    if (size)
        return count_realloc(ptr, size);
    count_free(ptr);
    return NULL;
}

static void ssl_free(void *ptr, const char *file, int line)
{
    (void)file;
    (void)line;
    count_free(ptr);
}

/* --- how much --------------------------------------------------------------
 */

static void echo(SSL *ssl, void *user)
{
    char buf[256];
    int got;

    (void)user;
    while ((got = SSL_read(ssl, buf, sizeof buf)) > 0)
        SSL_write(ssl, buf, got);
}

static void exchange(struct talk *talk, const char *text)
{
    const struct iovec piece = {(void *)(uintptr_t)text, strlen(text)};
    size_t len = 0;

    assert_int_equal(wr_tls_writev(talk->stream, &piece, 1, &len), WR_IO_OK);
    assert_int_equal(len, strlen(text));
    check_text(talk, text);
}

/* As long as a pool key is: host, port, digest, the marks between them. */
static const char key[] = "localhost, port, and what else a pool key is made of"
                          "; a digest of 32 bytes is a part.";

static void shake_hands(struct talk *talk, struct wr_tls_context *context,
                        struct wr_tls_sessions *sessions)
{
    struct wr_waits waits;
    enum wr_step step;
    weir_error err;

    counts = true;
    talk->stream =
        wr_tls_stream_new(context, sessions, (struct wr_slice){key, sizeof key},
                          "localhost", talk->fd, &err);
    assert_non_null(talk->stream);
    while ((step = wr_tls_handshake(talk->stream, &waits, &err)) ==
           WR_STEP_WAIT)
        assert_int_equal(poll(waits.fds, waits.count, 10000), 1);
    assert_int_equal(step, WR_STEP_DONE);
    exchange(talk, "hello");
    counts = false;
}

/* Bytes a resting connection. */
static size_t measure(const struct tls_peer_options *server,
                      struct wr_tls_sessions *sessions)
{
    static struct talk talks[1 + CONNECTIONS];
    const struct tls_peer_options options = {
        .folder = certs,
        .max_version = server->max_version,
        .sends_ca = server->sends_ca,
    };
    struct tls_peer *peer = tls_peer_new(&options);
    struct wr_tls_context *context;
    size_t before, busy, resting;
    weir_error err;

    assert_int_equal(wr_tls_context_new(
                         &(struct wr_tls_options){
                             .verify = true, .ca_file = cert_file("ca.pem")},
                         &context, &err),
                     WEIR_OK);
    for (int i = 0; i <= CONNECTIONS; i++)
        talks[i].far = tls_peer_connect(peer, echo, NULL, &talks[i].fd);
    shake_hands(&talks[0], context, sessions); /* what is made only once */
    before = atomic_load(&counted);
    for (int i = 1; i <= CONNECTIONS; i++)
        shake_hands(&talks[i], context, sessions);
    busy = (atomic_load(&counted) - before) / CONNECTIONS;
    for (int i = 1; i <= CONNECTIONS; i++)
        wr_tls_rest(talks[i].stream);
    resting = (atomic_load(&counted) - before) / CONNECTIONS;
    for (int i = 1; i <= CONNECTIONS; i++)
        assert_int_equal(wr_tls_peek(talks[i].stream), WR_IO_AGAIN);
    assert_int_equal((atomic_load(&counted) - before) / CONNECTIONS, resting);
    printf("a connection costs %zu bytes, %zu while it rests\n", busy, resting);
    for (int i = 0; i <= CONNECTIONS; i++) {
        wr_tls_stream_free(talks[i].stream, false);
        close(talks[i].fd);
        assert_true(tls_talk_join(talks[i].far));
    }
    wr_tls_context_free(context);
    tls_peer_free(peer);
    return resting;
}

static void a_resting_connection_is_small(void **state)
{
    (void)state;
    assert_in_range(measure(&(struct tls_peer_options){0}, NULL), 1,
                    IDLE_BYTES_MAX);
    assert_in_range(
        measure(&(struct tls_peer_options){.max_version = TLS1_2_VERSION},
                NULL),
        1, IDLE_BYTES_MAX);
}

static void a_resumed_one_is_no_larger(void **state)
{
    struct wr_tls_sessions *sessions = wr_tls_sessions_new(8);

    (void)state;
    assert_in_range(measure(&(struct tls_peer_options){0}, sessions), 1,
                    IDLE_BYTES_MAX);
    wr_tls_sessions_free(sessions);
}

static void the_chain_is_not_kept(void **state)
{
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        const struct tls_peer_options leaf = {.max_version = version};
        const struct tls_peer_options chain = {.max_version = version,
                                               .sends_ca = true};
        const size_t alone = measure(&leaf, NULL);

        (void)state;
        assert_in_range(measure(&chain, NULL), 1, alone + 128);
    }
}

/* --- and after a rest ------------------------------------------------------
 */

static void exchanges_go_on_after_a_rest(void **state)
{
    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        struct talk talk;

        talk_begin(&talk, echo, version);
        for (int i = 0; i < 3; i++) {
            wr_tls_rest(talk.stream);
            assert_int_equal(wr_tls_peek(talk.stream), WR_IO_AGAIN);
            exchange(&talk, "once more");
        }
        talk_end(&talk);
    }
}

static void a_rest_during_the_handshake_changes_nothing(void **state)
{
    const struct tls_peer_options server = {.folder = certs};
    struct tls_peer *peer = tls_peer_new(&server);
    struct talk talk = {0};
    struct wr_tls_context *context;
    struct wr_waits waits;
    weir_error err;

    (void)state;
    assert_int_equal(
        wr_tls_context_new(&(struct wr_tls_options){false}, &context, &err),
        WEIR_OK);
    talk.far = tls_peer_connect(peer, echo, NULL, &talk.fd);
    talk.stream = wr_tls_stream_new(context, NULL, (struct wr_slice){NULL, 0},
                                    "localhost", talk.fd, &err);
    wr_tls_rest(talk.stream);
    while (wr_tls_handshake(talk.stream, &waits, &err) == WR_STEP_WAIT) {
        wr_tls_rest(talk.stream);
        poll(waits.fds, waits.count, 10000);
    }
    exchange(&talk, "hello");
    wr_tls_stream_free(talk.stream, false);
    close(talk.fd);
    assert_true(tls_talk_join(talk.far));
    wr_tls_context_free(context);
    tls_peer_free(peer);
}

/* Echoes, and sends another ticket when told to. */
static void echo_and_give_a_ticket(SSL *ssl, void *user)
{
    struct talk *talk = user;
    char buf[16];
    const int got = SSL_read(ssl, buf, sizeof buf);

    SSL_write(ssl, buf, got);
    sem_wait(&talk->go);
    SSL_new_session_ticket(ssl);
    SSL_do_handshake(ssl);
    sem_post(&talk->did);
    echo(ssl, user);
}

static void a_ticket_does_not_end_a_rest(void **state)
{
    struct talk talk;
    size_t before;

    (void)state;
    talk_begin(&talk, echo_and_give_a_ticket, TLS1_3_VERSION);
    exchange(&talk, "hello");
    wr_tls_rest(talk.stream);
    sem_post(&talk.go);
    sem_wait(&talk.did);
    assert_int_equal(wr_sock_peek(talk.fd), WR_IO_OK);
    before = atomic_load(&counted);
    counts = true;
    assert_int_equal(wr_tls_peek(talk.stream), WR_IO_AGAIN);
    counts = false;
    assert_in_range(atomic_load(&counted) - before, 0, 4096);
    assert_int_equal(wr_sock_peek(talk.fd), WR_IO_AGAIN); /* it is taken */
    exchange(&talk, "hello again");
    talk_end(&talk);
}

static void ask_for_ever(SSL *ssl, void *user)
{
    (void)user;
    while (tls_peer_hello_requests(ssl, HELLO_REQUESTS))
        continue;
}

/* Each is answered with an alert, which nobody reads. */
static void hello_requests_take_no_memory(void **state)
{
    struct talk talk;
    size_t before = 0;
    char byte;
    size_t len;

    (void)state;
    talk_begin(&talk, ask_for_ever, TLS1_2_VERSION);
    counts = true;
    for (int i = 0; i < BURSTS; i++) {
        assert_int_equal(wr_tls_read(talk.stream, &byte, 1, false, &len),
                         WR_IO_AGAIN);
        if (i == 0)
            before = atomic_load(&counted);
    }
    counts = false;
    assert_in_range(atomic_load(&counted) - before, 0, 64);
    talk_end(&talk);
}

static void say_two_at_once(SSL *ssl, void *user)
{
    put(ssl, "one");
    put(ssl, "two");
    wait_for_go(ssl, user);
}

/* What OpenSSL has read, the caller has not. */
static void a_rest_loses_no_bytes(void **state)
{
    struct talk talk;
    char buf[6];
    size_t len;

    (void)state;
    talk_begin(&talk, say_two_at_once, 0);
    sem_wait(&talk.did);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(read_some(&talk, buf + i, 1, &len), WR_IO_OK);
        wr_tls_rest(talk.stream);
    }
    assert_memory_equal(buf, "onetwo", 6);
    assert_int_equal(wr_tls_peek(talk.stream), WR_IO_AGAIN);
    sem_post(&talk.go);
    talk_end(&talk);
}

int main(void)
{
    static const weir_allocator counting = {count_malloc, count_realloc,
                                            count_free};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_resting_connection_is_small),
        cmocka_unit_test(a_resumed_one_is_no_larger),
        cmocka_unit_test(the_chain_is_not_kept),
        cmocka_unit_test(exchanges_go_on_after_a_rest),
        cmocka_unit_test(a_rest_during_the_handshake_changes_nothing),
        cmocka_unit_test(a_ticket_does_not_end_a_rest),
        cmocka_unit_test(hello_requests_take_no_memory),
        cmocka_unit_test(a_rest_loses_no_bytes),
    };

    if (CRYPTO_set_mem_functions(ssl_malloc, ssl_realloc, ssl_free) != 1 ||
        weir_set_allocator(&counting) != WEIR_OK)
        return 1;
    return cmocka_run_group_tests(tests, make_certs, drop_certs);
}
