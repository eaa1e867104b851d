/* The cache of the resolver: time is an argument, nothing else happens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/memory.h>

#include "net/cache.h"

static struct wr_addrs addrs_of(const char *csv)
{
    struct wr_addrs addrs = {.count = 0};

    while (*csv) {
        const size_t len = strcspn(csv, ",");
        char text[64];

        snprintf(text, sizeof text, "%.*s", (int)len, csv);
        assert_true(wr_addr_parse(&addrs.list[addrs.count++], text, 0));
        csv += len;
        csv += *csv == ',';
    }
    return addrs;
}

static void check(struct wr_cache *cache, const char *host,
                  weir_ip_version version, uint64_t now_ns, const char *csv)
{
    const struct wr_addrs expected = addrs_of(csv ? csv : "");
    struct wr_addrs found = {.count = 99};

    if (!wr_cache_find(cache, host, version, now_ns, &found)) {
        assert_null(csv);
        assert_int_equal(found.count, 99); /* written only on success */
        return;
    }
    assert_non_null(csv);
    assert_int_equal(found.count, expected.count);
    for (unsigned i = 0; i < found.count; i++)
        assert_true(wr_addr_equal(&found.list[i], &expected.list[i]));
}

/* At 10 ns.  true: the answer is another than the last. */
static bool store(struct wr_cache *cache, const char *host,
                  weir_ip_version version, const char *csv, uint64_t until_ns)
{
    const struct wr_addrs addrs = addrs_of(csv);

    return wr_cache_store(cache, host, version, &addrs, 10, until_ns);
}

static bool has_left(const struct wr_cache *cache, const char *host,
                     const char *peer, uint64_t since_ns)
{
    struct wr_addr addr;

    assert_true(wr_addr_parse(&addr, peer, 443));
    return wr_cache_has_left(cache, host, WEIR_IP_ANY, &addr, since_ns);
}

static void an_answer_is_found_until_it_expires(void **state)
{
    struct wr_cache cache = {.max = 4};

    (void)state;
    check(&cache, "a.test", WEIR_IP_ANY, 1, NULL);
    store(&cache, "a.test", WEIR_IP_ANY, "192.0.2.1", 100);
    check(&cache, "a.test", WEIR_IP_ANY, 99, "192.0.2.1");
    check(&cache, "a.test", WEIR_IP_ANY, 100, NULL);
    store(&cache, "a.test", WEIR_IP_ANY, "192.0.2.1", 10); /* never fresh */
    check(&cache, "a.test", WEIR_IP_ANY, 10, NULL);
    wr_cache_done(&cache);
}

static void names_differ_by_more_than_case(void **state)
{
    struct wr_cache cache = {.max = 4};

    (void)state;
    store(&cache, "A.Test", WEIR_IP_ANY, "192.0.2.1", 100);
    check(&cache, "a.tEST", WEIR_IP_ANY, 1, "192.0.2.1");
    check(&cache, "b.test", WEIR_IP_ANY, 1, NULL);
    check(&cache, "a.test.", WEIR_IP_ANY, 1, NULL);
    wr_cache_done(&cache);
}

/* rule 1.6: IP-version policy */
static void families_wanted_are_part_of_the_key(void **state)
{
    struct wr_cache cache = {.max = 4};

    (void)state;
    store(&cache, "a.test", WEIR_IP_V4, "192.0.2.1", 100);
    store(&cache, "a.test", WEIR_IP_V6, "2001:db8::1", 100);
    check(&cache, "a.test", WEIR_IP_ANY, 1, NULL);
    check(&cache, "a.test", WEIR_IP_V4, 1, "192.0.2.1");
    check(&cache, "a.test", WEIR_IP_V6, 1, "2001:db8::1");
    wr_cache_done(&cache);
}

static void a_new_answer_replaces_the_old(void **state)
{
    struct wr_cache cache = {.max = 4};

    (void)state;
    store(&cache, "a.test", WEIR_IP_ANY, "192.0.2.1,192.0.2.2", 100);
    store(&cache, "a.test", WEIR_IP_ANY, "192.0.2.3", 200);
    check(&cache, "a.test", WEIR_IP_ANY, 150, "192.0.2.3");
    wr_cache_done(&cache);
}

static void hits_turn_the_order_within_a_family(void **state)
{
    struct wr_cache cache = {.max = 4};

    (void)state;
    store(&cache, "a.test", WEIR_IP_ANY, "::1,::2,192.0.2.1,::3,192.0.2.2",
          100);
    check(&cache, "a.test", WEIR_IP_ANY, 1, "::2,::3,192.0.2.2,::1,192.0.2.1");
    check(&cache, "a.test", WEIR_IP_ANY, 1, "::3,::1,192.0.2.1,::2,192.0.2.2");
    check(&cache, "a.test", WEIR_IP_ANY, 1, "::1,::2,192.0.2.2,::3,192.0.2.1");
    wr_cache_done(&cache);
}

static void the_entry_stored_first_makes_room(void **state)
{
    struct wr_cache cache = {.max = 2};

    (void)state;
    store(&cache, "a.test", WEIR_IP_ANY, "192.0.2.1", 100);
    store(&cache, "b.test", WEIR_IP_ANY, "192.0.2.2", 100);
    store(&cache, "a.test", WEIR_IP_ANY, "192.0.2.1", 100); /* now youngest */
    store(&cache, "c.test", WEIR_IP_ANY, "192.0.2.3", 100);
    check(&cache, "a.test", WEIR_IP_ANY, 1, "192.0.2.1");
    check(&cache, "b.test", WEIR_IP_ANY, 1, NULL);
    check(&cache, "c.test", WEIR_IP_ANY, 1, "192.0.2.3");
    wr_cache_done(&cache);
}

static void an_answer_differs_as_a_set(void **state)
{
    struct wr_cache cache = {.max = 2};

    (void)state;
    assert_true(store(&cache, "a.test", WEIR_IP_ANY, "192.0.2.1,::1", 100));
    assert_false(store(&cache, "a.test", WEIR_IP_ANY, "::1,192.0.2.1", 100));
    assert_false(
        store(&cache, "A.test", WEIR_IP_ANY, "::1,192.0.2.1,::1", 100));
    assert_true(store(&cache, "a.test", WEIR_IP_ANY, "::1", 100));
    assert_true(store(&cache, "a.test", WEIR_IP_ANY, "::1,192.0.2.1", 100));
    assert_true(store(&cache, "a.test", WEIR_IP_ANY, "::1,192.0.2.2", 100));
    /* the first of its family policy, and of its name */
    assert_true(store(&cache, "a.test", WEIR_IP_V4, "192.0.2.2", 100));
    assert_true(store(&cache, "b.test", WEIR_IP_ANY, "192.0.2.2", 100));
    /* forgotten in between, so first again */
    assert_true(store(&cache, "a.test", WEIR_IP_ANY, "::1,192.0.2.2", 100));
    wr_cache_done(&cache);
}

static void a_peer_has_left_when_the_last_answer_is_without_it(void **state)
{
    struct wr_cache cache = {.max = 2};

    (void)state;
    assert_false(has_left(&cache, "a.test", "192.0.2.1", 1)); /* unknown */
    store(&cache, "a.test", WEIR_IP_ANY, "192.0.2.1,192.0.2.2", 10);
    assert_false(has_left(&cache, "a.test", "192.0.2.1", 1));
    assert_false(has_left(&cache, "a.test", "192.0.2.2", 1));
    assert_true(has_left(&cache, "A.TEST", "192.0.2.3", 1));
    assert_false(has_left(&cache, "b.test", "192.0.2.3", 1));
    /* nothing is said of its family */
    assert_false(has_left(&cache, "a.test", "2001:db8::1", 1));
    /* an answer as old as the connection tells nothing about it */
    assert_true(has_left(&cache, "a.test", "192.0.2.3", 9));
    assert_false(has_left(&cache, "a.test", "192.0.2.3", 10));
    /* back again */
    store(&cache, "a.test", WEIR_IP_ANY, "192.0.2.3,2001:db8::2", 10);
    assert_false(has_left(&cache, "a.test", "192.0.2.3", 1));
    assert_true(has_left(&cache, "a.test", "192.0.2.1", 1));
    assert_true(has_left(&cache, "a.test", "2001:db8::1", 1));
    wr_cache_done(&cache);
}

/* It may have been cut to what fits. */
static void nobody_leaves_a_full_list(void **state)
{
    struct wr_cache cache = {.max = 2};
    struct wr_addrs addrs = {.count = WR_ADDRS_MAX};

    (void)state;
    for (unsigned i = 0; i < WR_ADDRS_MAX; i++) {
        char text[16];

        snprintf(text, sizeof text, "192.0.2.%u", i + 1);
        assert_true(wr_addr_parse(&addrs.list[i], text, 0));
    }
    wr_cache_store(&cache, "a.test", WEIR_IP_ANY, &addrs, 10, 100);
    assert_false(has_left(&cache, "a.test", "198.51.100.1", 1));
    addrs.count--;
    wr_cache_store(&cache, "a.test", WEIR_IP_ANY, &addrs, 10, 100);
    assert_true(has_left(&cache, "a.test", "198.51.100.1", 1));
    wr_cache_done(&cache);
}

static void a_host_that_is_too_long_is_not_kept(void **state)
{
    struct wr_cache cache = {.max = 2};
    char host[WR_HOST_MAX + 2];

    (void)state;
    memset(host, 'a', sizeof host);
    host[sizeof host - 1] = '\0';
    assert_false(store(&cache, host, WEIR_IP_ANY, "192.0.2.1", 100));
    check(&cache, host, WEIR_IP_ANY, 1, NULL);
    assert_false(has_left(&cache, host, "192.0.2.2", 1));
    host[sizeof host - 2] = '\0';
    store(&cache, host, WEIR_IP_ANY, "192.0.2.1", 100);
    check(&cache, host, WEIR_IP_ANY, 1, "192.0.2.1");
    wr_cache_done(&cache);
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

static void without_memory_nothing_is_kept_and_nothing_lost(void **state)
{
    const weir_allocator failing = {failing_malloc, failing_realloc, free};
    bool kept = false;

    (void)state;
    assert_int_equal(weir_set_allocator(&failing), WEIR_OK);
    for (int n = 0; !kept; n++) {
        struct wr_cache cache = {.max = 100};
        struct wr_addrs found;

        allocations_left = n;
        /* Enough of them that the table must grow. */
        for (int i = 0; i < 40; i++) {
            char host[16];

            snprintf(host, sizeof host, "h%d.test", i);
            store(&cache, host, WEIR_IP_ANY, "192.0.2.1", 100);
            kept = wr_cache_find(&cache, host, WEIR_IP_ANY, 1, &found);
        }
        wr_cache_done(&cache);
        assert_true(n < 1000);
    }
    assert_int_equal(weir_set_allocator(NULL), WEIR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_found_until_it_expires),
        cmocka_unit_test(names_differ_by_more_than_case),
        cmocka_unit_test(families_wanted_are_part_of_the_key),
        cmocka_unit_test(a_new_answer_replaces_the_old),
        cmocka_unit_test(hits_turn_the_order_within_a_family),
        cmocka_unit_test(the_entry_stored_first_makes_room),
        cmocka_unit_test(an_answer_differs_as_a_set),
        cmocka_unit_test(a_peer_has_left_when_the_last_answer_is_without_it),
        cmocka_unit_test(nobody_leaves_a_full_list),
        cmocka_unit_test(a_host_that_is_too_long_is_not_kept),
        cmocka_unit_test(without_memory_nothing_is_kept_and_nothing_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
