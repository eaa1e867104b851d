/* The pool key: every part that must keep two requests apart
 * (protocol-rules section 1). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "conn/conn.h"
#include "conn/target.h"

static struct wr_tls_context *strict, *lax;

static int make_contexts(void **state)
{
    struct wr_tls_options options = {.verify = true, .min_version = "1.2"};

    (void)state;
    assert_int_equal(wr_tls_context_new(&options, &strict, NULL), WEIR_OK);
    options.verify = false;
    assert_int_equal(wr_tls_context_new(&options, &lax, NULL), WEIR_OK);
    return 0;
}

static int free_contexts(void **state)
{
    (void)state;
    wr_tls_context_free(strict);
    wr_tls_context_free(lax);
    return 0;
}

static struct wr_target_parts base(void)
{
    return (struct wr_target_parts){
        .tls = true, .host = "a.example", .port = 443, .context = strict};
}

static bool shares(const struct wr_target_parts *a,
                   const struct wr_target_parts *b)
{
    struct wr_target *left = wr_target_new(a);
    struct wr_target *right = wr_target_new(b);
    const bool is_equal =
        left->key.len == right->key.len && left->key.hash == right->key.hash &&
        memcmp(left->key.bytes, right->key.bytes, left->key.len) == 0;

    wr_target_unref(left);
    wr_target_unref(right);
    return is_equal;
}

#define assert_differs(member, value)                                          \
    do {                                                                       \
        struct wr_target_parts changed = base();                               \
        const struct wr_target_parts same = base();                            \
        changed.member = (value);                                              \
        assert_false(shares(&same, &changed));                                 \
    } while (0)

static void equal_parts_share(void **state)
{
    struct wr_target_parts other = base();
    char host[] = "a.example";

    (void)state;
    other.host = host;
    assert_true(shares(&(struct wr_target_parts){base().tls, base().host, 443,
                                                 .context = strict},
                       &other));
}

static void rule_1_each_part_keeps_apart(void **state)
{
    (void)state;
    assert_differs(tls, false);               /* 1.1 */
    assert_differs(host, "b.example");        /* 1.2 */
    assert_differs(port, 8443);               /* 1.3 */
    assert_differs(unix_path, "/run/x.sock"); /* 1.4 */
    assert_differs(address, "127.0.0.1");     /* 1.5 */
    assert_differs(local, "127.0.0.2");       /* 1.6 */
    assert_differs(ip_version, WEIR_IP_V4);   /* 1.6 */
    assert_differs(context, lax);             /* 1.9 */
    assert_differs(isolation, "tenant");      /* 1.11 */
    assert_differs(isolation, "");            /* a tag that is empty is one */
    assert_differs(epoch, 1);                 /* 1.12 */
    assert_differs(is_single_use, true);
}

static void parts_cannot_slide_into_one_another(void **state)
{
    struct wr_target_parts a = base();
    struct wr_target_parts b = base();

    (void)state;
    a.unix_path = "ab";
    a.address = "c";
    b.unix_path = "a";
    b.address = "bc";
    assert_false(shares(&a, &b));
}

static void origin_is_readable(void **state)
{
    struct wr_target_parts parts = base();
    struct wr_target *target;

    (void)state;
    parts.host = "::1";
    target = wr_target_new(&parts);
    assert_string_equal(target->origin, "https://[::1]:443");
    wr_target_unref(target);
}

static void addresses_are_there_when_given(void **state)
{
    struct wr_target_parts parts = base();
    struct wr_target *target = wr_target_new(&parts);
    char text[WR_ADDR_TEXT];

    (void)state;
    assert_null(target->address);
    assert_null(target->local);
    wr_target_unref(target);
    parts.local = "::1";
    target = wr_target_new(&parts);
    assert_null(target->address);
    assert_string_equal(wr_addr_text(target->local, text, sizeof text),
                        "[::1]:0");
    wr_target_unref(target);
    parts.address = "192.0.2.1";
    target = wr_target_new(&parts);
    assert_string_equal(wr_addr_text(target->address, text, sizeof text),
                        "192.0.2.1:443");
    assert_string_equal(wr_addr_text(target->local, text, sizeof text),
                        "[::1]:0");
    assert_string_equal(target->host, "a.example");
    assert_string_equal(target->origin, "https://a.example:443");
    wr_target_unref(target);
}

/* --- proxies --------------------------------------------------------------
 */

static struct wr_proxy proxy_of(const char *url)
{
    struct wr_proxy proxy;

    assert_int_equal(wr_proxy_parse(&proxy, url, NULL), WEIR_OK);
    return proxy;
}

static bool ways_share(bool tls, const char *one, const char *other)
{
    struct wr_proxy left = one ? proxy_of(one) : (struct wr_proxy){.port = 0};
    struct wr_proxy right = other ? proxy_of(other) : left;
    struct wr_target_parts a = base();
    struct wr_target_parts b = base();
    bool is_shared;

    a.tls = b.tls = tls;
    a.proxy = one ? &left : NULL;
    b.proxy = &right;
    is_shared = shares(&a, &b);
    wr_proxy_done(&left);
    if (other)
        wr_proxy_done(&right);
    return is_shared;
}

static void rule_1_8_the_way_through_a_proxy_keeps_apart(void **state)
{
    static const char *const others[] = {
        "http://q.example:1",       "http://p.example:2",
        "https://p.example:1",      "socks5://p.example:1",
        "socks5h://p.example:1",    "http://u:p@p.example:1",
        "http://u@p.example:1",     "http://u:q@p.example:1",
        "socks5h://u:p@p.example:1"};

    (void)state;
    for (unsigned tls = 0; tls < 2; tls++) {
        assert_true(ways_share(tls, "http://p.example:1", "P.example.:1/"));
        assert_true(ways_share(tls, NULL, NULL)); /* none is direct */
        for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
            assert_false(ways_share(tls, "http://p.example:1", others[i]));
            assert_false(ways_share(tls, NULL, others[i]));
            for (size_t j = 0; j < i; j++)
                assert_false(ways_share(tls, others[i], others[j]));
        }
    }
}

/* The origin stays in it, also where the proxy reads the requests. */
static void rule_1_8_the_origin_keeps_apart_behind_a_proxy(void **state)
{
    struct wr_proxy proxy = proxy_of("http://p.example:1");
    struct wr_target_parts a = base();
    struct wr_target_parts b = base();

    (void)state;
    a.proxy = b.proxy = &proxy;
    a.tls = b.tls = false;
    assert_true(shares(&a, &b));
    b.host = "b.example";
    assert_false(shares(&a, &b));
    wr_proxy_done(&proxy);
}

static void who_is_connected_to_and_what_is_asked(void **state)
{
    struct wr_proxy proxy = proxy_of("http://u:p@p.example:1");
    struct wr_proxy socks = proxy_of("socks5://p.example:1");
    struct wr_target_parts parts = base();
    struct wr_target *target = wr_target_new(&parts);

    (void)state;
    assert_string_equal(wr_target_peer_host(target), "a.example");
    assert_int_equal(wr_target_peer_port(target), 443);
    assert_false(target->is_tunnelled);
    wr_target_unref(target);

    parts.proxy = &proxy;
    target = wr_target_new(&parts);
    assert_string_equal(wr_target_peer_host(target), "p.example");
    assert_int_equal(wr_target_peer_port(target), 1);
    assert_int_equal(target->proxy->userinfo.len, 3);
    assert_memory_equal(target->proxy->userinfo.data, "u:p", 3);
    assert_true(target->is_tunnelled);
    assert_null(target->hop);
    assert_string_equal(target->origin, "https://a.example:443");
    wr_target_unref(target);

    parts.tls = false;
    target = wr_target_new(&parts);
    assert_false(target->is_tunnelled); /* it is forwarded */
    wr_target_unref(target);
    parts.proxy = &socks;
    target = wr_target_new(&parts);
    assert_true(target->is_tunnelled);
    wr_target_unref(target);

    parts.unix_path = "/run/x.sock";
    target = wr_target_new(&parts);
    assert_null(target->proxy);
    assert_false(target->is_tunnelled);
    wr_target_unref(target);
    wr_proxy_done(&proxy);
    wr_proxy_done(&socks);
}

static bool hops_share(const struct wr_target_parts *a,
                       const struct wr_target_parts *b)
{
    struct wr_target *left = wr_target_new(a);
    struct wr_target *right = wr_target_new(b);
    const struct wr_slice one = left->hop->key;
    const struct wr_slice other = right->hop->key;
    const bool is_equal =
        one.len == other.len && memcmp(one.data, other.data, one.len) == 0;

    /* Never that of an origin. */
    assert_false(left->key.len == one.len &&
                 memcmp(left->key.bytes, one.data, one.len) == 0);
    assert_ptr_equal(left->hop->tls, a->context);
    wr_target_unref(left);
    wr_target_unref(right);
    return is_equal;
}

/* Sessions of TLS with the proxy are of the proxy, whatever the origin. */
static void rule_7_the_session_with_the_proxy_has_its_own_key(void **state)
{
    struct wr_proxy proxy = proxy_of("https://p.example:1");
    struct wr_proxy other = proxy_of("https://u:p@p.example:1");
    struct wr_target_parts a = base();
    struct wr_target_parts b = base();

    (void)state;
    a.proxy = b.proxy = &proxy;
    b.host = "b.example";
    assert_true(hops_share(&a, &b));
    b.isolation = "tenant";
    assert_false(hops_share(&a, &b));
    b = a;
    b.context = lax;
    assert_false(hops_share(&a, &b));
    b = a;
    b.proxy = &other;
    assert_false(hops_share(&a, &b));
    wr_proxy_done(&proxy);
    wr_proxy_done(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_parts_share),
        cmocka_unit_test(rule_1_each_part_keeps_apart),
        cmocka_unit_test(parts_cannot_slide_into_one_another),
        cmocka_unit_test(origin_is_readable),
        cmocka_unit_test(addresses_are_there_when_given),
        cmocka_unit_test(rule_1_8_the_way_through_a_proxy_keeps_apart),
        cmocka_unit_test(rule_1_8_the_origin_keeps_apart_behind_a_proxy),
        cmocka_unit_test(who_is_connected_to_and_what_is_asked),
        cmocka_unit_test(rule_7_the_session_with_the_proxy_has_its_own_key),
    };

    return cmocka_run_group_tests(tests, make_contexts, free_contexts);
}
