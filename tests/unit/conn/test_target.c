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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_parts_share),
        cmocka_unit_test(rule_1_each_part_keeps_apart),
        cmocka_unit_test(parts_cannot_slide_into_one_another),
        cmocka_unit_test(origin_is_readable),
        cmocka_unit_test(addresses_are_there_when_given),
    };

    return cmocka_run_group_tests(tests, make_contexts, free_contexts);
}
