/* Redirects (protocol-rules section 3): which are followed, what the next
 * request is, and what it may carry. */
#include "client.h"

#include <unistd.h>

#include "certs.h"
#include "origin.h"

#define EMPTY "Content-Length: 0\r\n\r\n"
#define REDIRECT(status, location)                                             \
    "HTTP/1.1 " status " R\r\nLocation: " location "\r\n" EMPTY

static struct origin *origin;
static struct origin *other;
static weir_pool *pool;

static int set_up(void **state)
{
    weir_pool_options options = test_options();

    (void)state;
    options.max_redirects = 10;
    origin = origin_start(NULL);
    other = origin_start(NULL);
    pool = must_open(&options);
    return origin && other ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    weir_pool_free(pool);
    origin_stop(origin);
    origin_stop(other);
    return 0;
}

/* The first connection of `origin` answers once with this, then echoes. */
static struct origin_step redirects[4];

static void redirect_with(const char *answer)
{
    redirects[0] = (struct origin_step)O_EXPECT;
    redirects[1] = (struct origin_step){ORIGIN_SEND, answer, strlen(answer), 0};
    redirects[2] = (struct origin_step)O_ECHO;
    redirects[3] = (struct origin_step)O_END;
    origin_script(origin, 0, redirects);
}

static const char *redirect_to(const char *status, const char *location)
{
    static char answer[1024];

    snprintf(answer, sizeof answer, "HTTP/1.1 %s R\r\nLocation: %s\r\n" EMPTY,
             status, location);
    return answer;
}

/* --- methods and bodies -------------------------------------------------- */

static void becomes(const char *method, const char *status, const char *echo)
{
    weir_request *request;
    struct outcome out;

    set_up(NULL);
    redirect_with(redirect_to(status, "/next"));
    request = must_request(method, origin_url(origin, "/first"));
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        weir_request_set_body(request, "12345", 5, NULL);
    weir_request_add_field(request, "Content-Type", "text/plain", NULL);
    fetch(pool, request, &out);
    assert_code(&out, WEIR_OK);
    if (echo[0])
        assert_string_equal(out.body, echo);
    assert_int_equal(origin_connections(origin), 1);
    assert_int_equal(figures_of(pool).redirects, 1);
    assert_int_equal(figures_of(pool).requests, 1);
    assert_int_equal(
        strstr(origin_request(origin, 0, 1)->head, "Content-Type") != NULL,
        strstr(echo, "GET") == NULL || strcmp(method, "GET") == 0);
    weir_request_free(request);
    tear_down(NULL);
}

static void test_what_the_next_request_is(void **state)
{
    (void)state;
    becomes("GET", "301", "GET /next 0");
    becomes("GET", "302", "GET /next 0");
    becomes("GET", "303", "GET /next 0");
    becomes("GET", "307", "GET /next 0");
    becomes("GET", "308", "GET /next 0");
    becomes("HEAD", "301", "");
    becomes("HEAD", "303", "");
    becomes("POST", "301", "GET /next 0");
    becomes("POST", "302", "GET /next 0");
    becomes("POST", "303", "GET /next 0");
    becomes("POST", "307", "POST /next 5");
    becomes("POST", "308", "POST /next 5");
    becomes("PUT", "301", "PUT /next 5");
    becomes("PUT", "302", "PUT /next 5");
    becomes("PUT", "303", "GET /next 0");
    becomes("PUT", "307", "PUT /next 5");
    becomes("DELETE", "303", "GET /next 0");
    becomes("PATCH", "308", "PATCH /next 5");
}

static void is_delivered(const char *answer, int status)
{
    struct outcome out;

    set_up(NULL);
    redirect_with(answer);
    get(pool, origin_url(origin, "/first"), &out);
    assert_code(&out, WEIR_OK);
    assert_int_equal(out.status, status);
    assert_int_equal(figures_of(pool).redirects, 0);
    tear_down(NULL);
}

static void test_what_is_no_redirect_to_follow(void **state)
{
    (void)state;
    is_delivered(REDIRECT("300", "/next"), 300);
    is_delivered(REDIRECT("305", "/next"), 305);
    is_delivered(REDIRECT("306", "/next"), 306);
    is_delivered("HTTP/1.1 304 R\r\nLocation: /next\r\n\r\n", 304);
    is_delivered(REDIRECT("201", "/next"), 201);
    is_delivered("HTTP/1.1 302 R\r\n" EMPTY, 302);
}

/* --- bodies of redirects ------------------------------------------------- */

static void passes_over(const char *answer, bool is_kept)
{
    struct outcome out;

    set_up(NULL);
    redirect_with(answer);
    origin_script(origin, 1, &redirects[2]);
    get(pool, origin_url(origin, "/first"), &out);
    assert_answer(&out, "GET /next 0");
    assert_int_equal(origin_connections(origin), is_kept ? 1 : 2);
    tear_down(NULL);
}

static void test_the_body_of_a_redirect_is_passed_over(void **state)
{
    (void)state;
    passes_over("HTTP/1.1 302 R\r\nLocation: /next\r\nContent-Length: 4\r\n\r\n"
                "body",
                true);
    passes_over("HTTP/1.1 302 R\r\nLocation: /next\r\n"
                "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
                true);
    passes_over("HTTP/1.1 302 R\r\nLocation: /next\r\nConnection: close\r\n"
                "Content-Length: 4\r\n\r\nbody",
                false);
    passes_over("HTTP/1.1 302 R\r\nLocation: /next\r\n"
                "Content-Length: 1000000\r\n\r\nbody",
                false);
}

/* A body that comes in a segment of its own, later than the head. */
static void test_a_body_that_comes_later_saves_the_connection(void **state)
{
    static const struct origin_step steps[] = {
        O_EXPECT,
        O_SEND("HTTP/1.1 302 R\r\nLocation: /next\r\n"
               "Content-Length: 4\r\n\r\n"),
        O_SEND_SINGLY("body"), O_ECHO, O_END};
    struct outcome out;

    (void)state;
    origin_script(origin, 0, steps);
    get(pool, origin_url(origin, "/first"), &out);
    assert_answer(&out, "GET /next 0");
    assert_int_equal(origin_connections(origin), 1);
    assert_true(out.is_reused);
}

static weir_redirect_verdict cut_and_follow(void *user,
                                            const weir_redirect *redirect)
{
    (void)user;
    (void)redirect;
    origin_post(origin, 0);
    assert_true(origin_wait(origin, 1));
    return WEIR_REDIRECT_FOLLOW;
}

/* The connection is lost while the body is passed over, and that is all. */
static void test_a_body_that_is_reset_is_given_up(void **state)
{
    static const struct origin_step steps[] = {
        O_EXPECT,
        O_SEND("HTTP/1.1 302 R\r\nLocation: /next\r\n"
               "Content-Length: 400\r\n\r\nbody"),
        O_WAIT(0),
        O_RESET,
        O_POST(1),
        O_END};
    static const struct origin_step echo[] = {O_ECHO, O_END};
    weir_request *request = must_request("GET", origin_url(origin, "/first"));
    struct outcome out;

    (void)state;
    origin_script(origin, 0, steps);
    origin_script(origin, 1, echo);
    weir_request_set_redirects(request, WEIR_REDIRECTS_OF_POOL, cut_and_follow,
                               NULL, NULL);
    fetch(pool, request, &out);
    assert_answer(&out, "GET /next 0");
    assert_int_equal(figures_of(pool).redirects, 1);
    weir_request_free(request);
}

/* --- limits -------------------------------------------------------------- */

static void test_too_many(void **state)
{
    static const struct origin_step loop[] = {
        O_EXPECT, O_SEND(REDIRECT("302", "/again")), O_AGAIN};
    struct outcome out;

    (void)state;
    origin_script(origin, 0, loop);
    get(pool, origin_url(origin, "/first"), &out);
    assert_code(&out, WEIR_E_REDIRECT);
    assert_non_null(strstr(out.err.message, "more than 10 redirects"));
    assert_int_equal(out.err.attempts, 11);
    assert_int_equal(out.err.stage, WEIR_STAGE_RESPONSE);
    assert_int_equal(origin_requests_in_all(origin), 11);
    assert_int_equal(figures_of(pool).failures, 1);
    assert_int_equal(figures_of(pool).requests, 1);
}

static void refused(const char *answer, const char *why)
{
    struct outcome out;

    set_up(NULL);
    redirect_with(answer);
    get(pool, origin_url(origin, "/first"), &out);
    assert_code(&out, WEIR_E_REDIRECT);
    if (!strstr(out.err.message, why))
        print_error("%s\n", out.err.message);
    assert_non_null(strstr(out.err.message, why));
    assert_int_equal(origin_requests_in_all(origin), 1);
    tear_down(NULL);
}

static void test_what_is_refused(void **state)
{
    (void)state;
    refused(REDIRECT("302", "ftp://h/"), "scheme");
    refused(REDIRECT("302", "http://user:secret@h/"), "user information");
    refused(REDIRECT("302", "http://h:99999/"), "port");
    refused(REDIRECT("302", "/a\\b"), "byte");
    refused("HTTP/1.1 302 R\r\nLocation: /a\r\nLocation: /b\r\n" EMPTY,
            "several Location");
}

static void test_the_same_location_twice_is_one(void **state)
{
    struct outcome out;

    (void)state;
    redirect_with("HTTP/1.1 302 R\r\nLocation: /a\r\nLocation: /a\r\n" EMPTY);
    get(pool, origin_url(origin, "/first"), &out);
    assert_answer(&out, "GET /a 0");
}

static void test_a_request_has_a_limit_of_its_own(void **state)
{
    weir_request *request = must_request("GET", origin_url(origin, "/first"));
    struct outcome out;
    weir_error err;

    (void)state;
    redirect_with(redirect_to("302", "/next"));
    assert_int_equal(weir_request_set_redirects(request, 0, NULL, NULL, NULL),
                     WEIR_OK);
    fetch(pool, request, &out);
    assert_int_equal(out.status, 302);
    assert_int_equal(weir_request_set_redirects(request, -2, NULL, NULL, &err),
                     WEIR_E_OPTION);
    assert_int_equal(weir_request_set_redirects(request, 101, NULL, NULL, &err),
                     WEIR_E_OPTION);
    weir_request_free(request);
}

/* --- bodies that can be read once ---------------------------------------- */

static long read_once(void *user, char *buf, size_t cap)
{
    int *given = user;

    (void)cap;
    if ((*given)++)
        return 0;
    memcpy(buf, "once", 4);
    return 4;
}

static void test_a_body_that_cannot_be_sent_again(void **state)
{
    weir_request *request = must_request("POST", origin_url(origin, "/first"));
    struct outcome out;
    int given = 0;

    (void)state;
    redirect_with(redirect_to("307", "/next"));
    weir_request_set_body_reader(request, WEIR_LENGTH_UNKNOWN, read_once, NULL,
                                 &given, NULL);
    fetch(pool, request, &out);
    assert_code(&out, WEIR_E_REDIRECT);
    assert_non_null(strstr(out.err.message, "cannot be sent again"));
    weir_request_free(request);
}

static int rewind_given(void *user)
{
    *(int *)user = 0;
    return 0;
}

static void test_a_body_that_can_be_set_back(void **state)
{
    weir_request *request = must_request("POST", origin_url(origin, "/first"));
    struct outcome out;
    int given = 0;

    (void)state;
    redirect_with(redirect_to("307", "/next"));
    weir_request_set_body_reader(request, 4, read_once, rewind_given, &given,
                                 NULL);
    fetch(pool, request, &out);
    assert_answer(&out, "POST /next 4");
    fetch(pool, request, &out); /* and again from its start */
    assert_answer(&out, "POST /first 4");
    weir_request_free(request);
}

static void test_a_body_from_a_file(void **state)
{
    weir_request *request = must_request("POST", origin_url(origin, "/first"));
    char path[] = "/tmp/weir-redirect-XXXXXX";
    const int fd = mkstemp(path);
    struct outcome out;

    (void)state;
    assert_int_equal(write(fd, "a file", 6), 6);
    redirect_with(redirect_to("308", "/next"));
    assert_int_equal(weir_request_set_body_file(request, path, NULL), WEIR_OK);
    fetch(pool, request, &out);
    assert_answer(&out, "POST /next 6");
    fetch(pool, request, &out);
    assert_answer(&out, "POST /first 6");
    weir_request_free(request);
    close(fd);
    unlink(path);
}

/* --- what the program says ----------------------------------------------- */

struct said {
    weir_redirect_verdict verdict;
    unsigned count;
    char to[128];
    char from[128];
    char method[16];
    bool is_same;
};

static weir_redirect_verdict say(void *user, const weir_redirect *redirect)
{
    struct said *said = user;

    assert_int_equal(redirect->size, sizeof *redirect);
    said->count = redirect->count;
    snprintf(said->to, sizeof said->to, "%s", redirect->to);
    snprintf(said->from, sizeof said->from, "%s", redirect->from);
    snprintf(said->method, sizeof said->method, "%s", redirect->method);
    said->is_same = redirect->is_same_origin;
    return said->verdict;
}

static void asks(weir_redirect_verdict verdict, struct outcome *out)
{
    weir_request *request;
    struct said said = {.verdict = verdict};

    set_up(NULL);
    request = must_request("POST", origin_url(origin, "/first"));
    redirect_with(redirect_to("303", "next?q"));
    weir_request_set_redirects(request, WEIR_REDIRECTS_OF_POOL, say, &said,
                               NULL);
    fetch(pool, request, out);
    assert_int_equal(said.count, 1);
    assert_string_equal(said.to, origin_url(origin, "/next?q"));
    assert_string_equal(said.from, origin_url(origin, "/first"));
    assert_string_equal(said.method, "GET");
    assert_true(said.is_same);
    weir_request_free(request);
    tear_down(NULL);
}

static void test_the_program_has_a_say(void **state)
{
    struct outcome out;

    (void)state;
    asks(WEIR_REDIRECT_FOLLOW, &out);
    assert_answer(&out, "GET /next?q 0");
    asks(WEIR_REDIRECT_STOP, &out);
    assert_code(&out, WEIR_OK);
    assert_int_equal(out.status, 303);
    asks(WEIR_REDIRECT_REFUSE, &out);
    assert_code(&out, WEIR_E_REDIRECT);
    assert_non_null(strstr(out.err.message, "refused"));
}

/* --- the chain ----------------------------------------------------------- */

static void test_the_chain_is_in_the_response(void **state)
{
    weir_request *request = must_request("GET", origin_url(origin, "/first"));
    weir_response *response = NULL;
    weir_attempt attempt = {.size = sizeof attempt};
    weir_error err;

    (void)state;
    redirect_with(redirect_to("302", origin_url(other, "/there")));
    assert_int_equal(fetch_by_driver(pool, request, &response, &err), WEIR_OK);
    weir_request_free(request);
    assert_int_equal(weir_response_attempt_count(response), 2);
    assert_int_equal(weir_response_attempt(response, 0, &attempt), WEIR_OK);
    assert_int_equal(attempt.kind, WEIR_ATTEMPT_FIRST);
    assert_int_equal(attempt.status, 302);
    assert_int_equal(attempt.outcome, WEIR_OK);
    assert_int_equal(attempt.connection, 1);
    assert_string_equal(attempt.url, origin_url(origin, "/first"));
    assert_int_equal(weir_response_attempt(response, 1, &attempt), WEIR_OK);
    assert_int_equal(attempt.kind, WEIR_ATTEMPT_REDIRECT);
    assert_int_equal(attempt.status, 200);
    assert_int_equal(attempt.connection, 2);
    assert_string_equal(attempt.url, origin_url(other, "/there"));
    assert_string_equal(weir_response_url(response),
                        origin_url(other, "/there"));
    assert_int_equal(weir_response_attempt(response, 2, &attempt),
                     WEIR_E_INVALID);
    weir_response_free(response);
}

static void test_without_redirects_allowed_there_is_no_chain(void **state)
{
    weir_request *request = must_request("GET", origin_url(origin, "/first"));
    weir_response *response = NULL;
    weir_error err;

    (void)state;
    weir_request_set_redirects(request, 0, NULL, NULL, NULL);
    assert_int_equal(fetch_by_driver(pool, request, &response, &err), WEIR_OK);
    assert_int_equal(weir_response_attempt_count(response), 0);
    assert_null(weir_response_url(response));
    weir_response_free(response);
    weir_request_free(request);
}

/* --- from https to http -------------------------------------------------- */

static void test_the_way_down_is_barred(void **state)
{
    char *certs = certs_new();
    struct origin *secure =
        origin_start(&(struct origin_options){.certs = certs});
    weir_pool_options options = test_options();
    char path[256];
    struct outcome out;

    (void)state;
    redirect_with("");
    redirects[1] = (struct origin_step){
        ORIGIN_SEND, redirect_to("302", origin_url(origin, "/down")), 0, 0};
    redirects[1].len = strlen(redirects[1].bytes);
    origin_script(secure, 0, redirects);
    origin_script(secure, 1, redirects);
    origin_script(origin, 0, &redirects[2]);
    options.max_redirects = 5;
    options.ca_file = certs_path(certs, "ca.pem", path, sizeof path);
    weir_pool_free(pool);
    pool = must_open(&options);
    get(pool, origin_url(secure, "/first"), &out);
    assert_code(&out, WEIR_E_REDIRECT);
    assert_non_null(strstr(out.err.message, "redirect_downgrade"));
    assert_int_equal(origin_connections(origin), 0);
    options.redirect_downgrade = true;
    weir_pool_free(pool);
    pool = must_open(&options);
    get(pool, origin_url(secure, "/first"), &out);
    assert_answer(&out, "GET /down 0");
    origin_stop(secure);
    certs_done(certs);
}

/* --- credentials --------------------------------------------------------- */

static void assert_carries(const struct origin_request *request, bool yes)
{
    static const char *const names[] = {"Authorization: Basic dTpw\r\n",
                                        "Cookie: c=1\r\n",
                                        "Proxy-Thing: p\r\n"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(strstr(request->head, names[i]) != NULL, yes);
    assert_non_null(strstr(request->head, "X-Own: x\r\n"));
}

static weir_request *with_credentials(const char *url)
{
    weir_request *request = must_request("GET", url);

    assert_int_equal(weir_request_set_basic(request, "u", "p", NULL), WEIR_OK);
    weir_request_add_field(request, "Cookie", "c=1", NULL);
    weir_request_add_field(request, "cOOKIE", "c=2", NULL);
    weir_request_add_field(request, "Proxy-Thing", "p", NULL);
    weir_request_add_field(request, "X-Own", "x", NULL);
    return request;
}

enum hop_end {
    HERE,  /* on the same connection */
    ANEW,  /* at the same server, on a connection of its own */
    THERE, /* at another port */
};

/* One hop to `before`, the port and `after`. */
static void hop_carries(const char *before, const char *after, enum hop_end end,
                        bool yes)
{
    char text[256];
    weir_request *request;
    struct outcome out;

    set_up(NULL);
    snprintf(text, sizeof text, "%s%u%s", before,
             (unsigned)origin_port(end == THERE ? other : origin, 0), after);
    redirect_with(redirect_to("302", text));
    request = with_credentials(origin_url(origin, "/first"));
    fetch(pool, request, &out);
    assert_code(&out, WEIR_OK);
    assert_carries(origin_request(origin, 0, 0), true);
    assert_carries(end == HERE   ? origin_request(origin, 0, 1)
                   : end == ANEW ? origin_request(origin, 1, 0)
                                 : origin_request(other, 0, 0),
                   yes);
    weir_request_free(request);
    tear_down(NULL);
}

static void test_what_a_hop_may_carry(void **state)
{
    (void)state;
    hop_carries("/", "", HERE, true);
    hop_carries("//127.0.0.1:", "/next", HERE, true);
    hop_carries("http://127.0.0.1:", "/next", HERE, true);
    hop_carries("HTTP://127.0.0.1:", "?q", HERE, true);
    hop_carries("http://127.0.0.1:", "/next", THERE, false);
    hop_carries("http://localhost:", "/next", ANEW, false);
    hop_carries("http://LOCALHOST.:", "/next", ANEW, false);
}

/* Once gone, they do not come back, though the chain does. */
static void test_credentials_are_gone_for_good(void **state)
{
    static struct origin_step back[3];
    weir_request *request = with_credentials(origin_url(origin, "/first"));
    static char answer[1024];
    struct outcome out;

    (void)state;
    memcpy(answer, redirect_to("302", origin_url(origin, "/last")),
           sizeof answer);
    back[0] = (struct origin_step)O_EXPECT;
    back[1] = (struct origin_step){ORIGIN_SEND, answer, strlen(answer), 0};
    back[2] = (struct origin_step)O_END;
    origin_script(other, 0, back);
    redirect_with(redirect_to("302", origin_url(other, "/there")));
    fetch(pool, request, &out);
    assert_answer(&out, "GET /last 0");
    assert_carries(origin_request(origin, 0, 0), true);
    assert_carries(origin_request(other, 0, 0), false);
    assert_carries(origin_request(origin, 0, 1), false);
    fetch(pool, request, &out); /* the request itself has them still */
    assert_carries(origin_request(origin, 0, 2), true);
    weir_request_free(request);
}

/* A Host field and an address are those of one origin. */
static void test_host_and_address_hold_for_their_origin(void **state)
{
    weir_request *request;
    struct outcome out;
    char line[64];

    (void)state;
    redirect_with(redirect_to("302", "/next"));
    request = must_request("GET", origin_url_of(origin, "h.example", "/first"));
    weir_request_set_address(request, "127.0.0.1", NULL);
    weir_request_add_field(request, "Host", "virtual.example", NULL);
    fetch(pool, request, &out);
    assert_answer(&out, "GET /next 0");
    assert_non_null(strstr(origin_request(origin, 0, 1)->head,
                           "Host: virtual.example\r\n"));
    tear_down(NULL);

    set_up(NULL);
    redirect_with(redirect_to("302", origin_url(other, "/there")));
    weir_request_free(request);
    request = must_request("GET", origin_url_of(origin, "h.example", "/first"));
    weir_request_set_address(request, "127.0.0.1", NULL);
    weir_request_add_field(request, "Host", "virtual.example", NULL);
    fetch(pool, request, &out);
    assert_answer(&out, "GET /there 0");
    snprintf(line, sizeof line, "Host: 127.0.0.1:%u\r\n",
             (unsigned)origin_port(other, 0));
    assert_non_null(strstr(origin_request(other, 0, 0)->head, line));
    weir_request_free(request);
}

static void test_the_url_s_own_credentials(void **state)
{
    char url[128];
    weir_request *request;
    struct outcome out;

    (void)state;
    redirect_with(redirect_to("302", "/next"));
    snprintf(url, sizeof url, "http://u:p@127.0.0.1:%u/first",
             (unsigned)origin_port(origin, 0));
    request = must_request("GET", url);
    fetch(pool, request, &out);
    assert_answer(&out, "GET /next 0");
    assert_non_null(strstr(origin_request(origin, 0, 1)->head,
                           "Authorization: Basic dTpw\r\n"));
    weir_request_free(request);
}

/* --- time ---------------------------------------------------------------- */

/* The total time limit is that of the whole call. */
static void test_the_total_time_limit_covers_the_chain(void **state)
{
    static const struct origin_step hangs[] = {O_EXPECT, O_HANG, O_END};
    weir_request *request = must_request("GET", origin_url(origin, "/first"));
    struct outcome out;

    (void)state;
    redirect_with(redirect_to("302", origin_url(other, "/there")));
    origin_script(other, 0, hangs);
    weir_request_set_timeout(request, WEIR_TIMEOUT_TOTAL, 0.3, NULL);
    fetch(pool, request, &out);
    assert_code(&out, WEIR_E_TOTAL_TIMEOUT);
    assert_int_equal(out.err.attempts, 2);
    weir_request_free(request);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_the_next_request_is),
        cmocka_unit_test(test_what_is_no_redirect_to_follow),
        cmocka_unit_test(test_the_body_of_a_redirect_is_passed_over),
        TEST(test_a_body_that_comes_later_saves_the_connection),
        TEST(test_a_body_that_is_reset_is_given_up),
        TEST(test_too_many),
        cmocka_unit_test(test_what_is_refused),
        TEST(test_the_same_location_twice_is_one),
        TEST(test_a_request_has_a_limit_of_its_own),
        TEST(test_a_body_that_cannot_be_sent_again),
        TEST(test_a_body_that_can_be_set_back),
        TEST(test_a_body_from_a_file),
        cmocka_unit_test(test_the_program_has_a_say),
        TEST(test_the_chain_is_in_the_response),
        TEST(test_without_redirects_allowed_there_is_no_chain),
        TEST(test_the_way_down_is_barred),
        cmocka_unit_test(test_what_a_hop_may_carry),
        TEST(test_credentials_are_gone_for_good),
        TEST(test_host_and_address_hold_for_their_origin),
        TEST(test_the_url_s_own_credentials),
        TEST(test_the_total_time_limit_covers_the_chain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
