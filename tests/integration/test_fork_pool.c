/* fork(), design.md 4.7: the child drops silently what it has inherited, and
 * starts empty; the parent's connections stay as they are.  Over TLS. */
#include "child.h"
#include "nginx.h"

#include <dirent.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir/settings.h>

enum {
    PATIENCE_S = 30,
    THREADS = 4,
    FORKS = 20
};

static char url[64];
static weir_pool *pool;

static int set_up(void **state)
{
    weir_pool_options options = trusting();

    (void)state;
    if (nginx)
        peer_url(nginx, true, "/102", url, sizeof url);
    pool = must_open(&options);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    weir_pool_free(pool);
    return 0;
}

/* --- processes ----------------------------------------------------------- */

/* In a child a failure is its exit status, for cmocka is the parent's. */
#define EXPECT(condition)                                                      \
    do {                                                                       \
        if (!(condition)) {                                                    \
            print_error("child: %s:%d: %s\n", __FILE__, __LINE__, #condition); \
            end_child(1);                                                      \
        }                                                                      \
    } while (0)

/* Runs `body` in a child, which must end well in time. */
static void run_child(void (*body)(void *), void *user)
{
    const pid_t pid = fork();
    int status = 0;

    if (pid == 0) {
        alarm(PATIENCE_S);
        body(user);
        end_child(0);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("the child ended with %#x", (unsigned)status);
}

/* Sockets, epoll and event descriptors of this process. */
static unsigned count_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    const struct dirent *entry;
    unsigned count = 0;

    while (folder && (entry = readdir(folder)) != NULL) {
        char path[300];
        char to[64];
        ssize_t len;

        snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
        len = readlink(path, to, sizeof to - 1);
        to[len > 0 ? len : 0] = '\0';
        count += strncmp(to, "socket:", 7) == 0 ||
                 strncmp(to, "anon_inode:", 11) == 0;
    }
    if (folder)
        closedir(folder);
    return count;
}

static void get_ok(weir_pool *from, const char *at)
{
    weir_request *request = must_request("GET", at);
    weir_response *response = NULL;
    weir_error err;

    if (weir_fetch(from, request, &response, &err) != WEIR_OK) {
        print_error("%d: %s\n", (int)getpid(), err.message);
        abort();
    }
    if (weir_response_status(response) != 200 ||
        weir_response_body(response).len != 102)
        abort();
    weir_response_free(response);
    weir_request_free(request);
}

/* --- one thread ---------------------------------------------------------- */

static void use_the_pool(void *user)
{
    weir_call *call;
    weir_request *request = must_request("GET", url);
    weir_response *response;

    (void)user;
    EXPECT(count_descriptors() == 0);
    EXPECT(figures_of(pool).open == 0);
    EXPECT(figures_of(pool).requests == 0);
    get_ok(pool, url);
    get_ok(pool, url);
    EXPECT(figures_of(pool).dialed == 1);
    EXPECT(figures_of(pool).reused == 1);
    EXPECT(weir_submit(pool, request, NULL, NULL, &call, NULL) == WEIR_OK);
    EXPECT(weir_call_wait(call, PATIENCE_S, &response, NULL) == WEIR_OK);
    EXPECT(weir_response_is_reused(response));
    weir_response_free(response);
    weir_call_free(call);
    weir_request_free(request);
    EXPECT(weir_pool_close(pool, 1, NULL) == WEIR_OK);
    EXPECT(figures_of(pool).open == 0);
    weir_pool_free(pool);
}

/* Two connections: one of a thread, and one of the loop. */
static void warm_both(void)
{
    weir_request *request = must_request("GET", url);
    weir_response *held = NULL;
    weir_call *call;

    assert_int_equal(weir_send(pool, request, &held, NULL), WEIR_OK);
    assert_int_equal(weir_submit(pool, request, NULL, NULL, &call, NULL),
                     WEIR_OK);
    assert_int_equal(weir_call_wait(call, PATIENCE_S, NULL, NULL), WEIR_OK);
    weir_call_free(call);
    weir_response_free(held);
    weir_request_free(request);
    assert_int_equal(figures_of(pool).idle, 2);
}

static void test_the_child_starts_empty_and_the_parent_goes_on(void **state)
{
    (void)state;
    need_nginx();
    warm_both();
    for (unsigned i = 0; i < 3; i++) {
        run_child(use_the_pool, NULL);
        warm_both();
    }
    assert_int_equal(figures_of(pool).dialed, 2);
    assert_int_equal(figures_of(pool).stale_retries, 0);
    assert_int_equal(figures_of(pool).closed[WEIR_CLOSE_PEER_CLOSED], 0);
}

struct held {
    weir_request *request;
    weir_response *response;
    weir_call *call;
};

static void end_what_was_held(void *user)
{
    struct held *held = user;
    weir_handlers handlers = {.size = sizeof handlers};
    weir_response *response = NULL;
    weir_call *call;
    char buf[4096];
    size_t len;
    weir_status status;
    weir_error err;

    /* What has come already can be read. */
    do
        status =
            weir_response_read(held->response, buf, sizeof buf, &len, &err);
    while (status == WEIR_OK && len > 0);
    EXPECT(status == WEIR_E_CLOSED);
    weir_response_free(held->response);
    EXPECT(weir_call_is_done(held->call));
    EXPECT(weir_call_wait(held->call, -1, &response, &err) == WEIR_E_CLOSED);
    weir_call_cancel(held->call);
    weir_call_resume(held->call);
    weir_call_free(held->call);
    /* It is the parent's call that has it. */
    EXPECT(weir_submit(pool, held->request, &handlers, NULL, &call, &err) ==
           WEIR_E_STATE);
    weir_request_free(held->request);
    get_ok(pool, url);
    weir_pool_free(pool);
}

/* Holds its body back, once. */
static weir_flow pause_once(void *user, weir_call *call, const void *data,
                            size_t len)
{
    (void)call;
    (void)data;
    (void)len;
    return atomic_exchange((atomic_bool *)user, true) ? WEIR_FLOW_ON
                                                      : WEIR_FLOW_PAUSE;
}

static void test_what_was_under_way_is_the_parents(void **state)
{
    static const weir_handlers handlers = {.size = sizeof handlers,
                                           .on_body = pause_once};
    atomic_bool has_paused = false;
    struct held held;
    char large[64];
    char buf[4096];
    size_t total = 0;
    size_t len;

    (void)state;
    need_nginx();
    held.request =
        must_request("GET", peer_url(nginx, true, "/1m", large, sizeof large));
    assert_int_equal(weir_send(pool, held.request, &held.response, NULL),
                     WEIR_OK);
    assert_int_equal(weir_submit(pool, held.request, &handlers, &has_paused,
                                 &held.call, NULL),
                     WEIR_OK);
    while (!atomic_load(&has_paused))
        sched_yield();
    run_child(end_what_was_held, &held);
    do {
        assert_int_equal(
            weir_response_read(held.response, buf, sizeof buf, &len, NULL),
            WEIR_OK);
        total += len;
    } while (len > 0);
    assert_int_equal(total, 1 << 20);
    weir_response_free(held.response);
    weir_call_resume(held.call);
    assert_int_equal(weir_call_wait(held.call, PATIENCE_S, NULL, NULL),
                     WEIR_OK);
    weir_call_free(held.call);
    weir_request_free(held.request);
    assert_int_equal(figures_of(pool).idle, 2);
}

static void use_shared(void *user)
{
    EXPECT(weir_shared() == user);
    EXPECT(figures_of(user).open == 0);
    get_ok(user, url);
    EXPECT(weir_shared_close(1, NULL) == WEIR_OK);
}

static void test_the_shared_pool(void **state)
{
    const weir_pool_options options = trusting();
    weir_pool *shared = NULL;

    (void)state;
    need_nginx();
    assert_int_equal(weir_shared_open(&options, &shared, NULL), WEIR_OK);
    get_ok(shared, url);
    run_child(use_shared, shared);
    get_ok(shared, url);
    assert_int_equal(figures_of(shared).dialed, 1);
    assert_int_equal(weir_shared_close(1, NULL), WEIR_OK);
}

static void fork_again(void *user)
{
    (void)user;
    get_ok(pool, url);
    run_child(use_the_pool, NULL);
    get_ok(pool, url);
    EXPECT(figures_of(pool).dialed == 1);
}

static void test_a_grandchild(void **state)
{
    (void)state;
    need_nginx();
    get_ok(pool, url);
    run_child(fork_again, NULL);
    get_ok(pool, url);
    assert_int_equal(figures_of(pool).dialed, 1);
}

/* --- while others are busy ----------------------------------------------- */

static atomic_bool is_over;

/* Dials anew now and then, so that handshakes are under way. */
static void *keep_busy(void *user)
{
    weir_request *request = must_request("GET", url);

    (void)user;
    for (unsigned i = 0; !atomic_load(&is_over); i++) {
        weir_response *response = NULL;
        weir_call *call;

        if (weir_send(pool, request, &response, NULL) != WEIR_OK)
            abort();
        weir_response_free(response);
        if (weir_submit(pool, request, NULL, NULL, &call, NULL) != WEIR_OK ||
            weir_call_wait(call, PATIENCE_S, NULL, NULL) != WEIR_OK)
            abort();
        weir_call_free(call);
    }
    weir_request_free(request);
    return NULL;
}

static void use_and_leave(void *user)
{
    (void)user;
    EXPECT(figures_of(pool).open == 0);
    get_ok(pool, url);
    EXPECT(weir_pool_close(pool, 1, NULL) == WEIR_OK);
}

static void test_forks_among_busy_threads(void **state)
{
    weir_pool_options options = trusting();
    pthread_t threads[THREADS];

    (void)state;
    need_nginx();
    weir_pool_free(pool);
    options.max_age = 0.02; /* so there are dials all the time */
    pool = must_open(&options);
    atomic_store(&is_over, false);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, keep_busy, NULL);
    for (unsigned i = 0; i < FORKS; i++)
        run_child(use_and_leave, NULL);
    atomic_store(&is_over, true);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(figures_of(pool).failures, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_child_starts_empty_and_the_parent_goes_on),
        TEST(test_what_was_under_way_is_the_parents),
        TEST(test_the_shared_pool),
        TEST(test_a_grandchild),
        TEST(test_forks_among_busy_threads),
    };

    return cmocka_run_group_tests(tests, start_nginx, stop_nginx);
}
