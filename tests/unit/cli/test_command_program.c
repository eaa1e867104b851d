/* What commands begin and end with: the one pool, and signals in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <program.h>

/* A server that takes connections and never answers. */
struct silent {
    int fd;
    char url[64];
};

static void listen_silently(struct silent *silent)
{
    struct sockaddr_in addr = {.sin_family = AF_INET};
    socklen_t len = sizeof addr;

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    silent->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(silent->fd >= 0);
    assert_int_equal(bind(silent->fd, (struct sockaddr *)&addr, len), 0);
    assert_int_equal(listen(silent->fd, 8), 0);
    assert_int_equal(getsockname(silent->fd, (struct sockaddr *)&addr, &len),
                     0);
    snprintf(silent->url, sizeof silent->url, "http://127.0.0.1:%d/",
             ntohs(addr.sin_port));
}

static weir_call *begin_call(weir_pool *pool, const char *url)
{
    weir_request *request = NULL;
    weir_call *call = NULL;

    if (weir_request_new("GET", url, &request, NULL) != WEIR_OK ||
        weir_submit(pool, request, NULL, NULL, &call, NULL) != WEIR_OK)
        _exit(99);
    weir_request_free(request);
    return call;
}

/* In a process of its own: a call that hangs, a signal, an end in order.  The
 * exit code is the command's, or 99 when the call did not end as it should. */
static void hang_and_be_told(const char *url, int which)
{
    weir_pool_options options;
    struct program program;
    weir_call *call;
    weir_error err;
    weir_status status;

    weir_pool_options_init(&options);
    if (program_begin(&program, &options, PROGRAM_CLOSES) != EXIT_ALL)
        _exit(99);
    call = begin_call(program.pool, url);
    raise(which);
    status = weir_call_wait(call, 10, NULL, &err);
    weir_call_free(call);
    if (status == WEIR_E_PENDING || status == WEIR_OK ||
        program_signal() != which)
        _exit(99);
    _exit(program_end(&program, 0, EXIT_SOME_FAILED));
}

static int code_of(pid_t pid)
{
    int status = -1;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void test_a_signal_ends_running_calls(void **state)
{
    static const struct {
        int which;
        int code;
    } table[] = {{SIGINT, 130}, {SIGTERM, 143}};
    struct silent silent;

    (void)state;
    listen_silently(&silent);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0)
            hang_and_be_told(silent.url, table[i].which);
        assert_int_equal(code_of(pid), table[i].code);
    }
    close(silent.fd);
}

static void test_without_a_signal_the_status_stands(void **state)
{
    struct program program;

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(program_begin(&program, NULL, PROGRAM_CLOSES),
                         EXIT_ALL);
        assert_ptr_equal(program.pool, weir_shared());
        assert_int_equal(program_end(&program, 0, EXIT_USAGE), EXIT_USAGE);
    }
    /* The signals are as they were. */
    assert_true(signal(SIGINT, SIG_DFL) == SIG_DFL);
}

static void test_a_loop_of_its_own_is_told(void **state)
{
    struct program program;
    struct pollfd wait;
    char byte = 0;

    (void)state;
    assert_int_equal(program_begin(&program, NULL, PROGRAM_TELLS), EXIT_ALL);
    wait = (struct pollfd){.fd = program.signals, .events = POLLIN};
    assert_int_equal(poll(&wait, 1, 0), 0);
    raise(SIGTERM);
    assert_int_equal(poll(&wait, 1, 5000), 1);
    assert_int_equal(read(program.signals, &byte, 1), 1);
    assert_int_equal(byte, SIGTERM);
    assert_int_equal(program_end(&program, 0, EXIT_ALL), 143);
}

/* A second one of the same kind does not wait for an orderly end. */
static void test_a_second_signal_ends_at_once(void **state)
{
    const pid_t pid = fork();

    (void)state;
    assert_true(pid >= 0);
    if (pid == 0) {
        struct program program;

        if (program_begin(&program, NULL, PROGRAM_TELLS) == EXIT_ALL) {
            raise(SIGINT);
            raise(SIGINT);
        }
        _exit(99);
    }
    assert_int_equal(code_of(pid), -SIGINT);
}

static void test_an_ignored_signal_stays_ignored(void **state)
{
    struct program program;

    (void)state;
    signal(SIGINT, SIG_IGN);
    assert_int_equal(program_begin(&program, NULL, PROGRAM_TELLS), EXIT_ALL);
    raise(SIGINT);
    assert_int_equal(program_signal(), 0);
    assert_int_equal(program_end(&program, 0, EXIT_ALL), EXIT_ALL);
    assert_true(signal(SIGINT, SIG_DFL) == SIG_IGN);
}

static void test_options_that_are_wrong_are_bad_usage(void **state)
{
    weir_pool_options options;
    struct program program;

    (void)state;
    weir_pool_options_init(&options);
    options.max_per_host = 0;
    assert_int_equal(program_begin(&program, &options, PROGRAM_CLOSES),
                     EXIT_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_signal_ends_running_calls),
        cmocka_unit_test(test_without_a_signal_the_status_stands),
        cmocka_unit_test(test_a_loop_of_its_own_is_told),
        cmocka_unit_test(test_a_second_signal_ends_at_once),
        cmocka_unit_test(test_an_ignored_signal_stays_ignored),
        cmocka_unit_test(test_options_that_are_wrong_are_bad_usage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
