/* Socket addresses: text in, text out, order for the race. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "net/addr.h"

static const char *text_of(const char *literal, uint16_t port)
{
    static char buf[WR_ADDR_TEXT];
    struct wr_addr addr;

    if (!wr_addr_parse(&addr, literal, port))
        return "none";
    return wr_addr_text(&addr, buf, sizeof buf);
}

static void ipv4_literals_are_read_and_written(void **state)
{
    (void)state;
    assert_string_equal(text_of("127.0.0.1", 80), "127.0.0.1:80");
    assert_string_equal(text_of("255.255.255.255", 65535),
                        "255.255.255.255:65535");
}

static void ipv6_literals_are_read_and_written_in_canonical_form(void **state)
{
    (void)state;
    assert_string_equal(text_of("::1", 443), "[::1]:443");
    assert_string_equal(text_of("2001:DB8:0::0:1", 8080), "[2001:db8::1]:8080");
    assert_string_equal(text_of("::ffff:192.0.2.1", 1), "[::ffff:192.0.2.1]:1");
}

/* rule 1.2: IPv6 with its zone */
static void a_zone_is_part_of_an_ipv6_address(void **state)
{
    struct wr_addr lo, none;

    (void)state;
    assert_string_equal(text_of("fe80::1%lo", 80), "[fe80::1%lo]:80");
    assert_string_equal(text_of("fe80::1%1", 80), "[fe80::1%lo]:80");
    assert_string_equal(text_of("fe80::1%4000000", 80), "[fe80::1%4000000]:80");
    assert_true(wr_addr_parse(&lo, "fe80::1%lo", 80));
    assert_true(wr_addr_parse(&none, "fe80::1", 80));
    assert_false(wr_addr_equal(&lo, &none));
}

static void what_is_no_literal_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "localhost",
        "127.1",
        "0x7f.0.0.1",
        "1.2.3.4.5",
        "1.2.3.256",
        "[::1]",
        "::1::",
        "fe80::1%",
        "fe80::1%no-such",
        "::1 ",
        "127.0.0.1:80",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd"};
    struct wr_addr addr;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (wr_addr_parse(&addr, texts[i], 1))
            fail_msg("\"%s\" was taken for an address", texts[i]);
    }
}

static void unix_paths_and_abstract_names(void **state)
{
    char longest[sizeof((struct sockaddr_un *)0)->sun_path + 1];
    char buf[WR_ADDR_TEXT];
    struct wr_addr addr;

    (void)state;
    assert_true(wr_addr_unix(&addr, "/run/x.sock"));
    assert_string_equal(wr_addr_text(&addr, buf, sizeof buf),
                        "unix:/run/x.sock");
    assert_true(wr_addr_unix(&addr, "@weir"));
    assert_string_equal(wr_addr_text(&addr, buf, sizeof buf), "unix:@weir");
    assert_int_equal(addr.len, offsetof(struct sockaddr_un, sun_path) + 5);
    assert_false(wr_addr_unix(&addr, ""));
    memset(longest, 'a', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    assert_false(wr_addr_unix(&addr, longest)); /* 108 bytes: no room for NUL */
    longest[sizeof longest - 2] = '\0';
    assert_true(wr_addr_unix(&addr, longest));
    assert_int_equal(strlen(wr_addr_text(&addr, buf, sizeof buf)), 5 + 107);
}

static void equality_looks_at_family_address_and_port(void **state)
{
    struct wr_addr a, b;

    (void)state;
    assert_true(wr_addr_parse(&a, "::1", 80));
    assert_true(wr_addr_parse(&b, "0:0::1", 81));
    assert_false(wr_addr_equal(&a, &b));
    wr_addr_set_port(&b, 80);
    assert_true(wr_addr_equal(&a, &b));
    assert_true(wr_addr_parse(&b, "127.0.0.1", 80));
    assert_false(wr_addr_equal(&a, &b));
    a = b;
    memset(((char *)&a.sa) + 8, 0x5a, 8); /* sin_zero is no part of it */
    assert_true(wr_addr_equal(&a, &b));
    assert_true(wr_addr_unix(&a, "/a"));
    assert_true(wr_addr_unix(&b, "/b"));
    assert_false(wr_addr_equal(&a, &b));
    assert_true(wr_addr_unix(&b, "/a"));
    assert_true(wr_addr_equal(&a, &b));
}

/* The order as a string: 4 and 6 with the place each had before. */
static void hosts_are_equal_whatever_the_port_and_the_room(void **state)
{
    struct wr_addr a, b;

    (void)state;
    assert_true(wr_addr_parse(&a, "127.0.0.1", 80));
    assert_true(wr_addr_parse(&b, "127.0.0.1", 81));
    b.len = 28; /* as of a structure with room for either family */
    assert_true(wr_addr_equal_host(&a, &b));
    assert_true(wr_addr_parse(&b, "127.0.0.2", 80));
    assert_false(wr_addr_equal_host(&a, &b));
    assert_true(wr_addr_parse(&a, "fe80::1%1", 80));
    assert_false(wr_addr_equal_host(&a, &b));
    assert_true(wr_addr_parse(&b, "fe80::1%1", 0));
    assert_true(wr_addr_equal_host(&a, &b));
    assert_true(wr_addr_parse(&b, "fe80::1%2", 80));
    assert_false(wr_addr_equal_host(&a, &b));
}

static void check_interleave(const char *in, const char *out)
{
    struct wr_addrs addrs = {.count = (unsigned)strlen(in)};

    for (unsigned i = 0; i < addrs.count; i++)
        assert_true(wr_addr_parse(&addrs.list[i],
                                  in[i] == '4' ? "192.0.2.1" : "2001:db8::1",
                                  (uint16_t)i));
    wr_addrs_interleave(&addrs);
    assert_int_equal(addrs.count, strlen(in));
    for (unsigned i = 0, last4 = 0, last6 = 0; i < addrs.count; i++) {
        char buf[WR_ADDR_TEXT];
        const char *text = wr_addr_text(&addrs.list[i], buf, sizeof buf);
        const bool is_v4 = addrs.list[i].sa.ss_family == AF_INET;
        unsigned *last = is_v4 ? &last4 : &last6;
        const unsigned place = (unsigned)atoi(strrchr(text, ':') + 1) + 1;

        assert_int_equal(out[i], is_v4 ? '4' : '6');
        assert_true(place > *last); /* order within a family stays */
        *last = place;
    }
}

/* RFC 8305 section 4 */
static void families_alternate_and_the_first_stays_first(void **state)
{
    (void)state;
    check_interleave("", "");
    check_interleave("4", "4");
    check_interleave("666444", "646464");
    check_interleave("444666", "464646");
    check_interleave("66664", "64666");
    check_interleave("46666", "46666");
    check_interleave("4444", "4444");
    check_interleave("6464646464646464", "6464646464646464");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ipv4_literals_are_read_and_written),
        cmocka_unit_test(ipv6_literals_are_read_and_written_in_canonical_form),
        cmocka_unit_test(a_zone_is_part_of_an_ipv6_address),
        cmocka_unit_test(what_is_no_literal_is_refused),
        cmocka_unit_test(unix_paths_and_abstract_names),
        cmocka_unit_test(equality_looks_at_family_address_and_port),
        cmocka_unit_test(hosts_are_equal_whatever_the_port_and_the_room),
        cmocka_unit_test(families_alternate_and_the_first_stays_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
