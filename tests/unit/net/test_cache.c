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

static void store(struct wr_cache *cache, const char *host,
                  weir_ip_version version, const char *csv, uint64_t until_ns)
{
    const struct wr_addrs addrs = addrs_of(csv);

    wr_cache_store(cache, host, version, &addrs, until_ns);
}

static void an_answer_is_found_until_it_expires(void **state)
{
    struct wr_cache cache = {.max = 4};

    (void)state;
    check(&cache, "a.test", WEIR_IP_ANY, 1, NULL);
    store(&cache, "a.test", WEIR_IP_ANY, "192.0.2.1", 100);
    check(&cache, "a.test", WEIR_IP_ANY, 99, "192.0.2.1");
    check(&cache, "a.test", WEIR_IP_ANY, 100, NULL);
    check(&cache, "a.test", WEIR_IP_ANY, 99, NULL); /* it is gone */
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

static void a_host_that_is_too_long_is_not_kept(void **state)
{
    struct wr_cache cache = {.max = 2};
    char host[WR_HOST_MAX + 2];

    (void)state;
    memset(host, 'a', sizeof host);
    host[sizeof host - 1] = '\0';
    store(&cache, host, WEIR_IP_ANY, "192.0.2.1", 100);
    check(&cache, host, WEIR_IP_ANY, 1, NULL);
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
        cmocka_unit_test(a_host_that_is_too_long_is_not_kept),
        cmocka_unit_test(without_memory_nothing_is_kept_and_nothing_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
