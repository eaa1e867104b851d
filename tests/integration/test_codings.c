/* Content codings (protocol-rules section 4): asked for and removed when the
 * program wants that, bounded, and left alone otherwise. */
#include "witness.h"

#include <zlib.h>

#include "origin_pool.h"

enum {
    LARGE = 3 << 20,
    BOMB = 64 << 20
};

struct bytes {
    char *data;
    size_t len;
};

static struct bytes answered; /* the origin sends it for as long as it runs */

static int set_up(void **state)
{
    weir_pool_options options = test_options();

    (void)state;
    options.decompress = true;
    return start_both(NULL, &options);
}

static int clean_up(void **state)
{
    tear_down(state); /* the origin sends it no more */
    free(answered.data);
    answered.data = NULL;
    return 0;
}

/* --- bodies -------------------------------------------------------------- */

/* gzip; to free. */
static struct bytes gzip(const void *data, size_t len)
{
    z_stream z = {0};
    struct bytes out;

    assert_int_equal(
        deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
    out.len = deflateBound(&z, len);
    out.data = malloc(out.len);
    z.next_in = (Bytef *)(uintptr_t)data;
    z.avail_in = (uInt)len;
    z.next_out = (Bytef *)out.data;
    z.avail_out = (uInt)out.len;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    out.len = z.total_out;
    deflateEnd(&z);
    return out;
}

/* A head and a body as one; to free. */
static struct bytes response_of(const char *fields, const struct bytes *body)
{
    struct bytes all;
    int head;

    all.data = malloc(body->len + 512);
    head = snprintf(all.data, 512,
                    "HTTP/1.1 200 OK\r\n%sContent-Length: %zu\r\n\r\n", fields,
                    body->len);
    memcpy(all.data + head, body->data, body->len);
    all.len = (size_t)head + body->len;
    return all;
}

/* What the first connection answers to every request. */
static struct origin_step steps[4];

static void answer_with(const struct bytes *all, enum origin_verb then)
{
    steps[0] = (struct origin_step)O_EXPECT;
    steps[1] = (struct origin_step){ORIGIN_SEND, all->data, all->len, 0};
    steps[2] = (struct origin_step){then, NULL, 0, 0};
    origin_script(origin, 0, steps);
}

static void answer_gzip(const char *fields, const void *data, size_t len)
{
    struct bytes body = gzip(data, len);

    answered = response_of(fields, &body);
    free(body.data);
    answer_with(&answered, ORIGIN_AGAIN);
}

#define GZIP "Content-Encoding: gzip\r\n"

/* --- what is decoded ----------------------------------------------------- */

static void test_a_body_is_decoded(void **state)
{
    weir_request *request = must_request("GET", origin_url(origin, "/"));
    weir_response *response = NULL;
    struct outcome out;
    weir_error err;

    (void)state;
    answer_gzip(GZIP, "hello", 5);
    assert_int_equal(fetch_by_driver(pool, request, &response, &err), WEIR_OK);
    assert_string_equal(weir_response_codings(response), "gzip");
    assert_true(weir_response_length(response) == WEIR_LENGTH_UNKNOWN);
    assert_int_equal(weir_response_body(response).len, 5);
    assert_memory_equal(weir_response_body(response).data, "hello", 5);
    assert_int_equal(weir_response_find(response, "Content-Encoding").len, 4);
    weir_response_free(response);
    stream(pool, request, &out);
    assert_answer(&out, "hello");
    assert_true(out.is_reused);
    assert_int_equal(origin_connections(origin), 1);
    assert_non_null(strstr(origin_request(origin, 0, 0)->head,
                           "Accept-Encoding: gzip, deflate"));
    weir_request_free(request);
}

static void test_without_being_asked_it_stays_as_it_is(void **state)
{
    weir_request *request = must_request("GET", origin_url(origin, "/"));
    struct outcome out;

    (void)state;
    answer_gzip(GZIP, "hello", 5);
    assert_int_equal(weir_request_set_decompress(request, false, NULL),
                     WEIR_OK);
    fetch(pool, request, &out);
    assert_code(&out, WEIR_OK);
    assert_true(out.len > 5 && (unsigned char)out.body[0] == 0x1f);
    assert_null(strstr(origin_request(origin, 0, 0)->head, "Accept-Encoding"));
    weir_request_free(request);
}

static void test_a_field_of_the_caller_s_own_is_kept(void **state)
{
    weir_request *request = must_request("GET", origin_url(origin, "/"));
    struct outcome out;

    (void)state;
    answer_gzip(GZIP, "hello", 5);
    weir_request_add_field(request, "accept-encoding", "gzip;q=0.5", NULL);
    fetch(pool, request, &out);
    assert_answer(&out, "hello");
    assert_non_null(strstr(origin_request(origin, 0, 0)->head,
                           "accept-encoding: gzip;q=0.5\r\n"));
    assert_null(strstr(origin_request(origin, 0, 0)->head, "Accept-Encoding"));
    weir_request_free(request);
}

static void test_a_stack_is_removed_from_its_top(void **state)
{
    struct bytes once = gzip("hello", 5);
    struct outcome out;

    (void)state;
    answer_gzip("Content-Encoding: gzip\r\nContent-Encoding: GZIP\r\n",
                once.data, once.len);
    get(pool, origin_url(origin, "/"), &out);
    assert_answer(&out, "hello");
    free(once.data);
}

/* The end of the connection is the end of the body. */
static void test_a_body_that_ends_with_the_connection(void **state)
{
    static const char head[] = "HTTP/1.1 200 OK\r\n" GZIP "\r\n";
    struct bytes body = gzip("hello", 5);
    struct outcome out;

    (void)state;
    answered.data = malloc(sizeof head + body.len);
    memcpy(answered.data, head, sizeof head - 1);
    memcpy(answered.data + sizeof head - 1, body.data, body.len);
    answered.len = sizeof head - 1 + body.len;
    answer_with(&answered, ORIGIN_CLOSE);
    origin_script(origin, 1, steps);
    get(pool, origin_url(origin, "/"), &out);
    assert_answer(&out, "hello");
    {
        weir_request *request = must_request("GET", origin_url(origin, "/"));

        stream(pool, request, &out);
        assert_answer(&out, "hello");
        weir_request_free(request);
    }
    free(body.data);
}

static void has_no_body(const char *method, const char *answer)
{
    const struct bytes all = {(char *)(uintptr_t)answer, strlen(answer)};
    struct outcome out;

    set_up(NULL);
    answer_with(&all, ORIGIN_AGAIN);
    fetch_method(pool, method, origin_url(origin, "/"), &out);
    assert_code(&out, WEIR_OK);
    assert_int_equal(out.len, 0);
    tear_down(NULL);
}

static void test_no_body_has_no_codings(void **state)
{
    (void)state;
    has_no_body("HEAD", "HTTP/1.1 200 OK\r\n" GZIP "Content-Length: 9\r\n\r\n");
    has_no_body("GET", "HTTP/1.1 304 N\r\nContent-Encoding: strange\r\n\r\n");
    has_no_body("GET", "HTTP/1.1 200 OK\r\n" GZIP "Content-Length: 0\r\n\r\n");
    has_no_body("GET", "HTTP/1.1 200 OK\r\n" GZIP
                       "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
}

/* --- large ones ---------------------------------------------------------- */

static char *make_text(size_t len)
{
    char *text = malloc(len);
    unsigned random = 1;

    for (size_t i = 0; i < len; i++) {
        random = random * 1103515245 + 12345;
        text[i] = (char)('a' + (random >> 16) % 20);
    }
    return text;
}

struct compared {
    const char *text;
    size_t at;
    bool pauses;
};

static weir_flow compare(void *user, weir_call *call, const void *data,
                         size_t len)
{
    struct compared *compared = user;

    if (compared->at + len > LARGE ||
        memcmp(compared->text + compared->at, data, len) != 0)
        compared->at = LARGE + 1;
    else
        compared->at += len;
    if (!compared->pauses)
        return WEIR_FLOW_ON;
    weir_call_pause(call);
    weir_call_resume(call);
    return WEIR_FLOW_ON;
}

static void test_a_large_body_comes_in_stretches(void **state)
{
    static const weir_handlers handlers = {.size = sizeof handlers,
                                           .on_body = compare};
    char *text = make_text(LARGE);
    weir_request *request = must_request("GET", origin_url(origin, "/"));
    struct runner runner;

    (void)state;
    answer_gzip(GZIP, text, LARGE);
    start_runner(&runner, pool);
    for (int pauses = 0; pauses < 2; pauses++) {
        struct compared compared = {text, 0, pauses != 0};
        weir_error err;

        assert_int_equal(
            submit_and_wait(pool, request, &handlers, &compared, NULL, &err),
            WEIR_OK);
        assert_int_equal(compared.at, LARGE);
    }
    stop_runner(&runner);
    weir_request_free(request);
    free(text);
}

static void test_a_large_body_in_small_reads(void **state)
{
    char *text = make_text(LARGE);
    weir_request *request = must_request("GET", origin_url(origin, "/"));
    weir_response *response = NULL;
    char buf[1000];
    size_t at = 0;
    size_t len;

    (void)state;
    answer_gzip(GZIP, text, LARGE);
    assert_int_equal(weir_send(pool, request, &response, NULL), WEIR_OK);
    do {
        assert_int_equal(
            weir_response_read(response, buf, sizeof buf, &len, NULL), WEIR_OK);
        assert_true(at + len <= LARGE);
        assert_memory_equal(text + at, buf, len);
        at += len;
    } while (len);
    assert_int_equal(at, LARGE);
    weir_response_free(response);
    weir_request_free(request);
    free(text);
}

/* --- what is refused ----------------------------------------------------- */

static void fails(weir_status code, const char *why)
{
    weir_request *request = must_request("GET", origin_url(origin, "/"));
    struct outcome out;

    origin_script(origin, 1, steps);
    fetch(pool, request, &out);
    assert_code(&out, code);
    if (!strstr(out.err.message, why))
        print_error("%s\n", out.err.message);
    assert_non_null(strstr(out.err.message, why));
    stream(pool, request, &out);
    assert_code(&out, code);
    assert_int_equal(origin_connections(origin), 2); /* both are closed */
    assert_int_equal(figures_of(pool).open, 0);
    weir_request_free(request);
}

static void test_a_coding_that_is_damaged(void **state)
{
    (void)state;
    answer_gzip(GZIP, "hello", 5);
    answered.data[answered.len - 5] ^= 1;
    fails(WEIR_E_CODING, "gzip");
}

static void test_a_coding_that_ends_early(void **state)
{
    struct bytes body = gzip("hello", 5);

    (void)state;
    body.len -= 3;
    answered = response_of(GZIP, &body);
    answer_with(&answered, ORIGIN_AGAIN);
    fails(WEIR_E_CODING, "ended early");
    free(body.data);
}

static void test_a_coding_that_nobody_knows(void **state)
{
    (void)state;
    answer_gzip("Content-Encoding: strange\r\n", "hello", 5);
    fails(WEIR_E_CODING, "strange");
}

static void test_too_many_codings(void **state)
{
    static char fields[1024];

    (void)state;
    snprintf(fields, sizeof fields, "Content-Encoding: ");
    for (int i = 0; i < 30; i++)
        strcat(fields, i ? ", gzip" : "gzip");
    strcat(fields, "\r\n");
    answer_gzip(fields, "hello", 5);
    fails(WEIR_E_LIMIT, "5");
}

static void test_a_bomb(void **state)
{
    char *zeros = calloc(1, BOMB);

    (void)state;
    answer_gzip(GZIP, zeros, BOMB);
    free(zeros);
    fails(WEIR_E_LIMIT, "max_decode_ratio");
}

static void test_a_bound_of_the_program_s_own(void **state)
{
    weir_pool_options options = test_options();
    char *text = make_text(100000);
    struct outcome out;

    (void)state;
    answer_gzip(GZIP, text, 100000);
    origin_script(origin, 1, steps);
    options.decompress = true;
    options.max_decoded = 99999;
    weir_pool_free(pool);
    pool = must_open(&options);
    get(pool, origin_url(origin, "/"), &out);
    assert_code(&out, WEIR_E_LIMIT);
    assert_non_null(strstr(out.err.message, "max_decoded"));
    options.max_decoded = 100000;
    options.max_body = 99999;
    weir_pool_free(pool);
    pool = must_open(&options);
    get(pool, origin_url(origin, "/"), &out);
    assert_code(&out, WEIR_E_LIMIT);
    assert_non_null(strstr(out.err.message, "max_body"));
    free(text);
}

/* A rest that nobody reads is not decoded: here it could not be. */
static void test_a_rest_is_never_decoded(void **state)
{
    weir_request *request = must_request("GET", origin_url(origin, "/"));
    weir_response *response = NULL;
    struct outcome out;

    (void)state;
    answer_gzip(GZIP, "hello", 5);
    memset(answered.data + answered.len - 15, 'x', 15);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(weir_send(pool, request, &response, NULL), WEIR_OK);
        weir_response_free(response);
    }
    weir_request_set_decompress(request, false, NULL);
    fetch(pool, request, &out);
    assert_code(&out, WEIR_OK);
    assert_true(out.is_reused);
    assert_int_equal(origin_connections(origin), 1);
    weir_request_free(request);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, clean_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_body_is_decoded),
        TEST(test_without_being_asked_it_stays_as_it_is),
        TEST(test_a_field_of_the_caller_s_own_is_kept),
        TEST(test_a_stack_is_removed_from_its_top),
        TEST(test_a_body_that_ends_with_the_connection),
        cmocka_unit_test(test_no_body_has_no_codings),
        TEST(test_a_large_body_comes_in_stretches),
        TEST(test_a_large_body_in_small_reads),
        TEST(test_a_coding_that_is_damaged),
        TEST(test_a_coding_that_ends_early),
        TEST(test_a_coding_that_nobody_knows),
        TEST(test_too_many_codings),
        TEST(test_a_bomb),
        TEST(test_a_bound_of_the_program_s_own),
        TEST(test_a_rest_is_never_decoded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
