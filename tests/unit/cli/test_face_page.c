/* The page over real HTTP, in a main loop of the test's own. */
#include "made_up.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include <watch/page.h>

static struct watch_recent recent;

/* What the page ordered last: "restart api". */
static char ordered[128];

static const struct watch_view *see(void *user)
{
    (void)user;
    return &made_up_view;
}

static struct watch_outlets no_outlets(void *user)
{
    (void)user;
    return (struct watch_outlets){0};
}

static bool take_order(void *user, const char *verb, const char *service,
                       struct watch_refusal *why)
{
    (void)user;
    snprintf(ordered, sizeof ordered, "%s %s", verb, service);
    why->is_unknown = strcmp(service, "nobody") == 0;
    snprintf(why->why, sizeof why->why, "%s: refused", service);
    return !why->is_unknown && strcmp(service, "batch") != 0;
}

struct rig {
    struct watch_loop *loop;
    struct page *page;
    in_port_t port;
};

static struct page_options usual_options(void)
{
    return (struct page_options){.listen = "127.0.0.1:0",
                                 .has_control = true,
                                 .source = {.view = see,
                                            .outlets = no_outlets,
                                            .order = take_order,
                                            .recent = &recent}};
}

static void begin(struct rig *rig, struct page_options options)
{
    weir_error err;

    ordered[0] = '\0';
    rig->loop = watch_loop_new();
    rig->page = page_open(&options, rig->loop, &err);
    if (!rig->page)
        fail_msg("%s", err.message);
    rig->port =
        htons((in_port_t)atoi(strrchr(page_address(rig->page), ':') + 1));
}

static void end(struct rig *rig)
{
    page_close(rig->page);
    watch_loop_free(rig->loop);
}

/* --- a client ------------------------------------------------------------ */

static int connect_to(const struct rig *rig)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = rig->port,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(
        connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

/* Sends a request and reads until the server closes; to free. */
static char *talk(struct rig *rig, const char *request)
{
    enum {
        ROOM = 1 << 20
    };
    const int fd = connect_to(rig);
    const time_t limit = time(NULL) + 20;
    char *answer = malloc(ROOM);
    size_t len = 0;
    ssize_t got = -1;

    assert_non_null(answer);
    assert_int_equal(send(fd, request, strlen(request), 0), strlen(request));
    while (got != 0) {
        assert_true(time(NULL) <= limit);
        watch_loop_turn(rig->loop, 20);
        got = recv(fd, answer + len, ROOM - 1 - len, 0);
        assert_true(got >= 0 || errno == EAGAIN);
        len += got > 0 ? (size_t)got : 0;
    }
    close(fd);
    answer[len] = '\0';
    return answer;
}

/* `fields` are lines with their ends; a Host is added unless they have one. */
static char *ask(struct rig *rig, const char *method, const char *path,
                 const char *fields)
{
    char request[2048];

    snprintf(request, sizeof request,
             "%s %s HTTP/1.1\r\n%s%sConnection: close\r\n\r\n", method, path,
             strstr(fields, "Host:") ? "" : "Host: localhost\r\n", fields);
    return talk(rig, request);
}

static int status_of(const char *answer)
{
    int status = 0;

    sscanf(answer, "HTTP/1.1 %d", &status);
    return status;
}

static void assert_answer(struct rig *rig, const char *method, const char *path,
                          const char *fields, int status, const char *text)
{
    char *answer = ask(rig, method, path, fields);

    if (status_of(answer) != status || !strstr(answer, text))
        fail_msg("%s %s: expected %d and '%s', found\n%s", method, path, status,
                 text, answer);
    free(answer);
}

/* --- seeing -------------------------------------------------------------- */

static void test_the_page_and_its_files(void **state)
{
    struct rig rig;

    (void)state;
    begin(&rig, usual_options());
    assert_answer(&rig, "GET", "/", "", 200, "<!DOCTYPE html>");
    assert_answer(&rig, "GET", "/?from=a&link", "", 200, "<!DOCTYPE html>");
    assert_answer(&rig, "GET", "/page.css", "", 200, "text/css");
    assert_answer(&rig, "GET", "/page.js", "", 200, "text/javascript");
    assert_answer(&rig, "GET", "/favicon.ico", "", 200, "image/svg+xml");
    assert_answer(&rig, "GET", "/nothing", "", 404, "no such page");
    assert_answer(&rig, "DELETE", "/", "", 405, "Allow: GET, HEAD, POST");
    end(&rig);
}

static void test_nothing_comes_from_elsewhere(void **state)
{
    static const char *const files[] = {"/", "/page.css", "/page.js"};
    struct rig rig;

    (void)state;
    begin(&rig, usual_options());
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *answer = ask(&rig, "GET", files[i], "");

        assert_non_null(
            strstr(answer, "Content-Security-Policy: default-src 'none'"));
        assert_non_null(strstr(answer, "X-Content-Type-Options: nosniff"));
        assert_null(strstr(answer, "https:"));
        assert_null(strstr(answer, "http:"));
        assert_null(strstr(answer, "url("));
        assert_null(strstr(answer, "innerHTML"));
        free(answer);
    }
    end(&rig);
}

static void test_the_status_is_json(void **state)
{
    struct rig rig;
    char *answer;
    json_t *json;

    (void)state;
    begin(&rig, usual_options());
    answer = ask(&rig, "GET", "/status.json", "");
    assert_int_equal(status_of(answer), 200);
    assert_non_null(strstr(answer, "Cache-Control: no-store"));
    json = json_loads(strstr(answer, "\r\n\r\n") + 4, 0, NULL);
    assert_non_null(json);
    assert_int_equal(json_integer_value(json_object_get(json, "count")), 4);
    assert_true(json_is_true(json_object_get(json, "control")));
    json_decref(json);
    free(answer);
    answer = ask(&rig, "HEAD", "/status.json", "");
    assert_int_equal(status_of(answer), 200);
    assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
    free(answer);
    end(&rig);
}

static void test_metrics_have_their_type(void **state)
{
    struct rig rig;

    (void)state;
    begin(&rig, usual_options());
    assert_answer(&rig, "GET", "/metrics", "", 200,
                  "Content-Type: text/plain; version=0.0.4; charset=utf-8");
    assert_answer(&rig, "GET", "/metrics", "", 200,
                  "\nweir_service_up{service=\"api\"} 1\n");
    end(&rig);
}

static void test_health_tells_who_is_not_well(void **state)
{
    struct rig rig;

    (void)state;
    begin(&rig, usual_options());
    assert_answer(&rig, "GET", "/healthz", "", 503, "worker");
    made_up_view.count = 1; /* the healthy one alone */
    assert_answer(&rig, "GET", "/healthz", "", 200, "ok");
    made_up_view.is_ending = true;
    assert_answer(&rig, "GET", "/healthz", "", 503, "stopping");
    made_up_view.is_ending = false;
    made_up_view.count = 4;
    end(&rig);
}

static void test_a_rebound_name_sees_nothing(void **state)
{
    struct rig rig;

    (void)state;
    begin(&rig, usual_options());
    assert_answer(&rig, "GET", "/status.json", "Host: evil.example\r\n", 421,
                  "loopback");
    assert_answer(&rig, "GET", "/metrics", "Host: evil.example\r\n", 421,
                  "loopback");
    assert_answer(&rig, "GET", "/healthz", "Host: evil.example\r\n", 503,
                  "\r\n\r\nnot healthy\n");
    end(&rig);
}

static void test_with_a_token_nothing_is_seen_without(void **state)
{
    static const char good[] = "Authorization: Bearer 0123456789abcdef\r\n"
                               "Host: watch.example\r\n";
    static const char bad[] = "Authorization: Bearer 0123456789abcdeg\r\n";
    struct page_options options = usual_options();
    struct rig rig;

    (void)state;
    options.token = "0123456789abcdef";
    options.listen = "0.0.0.0:0";
    begin(&rig, options);
    assert_answer(&rig, "GET", "/status.json", "", 401,
                  "WWW-Authenticate: Bearer");
    assert_answer(&rig, "GET", "/metrics", bad, 401, "token");
    assert_answer(&rig, "POST", "/services/api/stop", "X-Weir-Watch: 1\r\n",
                  401, "token");
    assert_string_equal(ordered, "");
    assert_answer(&rig, "GET", "/healthz", "", 503, "\r\n\r\nnot healthy\n");
    assert_answer(&rig, "GET", "/", "", 200, "<!DOCTYPE html>");
    assert_answer(&rig, "GET", "/status.json", good, 200, "\"services\"");
    assert_answer(&rig, "GET", "/metrics", good, 200, "weir_service_up");
    end(&rig);
}

/* --- orders -------------------------------------------------------------- */

static void test_orders_are_taken(void **state)
{
    static const char form[] = "X-Weir-Watch: 1\r\n"
                               "Origin: http://localhost\r\n"
                               "Content-Length: 0\r\n";
    struct rig rig;

    (void)state;
    begin(&rig, usual_options());
    assert_answer(&rig, "POST", "/services/api/restart", form, 202,
                  "\"accepted\":true");
    assert_string_equal(ordered, "restart api");
    assert_answer(&rig, "POST", "/services/a%2Fb%20c/start", form, 202,
                  "\"accepted\":true");
    assert_string_equal(ordered, "start a/b c");
    assert_answer(&rig, "POST", "/services/nobody/stop", form, 404,
                  "nobody: refused");
    assert_answer(&rig, "POST", "/services/batch/stop", form, 409,
                  "batch: refused");
    assert_answer(&rig, "POST", "/services/api/explode", form, 404,
                  "no such order");
    assert_answer(&rig, "POST", "/services/stop", form, 404, "no such order");
    assert_answer(&rig, "POST", "/services//stop", form, 404, "no such order");
    end(&rig);
}

/* What a form of a foreign page can send, and what its script can. */
static void test_orders_of_foreign_pages_are_refused(void **state)
{
    struct rig rig;

    (void)state;
    begin(&rig, usual_options());
    assert_answer(&rig, "POST", "/services/api/stop",
                  "Content-Type: application/x-www-form-urlencoded\r\n"
                  "Origin: http://evil.example\r\nContent-Length: 0\r\n",
                  403, "own origin");
    assert_answer(&rig, "POST", "/services/api/stop",
                  "X-Weir-Watch: 1\r\nOrigin: http://evil.example\r\n"
                  "Content-Length: 0\r\n",
                  403, "own origin");
    assert_answer(&rig, "POST", "/services/api/stop", "Content-Length: 0\r\n",
                  403, "X-Weir-Watch");
    assert_answer(&rig, "GET", "/services/api/stop", "X-Weir-Watch: 1\r\n", 404,
                  "no such page");
    /* The question that goes before it, and gets no answer that helps. */
    assert_answer(&rig, "OPTIONS", "/services/api/stop",
                  "Origin: http://evil.example\r\n"
                  "Access-Control-Request-Method: POST\r\n"
                  "Access-Control-Request-Headers: x-weir-watch\r\n",
                  405, "expected GET");
    assert_string_equal(ordered, "");
    end(&rig);
}

static void test_a_body_is_read_and_forgotten(void **state)
{
    enum {
        LEN = 100000
    };
    static char request[LEN + 256];
    struct rig rig;
    char *answer;
    int head;

    (void)state;
    begin(&rig, usual_options());
    head = snprintf(request, sizeof request,
                    "POST /services/api/restart HTTP/1.1\r\nHost: localhost\r\n"
                    "X-Weir-Watch: 1\r\nContent-Length: %d\r\n"
                    "Connection: close\r\n\r\n",
                    LEN);
    memset(request + head, 'x', LEN);
    answer = talk(&rig, request);
    assert_int_equal(status_of(answer), 202);
    free(answer);
    end(&rig);
}

/* A process of another user connects to loopback as well as ours.  It can look,
 * but its orders are refused. */
static void test_another_user_gives_no_orders(void **state)
{
    static const char order[] = "POST /services/api/stop HTTP/1.1\r\n"
                                "Host: localhost\r\nX-Weir-Watch: 1\r\n"
                                "Content-Length: 0\r\nConnection: close\r\n"
                                "\r\n";
    char answer[4096];
    struct rig rig;
    int ends[2];
    ssize_t len = -1;
    pid_t child;

    (void)state;
    if (geteuid() != 0)
        skip(); /* nobody but root can be somebody else */
    begin(&rig, usual_options());
    assert_int_equal(pipe(ends), 0);
    child = fork();
    if (child == 0) {
        size_t got = 0;
        int fd;

        if (setuid(65534) != 0)
            _exit(1);
        fd = connect_to(&rig);
        fcntl(fd, F_SETFL, 0);
        send(fd, order, sizeof order - 1, 0);
        while ((len = recv(fd, answer + got, sizeof answer - got, 0)) > 0)
            got += (size_t)len;
        _exit(write(ends[1], answer, got) == (ssize_t)got ? 0 : 1);
    }
    close(ends[1]);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    for (const time_t limit = time(NULL) + 20; len < 0 && time(NULL) < limit;) {
        watch_loop_turn(rig.loop, 20);
        len = read(ends[0], answer, sizeof answer - 1);
    }
    assert_true(len > 0);
    answer[len] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(status_of(answer), 403);
    assert_non_null(strstr(answer, "own user"));
    assert_string_equal(ordered, "");
    end(&rig);
}

/* --- opening ------------------------------------------------------------- */

static void assert_refused(struct page_options options,
                           weir_error_class error_class, const char *text)
{
    struct watch_loop *loop = watch_loop_new();
    weir_error err;

    assert_null(page_open(&options, loop, &err));
    assert_int_equal(err.error_class, error_class);
    if (!strstr(err.message, text))
        fail_msg("no '%s' in '%s'", text, err.message);
    watch_loop_free(loop);
}

static void test_beyond_loopback_a_token_is_needed(void **state)
{
    struct page_options options = usual_options();

    (void)state;
    options.listen = "0.0.0.0:0";
    assert_refused(options, WEIR_CLASS_USAGE, "token");
    options.listen = "[::]:0";
    assert_refused(options, WEIR_CLASS_USAGE, "token");
}

static void test_a_port_in_use_is_an_error(void **state)
{
    struct page_options options = usual_options();
    struct rig rig;

    (void)state;
    begin(&rig, options);
    options.listen = page_address(rig.page);
    assert_refused(options, WEIR_CLASS_LOCAL, "in use");
    end(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_page_and_its_files),
        cmocka_unit_test(test_nothing_comes_from_elsewhere),
        cmocka_unit_test(test_the_status_is_json),
        cmocka_unit_test(test_metrics_have_their_type),
        cmocka_unit_test(test_health_tells_who_is_not_well),
        cmocka_unit_test(test_a_rebound_name_sees_nothing),
        cmocka_unit_test(test_with_a_token_nothing_is_seen_without),
        cmocka_unit_test(test_orders_are_taken),
        cmocka_unit_test(test_orders_of_foreign_pages_are_refused),
        cmocka_unit_test(test_a_body_is_read_and_forgotten),
        cmocka_unit_test(test_another_user_gives_no_orders),
        cmocka_unit_test(test_beyond_loopback_a_token_is_needed),
        cmocka_unit_test(test_a_port_in_use_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
