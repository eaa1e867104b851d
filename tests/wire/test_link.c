/* The wire without a kernel: packets in, packets out, in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "link.h"

#define MS UINT64_C(1000000)

enum {
    PACKETS = 1000,
    V4_BYTES = 28
};

static struct rules rules;
static struct link *wire;

/* What has come out, by the number within. */
static struct {
    unsigned count;
    uint32_t numbers[2 * PACKETS];
    enum side from;
    size_t len;
    unsigned char bytes[PACKET_BYTES];
} out;

static void on_packet(void *user, enum side from, const void *bytes, size_t len)
{
    (void)user;
    out.from = from;
    out.len = len;
    memcpy(out.bytes, bytes, len);
    if (len == V4_BYTES && out.count < 2 * PACKETS)
        memcpy(&out.numbers[out.count], (const char *)bytes + 24, 4);
    out.count++;
}

static int set_up(void **state)
{
    (void)state;
    memset(&out, 0, sizeof out);
    rules_init(&rules);
    wire = link_new(&rules, on_packet, NULL);
    return wire ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    link_free(wire);
    return 0;
}

static void set(const char *name, const char *value)
{
    char why[128];

    if (!rules_set(&rules, name, value, why, sizeof why))
        fail_msg("%s", why);
}

/* UDP over IPv4, from one end's first address to `to`. */
static void send_packet(enum side from, const char *to, uint32_t number,
                        uint64_t now_ns)
{
    unsigned char bytes[V4_BYTES] = {0x45, 0, 0, V4_BYTES};

    bytes[9] = IPPROTO_UDP;
    inet_pton(AF_INET, from == NEAR ? "10.99.0.1" : to, bytes + 12);
    inet_pton(AF_INET, from == NEAR ? to : "10.99.0.1", bytes + 16);
    memcpy(bytes + 24, &number, 4);
    link_take(wire, from, bytes, sizeof bytes, now_ns);
}

static void send_many(void)
{
    for (uint32_t i = 0; i < PACKETS; i++)
        send_packet(NEAR, "10.99.0.2", i, i * MS);
    link_run(wire, UINT64_MAX);
}

static void a_wire_without_rules_delivers_at_once(void **state)
{
    (void)state;
    send_packet(FAR, "10.99.0.2", 7, 5);
    assert_int_equal(out.count, 1);
    assert_int_equal(out.numbers[0], 7);
    assert_int_equal(out.from, FAR);
    assert_true(link_run(wire, 6) == UINT64_MAX);
}

static void delay_is_kept_to_the_nanosecond(void **state)
{
    (void)state;
    set("delay-ms", "2.5");
    send_packet(NEAR, "10.99.0.2", 1, 100);
    assert_true(link_run(wire, 100) == 100 + 2500000);
    link_run(wire, 99 + 2500000);
    assert_int_equal(out.count, 0);
    link_run(wire, 100 + 2500000);
    assert_int_equal(out.count, 1);
}

static bool is_in_order(void)
{
    for (unsigned i = 1; i < out.count; i++) {
        if (out.numbers[i] < out.numbers[i - 1])
            return false;
    }
    return true;
}

static void jitter_keeps_the_order_and_reorder_does_not(void **state)
{
    (void)state;
    set("jitter-ms", "50");
    send_many();
    assert_int_equal(out.count, PACKETS);
    assert_true(is_in_order());
    memset(&out, 0, sizeof out);
    set("reorder", "10");
    set("reorder-ms", "20");
    send_many();
    assert_int_equal(out.count, PACKETS);
    assert_false(is_in_order());
}

static void loss_and_duplicates_come_in_their_share(void **state)
{
    (void)state;
    set("loss", "10");
    send_many();
    assert_in_range(link_counts(wire)->lost, 60, 140);
    assert_int_equal(out.count + link_counts(wire)->lost, PACKETS);
    memset(&out, 0, sizeof out);
    set("loss", "0");
    set("duplicate", "10");
    send_many();
    assert_in_range(out.count, PACKETS + 60, PACKETS + 140);
}

static void the_same_seed_does_the_same(void **state)
{
    static uint32_t first[PACKETS];
    unsigned count;

    (void)state;
    set("loss", "30");
    set("seed", "42");
    link_reseed(wire);
    send_many();
    count = out.count;
    memcpy(first, out.numbers, sizeof first);
    memset(&out, 0, sizeof out);
    link_reseed(wire);
    send_many();
    assert_int_equal(out.count, count);
    assert_memory_equal(out.numbers, first, count * sizeof *first);
    memset(&out, 0, sizeof out);
    set("seed", "43");
    link_reseed(wire);
    send_many();
    assert_memory_not_equal(out.numbers, first, 40 * sizeof *first);
}

static void a_hole_swallows_what_is_on_its_way(void **state)
{
    (void)state;
    set("delay-ms", "10");
    send_packet(NEAR, "10.99.0.2", 1, 0);
    send_packet(FAR, "10.99.0.2", 2, 0);
    set("hole", "near");
    send_packet(NEAR, "10.99.0.2", 3, 1);
    link_run(wire, 20 * MS);
    assert_int_equal(out.count, 1);
    assert_int_equal(out.numbers[0], 2);
    assert_int_equal(link_counts(wire)->swallowed, 2);
}

static void a_rule_may_concern_one_address(void **state)
{
    (void)state;
    set("only", "10.99.0.3");
    set("hole", "both");
    send_packet(NEAR, "10.99.0.3", 1, 0);
    send_packet(FAR, "10.99.0.3", 2, 0);
    send_packet(NEAR, "10.99.0.2", 3, 0);
    send_packet(FAR, "10.99.0.2", 4, 0);
    assert_int_equal(out.count, 2);
    assert_int_equal(out.numbers[0], 3);
    assert_int_equal(out.numbers[1], 4);
}

/* The Internet checksum over what holds its own is 0 (RFC 1071). */
static uint16_t sum_of(const unsigned char *bytes, size_t len)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < len; i++)
        sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static void a_router_answers_in_form(void **state)
{
    (void)state;
    set("unreachable", "host");
    send_packet(NEAR, "10.99.0.2", 1, 0);
    assert_int_equal(out.count, 1);
    assert_int_equal(out.from, FAR); /* so it goes to the near end */
    assert_int_equal(out.len, 20 + 8 + V4_BYTES);
    assert_int_equal(out.bytes[20], 3);
    assert_int_equal(out.bytes[21], 1);
    assert_int_equal(sum_of(out.bytes, 20), 0);
    assert_int_equal(sum_of(out.bytes + 20, out.len - 20), 0);
    assert_int_equal(link_counts(wire)->refused, 1);
    send_packet(FAR, "10.99.0.2", 2, 0); /* the way back is open */
    assert_int_equal(out.count, 2);
}

static void a_router_answers_ipv6_in_form(void **state)
{
    unsigned char bytes[48] = {0x60, 0, 0, 0, 0, 8, IPPROTO_UDP, 64};
    unsigned char pseudo[PACKET_BYTES + 40] = {0};

    (void)state;
    bytes[8] = bytes[24] = 0xfd;
    bytes[23] = 1;
    bytes[39] = 2;
    set("unreachable", "port");
    link_take(wire, NEAR, bytes, sizeof bytes, 0);
    assert_int_equal(out.len, 40 + 8 + sizeof bytes);
    assert_int_equal(out.bytes[40], 1);
    assert_int_equal(out.bytes[41], 4);
    memcpy(pseudo, out.bytes + 8, 32);
    pseudo[35] = (unsigned char)(out.len - 40);
    pseudo[39] = IPPROTO_ICMPV6;
    memcpy(pseudo + 40, out.bytes + 40, out.len - 40);
    assert_int_equal(sum_of(pseudo, out.len), 0);
}

static void a_rule_that_is_none_changes_nothing(void **state)
{
    static const char *const bad[][2] = {
        {"loss", "101"},  {"loss", "-1"},     {"loss", "x"},
        {"loss", ""},     {"delay-ms", "1x"}, {"delay-ms", "nan"},
        {"hole", "some"}, {"only", "here"},   {"unreachable", "x"},
        {"seed", "-1"},   {"lose", "1"}};
    const struct rules before = rules;
    char why[128];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(rules_set(&rules, bad[i][0], bad[i][1], why, sizeof why));
        assert_non_null(strstr(why, bad[i][0]));
    }
    assert_memory_equal(&rules, &before, sizeof rules);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_wire_without_rules_delivers_at_once),
        TEST(delay_is_kept_to_the_nanosecond),
        TEST(jitter_keeps_the_order_and_reorder_does_not),
        TEST(loss_and_duplicates_come_in_their_share),
        TEST(the_same_seed_does_the_same),
        TEST(a_hole_swallows_what_is_on_its_way),
        TEST(a_rule_may_concern_one_address),
        TEST(a_router_answers_in_form),
        TEST(a_router_answers_ipv6_in_form),
        TEST(a_rule_that_is_none_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
