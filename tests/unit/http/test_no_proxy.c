/* What is reached without a proxy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/host.h"
#include "http/no_proxy.h"

struct probe {
    const char *list;
    const char *host;
    unsigned short port; /* 0 = 80 */
};

static void check(const struct probe *probes, size_t count, bool wanted)
{
    for (size_t i = 0; i < count; i++) {
        const struct probe *p = &probes[i];

        if (wr_no_proxy_has(p->list, p->host, p->port ? p->port : 80) != wanted)
            fail_msg("\"%s\" and %s:%u: wanted %d", p->list, p->host,
                     (unsigned)p->port, (int)wanted);
    }
}

#define HAS(...)                                                               \
    do {                                                                       \
        static const struct probe probes[] = {__VA_ARGS__};                    \
        check(probes, sizeof probes / sizeof *probes, true);                   \
    } while (0)
#define HAS_NOT(...)                                                           \
    do {                                                                       \
        static const struct probe probes[] = {__VA_ARGS__};                    \
        check(probes, sizeof probes / sizeof *probes, false);                  \
    } while (0)

static void names_and_their_subdomains(void **state)
{
    (void)state;
    HAS({"example.org", "example.org", 0}, {"example.org", "a.example.org", 0},
        {".example.org", "example.org", 0},
        {".example.org", "a.example.org", 0},
        {"*.example.org", "a.b.example.org", 0}, {"org", "example.org", 0},
        {"EXAMPLE.Org.", "example.org", 0}, {"localhost", "localhost", 0});
    HAS_NOT({"example.org", "badexample.org", 0},
            {"a.example.org", "example.org", 0},
            {"example.org", "example.org.evil", 0},
            {"xample.org", "example.org", 0}, {"example.*", "example.org", 0});
}

static void lists(void **state)
{
    (void)state;
    HAS({"*", "example.org", 0}, {"*", "::1", 0}, {" a , b ,c", "b", 0},
        {"a b\tc", "c", 0}, {"x,*", "example.org", 0}, {",,a,,", "a", 0});
    HAS_NOT({"", "a", 0}, {" , ", "a", 0}, {"a,b", "c", 0}, {"*a", "ba", 0});
}

static void ports(void **state)
{
    (void)state;
    HAS({"a:80", "a", 80}, {".a:443", "b.a", 443},
        {"10.0.0.1:80", "10.0.0.1", 80}, {"[::1]:80", "::1", 80},
        {"[::1]", "::1", 81}, {"a", "a", 8080});
    HAS_NOT({"a:80", "a", 81}, {"10.0.0.1:80", "10.0.0.1", 81},
            {"[::1]:80", "::1", 81}, {"a:", "a", 80}, {"a:x", "a", 80},
            {"a:99999", "a", 80}, {"a:000080", "a", 80});
}

static void addresses_in_any_spelling(void **state)
{
    (void)state;
    HAS({"127.0.0.1", "127.0.0.1", 0}, {"0:0:0::1", "::1", 0},
        {"2001:DB8::0001", "2001:db8::1", 0},
        {"[2001:db8::1]", "2001:db8::1", 0}, {"::ffff:10.0.0.1", "10.0.0.1", 0},
        {"10.0.0.1", "::ffff:10.0.0.1", 0}, {"fe80::1", "fe80::1%eth0", 0});
    HAS_NOT({"127.0.0.1", "127.0.0.2", 0}, {"::1", "::2", 0},
            {"0.0.1", "127.0.0.1", 0}, {"127.1", "127.0.0.1", 0},
            {"127.0.0.1", "localhost", 0}, {"localhost", "127.0.0.1", 0},
            {"::1", "0.0.0.1", 0}, {"[::1", "::1", 0}, {"[::1]x", "::1", 0});
}

static void prefixes(void **state)
{
    (void)state;
    HAS({"10.0.0.0/8", "10.255.0.1", 0}, {"10.1.2.3/8", "10.9.9.9", 0},
        {"192.0.2.128/25", "192.0.2.129", 0}, {"0.0.0.0/0", "192.0.2.1", 0},
        {"192.0.2.1/32", "192.0.2.1", 0}, {"2001:db8::/32", "2001:db8:1::9", 0},
        {"[2001:db8::]/33", "2001:db8:7fff::", 0}, {"::/0", "::1", 0},
        {"::ffff:10.0.0.0/104", "10.1.1.1", 0},
        {"10.0.0.0/8", "::ffff:10.0.0.1", 0});
    HAS_NOT({"10.0.0.0/8", "11.0.0.1", 0}, {"192.0.2.128/25", "192.0.2.1", 0},
            {"10.0.0.0/33", "10.0.0.1", 0}, {"10.0.0.0/", "10.0.0.0", 0},
            {"10.0.0.0/-1", "10.0.0.0", 0}, {"10.0.0.0/8x", "10.0.0.1", 0},
            {"2001:db8::/129", "2001:db8::", 0}, {"::/0", "10.0.0.1", 0},
            {"[2001:db8::]/33", "2001:db8:8000::", 0},
            {"0.0.0.0/0", "2001:db8::1", 0},
            {"example.org/8", "example.org", 0});
}

static void names_are_compared_as_a_labels(void **state)
{
    struct wr_host host;

    (void)state;
    if (wr_host_parse(&host,
                      "b\xc3\xbc"
                      "cher",
                      0, 6, NULL) != WEIR_OK)
        skip(); /* this build has no IDNA */
    HAS({"b\xc3\xbc"
         "cher.example",
         "xn--bcher-kva.example", 0});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_their_subdomains),
        cmocka_unit_test(lists),
        cmocka_unit_test(ports),
        cmocka_unit_test(addresses_in_any_spelling),
        cmocka_unit_test(prefixes),
        cmocka_unit_test(names_are_compared_as_a_labels),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
