/* Cancelling an asynchronous call at every stage: it ends at once, once, and
 * leaves nothing behind. */
#include "client.h"
#include "witness.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include "dns.h"
#include "drive/runtime.h"
#include "origin.h"

#define HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
#define HALF "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe"

static const struct origin_step echoes[] = {O_ECHO, O_END};

static struct origin *origin;
static struct origin *deaf; /* a connect to it hangs */
static int silent_dns;      /* a DNS server that never answers */
static struct dns_server *dns;
static weir_pool *pool;
static struct runner runner;
static struct witness seen;   /* the call that is cancelled */
static struct witness holder; /* has the only connection */
static atomic_uint dials;

static void count_dials(void *user, const weir_trace_event *event)
{
    (void)user;
    if (event->kind == WEIR_TRACE_DIAL)
        atomic_fetch_add(&dials, 1);
}

static int open_silent_dns(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET};
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof addr) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static int set_up(void **state)
{
    weir_pool_options options = test_options();

    (void)state;
    begin_witness(&seen);
    begin_witness(&holder);
    atomic_store(&dials, 0);
    options.trace = count_dials;
    options.max_per_host = 1;
    options.validate_after = 3600;
    options.verify = false;
    silent_dns = open_silent_dns();
    origin = origin_start(NULL);
    pool = must_open(&options);
    start_runner(&runner, pool);
    return origin && silent_dns >= 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    stop_runner(&runner);
    weir_pool_free(pool);
    pool = NULL;
    origin_stop(origin);
    origin_stop(deaf);
    dns_stop(dns);
    close(silent_dns);
    deaf = NULL;
    dns = NULL;
    return 0;
}

/* --- DNS ----------------------------------------------------------------- */

/* From now on the pool asks this server, and keeps no answer. */
static void ask(const char *server)
{
    const struct wr_resolver_options options = {.servers = server};
    struct wr_resolver *before;

    pthread_mutex_lock(&pool->lock);
    before = pool->means.resolver;
    pool->means.resolver = wr_resolver_new(&options);
    assert_non_null(pool->means.resolver);
    pthread_mutex_unlock(&pool->lock);
    wr_resolver_free(before);
}

static void ask_silent_dns(void)
{
    struct sockaddr_in addr;
    socklen_t len = sizeof addr;
    char server[32];

    assert_int_equal(getsockname(silent_dns, (struct sockaddr *)&addr, &len),
                     0);
    snprintf(server, sizeof server, "127.0.0.1:%u", ntohs(addr.sin_port));
    ask(server);
}

static void await_question(void)
{
    char question[512];

    assert_true(recv(silent_dns, question, sizeof question, 0) > 0);
}

/* --- stages -------------------------------------------------------------- */

/* Each takes the call `seen` to its stage. */

static void reach_line(void)
{
    static const struct origin_step holds[] = {O_EXPECT, O_POST(0), O_HANG,
                                               O_END};

    origin_script(origin, 0, holds);
    origin_script(origin, 1, echoes);
    watch_get(&holder, pool, origin_url(origin, "/held"));
    assert_true(origin_wait(origin, 0));
    watch_get(&seen, pool, origin_url(origin, "/"));
    await_waiting(pool, 1);
}

static void reach_resolve(void)
{
    ask_silent_dns();
    watch_get(&seen, pool, origin_url_of(origin, "a.test", "/"));
    await_question();
}

static void reach_connect(void)
{
    deaf = origin_start(&(struct origin_options){.never_accepts = true});
    assert_non_null(deaf);
    watch_get(&seen, pool, origin_url(deaf, "/"));
    while (atomic_load(&dials) == 0)
        sched_yield();
}

static void reach_tls(void)
{
    static const struct origin_step silent[] = {O_RECEIVE, O_POST(0), O_HANG,
                                                O_END};
    char url[64];

    origin_script(origin, 0, silent);
    origin_script(origin, 1, echoes);
    snprintf(url, sizeof url, "https://127.0.0.1:%u/", origin_port(origin, 0));
    watch_get(&seen, pool, url);
    assert_true(origin_wait(origin, 0));
}

static void reach_send(void)
{
    static const struct origin_step never_reads[] = {O_EXPECT_HEAD, O_POST(0),
                                                     O_STALL, O_END};
    static char body[16 << 20];
    weir_request *request = must_request("PUT", origin_url(origin, "/"));

    origin_script(origin, 0, never_reads);
    origin_script(origin, 1, echoes);
    weir_request_set_body(request, body, sizeof body, NULL);
    watch(&seen, pool, request, &see_all);
    weir_request_free(request);
    assert_true(origin_wait(origin, 0));
}

static long answer_later(void *user, char *buf, size_t cap)
{
    (void)user;
    (void)buf;
    (void)cap;
    return WEIR_BODY_LATER;
}

static void reach_late_body(void)
{
    static const struct origin_step reads[] = {O_EXPECT_HEAD, O_POST(0), O_HANG,
                                               O_END};
    weir_request *request = must_request("POST", origin_url(origin, "/"));

    origin_script(origin, 0, reads);
    origin_script(origin, 1, echoes);
    weir_request_set_body_reader(request, WEIR_LENGTH_UNKNOWN, answer_later,
                                 NULL, NULL, NULL);
    watch(&seen, pool, request, &see_all);
    weir_request_free(request);
    assert_true(origin_wait(origin, 0));
}

static void reach_head(void)
{
    static const struct origin_step half_head[] = {
        O_EXPECT, O_SEND("HTTP/1.1 200 OK\r\n"), O_POST(0), O_HANG, O_END};

    origin_script(origin, 0, half_head);
    origin_script(origin, 1, echoes);
    watch_get(&seen, pool, origin_url(origin, "/"));
    assert_true(origin_wait(origin, 0));
}

static void reach_body(void)
{
    static const struct origin_step half_body[] = {O_EXPECT, O_SEND(HALF),
                                                   O_HANG, O_END};

    origin_script(origin, 0, half_body);
    origin_script(origin, 1, echoes);
    watch_get(&seen, pool, origin_url(origin, "/"));
    assert_true(await_seen(&seen, AT_BODY, 1));
}

static void reach_pause(void)
{
    seen.flow = WEIR_FLOW_PAUSE;
    reach_body();
}

/* The connection dies under a second request, and the dial for a third asks a
 * DNS server that does not answer. */
static void reach_redial(void)
{
    static const struct origin_step dies_on_second[] = {
        O_EXPECT, O_SEND(HELLO), O_EXPECT, O_CLOSE, O_END};

    dns = dns_start();
    assert_non_null(dns);
    dns_answer(dns, "a.test", "127.0.0.1", 0);
    ask(dns_address(dns));
    origin_script(origin, 0, dies_on_second);
    origin_script(origin, 1, echoes);
    watch_get(&holder, pool, origin_url_of(origin, "a.test", "/"));
    end_watch(&holder);
    assert_answer(&holder.outcome, "hello");
    ask_silent_dns();
    watch_get(&seen, pool, origin_url_of(origin, "a.test", "/"));
    await_question();
    assert_int_equal(figures_of(pool).stale_retries, 1);
}

/* --- ways to cancel ------------------------------------------------------ */

static void by_this_thread(void)
{
    weir_call_cancel(seen.call);
}

static void cancel_seen(struct witness *witness)
{
    (void)witness;
    weir_call_cancel(seen.call);
}

static void by_another_callback(void)
{
    struct origin *other = origin_start(NULL);
    struct witness witness;

    assert_non_null(other);
    begin_witness(&witness);
    witness.act[AT_RESPONSE] = cancel_seen;
    watch_get(&witness, pool, origin_url(other, "/"));
    end_watch(&witness);
    assert_answer(&witness.outcome, "GET / 0");
    origin_stop(other);
}

enum {
    CANCELLERS = 4
};

static void *cancel_twice(void *user)
{
    weir_call_cancel((weir_call *)user);
    weir_call_cancel((weir_call *)user);
    return NULL;
}

static void by_many_threads(void)
{
    pthread_t threads[CANCELLERS];

    for (unsigned i = 0; i < CANCELLERS; i++)
        pthread_create(&threads[i], NULL, cancel_twice, seen.call);
    for (unsigned i = 0; i < CANCELLERS; i++)
        pthread_join(threads[i], NULL);
}

static void by_resuming_too(void)
{
    weir_call_resume(seen.call);
    weir_call_cancel(seen.call);
    weir_call_pause(seen.call);
    weir_call_resume(seen.call);
}

/* --- checks -------------------------------------------------------------- */

static void assert_usable(void)
{
    struct witness next;

    if (holder.call) {
        weir_call_cancel(holder.call);
        end_watch(&holder);
        assert_code(&holder.outcome, WEIR_E_CANCELLED);
    }
    begin_witness(&next);
    watch_get(&next, pool, origin_url(origin, "/next"));
    end_watch(&next);
    assert_answer(&next.outcome, "GET /next 0");
    assert_at_rest(pool);
}

static void check_stage(void (*reach)(void), weir_stage stage)
{
    static void (*const ways[])(void) = {by_this_thread, by_another_callback,
                                         by_many_threads, by_resuming_too};

    for (unsigned i = 0; i < sizeof ways / sizeof *ways; i++) {
        if (i > 0) {
            tear_down(NULL);
            assert_int_equal(set_up(NULL), 0);
        }
        reach();
        ways[i]();
        end_watch(&seen);
        assert_code(&seen.outcome, WEIR_E_CANCELLED);
        assert_int_equal(seen.outcome.err.error_class, WEIR_CLASS_CANCELLED);
        if (seen.outcome.err.stage != stage)
            fail_msg("stage %s, wanted %s",
                     weir_stage_name(seen.outcome.err.stage),
                     weir_stage_name(stage));
        assert_usable();
    }
}

static void test_cancel_in_the_line(void **state)
{
    (void)state;
    check_stage(reach_line, WEIR_STAGE_WAIT);
}

static void test_cancel_while_resolving(void **state)
{
    (void)state;
    check_stage(reach_resolve, WEIR_STAGE_RESOLVE);
}

static void test_cancel_while_connecting(void **state)
{
    (void)state;
    check_stage(reach_connect, WEIR_STAGE_CONNECT);
}

static void test_cancel_in_the_handshake(void **state)
{
    (void)state;
    check_stage(reach_tls, WEIR_STAGE_TLS);
}

static void test_cancel_while_sending(void **state)
{
    (void)state;
    check_stage(reach_send, WEIR_STAGE_SEND);
}

static void test_cancel_while_the_body_is_late(void **state)
{
    (void)state;
    check_stage(reach_late_body, WEIR_STAGE_SEND);
}

static void test_cancel_within_the_head(void **state)
{
    (void)state;
    check_stage(reach_head, WEIR_STAGE_RESPONSE);
}

static void test_cancel_within_the_body(void **state)
{
    (void)state;
    check_stage(reach_body, WEIR_STAGE_BODY);
    assert_string_equal(seen.outcome.body, "he");
}

static void test_cancel_while_paused(void **state)
{
    (void)state;
    check_stage(reach_pause, WEIR_STAGE_BODY);
}

static void test_cancel_while_redialling(void **state)
{
    (void)state;
    check_stage(reach_redial, WEIR_STAGE_RESOLVE);
    assert_true(seen.outcome.err.may_have_been_processed);
}

/* --- from its own callbacks ---------------------------------------------- */

static void test_cancel_from_on_response(void **state)
{
    (void)state;
    seen.act[AT_RESPONSE] = cancel_seen;
    watch_get(&seen, pool, origin_url(origin, "/"));
    end_watch(&seen);
    assert_code(&seen.outcome, WEIR_E_CANCELLED);
    assert_int_equal(seen.seen[AT_BODY], 0);
    assert_usable();
}

static void test_cancel_from_on_body(void **state)
{
    static const struct origin_step half_body[] = {O_EXPECT, O_SEND(HALF),
                                                   O_HANG, O_END};

    (void)state;
    origin_script(origin, 0, half_body);
    origin_script(origin, 1, echoes);
    seen.act[AT_BODY] = cancel_seen;
    watch_get(&seen, pool, origin_url(origin, "/"));
    end_watch(&seen);
    assert_code(&seen.outcome, WEIR_E_CANCELLED);
    assert_int_equal(seen.seen[AT_BODY], 1);
    assert_usable();
}

static void test_cancel_from_on_done_comes_too_late(void **state)
{
    (void)state;
    seen.act[AT_DONE] = cancel_seen;
    watch_get(&seen, pool, origin_url(origin, "/"));
    end_watch(&seen);
    assert_answer(&seen.outcome, "GET / 0");
    assert_usable();
}

static void test_cancel_after_the_end(void **state)
{
    (void)state;
    watch_get(&seen, pool, origin_url(origin, "/"));
    assert_int_equal(weir_call_wait(seen.call, -1, NULL, NULL), WEIR_OK);
    by_many_threads();
    end_watch(&seen);
    assert_answer(&seen.outcome, "GET / 0");
    assert_usable();
}

/* --- at once ------------------------------------------------------------- */

/* Perhaps before any loop has seen the call. */
static void test_cancel_straight_after_submitting(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        begin_witness(&seen);
        watch_get(&seen, pool, origin_url(origin, "/"));
        weir_call_cancel(seen.call);
        end_watch(&seen);
        if (seen.outcome.code != WEIR_OK)
            assert_code(&seen.outcome, WEIR_E_CANCELLED);
    }
    assert_usable();
}

static struct gate gate;

static void stop_at_gate(struct witness *witness)
{
    (void)witness;
    stop_at(&gate);
}

/* The place in the line is free before the loop has time for the call. */
static void test_a_place_in_the_line_is_free_at_once(void **state)
{
    (void)state;
    gate = (struct gate){false, false};
    holder.act[AT_RESPONSE] = stop_at_gate;
    watch_get(&holder, pool, origin_url(origin, "/held"));
    await_gate(&gate);
    watch_get(&seen, pool, origin_url(origin, "/"));
    assert_int_equal(figures_of(pool).waiting, 1);
    weir_call_cancel(seen.call);
    assert_int_equal(figures_of(pool).waiting, 0);
    assert_false(weir_call_is_done(seen.call));
    open_gate(&gate);
    end_watch(&seen);
    assert_code(&seen.outcome, WEIR_E_CANCELLED);
    end_watch(&holder);
    assert_answer(&holder.outcome, "GET /held 0");
    assert_int_equal(origin_requests_in_all(origin), 1);
    assert_usable();
}

/* Granted within a callback, cancelled in the same: nothing has been sent, and
 * the connection is back. */
static void submit_and_cancel(struct witness *witness)
{
    weir_request *request;

    if (weir_request_new("GET", origin_url(origin, "/"), &request, NULL) !=
        WEIR_OK)
        return;
    weir_submit(pool, request, &see_all, &seen, &seen.call, NULL);
    weir_request_free(request);
    weir_call_cancel(seen.call);
    (void)witness;
}

static void test_submitted_and_cancelled_in_one_callback(void **state)
{
    (void)state;
    holder.act[AT_DONE] = submit_and_cancel;
    watch_get(&holder, pool, origin_url(origin, "/"));
    end_watch(&holder);
    assert_answer(&holder.outcome, "GET / 0");
    end_watch(&seen);
    assert_code(&seen.outcome, WEIR_E_CANCELLED);
    assert_false(seen.outcome.err.may_have_been_processed);
    assert_usable();
    assert_int_equal(origin_requests_in_all(origin), 2);
    assert_int_equal(origin_connections(origin), 1);
}

/* What the peer said of how long it keeps the connection still holds. */
static void test_a_connection_given_back_unused_keeps_its_end(void **state)
{
    static const struct origin_step keeps_three_seconds[] = {
        O_EXPECT,
        O_SEND("HTTP/1.1 200 OK\r\nKeep-Alive: timeout=3\r\n"
               "Content-Length: 5\r\n\r\nhello"),
        O_HANG, O_END};
    const struct timespec until = patience();
    struct timespec now;

    (void)state;
    origin_script(origin, 0, keeps_three_seconds);
    holder.act[AT_DONE] = submit_and_cancel;
    watch_get(&holder, pool, origin_url(origin, "/"));
    end_watch(&holder);
    end_watch(&seen);
    assert_code(&seen.outcome, WEIR_E_CANCELLED);
    while (figures_of(pool).open != 0) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        assert_true(now.tv_sec < until.tv_sec);
        usleep(1000);
    }
    assert_int_equal(figures_of(pool).closed[WEIR_CLOSE_IDLE], 1);
}

/* A request whose body is read as it is sent is free again. */
static long read_x(void *user, char *buf, size_t cap)
{
    (void)user;
    (void)cap;
    buf[0] = 'x';
    return 1;
}

static int rewind_x(void *user)
{
    (void)user;
    return 0;
}

static void test_the_request_of_a_cancelled_call_is_free(void **state)
{
    static const struct origin_step never_reads[] = {O_EXPECT_HEAD, O_POST(0),
                                                     O_STALL, O_END};
    weir_request *request = must_request("PUT", origin_url(origin, "/"));

    (void)state;
    origin_script(origin, 0, never_reads);
    origin_script(origin, 1, echoes);
    weir_request_set_body_reader(request, 100000, read_x, rewind_x, NULL, NULL);
    watch(&seen, pool, request, &see_all);
    assert_true(origin_wait(origin, 0));
    weir_call_cancel(seen.call);
    end_watch(&seen);
    assert_code(&seen.outcome, WEIR_E_CANCELLED);
    assert_true(seen.outcome.err.may_have_been_processed);
    begin_witness(&seen);
    watch(&seen, pool, request, &see_all);
    weir_request_free(request);
    end_watch(&seen);
    assert_answer(&seen.outcome, "PUT / 100000");
    assert_usable();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_cancel_in_the_line),
        TEST(test_cancel_while_resolving),
        TEST(test_cancel_while_connecting),
        TEST(test_cancel_in_the_handshake),
        TEST(test_cancel_while_sending),
        TEST(test_cancel_while_the_body_is_late),
        TEST(test_cancel_within_the_head),
        TEST(test_cancel_within_the_body),
        TEST(test_cancel_while_paused),
        TEST(test_cancel_while_redialling),
        TEST(test_cancel_from_on_response),
        TEST(test_cancel_from_on_body),
        TEST(test_cancel_from_on_done_comes_too_late),
        TEST(test_cancel_after_the_end),
        TEST(test_cancel_straight_after_submitting),
        TEST(test_a_place_in_the_line_is_free_at_once),
        TEST(test_submitted_and_cancelled_in_one_callback),
        TEST(test_a_connection_given_back_unused_keeps_its_end),
        TEST(test_the_request_of_a_cancelled_call_is_free),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
