/* A router's "unreachable" (RFC 792, RFC 4443 section 3.1). */
#include "link.h"

#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <string.h>

enum {
    V4_HEADER = 20,
    V6_HEADER = 40,
    ICMP_HEADER = 8,
    V4_QUOTED = 8,    /* bytes behind the header that are sent back */
    V6_QUOTED = 1232, /* what fits into 1280 bytes */
    HOPS = 64
};

static uint32_t add(uint32_t sum, const unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
    return sum;
}

/* The Internet checksum (RFC 1071), into two bytes. */
static void put_sum(unsigned char *at, uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    sum = ~sum & 0xffff;
    at[0] = (unsigned char)(sum >> 8);
    at[1] = (unsigned char)sum;
}

static void put16(unsigned char *at, size_t value)
{
    at[0] = (unsigned char)(value >> 8);
    at[1] = (unsigned char)value;
}

static size_t answer_v4(const unsigned char *packet, size_t len,
                        enum unreachable kind, unsigned char *answer)
{
    static const unsigned char codes[] = {
        [NET_UNREACHABLE] = ICMP_NET_UNREACH,
        [HOST_UNREACHABLE] = ICMP_HOST_UNREACH,
        [PORT_UNREACHABLE] = ICMP_PORT_UNREACH,
        [ADMIN_PROHIBITED] = ICMP_PKT_FILTERED,
    };
    const size_t header = (size_t)(packet[0] & 15) * 4;
    const size_t quoted = header + V4_QUOTED < len ? header + V4_QUOTED : len;
    const size_t size = V4_HEADER + ICMP_HEADER + quoted;
    unsigned char *icmp = answer + V4_HEADER;

    if (packet[9] == IPPROTO_ICMP)
        return 0;
    memset(answer, 0, V4_HEADER + ICMP_HEADER);
    answer[0] = 0x45;
    put16(answer + 2, size);
    answer[8] = HOPS;
    answer[9] = IPPROTO_ICMP;
    memcpy(answer + 12, packet + 16, 4); /* as if from where it should go */
    memcpy(answer + 16, packet + 12, 4);
    put_sum(answer + 10, add(0, answer, V4_HEADER));
    icmp[0] = ICMP_DEST_UNREACH;
    icmp[1] = codes[kind];
    memcpy(icmp + ICMP_HEADER, packet, quoted);
    put_sum(icmp + 2, add(0, icmp, ICMP_HEADER + quoted));
    return size;
}

static size_t answer_v6(const unsigned char *packet, size_t len,
                        enum unreachable kind, unsigned char *answer)
{
    static const unsigned char codes[] = {
        [NET_UNREACHABLE] = ICMP6_DST_UNREACH_NOROUTE,
        [HOST_UNREACHABLE] = ICMP6_DST_UNREACH_ADDR,
        [PORT_UNREACHABLE] = ICMP6_DST_UNREACH_NOPORT,
        [ADMIN_PROHIBITED] = ICMP6_DST_UNREACH_ADMIN,
    };
    const size_t quoted = len < V6_QUOTED ? len : V6_QUOTED;
    const size_t size = ICMP_HEADER + quoted;
    unsigned char *icmp = answer + V6_HEADER;

    if (packet[6] == IPPROTO_ICMPV6)
        return 0;
    memset(answer, 0, V6_HEADER + ICMP_HEADER);
    answer[0] = 0x60;
    put16(answer + 4, size);
    answer[6] = IPPROTO_ICMPV6;
    answer[7] = HOPS;
    memcpy(answer + 8, packet + 24, 16);
    memcpy(answer + 24, packet + 8, 16);
    icmp[0] = ICMP6_DST_UNREACH;
    icmp[1] = codes[kind];
    memcpy(icmp + ICMP_HEADER, packet, quoted);
    put_sum(icmp + 2, add(add((uint32_t)size + IPPROTO_ICMPV6, answer + 8, 32),
                          icmp, size));
    return V6_HEADER + size;
}

size_t make_unreachable(const unsigned char *packet, size_t len,
                        enum unreachable kind, unsigned char *answer,
                        size_t cap)
{
    if (kind == REACHABLE || cap < V6_HEADER + ICMP_HEADER + V6_QUOTED)
        return 0;
    if (len >= V4_HEADER && packet[0] >> 4 == 4)
        return answer_v4(packet, len, kind, answer);
    if (len >= V6_HEADER && packet[0] >> 4 == 6)
        return answer_v6(packet, len, kind, answer);
    return 0;
}
