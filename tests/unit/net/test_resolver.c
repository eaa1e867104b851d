/* The resolver against a scripted DNS server; the cache's time is virtual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/memory.h>

#include "dns.h"
#include "net/clock.h"
#include "net/resolver.h"

static const uint64_t t0 = 1000 * WR_SECOND;

struct fixture {
    struct dns_server *dns;
    struct wr_resolver *resolver;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    struct wr_resolver_options options = {0, 300 * WR_SECOND, NULL};

    fixture.dns = dns_start();
    if (!fixture.dns)
        return -1;
    options.servers = dns_address(fixture.dns);
    fixture.resolver = wr_resolver_new(&options);
    *state = &fixture;
    return fixture.resolver ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    wr_resolver_free(fixture->resolver);
    dns_stop(fixture->dns);
    return 0;
}

static unsigned open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    unsigned count = 0;

    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

/* Runs a query to its end.  The waits are real, the time is not. */
static enum wr_step drive(struct wr_query *query, uint64_t now_ns,
                          struct wr_addrs *ret_addrs, weir_error *ret_err)
{
    struct wr_waits waits;
    enum wr_step step =
        wr_query_step(query, NULL, now_ns, &waits, ret_addrs, ret_err);

    while (step == WR_STEP_WAIT) {
        assert_true(waits.count > 0);
        assert_true(waits.deadline_ns != WR_NEVER);
        poll(waits.fds, waits.count,
             wr_poll_timeout(waits.deadline_ns, now_ns));
        step = wr_query_step(query, &waits, now_ns, &waits, ret_addrs, ret_err);
    }
    return step;
}

static enum wr_step look_up(struct wr_resolver *resolver, const char *host,
                            weir_ip_version version, uint64_t now_ns,
                            struct wr_addrs *ret_addrs, weir_error *ret_err)
{
    struct wr_query *query =
        wr_query_new(resolver, host, version, now_ns, ret_err);
    enum wr_step step;

    if (!query)
        return WR_STEP_ERROR;
    step = drive(query, now_ns, ret_addrs, ret_err);
    wr_query_free(query);
    return step;
}

/* The addresses as CSV, without ports. */
static const char *csv_of(const struct wr_addrs *addrs)
{
    static char csv[2048];

    csv[0] = '\0';
    for (unsigned i = 0; i < addrs->count; i++) {
        char text[WR_ADDR_TEXT];

        wr_addr_text(&addrs->list[i], text, sizeof text);
        assert_string_equal(strrchr(text, ':'), ":0"); /* port 0 */
        *strrchr(text, ':') = '\0';
        if (i)
            strcat(csv, ",");
        strcat(csv, text);
    }
    return csv;
}

static void check(struct fixture *fixture, const char *host,
                  weir_ip_version version, uint64_t now_ns,
                  const char *expected)
{
    struct wr_addrs addrs = {.count = 0};
    weir_error err = {.code = WEIR_OK};

    if (look_up(fixture->resolver, host, version, now_ns, &addrs, &err) !=
        WR_STEP_DONE)
        fail_msg("%s", err.message);
    assert_string_equal(csv_of(&addrs), expected);
}

static void a_name_has_addresses_of_both_families(void **state)
{
    struct fixture *fixture = *state;
    struct wr_addrs addrs;
    unsigned v4 = 0, v6 = 0;

    dns_answer(fixture->dns, "both.test", "127.0.0.1,127.0.0.2,::1", 60);
    assert_int_equal(
        look_up(fixture->resolver, "both.test", WEIR_IP_ANY, t0, &addrs, NULL),
        WR_STEP_DONE);
    for (unsigned i = 0; i < addrs.count; i++) {
        v4 += addrs.list[i].sa.ss_family == AF_INET;
        v6 += addrs.list[i].sa.ss_family == AF_INET6;
    }
    assert_int_equal(v4, 2);
    assert_int_equal(v6, 1);
    assert_int_equal(dns_queries(fixture->dns), 2); /* A and AAAA */
}

static void one_family_is_asked_for_alone(void **state)
{
    struct fixture *fixture = *state;

    dns_answer(fixture->dns, "both.test", "127.0.0.1,::1", 60);
    check(fixture, "both.test", WEIR_IP_V4, t0, "127.0.0.1");
    assert_int_equal(dns_queries(fixture->dns), 1);
    check(fixture, "both.test", WEIR_IP_V6, t0, "[::1]");
    assert_int_equal(dns_queries(fixture->dns), 2);
}

static void a_name_with_one_family_is_found_in_any(void **state)
{
    struct fixture *fixture = *state;

    dns_answer(fixture->dns, "four.test", "127.0.0.1", 60);
    dns_answer(fixture->dns, "six.test", "::1", 60);
    check(fixture, "four.test", WEIR_IP_ANY, t0, "127.0.0.1");
    check(fixture, "six.test", WEIR_IP_ANY, t0, "[::1]");
}

static void an_alias_is_followed_and_its_ttl_counts(void **state)
{
    struct fixture *fixture = *state;
    struct wr_addrs addrs;

    dns_answer(fixture->dns, "real.test", "127.0.0.1", 100);
    dns_alias(fixture->dns, "alias.test", "real.test", 7);
    check(fixture, "alias.test", WEIR_IP_V4, t0, "127.0.0.1");
    assert_true(wr_resolver_cached(fixture->resolver, "alias.test", WEIR_IP_V4,
                                   t0 + 6 * WR_SECOND, &addrs));
    assert_false(wr_resolver_cached(fixture->resolver, "alias.test", WEIR_IP_V4,
                                    t0 + 8 * WR_SECOND, &addrs));
}

static void an_answer_is_kept_for_its_ttl(void **state)
{
    struct fixture *fixture = *state;
    struct wr_addrs addrs;

    dns_answer(fixture->dns, "a.test", "127.0.0.1", 30);
    assert_false(wr_resolver_cached(fixture->resolver, "a.test", WEIR_IP_ANY,
                                    t0, &addrs));
    check(fixture, "a.test", WEIR_IP_ANY, t0, "127.0.0.1");
    assert_true(wr_resolver_cached(fixture->resolver, "A.TEST", WEIR_IP_ANY,
                                   t0 + 30 * WR_SECOND - 1, &addrs));
    assert_string_equal(csv_of(&addrs), "127.0.0.1");
    assert_false(wr_resolver_cached(fixture->resolver, "a.test", WEIR_IP_ANY,
                                    t0 + 30 * WR_SECOND, &addrs));
}

static bool is_kept(struct fixture *fixture, uint64_t now_ns)
{
    struct wr_addrs addrs;

    return wr_resolver_cached(fixture->resolver, "a.test", WEIR_IP_V4, now_ns,
                              &addrs);
}

static void the_ttl_is_clamped(void **state)
{
    struct fixture *fixture = *state;

    wr_resolver_set_ttl(fixture->resolver, 10 * WR_SECOND, 20 * WR_SECOND);
    dns_answer(fixture->dns, "a.test", "127.0.0.1", 1);
    check(fixture, "a.test", WEIR_IP_V4, t0, "127.0.0.1");
    assert_true(is_kept(fixture, t0 + 10 * WR_SECOND - 1));
    assert_false(is_kept(fixture, t0 + 10 * WR_SECOND));

    dns_answer(fixture->dns, "a.test", "127.0.0.1", 1000000);
    check(fixture, "a.test", WEIR_IP_V4, t0, "127.0.0.1");
    assert_true(is_kept(fixture, t0 + 20 * WR_SECOND - 1));
    assert_false(is_kept(fixture, t0 + 20 * WR_SECOND));
}

static void ttl_0_and_max_0_are_not_kept(void **state)
{
    struct fixture *fixture = *state;

    dns_answer(fixture->dns, "a.test", "127.0.0.1", 0);
    check(fixture, "a.test", WEIR_IP_V4, t0, "127.0.0.1");
    assert_false(is_kept(fixture, t0));

    dns_answer(fixture->dns, "a.test", "127.0.0.1", 60);
    check(fixture, "a.test", WEIR_IP_V4, t0, "127.0.0.1");
    assert_true(is_kept(fixture, t0));
    wr_resolver_set_ttl(fixture->resolver, 0, 0); /* switched off */
    assert_false(is_kept(fixture, t0));
    check(fixture, "a.test", WEIR_IP_V4, t0, "127.0.0.1");
    wr_resolver_set_ttl(fixture->resolver, 0, WR_SECOND);
    assert_false(is_kept(fixture, t0)); /* it came while it was off */
}

static bool has_left(struct fixture *fixture, const char *host,
                     const char *peer, uint64_t since_ns)
{
    struct wr_addr addr;

    assert_true(wr_addr_parse(&addr, peer, 443));
    return wr_resolver_has_left(fixture->resolver, host, WEIR_IP_V4, &addr,
                                since_ns);
}

static void a_peer_leaves_with_a_new_answer(void **state)
{
    struct fixture *fixture = *state;
    const uint64_t later = t0 + 60 * WR_SECOND;

    dns_answer(fixture->dns, "a.test", "127.0.0.1", 30);
    check(fixture, "a.test", WEIR_IP_V4, t0, "127.0.0.1");
    assert_false(has_left(fixture, "a.test", "127.0.0.1", t0));
    dns_answer(fixture->dns, "a.test", "127.0.0.2", 30);
    /* the answer that was has expired, and is still the last */
    assert_false(is_kept(fixture, later));
    assert_false(has_left(fixture, "a.test", "127.0.0.1", t0));
    check(fixture, "a.test", WEIR_IP_V4, later, "127.0.0.2");
    assert_true(has_left(fixture, "a.test", "127.0.0.1", t0));
    assert_false(has_left(fixture, "a.test", "127.0.0.2", t0));
    /* begun at that time, the dial may have gone by either answer */
    assert_false(has_left(fixture, "a.test", "127.0.0.1", later));
}

static void a_failure_is_no_answer_to_leave(void **state)
{
    struct fixture *fixture = *state;
    struct wr_addrs addrs;

    dns_answer(fixture->dns, "a.test", "127.0.0.1", 0);
    check(fixture, "a.test", WEIR_IP_V4, t0, "127.0.0.1");
    dns_fail(fixture->dns, "a.test", DNS_NXDOMAIN);
    assert_int_equal(look_up(fixture->resolver, "a.test", WEIR_IP_V4,
                             t0 + WR_SECOND, &addrs, NULL),
                     WR_STEP_ERROR);
    assert_false(has_left(fixture, "a.test", "127.0.0.1", t0 - 1));
    assert_true(has_left(fixture, "a.test", "127.0.0.2", t0 - 1));
}

static void nobody_leaves_localhost(void **state)
{
    struct fixture *fixture = *state;

    check(fixture, "localhost", WEIR_IP_V4, t0, "127.0.0.1");
    assert_false(has_left(fixture, "localhost", "127.0.0.2", 0));
    assert_false(has_left(fixture, "app.localhost", "127.0.0.2", 0));
    assert_int_equal(wr_resolver_generation(fixture->resolver), 0);
}

static void the_generation_grows_with_answers_that_differ(void **state)
{
    struct fixture *fixture = *state;
    struct wr_resolver *resolver = fixture->resolver;
    uint64_t generation = wr_resolver_generation(resolver);

    for (int ttl = 0; ttl <= 30; ttl += 30) {
        const char *host = ttl ? "thirty.test" : "zero.test";

        dns_answer(fixture->dns, host, "127.0.0.1", (unsigned)ttl);
        check(fixture, host, WEIR_IP_V4, t0, "127.0.0.1");
        assert_true(wr_resolver_generation(resolver) > generation);
        generation = wr_resolver_generation(resolver);
        check(fixture, host, WEIR_IP_V4, t0 + WR_SECOND, "127.0.0.1");
        assert_int_equal(wr_resolver_generation(resolver), generation);
        dns_answer(fixture->dns, host, "127.0.0.2", (unsigned)ttl);
        check(fixture, host, WEIR_IP_V4, t0 + WR_SECOND, "127.0.0.2");
        assert_true(wr_resolver_generation(resolver) > generation);
        generation = wr_resolver_generation(resolver);
    }
}

static void without_a_cache_peers_leave_too(void **state)
{
    struct fixture *fixture = *state;

    wr_resolver_set_ttl(fixture->resolver, 0, 0);
    dns_answer(fixture->dns, "a.test", "127.0.0.1", 60);
    check(fixture, "a.test", WEIR_IP_V4, t0, "127.0.0.1");
    dns_answer(fixture->dns, "a.test", "127.0.0.2", 60);
    check(fixture, "a.test", WEIR_IP_V4, t0 + 1, "127.0.0.2");
    assert_false(is_kept(fixture, t0 + 1));
    assert_true(has_left(fixture, "a.test", "127.0.0.1", t0));
}

static void hits_turn_the_order(void **state)
{
    struct fixture *fixture = *state;
    struct wr_addrs addrs;
    char first[64];

    dns_answer(fixture->dns, "a.test", "127.0.0.1,127.0.0.2,127.0.0.3", 60);
    assert_int_equal(
        look_up(fixture->resolver, "a.test", WEIR_IP_V4, t0, &addrs, NULL),
        WR_STEP_DONE);
    snprintf(first, sizeof first, "%s", csv_of(&addrs));
    for (int i = 1; i <= 3; i++) {
        assert_true(wr_resolver_cached(fixture->resolver, "a.test", WEIR_IP_V4,
                                       t0, &addrs));
        assert_int_equal(strcmp(csv_of(&addrs), first) == 0, i == 3);
    }
}

static void check_failure(struct fixture *fixture, const char *host,
                          const char *message)
{
    struct wr_addrs addrs = {.count = 99};
    weir_error err;

    assert_int_equal(
        look_up(fixture->resolver, host, WEIR_IP_ANY, t0, &addrs, &err),
        WR_STEP_ERROR);
    assert_int_equal(err.code, WEIR_E_RESOLVE);
    assert_int_equal(err.error_class, WEIR_CLASS_RESOLVE);
    assert_int_equal(addrs.count, 99);
    if (message)
        assert_string_equal(err.message, message);
    assert_false(
        wr_resolver_cached(fixture->resolver, host, WEIR_IP_ANY, t0, &addrs));
}

static void an_unknown_name_is_an_error_and_not_kept(void **state)
{
    struct fixture *fixture = *state;

    check_failure(fixture, "nohost.example",
                  "resolve nohost.example: domain name not found");
    dns_answer(fixture->dns, "nohost.example", "127.0.0.1", 60);
    check(fixture, "nohost.example", WEIR_IP_ANY, t0, "127.0.0.1");
}

static void failures_of_the_server_are_errors(void **state)
{
    struct fixture *fixture = *state;

    dns_fail(fixture->dns, "servfail.test", DNS_SERVFAIL);
    dns_fail(fixture->dns, "refused.test", DNS_REFUSED);
    check_failure(fixture, "servfail.test", NULL);
    check_failure(fixture, "refused.test", NULL);
}

/* Its port is closed, which the kernel tells of by ICMP. */
static void a_server_that_is_not_there_is_an_error_at_once(void **state)
{
    struct dns_server *gone = dns_start();
    struct wr_resolver_options options = {0, 0, dns_address(gone)};
    struct wr_resolver *resolver = wr_resolver_new(&options);
    const uint64_t begun_ns = wr_now();
    struct wr_addrs addrs;
    weir_error err;

    (void)state;
    assert_non_null(resolver);
    dns_stop(gone);
    assert_int_equal(look_up(resolver, "a.test", WEIR_IP_ANY, t0, &addrs, &err),
                     WR_STEP_ERROR);
    assert_int_equal(err.code, WEIR_E_RESOLVE);
    assert_true(wr_now() - begun_ns < WR_SECOND);
    wr_resolver_free(resolver);
}

/* The server's TCP port refuses, so a truncated answer leads nowhere. */
static void a_truncated_answer_is_no_answer(void **state)
{
    struct fixture *fixture = *state;

    dns_fail(fixture->dns, "truncated.test", DNS_TRUNCATED);
    check_failure(fixture, "truncated.test", NULL);
}

static void a_broken_message_is_an_error(void **state)
{
    struct fixture *fixture = *state;

    dns_fail(fixture->dns, "garbage.test", DNS_GARBAGE);
    check_failure(fixture, "garbage.test", NULL);
}

static void a_name_without_the_family_wanted_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    struct wr_addrs addrs;
    weir_error err;

    dns_answer(fixture->dns, "four.test", "127.0.0.1", 60);
    assert_int_equal(
        look_up(fixture->resolver, "four.test", WEIR_IP_V6, t0, &addrs, &err),
        WR_STEP_ERROR);
    assert_int_equal(err.code, WEIR_E_RESOLVE);
}

static void names_that_cannot_be_are_refused(void **state)
{
    struct fixture *fixture = *state;
    char host[300];

    memset(host, 'a', sizeof host);
    host[299] = '\0';
    check_failure(fixture, "", "resolve : a name has 1 to 254 bytes");
    check_failure(fixture, host, NULL);
    host[70] = '\0'; /* a label has 63 bytes at most */
    check_failure(fixture, host, NULL);
    assert_int_equal(dns_queries(fixture->dns), 0);
}

static void many_addresses_leave_room_for_both_families(void **state)
{
    struct fixture *fixture = *state;
    struct wr_addrs addrs;
    char csv[1024] = "::1";
    unsigned v6 = 0;

    for (int i = 1; i <= 24; i++)
        sprintf(csv + strlen(csv), ",127.0.0.%d", i);
    dns_answer(fixture->dns, "many.test", csv, 60);
    assert_int_equal(
        look_up(fixture->resolver, "many.test", WEIR_IP_ANY, t0, &addrs, NULL),
        WR_STEP_DONE);
    assert_int_equal(addrs.count, WR_ADDRS_MAX);
    for (unsigned i = 0; i < addrs.count; i++)
        v6 += addrs.list[i].sa.ss_family == AF_INET6;
    assert_int_equal(v6, 1);
}

/* RFC 6761 section 6.3 */
static void localhost_needs_no_server(void **state)
{
    static const char *const names[] = {"localhost", "LocalHost", "localhost.",
                                        "app.localhost", "a.b.localhost."};
    struct fixture *fixture = *state;
    struct wr_addrs addrs;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_true(wr_resolver_cached(fixture->resolver, names[i], WEIR_IP_ANY,
                                       t0, &addrs));
        assert_string_equal(csv_of(&addrs), "[::1],127.0.0.1");
        check(fixture, names[i], WEIR_IP_ANY, t0, "[::1],127.0.0.1");
        check(fixture, names[i], WEIR_IP_V4, t0, "127.0.0.1");
        check(fixture, names[i], WEIR_IP_V6, t0, "[::1]");
    }
    assert_false(wr_resolver_cached(fixture->resolver, "notlocalhost",
                                    WEIR_IP_ANY, t0, &addrs));
    assert_false(wr_resolver_cached(fixture->resolver, "localhost.test",
                                    WEIR_IP_ANY, t0, &addrs));
    assert_int_equal(dns_queries(fixture->dns), 0);
}

/* A name of /etc/hosts with an IPv4 address, other than localhost. */
static bool name_from_hosts(char *name, char *address)
{
    FILE *file = fopen("/etc/hosts", "r");
    char line[512];
    bool found = false;

    while (file && !found && fgets(line, sizeof line, file)) {
        struct in_addr addr;

        if (sscanf(line, "%63s %63s", address, name) == 2 &&
            inet_pton(AF_INET, address, &addr) == 1)
            found = !strstr(name, "localhost");
    }
    if (file)
        fclose(file);
    return found;
}

static void the_hosts_file_needs_no_server(void **state)
{
    struct fixture *fixture = *state;
    char name[64], address[64];
    struct wr_addrs addrs;
    bool found = false;

    if (!name_from_hosts(name, address))
        skip();
    assert_int_equal(
        look_up(fixture->resolver, name, WEIR_IP_V4, t0, &addrs, NULL),
        WR_STEP_DONE);
    for (unsigned i = 0; i < addrs.count; i++) {
        char text[WR_ADDR_TEXT];

        wr_addr_text(&addrs.list[i], text, sizeof text);
        *strrchr(text, ':') = '\0';
        found = found || strcmp(text, address) == 0;
    }
    assert_true(found);
    assert_int_equal(dns_queries(fixture->dns), 0);
}

static void a_query_can_be_given_up_at_any_stage(void **state)
{
    struct fixture *fixture = *state;
    const unsigned before = open_descriptors();
    struct wr_waits waits;
    struct wr_addrs addrs;
    struct wr_query *query;

    dns_answer(fixture->dns, "a.test", "127.0.0.1", 60);
    wr_query_free(NULL);
    query = wr_query_new(fixture->resolver, "a.test", WEIR_IP_ANY, t0, NULL);
    wr_query_free(query);
    query = wr_query_new(fixture->resolver, "a.test", WEIR_IP_ANY, t0, NULL);
    assert_int_equal(wr_query_step(query, NULL, t0, &waits, &addrs, NULL),
                     WR_STEP_WAIT);
    assert_true(open_descriptors() > before);
    wr_query_free(query);
    assert_int_equal(open_descriptors(), before);
}

static void no_descriptor_rests_in_the_resolver(void **state)
{
    struct fixture *fixture = *state;
    const unsigned before = open_descriptors();

    dns_answer(fixture->dns, "a.test", "127.0.0.1", 0);
    for (int i = 0; i < 3; i++)
        check(fixture, "a.test", WEIR_IP_V4, t0 + (uint64_t)i * 40 * WR_SECOND,
              "127.0.0.1");
    assert_int_equal(open_descriptors(), before);
}

enum {
    THREADS = 4,
    LOOK_UPS = 20
};

static void *look_up_many(void *user)
{
    struct fixture *fixture = user;

    for (unsigned i = 0; i < LOOK_UPS; i++) {
        struct wr_addrs addrs;
        char host[16];

        snprintf(host, sizeof host, "%c.test", 'a' + i % 3);
        if (!wr_resolver_cached(fixture->resolver, host, WEIR_IP_V4,
                                t0 + i * WR_SECOND, &addrs) &&
            look_up(fixture->resolver, host, WEIR_IP_V4, t0 + i * WR_SECOND,
                    &addrs, NULL) != WR_STEP_DONE)
            return fixture;
    }
    return NULL;
}

static void threads_share_a_resolver(void **state)
{
    struct fixture *fixture = *state;
    pthread_t threads[THREADS];

    dns_answer(fixture->dns, "a.test", "127.0.0.1", 3);
    dns_answer(fixture->dns, "b.test", "127.0.0.2", 0);
    dns_answer(fixture->dns, "c.test", "127.0.0.3", 60);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, look_up_many, fixture), 0);
    for (int i = 0; i < THREADS; i++) {
        void *failure;

        pthread_join(threads[i], &failure);
        assert_null(failure);
    }
}

static int allocations_left;

static void *failing_malloc(size_t size)
{
    return allocations_left-- > 0 ? malloc(size) : NULL;
}

static void *failing_realloc(void *ptr, size_t size)
{
    return allocations_left-- > 0 ? realloc(ptr, size) : NULL;
}

static void each_allocation_may_fail(void **state)
{
    const weir_allocator failing = {failing_malloc, failing_realloc, free};
    struct dns_server *dns = dns_start();
    const struct wr_resolver_options options = {0, WR_SECOND, dns_address(dns)};
    bool done = false;

    (void)state;
    dns_answer(dns, "a.test", "127.0.0.1", 60);
    assert_int_equal(weir_set_allocator(&failing), WEIR_OK);
    for (int n = 0; !done; n++) {
        struct wr_resolver *resolver;
        struct wr_addrs addrs;
        weir_error err = {.code = WEIR_OK};

        assert_true(n < 100);
        allocations_left = n;
        resolver = wr_resolver_new(&options);
        if (!resolver)
            continue;
        if (look_up(resolver, "a.test", WEIR_IP_V4, t0, &addrs, &err) ==
            WR_STEP_DONE)
            done =
                wr_resolver_cached(resolver, "a.test", WEIR_IP_V4, t0, &addrs);
        else
            assert_int_equal(err.code, WEIR_E_NO_MEMORY);
        wr_resolver_free(resolver);
    }
    assert_int_equal(weir_set_allocator(NULL), WEIR_OK);
    dns_stop(dns);
}

static void servers_that_make_no_sense_are_an_error(void **state)
{
    const struct wr_resolver_options options = {0, WR_SECOND, "no server"};
    struct wr_resolver *resolver = wr_resolver_new(&options);
    weir_error err;

    (void)state;
    assert_non_null(resolver);
    assert_null(wr_query_new(resolver, "a.test", WEIR_IP_ANY, t0, &err));
    assert_int_equal(err.code, WEIR_E_RESOLVE);
    wr_resolver_free(resolver);
    wr_resolver_free(NULL);
}

#define DNS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DNS_TEST(a_name_has_addresses_of_both_families),
        DNS_TEST(one_family_is_asked_for_alone),
        DNS_TEST(a_name_with_one_family_is_found_in_any),
        DNS_TEST(an_alias_is_followed_and_its_ttl_counts),
        DNS_TEST(an_answer_is_kept_for_its_ttl),
        DNS_TEST(the_ttl_is_clamped),
        DNS_TEST(ttl_0_and_max_0_are_not_kept),
        DNS_TEST(a_peer_leaves_with_a_new_answer),
        DNS_TEST(a_failure_is_no_answer_to_leave),
        DNS_TEST(nobody_leaves_localhost),
        DNS_TEST(the_generation_grows_with_answers_that_differ),
        DNS_TEST(without_a_cache_peers_leave_too),
        DNS_TEST(hits_turn_the_order),
        DNS_TEST(an_unknown_name_is_an_error_and_not_kept),
        DNS_TEST(failures_of_the_server_are_errors),
        cmocka_unit_test(a_server_that_is_not_there_is_an_error_at_once),
        DNS_TEST(a_truncated_answer_is_no_answer),
        DNS_TEST(a_broken_message_is_an_error),
        DNS_TEST(a_name_without_the_family_wanted_is_an_error),
        DNS_TEST(names_that_cannot_be_are_refused),
        DNS_TEST(many_addresses_leave_room_for_both_families),
        DNS_TEST(localhost_needs_no_server),
        DNS_TEST(the_hosts_file_needs_no_server),
        DNS_TEST(a_query_can_be_given_up_at_any_stage),
        DNS_TEST(no_descriptor_rests_in_the_resolver),
        DNS_TEST(threads_share_a_resolver),
        cmocka_unit_test(each_allocation_may_fail),
        cmocka_unit_test(servers_that_make_no_sense_are_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
