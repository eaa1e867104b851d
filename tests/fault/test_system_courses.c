/* Every system call fails once while a call takes its course: over redirects,
 * retries, and names that a resolver is asked for. */
#include "sweep.h"

#include "peer.h"

enum {
    ADDRESSES = 32 /* more than a datagram holds */
};

static struct peer *dnsmasq; /* NULL = not installed */

static void test_redirects(void **state)
{
    (void)state;
    check(&(struct life){.name = "redirect to TLS",
                         .origin = over_tcp,
                         .is_posting = true,
                         .way = HOSTILE_REDIRECTS});
    check(&(struct life){.name = "redirect over TLS",
                         .origin = over_tls,
                         .way = HOSTILE_REDIRECTS});
}

static void test_retries(void **state)
{
    (void)state;
    check(&(struct life){.name = "retry when busy",
                         .origin = over_tcp,
                         .is_posting = true,
                         .way = HOSTILE_BUSY,
                         .attempts = 3});
    check(&(struct life){.name = "retry when lost",
                         .origin = over_tcp,
                         .way = HOSTILE_LOST,
                         .attempts = 3});
    check(&(struct life){.name = "retry over TLS",
                         .origin = over_tls,
                         .way = HOSTILE_BUSY,
                         .attempts = 3});
}

/* dnsmasq reads its names soon after it was told to. */
static void await_name(const struct life *life)
{
    const double deadline = seconds_now() + STUCK_S;
    char path[256];
    const weir_pool_options options = options_of(life, path, sizeof path);
    weir_pool *pool = must_open(&options);
    weir_error err;

    while (call_once(life, pool, &err) != WEIR_OK) {
        assert_true(seconds_now() < deadline);
        sched_yield();
    }
    weir_pool_free(pool);
}

/* The system calls of the resolver: weir makes them for c-ares before 1.34. */
static void test_names(void **state)
{
    const struct life one = {.name = "name",
                             .origin = over_tcp,
                             .way = HOSTILE_DROPS,
                             .host = "one.test"};
    const struct life many = {.name = "name over TCP",
                              .origin = over_tcp,
                              .way = HOSTILE_DROPS,
                              .host = "many.test"};
    char lines[2048] = "127.0.0.1 one.test\n";

    (void)state;
    if (!dnsmasq)
        skip();
    for (unsigned i = 1; i <= ADDRESSES; i++) {
        const size_t len = strlen(lines);

        snprintf(lines + len, sizeof lines - len, "127.0.0.%u many.test\n", i);
    }
    assert_true(peer_set_hosts(dnsmasq, lines));
    await_name(&many);
    await_name(&one);
    check(&one);
    check(&many);
}

static int begin_with_names(void **state)
{
    dnsmasq = peer_start_dnsmasq("127.0.0.2", 1);
    if (dnsmasq)
        snprintf(servers, sizeof servers, "127.0.0.1:%u", peer_port(dnsmasq));
    return begin(state);
}

static int end_with_names(void **state)
{
    peer_stop(dnsmasq);
    return end(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_redirects),
        TEST(test_retries),
        TEST(test_names),
    };
    const int failed =
        cmocka_run_group_tests(tests, begin_with_names, end_with_names);

    printf("# cases failed-system-calls %llu\n", (unsigned long long)cases);
    return failed;
}
