/* Word to the service manager, over a socket of the test's own. */
#include "made_up.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <watch/notify.h>

/* A manager that listens at an abstract name of this process alone. */
static int listen_as_manager(bool is_abstract, char variable[108])
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval limit = {.tv_sec = 10};
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t len;

    assert_true(fd >= 0);
    snprintf(variable, 108, is_abstract ? "@weir-test-%d" : "/tmp/weir-test-%d",
             (int)getpid());
    strcpy(address.sun_path, variable);
    len =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(variable));
    if (is_abstract)
        address.sun_path[0] = '\0';
    else
        unlink(variable);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address,
                          is_abstract ? len : len + 1),
                     0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setenv("NOTIFY_SOCKET", variable, 1);
    return fd;
}

static void assert_told(int manager, const char *expected)
{
    char text[2048];
    const ssize_t len = recv(manager, text, sizeof text - 1, 0);

    assert_true(len > 0);
    text[len] = '\0';
    assert_string_equal(text, expected);
}

static void speak(bool is_abstract)
{
    struct watch_notify notify;
    char variable[108];
    char expected[128];
    char text[256];
    const int manager = listen_as_manager(is_abstract, variable);
    ssize_t len;

    notify_open(&notify);
    assert_null(getenv("NOTIFY_SOCKET")); /* no service is to take it */
    notify_ready(&notify, "3 services, 3 healthy");
    snprintf(expected, sizeof expected,
             "READY=1\nSTATUS=3 services, 3 healthy\nMAINPID=%d",
             (int)getpid());
    assert_told(manager, expected);
    notify_status(&notify, "2 of 3 healthy");
    assert_told(manager, "STATUS=2 of 3 healthy");
    notify_alive(&notify);
    assert_told(manager, "WATCHDOG=1");
    notify_reloading(&notify);
    len = recv(manager, text, sizeof text - 1, 0);
    assert_true(len > 0);
    text[len] = '\0';
    assert_memory_equal(text, "RELOADING=1\nMONOTONIC_USEC=", 27);
    assert_true(strtoull(text + 27, NULL, 10) > 0);
    notify_stopping(&notify);
    assert_told(manager, "STOPPING=1\nSTATUS=stopping");
    notify_close(&notify);
    notify_status(&notify, "after the end"); /* says nothing, harms nothing */
    close(manager);
    if (!is_abstract)
        unlink(variable);
}

static void test_a_manager_at_an_abstract_name_is_told(void **state)
{
    (void)state;
    speak(true);
}

static void test_a_manager_at_a_path_is_told(void **state)
{
    (void)state;
    speak(false);
}

static void test_without_a_manager_nothing_is_said(void **state)
{
    struct watch_notify notify;

    (void)state;
    unsetenv("NOTIFY_SOCKET");
    setenv("WATCHDOG_USEC", "1000000", 1);
    notify_open(&notify);
    assert_int_equal(notify.fd, -1);
    assert_int_equal(notify.beat_ns, 0);
    assert_null(getenv("WATCHDOG_USEC"));
    notify_ready(&notify, "ready");
    notify_close(&notify);
}

static void test_names_that_cannot_be(void **state)
{
    static const char *const bad[] = {"relative/path", "@", "/",
                                      "vsock:2:1234"};
    struct watch_notify notify;
    char longest[200];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        setenv("NOTIFY_SOCKET", bad[i], 1);
        notify_open(&notify);
        assert_int_equal(notify.fd, -1);
        assert_null(getenv("NOTIFY_SOCKET"));
    }
    memset(longest, '/', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    setenv("NOTIFY_SOCKET", longest, 1);
    notify_open(&notify);
    assert_int_equal(notify.fd, -1);
}

static uint64_t beat_of(const char *usec, const char *pid)
{
    struct watch_notify notify;
    uint64_t beat_ns;

    setenv("NOTIFY_SOCKET", "@weir-test-nobody", 1);
    setenv("WATCHDOG_USEC", usec, 1);
    if (pid)
        setenv("WATCHDOG_PID", pid, 1);
    notify_open(&notify);
    beat_ns = notify.beat_ns;
    notify_close(&notify);
    assert_null(getenv("WATCHDOG_USEC"));
    assert_null(getenv("WATCHDOG_PID"));
    return beat_ns;
}

static void test_a_sign_of_life_twice_within_the_limit(void **state)
{
    char own[16];

    (void)state;
    snprintf(own, sizeof own, "%d", (int)getpid());
    assert_int_equal(beat_of("30000000", NULL), UINT64_C(15000000000));
    assert_int_equal(beat_of("30000000", own), UINT64_C(15000000000));
    assert_int_equal(beat_of("30000000", "1"), 0); /* meant for another */
    assert_int_equal(beat_of("30000000", "x"), 0);
    assert_int_equal(beat_of("0", NULL), 0);
    assert_int_equal(beat_of("-5", NULL), 0);
    assert_int_equal(beat_of("18446744073709551615", NULL), 0);
    assert_int_equal(beat_of("12s", NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_manager_at_an_abstract_name_is_told),
        cmocka_unit_test(test_a_manager_at_a_path_is_told),
        cmocka_unit_test(test_without_a_manager_nothing_is_said),
        cmocka_unit_test(test_names_that_cannot_be),
        cmocka_unit_test(test_a_sign_of_life_twice_within_the_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
