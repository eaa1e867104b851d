/* Bodies at the program's pace: a response that is paused and resumed, and a
 * request body that is produced when it is there. */
#include "counted.h"
#include "witness.h"

#include <arpa/inet.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "origin.h"

#define HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

enum {
    MIB = 1 << 20
};

static struct origin *origin;
static weir_pool *pool;
static struct runner runner;
static struct witness seen;

static void open_pool(const weir_pool_options *options)
{
    pool = must_open(options);
    start_runner(&runner, pool);
}

static void drop_pool(void)
{
    stop_runner(&runner);
    weir_pool_free(pool);
    pool = NULL;
}

static int set_up(void **state)
{
    weir_pool_options options = test_options();

    (void)state;
    begin_witness(&seen);
    options.verify = false;
    origin = origin_start(NULL);
    open_pool(&options);
    return origin ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    drop_pool();
    origin_stop(origin);
    return 0;
}

/* --- a large body -------------------------------------------------------- */

/* A server that counts what it gets rid of. */
struct flood {
    int listener;
    char url[64];
    pthread_t thread;
    atomic_uint_least64_t sent;
    atomic_bool is_blocked; /* the peer takes no more for now */
};

enum {
    FLOOD_BYTES = 64 * MIB
};

static void send_flood(struct flood *flood, int fd)
{
    static const char block[65536];
    uint64_t left = FLOOD_BYTES;

    while (left > 0) {
        const size_t len = left < sizeof block ? (size_t)left : sizeof block;
        const ssize_t sent = send(fd, block, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        struct pollfd waited = {fd, POLLOUT, 0};

        atomic_store(&flood->is_blocked, sent < 0);
        if (sent < 0)
            poll(&waited, 1, -1);
        if (waited.revents & (POLLHUP | POLLERR))
            return;
        if (sent > 0) {
            atomic_fetch_add(&flood->sent, (uint64_t)sent);
            left -= (uint64_t)sent;
        }
    }
}

static void *serve_flood(void *user)
{
    struct flood *flood = user;
    const int fd = accept(flood->listener, NULL, NULL);
    char text[4096];
    size_t len = 0;
    ssize_t got;

    do {
        got = recv(fd, text + len, sizeof text - 1 - len, 0);
        len += got > 0 ? (size_t)got : 0;
        text[len] = '\0';
    } while (got > 0 && !strstr(text, "\r\n\r\n"));
    snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Length: %u\r\n\r\n",
             (unsigned)FLOOD_BYTES);
    (void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
    send_flood(flood, fd);
    close(fd);
    return NULL;
}

static void start_flood(struct flood *flood)
{
    struct sockaddr_in addr = {.sin_family = AF_INET};
    socklen_t len = sizeof addr;

    memset(flood, 0, sizeof *flood);
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    flood->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(flood->listener, (struct sockaddr *)&addr, len), 0);
    assert_int_equal(listen(flood->listener, 1), 0);
    getsockname(flood->listener, (struct sockaddr *)&addr, &len);
    snprintf(flood->url, sizeof flood->url, "http://127.0.0.1:%u/",
             ntohs(addr.sin_port));
    pthread_create(&flood->thread, NULL, serve_flood, flood);
}

static void stop_flood(struct flood *flood)
{
    pthread_join(flood->thread, NULL);
    close(flood->listener);
}

static void await_blocked(struct flood *flood)
{
    while (!atomic_load(&flood->is_blocked))
        sched_yield();
    /* It is still so a good while later. */
    assert_int_equal(weir_call_wait(seen.call, 0.05, NULL, NULL),
                     WEIR_E_PENDING);
    while (!atomic_load(&flood->is_blocked))
        sched_yield();
}

static void pause_there(struct witness *witness)
{
    weir_call_pause(witness->call);
}

/* Pauses in `moment`: neither side takes the body in, and it is whole in the
 * end. */
static void check_flood(enum moment moment, const weir_handlers *handlers)
{
    const uint64_t held = alloc_bytes();
    struct flood flood;
    weir_request *request;

    start_flood(&flood);
    request = must_request("GET", flood.url);
    seen.act[moment] = pause_there;
    watch(&seen, pool, request, handlers);
    weir_request_free(request);
    assert_true(await_seen(&seen, moment, 1));
    await_blocked(&flood);
    assert_true(atomic_load(&flood.sent) < 16 * MIB);
    assert_true(alloc_bytes() - held < MIB);
    assert_int_equal(seen.seen[AT_BODY], moment == AT_BODY);
    seen.act[moment] = NULL; /* nothing runs meanwhile */
    weir_call_resume(seen.call);
    assert_true(await_seen(&seen, AT_DONE, 1));
    assert_code(&seen.outcome, WEIR_OK);
    if (handlers->on_body)
        assert_int_equal(seen.outcome.len, FLOOD_BYTES);
    else
        assert_int_equal(weir_response_body(seen.response).len, FLOOD_BYTES);
    end_watch(&seen);
    stop_flood(&flood);
}

static void test_a_paused_body_stays_with_the_peer(void **state)
{
    (void)state;
    check_flood(AT_BODY, &see_all);
}

static void test_paused_before_its_body(void **state)
{
    (void)state;
    check_flood(AT_RESPONSE, &see_all);
}

static void test_a_body_that_is_kept_can_be_paused_too(void **state)
{
    (void)state;
    check_flood(AT_RESPONSE, &see_ends);
}

/* --- pausing and resuming ------------------------------------------------ */

enum {
    STRETCHES = 2000
};

/* Chunks come as stretches of their own, in one segment. */
#define CHUNKS_10                                                              \
    "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n1\r\nd\r\n1\r\ne\r\n"                       \
    "1\r\nf\r\n1\r\ng\r\n1\r\nh\r\n1\r\ni\r\n1\r\nj\r\n"
#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

static const struct origin_step sends_chunks[] = {
    O_EXPECT, O_SEND(CHUNKED), O_SEND_MANY(CHUNKS_10, STRETCHES / 10),
    O_SEND("0\r\n\r\n"), O_AGAIN};

/* Resumes once for each stretch, as soon as it has been handed over: perhaps
 * before on_body has returned, perhaps just as it does. */
static void *resume_each(void *user)
{
    struct witness *witness = user;

    for (unsigned resumed = 0; resumed < STRETCHES; resumed++) {
        while (atomic_load((atomic_uint *)witness->with) <= resumed)
            sched_yield();
        weir_call_resume(witness->call);
    }
    return NULL;
}

static void count_stretch(struct witness *witness)
{
    atomic_fetch_add((atomic_uint *)witness->with, 1);
}

static void check_no_resume_is_lost(const char *url)
{
    atomic_uint stretches = 0;
    weir_request *request = must_request("GET", url);
    pthread_t resumer;

    seen.flow = WEIR_FLOW_PAUSE;
    seen.act[AT_BODY] = count_stretch;
    seen.with = &stretches;
    watch(&seen, pool, request, &see_all);
    weir_request_free(request);
    pthread_create(&resumer, NULL, resume_each, &seen);
    if (!await_seen(&seen, AT_DONE, 1))
        fail_msg("paused for ever at stretch %u", atomic_load(&stretches));
    pthread_join(resumer, NULL);
    end_watch(&seen);
    assert_code(&seen.outcome, WEIR_OK);
    assert_int_equal(seen.outcome.len, STRETCHES);
    assert_int_equal(seen.seen[AT_BODY], STRETCHES);
}

static void test_no_resume_is_lost(void **state)
{
    (void)state;
    origin_script(origin, 0, sends_chunks);
    for (unsigned i = 0; i < 5; i++) {
        begin_witness(&seen);
        check_no_resume_is_lost(origin_url(origin, "/"));
    }
}

static void test_no_resume_is_lost_over_tls(void **state)
{
    (void)state;
    origin_stop(origin);
    origin = origin_start(&(struct origin_options){.certs = certs});
    assert_non_null(origin);
    origin_script(origin, 0, sends_chunks);
    check_no_resume_is_lost(origin_url(origin, "/"));
}

static void *resume_once(void *user)
{
    weir_call_resume((weir_call *)user);
    return NULL;
}

static void resume_elsewhere(struct witness *witness)
{
    pthread_t thread;

    pthread_create(&thread, NULL, resume_once, witness->call);
    pthread_join(thread, NULL);
}

/* on_body says PAUSE after another thread has said: go on. */
static void test_resumed_before_the_pause_takes_effect(void **state)
{
    (void)state;
    origin_script(origin, 0, sends_chunks);
    seen.flow = WEIR_FLOW_PAUSE;
    seen.act[AT_BODY] = resume_elsewhere;
    watch_get(&seen, pool, origin_url(origin, "/"));
    end_watch(&seen);
    assert_int_equal(seen.seen[AT_BODY], STRETCHES);
}

static void resume_and_pause(struct witness *witness)
{
    weir_call_resume(witness->call);
    weir_call_pause(witness->call);
}

/* The last word counts. */
static void test_resumed_and_paused_again_within_on_body(void **state)
{
    (void)state;
    origin_script(origin, 0, sends_chunks);
    seen.flow = WEIR_FLOW_PAUSE;
    seen.act[AT_BODY] = resume_and_pause;
    watch_get(&seen, pool, origin_url(origin, "/"));
    for (unsigned i = 1; i <= 10; i++) {
        assert_true(await_seen(&seen, AT_BODY, i));
        assert_int_equal(weir_call_wait(seen.call, 0.001, NULL, NULL),
                         WEIR_E_PENDING);
        assert_int_equal(seen.seen[AT_BODY], i);
        weir_call_resume(seen.call);
    }
    weir_call_cancel(seen.call);
    end_watch(&seen);
    assert_code(&seen.outcome, WEIR_E_CANCELLED);
}

/* A pause is one of the body: the response itself comes. */
static void test_paused_before_the_response(void **state)
{
    static const struct origin_step answers_when_told[] = {
        O_EXPECT, O_POST(0), O_WAIT(1), O_SEND(HELLO), O_AGAIN};

    (void)state;
    origin_script(origin, 0, answers_when_told);
    watch_get(&seen, pool, origin_url(origin, "/"));
    assert_true(origin_wait(origin, 0));
    weir_call_pause(seen.call);
    origin_post(origin, 1);
    assert_true(await_seen(&seen, AT_RESPONSE, 1));
    assert_int_equal(weir_call_wait(seen.call, 0.01, NULL, NULL),
                     WEIR_E_PENDING);
    assert_int_equal(seen.seen[AT_BODY], 0);
    weir_call_resume(seen.call);
    end_watch(&seen);
    assert_answer(&seen.outcome, "hello");
}

static void test_a_pause_holds_no_time_limit_of_the_response_off(void **state)
{
    static const struct origin_step never_answers[] = {O_EXPECT, O_POST(0),
                                                       O_HANG, O_END};
    weir_request *request = must_request("GET", origin_url(origin, "/"));

    (void)state;
    origin_script(origin, 0, never_answers);
    weir_request_set_timeout(request, WEIR_TIMEOUT_FIRST_BYTE, 0.05, NULL);
    watch(&seen, pool, request, &see_all);
    weir_request_free(request);
    weir_call_pause(seen.call);
    end_watch(&seen);
    assert_code(&seen.outcome, WEIR_E_FIRST_BYTE_TIMEOUT);
}

/* --- the last bytes ------------------------------------------------------ */

/* Paused with the last bytes, a call may end by itself or wait for the resume;
 * it ends once, with all of its body. */
static void test_paused_with_the_last_bytes(void **state)
{
    static const struct origin_step at_once[] = {O_EXPECT, O_SEND(HELLO),
                                                 O_AGAIN};
    static const struct origin_step later[] = {
        O_EXPECT, O_SEND("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
        O_WAIT(1), O_SEND("hello"), O_AGAIN};
    static const struct origin_step in_a_chunk[] = {
        O_EXPECT, O_SEND(CHUNKED "5\r\nhello\r\n0\r\n\r\n"), O_AGAIN};
    static const struct origin_step up_to_the_end[] = {
        O_EXPECT, O_SEND("HTTP/1.1 200 OK\r\n\r\nhello"), O_END};
    static const struct origin_step *const scripts[] = {
        at_once, later, in_a_chunk, up_to_the_end};

    for (unsigned i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        tear_down(state);
        assert_int_equal(set_up(state), 0);
        origin_script(origin, 0, scripts[i]);
        seen.flow = WEIR_FLOW_PAUSE;
        watch_get(&seen, pool, origin_url(origin, "/"));
        assert_true(await_seen(&seen, AT_RESPONSE, 1));
        origin_post(origin, 1);
        assert_true(await_seen(&seen, AT_BODY, 1));
        weir_call_resume(seen.call);
        end_watch(&seen);
        assert_answer(&seen.outcome, "hello");
        assert_at_rest(pool);
    }
}

static void test_the_peer_leaves_while_paused(void **state)
{
    static const struct origin_step sends_and_goes[] = {
        O_EXPECT,  O_SEND("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"),
        O_WAIT(1), O_SEND("world"),
        O_CLOSE,   O_POST(2),
        O_END};

    (void)state;
    origin_script(origin, 0, sends_and_goes);
    seen.flow = WEIR_FLOW_PAUSE;
    watch_get(&seen, pool, origin_url(origin, "/"));
    assert_true(await_seen(&seen, AT_BODY, 1));
    origin_post(origin, 1);
    assert_true(origin_wait(origin, 2));
    assert_int_equal(weir_call_wait(seen.call, 0.01, NULL, NULL),
                     WEIR_E_PENDING);
    assert_int_equal(seen.seen[AT_BODY], 1);
    weir_call_resume(seen.call);
    assert_true(await_seen(&seen, AT_BODY, 2));
    weir_call_resume(seen.call);
    end_watch(&seen);
    assert_answer(&seen.outcome, "helloworld");
    assert_at_rest(pool);
}

static struct gate gates[2];

static void stop_at_first_gate(struct witness *witness)
{
    (void)witness;
    stop_at(&gates[0]);
}

static void stop_at_second_gate(struct witness *witness)
{
    (void)witness;
    stop_at(&gates[1]);
}

/* Takes a call that pauses in `moment` to where the loop has in hand, in this
 * order: an answer to another call, in whose callback it stays, and the close
 * of the paused call's connection.  It is resumed meanwhile. */
static void resume_before_the_close_is_handled(enum moment moment)
{
    static const struct origin_step answers_second[] = {
        O_EXPECT, O_POST(3), O_WAIT(4), O_SEND(HELLO), O_POST(5), O_AGAIN};
    static const struct origin_step answers[] = {O_EXPECT, O_SEND(HELLO),
                                                 O_AGAIN};
    struct witness first;
    struct witness second;

    seen.act[moment] = pause_there;
    watch_get(&seen, pool, origin_url(origin, "/"));
    assert_true(await_seen(&seen, moment, 1));
    begin_witness(&second);
    second.act[AT_RESPONSE] = stop_at_second_gate;
    origin_script(origin, 1, answers_second);
    watch_get(&second, pool, origin_url(origin, "/second"));
    assert_true(origin_wait(origin, 3));
    begin_witness(&first);
    first.act[AT_RESPONSE] = stop_at_first_gate;
    origin_script(origin, 2, answers);
    watch_get(&first, pool, origin_url(origin, "/first"));
    await_gate(&gates[0]);
    origin_post(origin, 4);
    assert_true(origin_wait(origin, 5));
    origin_post(origin, 1);
    assert_true(origin_wait(origin, 2));
    open_gate(&gates[0]);
    await_gate(&gates[1]);
    seen.act[moment] = NULL; /* the loop is held up */
    weir_call_resume(seen.call);
    open_gate(&gates[1]);
    end_watch(&first);
    end_watch(&second);
}

static void test_what_a_pause_left_comes_before_the_end(void **state)
{
    static const struct origin_step in_a_chunk[] = {
        O_EXPECT,  O_SEND(CHUNKED "5\r\nhello\r\n0\r\n\r\n"),
        O_WAIT(1), O_CLOSE,
        O_POST(2), O_END};
    static const struct origin_step up_to_the_end[] = {
        O_EXPECT,  O_SEND("HTTP/1.1 200 OK\r\n\r\nhello"),
        O_WAIT(1), O_CLOSE,
        O_POST(2), O_END};

    for (enum moment moment = AT_RESPONSE; moment < AT_DONE; moment++) {
        tear_down(state);
        assert_int_equal(set_up(state), 0);
        memset(gates, 0, sizeof gates);
        origin_script(origin, 0,
                      moment == AT_RESPONSE ? up_to_the_end : in_a_chunk);
        resume_before_the_close_is_handled(moment);
        end_watch(&seen);
        assert_answer(&seen.outcome, "hello");
        assert_at_rest(pool);
    }
}

/* --- time ---------------------------------------------------------------- */

static const struct origin_step half_then_rest[] = {
    O_EXPECT, O_SEND("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe"),
    O_WAIT(1), O_SEND("llo"), O_AGAIN};

static void watch_paused(weir_timeout which, double seconds)
{
    weir_request *request = must_request("GET", origin_url(origin, "/"));

    origin_script(origin, 0, half_then_rest);
    weir_request_set_timeout(request, which, seconds, NULL);
    seen.flow = WEIR_FLOW_PAUSE;
    watch(&seen, pool, request, &see_all);
    weir_request_free(request);
    assert_true(await_seen(&seen, AT_BODY, 1));
}

static void test_the_total_time_limit_runs_while_paused(void **state)
{
    (void)state;
    watch_paused(WEIR_TIMEOUT_TOTAL, 0.1);
    end_watch(&seen);
    assert_code(&seen.outcome, WEIR_E_TOTAL_TIMEOUT);
    assert_int_equal(seen.outcome.err.stage, WEIR_STAGE_BODY);
    assert_at_rest(pool);
}

/* It stands still while paused, and begins anew with the resume. */
static void test_the_read_time_limit_does_not(void **state)
{
    (void)state;
    watch_paused(WEIR_TIMEOUT_IDLE_READ, 1);
    assert_int_equal(weir_call_wait(seen.call, 1.2, NULL, NULL),
                     WEIR_E_PENDING);
    seen.flow = WEIR_FLOW_ON; /* nothing runs meanwhile */
    weir_call_resume(seen.call);
    assert_int_equal(weir_call_wait(seen.call, 0.1, NULL, NULL),
                     WEIR_E_PENDING);
    origin_post(origin, 1);
    end_watch(&seen);
    assert_answer(&seen.outcome, "hello");
}

static void test_the_read_time_limit_runs_after_a_resume(void **state)
{
    (void)state;
    watch_paused(WEIR_TIMEOUT_IDLE_READ, 0.1);
    assert_int_equal(weir_call_wait(seen.call, 0.2, NULL, NULL),
                     WEIR_E_PENDING);
    weir_call_resume(seen.call);
    end_watch(&seen);
    assert_code(&seen.outcome, WEIR_E_READ_TIMEOUT);
    assert_at_rest(pool);
}

static void test_a_close_ends_a_paused_call(void **state)
{
    weir_close_report report = {.size = sizeof report};

    (void)state;
    watch_paused(WEIR_TIMEOUT_TOTAL, 0);
    assert_int_equal(weir_pool_close(pool, 0.05, &report), WEIR_OK);
    end_watch(&seen);
    assert_code(&seen.outcome, WEIR_E_CLOSED);
    assert_int_equal(report.cut, 1);
    weir_call_resume(NULL);
    assert_int_equal(figures_of(pool).open, 0);
}

/* --- a request body on demand -------------------------------------------- */

enum {
    PIECES = 200
};

/* A body of pieces, each there once the test has put it there. */
struct supply {
    atomic_uint there;
    unsigned taken;
    atomic_uint asked;
    atomic_uint refused; /* answered LATER */
    bool breaks;         /* fails in place of the end */
};

static long take_piece(void *user, char *buf, size_t cap)
{
    struct supply *supply = user;

    (void)cap;
    atomic_fetch_add(&supply->asked, 1);
    if (supply->taken == PIECES)
        return supply->breaks ? -1 : 0;
    if (supply->taken == atomic_load(&supply->there)) {
        atomic_fetch_add(&supply->refused, 1);
        return WEIR_BODY_LATER;
    }
    buf[0] = (char)('a' + supply->taken++ % 26);
    return 1;
}

static void *supply_all(void *user)
{
    struct supply *supply = seen.with;

    for (unsigned i = 0; i < PIECES; i++) {
        atomic_fetch_add(&supply->there, 1);
        weir_call_resume((weir_call *)user);
        if (i % 16 == 0)
            sched_yield();
    }
    return NULL;
}

static void watch_supply(struct supply *supply, uint64_t length)
{
    weir_request *request = must_request("PUT", origin_url(origin, "/x"));

    memset(supply, 0, sizeof *supply);
    seen.with = supply;
    weir_request_set_body_reader(request, length, take_piece, NULL, supply,
                                 NULL);
    watch(&seen, pool, request, &see_all);
    weir_request_free(request);
}

static void check_supply(uint64_t length)
{
    struct supply supply;
    pthread_t supplier;

    watch_supply(&supply, length);
    while (atomic_load(&supply.refused) == 0)
        sched_yield();
    /* Its head is on the way, and nothing more before the resume. */
    assert_int_equal(weir_call_wait(seen.call, 0.01, NULL, NULL),
                     WEIR_E_PENDING);
    pthread_create(&supplier, NULL, supply_all, seen.call);
    end_watch(&seen);
    pthread_join(supplier, NULL);
    assert_answer(&seen.outcome, "PUT /x 200");
    for (unsigned i = 0; i < PIECES; i++)
        assert_int_equal(origin_request(origin, 0, 0)->body[i], 'a' + i % 26);
    assert_at_rest(pool);
}

/* The handle must outlive the thread that resumes. */
static void test_a_chunked_body_on_demand(void **state)
{
    (void)state;
    check_supply(WEIR_LENGTH_UNKNOWN);
}

static void test_a_body_of_known_length_on_demand(void **state)
{
    (void)state;
    check_supply(PIECES);
}

/* One piece, one resume: each is sent when it is there, not later. */
static void test_each_piece_goes_out_when_it_is_there(void **state)
{
    static const struct origin_step takes_pieces[] = {
        O_EXPECT_HEAD, O_POST(0),     O_RECEIVE, O_POST(0), O_RECEIVE,
        O_POST(0),     O_SEND(HELLO), O_CLOSE,   O_END};
    struct supply supply;

    (void)state;
    origin_script(origin, 0, takes_pieces);
    watch_supply(&supply, PIECES);
    assert_true(origin_wait(origin, 0));
    for (unsigned i = 0; i < 2; i++) {
        atomic_fetch_add(&supply.there, 1);
        weir_call_resume(seen.call);
        assert_true(origin_wait(origin, 0));
    }
    end_watch(&seen);
    assert_answer(&seen.outcome, "hello");
}

/* A resume that nobody waits for does no harm. */
static void test_resuming_without_need(void **state)
{
    struct supply supply;

    (void)state;
    watch_supply(&supply, PIECES);
    for (unsigned i = 0; i < 1000; i++)
        weir_call_resume(seen.call);
    atomic_store(&supply.there, PIECES);
    for (unsigned i = 0; i < 1000; i++)
        weir_call_resume(seen.call);
    end_watch(&seen);
    assert_answer(&seen.outcome, "PUT /x 200");
}

static void test_a_late_body_that_breaks(void **state)
{
    struct supply supply;

    (void)state;
    watch_supply(&supply, WEIR_LENGTH_UNKNOWN);
    supply.breaks = true; /* it is not looked at before all is there */
    atomic_store(&supply.there, PIECES);
    weir_call_resume(seen.call);
    end_watch(&seen);
    assert_code(&seen.outcome, WEIR_E_BODY);
    assert_true(seen.outcome.err.may_have_been_processed);
    assert_at_rest(pool);
}

static void test_the_total_time_limit_of_a_late_body(void **state)
{
    weir_request *request = must_request("PUT", origin_url(origin, "/"));
    struct supply supply = {0};

    (void)state;
    weir_request_set_body_reader(request, PIECES, take_piece, NULL, &supply,
                                 NULL);
    weir_request_set_timeout(request, WEIR_TIMEOUT_TOTAL, 0.05, NULL);
    weir_request_set_timeout(request, WEIR_TIMEOUT_FIRST_BYTE, 0.01, NULL);
    watch(&seen, pool, request, &see_all);
    weir_request_free(request);
    end_watch(&seen);
    assert_code(&seen.outcome, WEIR_E_TOTAL_TIMEOUT);
    assert_int_equal(seen.outcome.err.stage, WEIR_STAGE_SEND);
    assert_at_rest(pool);
}

/* The server answers before the body is there: it is withheld. */
static void test_an_answer_before_a_late_body(void **state)
{
    static const struct origin_step refuses[] = {
        O_EXPECT_HEAD, O_SEND("HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno"),
        O_HANG, O_END};
    struct supply supply;
    unsigned asked;

    (void)state;
    origin_script(origin, 0, refuses);
    watch_supply(&supply, WEIR_LENGTH_UNKNOWN);
    end_watch(&seen);
    assert_code(&seen.outcome, WEIR_OK);
    assert_int_equal(seen.outcome.status, 413);
    asked = atomic_load(&supply.asked);
    assert_int_equal(atomic_load(&supply.refused), asked);
    assert_int_equal(figures_of(pool).idle, 0);
}

/* A late body that waits for 100 Continue too. */
static void test_a_late_body_that_is_held_back(void **state)
{
    static const struct origin_step agrees[] = {
        O_EXPECT_HEAD, O_POST(0),
        O_WAIT(1),     O_SEND("HTTP/1.1 100 Continue\r\n\r\n"),
        O_EXPECT_BODY, O_SEND(HELLO),
        O_AGAIN};
    weir_request *request = must_request("PUT", origin_url(origin, "/"));
    struct supply supply = {0};

    (void)state;
    origin_script(origin, 0, agrees);
    weir_request_set_body_reader(request, PIECES, take_piece, NULL, &supply,
                                 NULL);
    weir_request_set_expect_continue(request, PATIENCE_S, NULL);
    watch(&seen, pool, request, &see_all);
    weir_request_free(request);
    assert_true(origin_wait(origin, 0));
    weir_call_resume(seen.call);
    assert_int_equal(atomic_load(&supply.asked), 0);
    origin_post(origin, 1);
    while (atomic_load(&supply.refused) == 0)
        sched_yield();
    atomic_store(&supply.there, PIECES);
    weir_call_resume(seen.call);
    end_watch(&seen);
    assert_answer(&seen.outcome, "hello");
}

static void test_a_blocking_call_cannot_wait_for_a_late_body(void **state)
{
    weir_request *request = must_request("PUT", origin_url(origin, "/"));
    weir_response *response = NULL;
    struct supply supply = {0};

    (void)state;
    weir_request_set_body_reader(request, PIECES, take_piece, NULL, &supply,
                                 NULL);
    assert_int_equal(weir_fetch(pool, request, &response, NULL), WEIR_E_BODY);
    assert_null(response);
    weir_request_free(request);
    assert_at_rest(pool);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_paused_body_stays_with_the_peer),
        TEST(test_paused_before_its_body),
        TEST(test_a_body_that_is_kept_can_be_paused_too),
        TEST(test_no_resume_is_lost),
        TEST(test_no_resume_is_lost_over_tls),
        TEST(test_resumed_before_the_pause_takes_effect),
        TEST(test_resumed_and_paused_again_within_on_body),
        TEST(test_paused_before_the_response),
        TEST(test_a_pause_holds_no_time_limit_of_the_response_off),
        TEST(test_paused_with_the_last_bytes),
        TEST(test_the_peer_leaves_while_paused),
        TEST(test_what_a_pause_left_comes_before_the_end),
        TEST(test_the_total_time_limit_runs_while_paused),
        TEST(test_the_read_time_limit_does_not),
        TEST(test_the_read_time_limit_runs_after_a_resume),
        TEST(test_a_close_ends_a_paused_call),
        TEST(test_a_chunked_body_on_demand),
        TEST(test_a_body_of_known_length_on_demand),
        TEST(test_each_piece_goes_out_when_it_is_there),
        TEST(test_resuming_without_need),
        TEST(test_a_late_body_that_breaks),
        TEST(test_the_total_time_limit_of_a_late_body),
        TEST(test_an_answer_before_a_late_body),
        TEST(test_a_late_body_that_is_held_back),
        TEST(test_a_blocking_call_cannot_wait_for_a_late_body),
    };

    return cmocka_run_group_tests(tests, begin_counted, drop_certs);
}
