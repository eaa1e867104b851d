/* A network that loses, delays, reorders, swallows and refuses: what arrives is
 * whole, and what does not arrive ends by a time limit that names its stage. */
#include "net.h"

#include <errno.h>

#define OK "HTTP/1.1 200 OK\r\n"
#define HELLO OK "Content-Length: 5\r\n\r\nhello"
#define CHUNK "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-_"

enum {
    CALLERS = 4,
    EXCHANGES = 40, /* of each */
    BODY_CHUNKS = 8192
};

static struct origin *origin;
static weir_pool *pool;
static unsigned tried;

static int set_up(void **state)
{
    (void)state;
    wire_clear();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    wire_clear();
    weir_pool_free(pool);
    pool = NULL;
    origin_stop(origin);
    origin = NULL;
    return 0;
}

static int tell_cases(void **state)
{
    (void)state;
    printf("# cases network %u\n", tried);
    return 0;
}

static weir_pool_options patient(void)
{
    weir_pool_options options = test_options();

    options.connect_timeout = LONG;
    options.total_timeout = LONG;
    options.acquire_timeout = LONG;
    return options;
}

/* What happens at a step of the pool: a rule changes. */
struct trap {
    weir_trace_kind kind;
    const char *name;
    const char *value;
};

static void on_trace(void *user, const weir_trace_event *event)
{
    const struct trap *trap = user;

    if (event->kind == trap->kind)
        wire_set(trap->name, trap->value);
}

static void get_path(const char *path, struct outcome *out)
{
    get(pool, origin_url(origin, path), out);
    tried++;
}

/* Ended by a limit of SHORT seconds, not by another. */
static void check_ran_out(const struct outcome *out, double begun,
                          weir_status code, weir_stage stage)
{
    const double took = seconds_now() - begun;

    assert_code(out, code);
    assert_int_equal(out->err.error_class, WEIR_CLASS_TIME);
    if (out->err.stage != stage)
        fail_msg("stage %s, wanted %s: %s", weir_stage_name(out->err.stage),
                 weir_stage_name(stage), out->err.message);
    if (took < SHORT * 0.9 || took > LONG / 2)
        fail_msg("it took %.3f s", took);
}

/* The wire works again: so does the pool, on a connection that is new. */
static void check_recovers(void)
{
    struct outcome out;

    wire_clear();
    assert_int_equal(figures_of(pool).leased, 0);
    get_path("/again", &out);
    assert_answer(&out, "GET /again 0");
    assert_false(out.is_reused);
}

/* --- loss, delay, order -------------------------------------------------- */

struct caller {
    pthread_t thread;
    unsigned number;
    unsigned wrong;
    struct outcome out;
};

/* Every answer is that of its own request. */
static void *exchange(void *user)
{
    struct caller *caller = user;

    for (unsigned i = 0; i < EXCHANGES; i++) {
        char path[48], wanted[64];

        snprintf(path, sizeof path, "/%s%u-%u", i % 2 ? "chunk" : "",
                 caller->number, i);
        snprintf(wanted, sizeof wanted, "GET %s 0", path);
        get(pool, origin_url(origin, path), &caller->out);
        caller->wrong += caller->out.code != WEIR_OK ||
                         strcmp(caller->out.body, wanted) != 0;
        if (caller->out.code != WEIR_OK)
            print_error("%s\n", caller->out.err.message);
    }
    return NULL;
}

static void run_callers(void)
{
    static struct caller callers[CALLERS];

    for (unsigned i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){.number = i};
        assert_int_equal(
            pthread_create(&callers[i].thread, NULL, exchange, &callers[i]), 0);
    }
    for (unsigned i = 0; i < CALLERS; i++) {
        pthread_join(callers[i].thread, NULL);
        assert_int_equal(callers[i].wrong, 0);
        tried += EXCHANGES;
    }
}

/* A body of which every byte is looked at. */
static void check_large_body(void)
{
    static const struct origin_step sends[] = {
        O_EXPECT, O_SEND(OK "Content-Length: 524288\r\n\r\n"),
        O_SEND_MANY(CHUNK, BODY_CHUNKS), O_AGAIN};
    weir_response *response = NULL;
    weir_request *request;
    weir_slice body;
    weir_error err;

    origin_stop(origin);
    origin = far_origin(NULL);
    origin_script(origin, 0, sends);
    request = must_request("GET", origin_url(origin, "/large"));
    if (fetch_by_driver(pool, request, &response, &err) != WEIR_OK)
        fail_msg("%s", err.message);
    body = weir_response_body(response);
    assert_int_equal(body.len, BODY_CHUNKS * (sizeof(CHUNK) - 1));
    for (size_t i = 0; i < body.len; i += sizeof(CHUNK) - 1)
        assert_memory_equal(body.data + i, CHUNK, sizeof(CHUNK) - 1);
    weir_response_free(response);
    weir_request_free(request);
    tried++;
}

static void test_loss_delay_and_reordering(void **state)
{
    weir_pool_options options = patient();

    (void)state;
    options.max_per_host = CALLERS;
    pool = must_open(&options);
    origin = far_origin(NULL);
    wire_set("delay-ms", "1");
    wire_set("jitter-ms", "1");
    wire_set("loss", "2");
    wire_set("duplicate", "2");
    wire_set("reorder", "5");
    run_callers();
    check_large_body();
    assert_true(wire_count("lost") > 0);
    assert_true(wire_count("reordered") > 0);
    assert_true(wire_count("duplicated") > 0);
    assert_true(figures_of(pool).dialed <= CALLERS + 1);
}

/* The round trip is paid once a connection, not once a request. */
static void test_delay_is_told(void **state)
{
    const weir_pool_options options = patient();
    struct outcome out;
    double begun;

    (void)state;
    pool = must_open(&options);
    origin = far_origin(NULL);
    wire_set("delay-ms", "20");
    begun = seconds_now();
    get_path("/1", &out);
    assert_answer(&out, "GET /1 0");
    assert_true(seconds_now() - begun >= 0.080); /* TCP, then the exchange */
    begun = seconds_now();
    get_path("/2", &out);
    assert_true(out.is_reused);
    assert_true(seconds_now() - begun >= 0.040);
}

/* --- black holes --------------------------------------------------------- */

static void test_a_hole_before_the_connection(void **state)
{
    weir_pool_options options = patient();
    double begun = seconds_now();
    struct outcome out;

    (void)state;
    options.connect_timeout = SHORT;
    pool = must_open(&options);
    origin = far_origin(NULL);
    wire_set("hole", "both");
    get_path("/", &out);
    check_ran_out(&out, begun, WEIR_E_CONNECT_TIMEOUT, WEIR_STAGE_CONNECT);
    assert_false(out.err.may_have_been_processed);
    assert_non_null(strstr(out.err.message, FAR));
    check_recovers();
}

/* The request has gone into it: nobody knows whether it was processed. */
static void test_a_hole_before_the_response(void **state)
{
    struct trap trap = {WEIR_TRACE_LEASE, "hole", "far"};
    weir_pool_options options = patient();
    double begun = seconds_now();
    struct outcome out;

    (void)state;
    options.first_byte_timeout = SHORT;
    options.trace = on_trace;
    options.trace_user = &trap;
    pool = must_open(&options);
    origin = far_origin(NULL);
    get_path("/", &out);
    check_ran_out(&out, begun, WEIR_E_FIRST_BYTE_TIMEOUT, WEIR_STAGE_RESPONSE);
    assert_true(out.err.may_have_been_processed);
    trap.kind = WEIR_TRACE_PROXY; /* which there is none of */
    check_recovers();
}

/* A body that stops in its middle; `which` limit ends it. */
static void check_hole_within_body(weir_timeout which, weir_status code)
{
    static const struct origin_step halves[] = {
        O_EXPECT,  O_SEND(OK "Content-Length: 10\r\n\r\nhello"),
        O_WAIT(0), O_SEND("world"),
        O_HANG,    O_END};
    static const struct origin_step echoes[] = {O_ECHO, O_END};
    struct trap trap = {WEIR_TRACE_RESPONSE, "hole", "both"};
    weir_pool_options options = patient();
    double begun = seconds_now();
    weir_request *request;
    struct outcome out;

    options.trace = on_trace;
    options.trace_user = &trap;
    pool = must_open(&options);
    origin = far_origin(NULL);
    origin_script(origin, 0, halves);
    origin_script(origin, 1, echoes);
    request = must_request("GET", origin_url(origin, "/"));
    weir_request_set_timeout(request, which, SHORT, NULL);
    stream(pool, request, &out);
    weir_request_free(request);
    check_ran_out(&out, begun, code, WEIR_STAGE_BODY);
    assert_string_equal(out.body, "hello");
    assert_int_equal(figures_of(pool).closed[WEIR_CLOSE_TIMEOUT], 1);
    trap.kind = WEIR_TRACE_PROXY;
    check_recovers();
    assert_int_equal(figures_of(pool).open, 1);
    tear_down(NULL);
}

static void test_a_hole_within_a_body(void **state)
{
    (void)state;
    check_hole_within_body(WEIR_TIMEOUT_IDLE_READ, WEIR_E_READ_TIMEOUT);
    check_hole_within_body(WEIR_TIMEOUT_TOTAL, WEIR_E_TOTAL_TIMEOUT);
}

/* Nothing tells of it, so the request is sent; and closing is not held up by a
 * peer that is not there. */
static void test_a_hole_while_idle(void **state)
{
    weir_pool_options options = patient();
    weir_request *request;
    struct outcome out;
    double begun;

    (void)state;
    pool = must_open(&options);
    origin = far_origin(NULL);
    get_path("/1", &out);
    assert_answer(&out, "GET /1 0");
    wire_set("hole", "both");
    request = must_request("POST", origin_url(origin, "/2"));
    weir_request_set_timeout(request, WEIR_TIMEOUT_FIRST_BYTE, SHORT, NULL);
    begun = seconds_now();
    fetch(pool, request, &out);
    weir_request_free(request);
    check_ran_out(&out, begun, WEIR_E_FIRST_BYTE_TIMEOUT, WEIR_STAGE_RESPONSE);
    assert_true(out.err.reused);
    assert_true(out.err.may_have_been_processed);
    check_recovers();
    wire_set("hole", "both");
    begun = seconds_now();
    weir_pool_close(pool, 0, NULL);
    assert_true(seconds_now() - begun < 1);
}

/* --- a router that says no ----------------------------------------------- */

static void test_unreachable_at_once(void **state)
{
    static const struct {
        const char *what;
        int error;
    } cases[] = {{"net", ENETUNREACH},
                 {"host", EHOSTUNREACH},
                 {"port", ECONNREFUSED},
                 {"admin", EHOSTUNREACH}};
    weir_pool_options options = patient();
    struct outcome out;

    (void)state;
    pool = must_open(&options);
    origin = far_origin(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const double begun = seconds_now();

        wire_set("unreachable", cases[i].what);
        get_path("/", &out);
        assert_code(&out, WEIR_E_CONNECT);
        assert_int_equal(out.err.stage, WEIR_STAGE_CONNECT);
        assert_int_equal(out.err.system_code, cases[i].error);
        assert_non_null(strstr(out.err.message, "connect to " FAR ":"));
        assert_false(out.err.may_have_been_processed);
        assert_true(seconds_now() - begun < LONG / 2);
    }
    assert_true(wire_count("refused") >= 4);
    check_recovers();
}

/* What a router says of a connection that is there is advice (RFC 5461): it
 * ends by its time limit, or goes on when the way is back. */
static void test_unreachable_within_a_body(void **state)
{
    static const struct origin_step halves[] = {
        O_EXPECT,  O_SEND(OK "Content-Length: 10\r\n\r\nhello"),
        O_WAIT(0), O_SEND("world"),
        O_HANG,    O_END};
    struct trap trap = {WEIR_TRACE_RESPONSE, "unreachable", "host"};
    weir_pool_options options = patient();
    weir_request *request;
    struct outcome out;
    double begun = seconds_now();

    (void)state;
    options.trace = on_trace;
    options.trace_user = &trap;
    options.idle_read_timeout = SHORT;
    pool = must_open(&options);
    origin = far_origin(NULL);
    origin_script(origin, 0, halves);
    origin_script(origin, 1, (const struct origin_step[]){O_ECHO, O_END});
    request = must_request("GET", origin_url(origin, "/"));
    stream(pool, request, &out);
    weir_request_free(request);
    check_ran_out(&out, begun, WEIR_E_READ_TIMEOUT, WEIR_STAGE_BODY);
    trap.kind = WEIR_TRACE_PROXY;
    check_recovers();
}

/* --- peers --------------------------------------------------------------- */

/* A byte a second satisfies every limit but the total one. */
static void check_drip(const struct origin_step *steps, weir_stage stage)
{
    weir_pool_options options = patient();
    weir_request *request;
    struct outcome out;
    double begun;

    options.idle_read_timeout = LONG;
    pool = must_open(&options);
    origin = far_origin(NULL);
    origin_script(origin, 0, steps);
    request = must_request("GET", origin_url(origin, "/"));
    weir_request_set_timeout(request, WEIR_TIMEOUT_TOTAL, 1.2, NULL);
    begun = seconds_now();
    stream(pool, request, &out);
    weir_request_free(request);
    check_ran_out(&out, begun, WEIR_E_TOTAL_TIMEOUT, stage);
    assert_true(seconds_now() - begun < 4);
    tried++;
    tear_down(NULL);
}

static void test_a_peer_that_drips(void **state)
{
    static const struct origin_step head[] = {
        O_EXPECT, O_SEND("HTTP/1.1 200 OK\r\nX: "), O_DRIP("x", 1000), O_END};
    static const struct origin_step body[] = {
        O_EXPECT, O_SEND(OK "Content-Length: 1000\r\n\r\n"), O_DRIP("x", 1000),
        O_END};

    (void)state;
    check_drip(head, WEIR_STAGE_RESPONSE);
    check_drip(body, WEIR_STAGE_BODY);
}

static void test_a_peer_that_never_reads(void **state)
{
    static const struct origin_step stalls[] = {O_STALL, O_END};
    static char bytes[16 << 20];
    weir_pool_options options = patient();
    weir_request *request;
    struct outcome out;
    double begun;

    (void)state;
    pool = must_open(&options);
    origin = far_origin(NULL);
    origin_script(origin, 0, stalls);
    origin_script(origin, 1, (const struct origin_step[]){O_ECHO, O_END});
    request = must_request("POST", origin_url(origin, "/"));
    weir_request_set_body(request, bytes, sizeof bytes, NULL);
    weir_request_set_timeout(request, WEIR_TIMEOUT_TOTAL, SHORT, NULL);
    begun = seconds_now();
    fetch(pool, request, &out);
    weir_request_free(request);
    check_ran_out(&out, begun, WEIR_E_TOTAL_TIMEOUT, WEIR_STAGE_SEND);
    assert_true(out.err.may_have_been_processed);
    check_recovers();
}

/* A peer that has started anew knows nothing of the connection, and says so
 * only when it is spoken to. */
static void check_half_open(const char *method)
{
    static const struct origin_step forgets[] = {
        O_EXPECT, O_SEND(HELLO), O_WAIT(1), O_RESET, O_POST(2), O_END};
    const weir_pool_options options = patient();
    const bool is_get = strcmp(method, "GET") == 0;
    struct outcome out;

    pool = must_open(&options);
    origin = far_origin(NULL);
    origin_script(origin, 0, forgets);
    origin_script(origin, 1, (const struct origin_step[]){O_ECHO, O_END});
    get_path("/1", &out);
    assert_answer(&out, "hello");
    wire_set("hole", "both");
    origin_post(origin, 1);
    assert_true(origin_wait(origin, 2));
    wire_set("hole", "none");
    fetch_method(pool, method, origin_url(origin, "/2"), &out);
    tried++;
    if (is_get) {
        assert_answer(&out, "GET /2 0");
        assert_int_equal(figures_of(pool).stale_retries, 1);
    } else {
        assert_code(&out, WEIR_E_RESET);
        assert_true(out.err.reused);
        assert_true(out.err.may_have_been_processed);
        assert_int_equal(figures_of(pool).stale_retries, 0);
    }
    tear_down(NULL);
}

static void test_a_half_open_peer(void **state)
{
    (void)state;
    check_half_open("GET");
    check_half_open("POST");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_loss_delay_and_reordering),
        TEST(test_delay_is_told),
        TEST(test_a_hole_before_the_connection),
        TEST(test_a_hole_before_the_response),
        TEST(test_a_hole_within_a_body),
        TEST(test_a_hole_while_idle),
        TEST(test_unreachable_at_once),
        TEST(test_unreachable_within_a_body),
        TEST(test_a_peer_that_drips),
        TEST(test_a_peer_that_never_reads),
        TEST(test_a_half_open_peer),
    };

    return cmocka_run_group_tests(tests, net_begin, tell_cases);
}
