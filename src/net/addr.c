#include "net/addr.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

/* The storage is read and written by copy: a pointer of another type into it
 * would be a guess about what the compiler lets pass. */
static struct sockaddr_in get_v4(const struct wr_addr *addr)
{
    struct sockaddr_in v4;

    memcpy(&v4, &addr->sa, sizeof v4);
    return v4;
}

static struct sockaddr_in6 get_v6(const struct wr_addr *addr)
{
    struct sockaddr_in6 v6;

    memcpy(&v6, &addr->sa, sizeof v6);
    return v6;
}

static void set(struct wr_addr *addr, const void *sa, size_t sa_len,
                socklen_t len)
{
    memset(addr, 0, sizeof *addr);
    memcpy(&addr->sa, sa, sa_len);
    addr->len = len;
}

/* A zone is an interface's name or number (RFC 4007 section 11.2); 0 = no such
 * interface. */
static uint32_t parse_zone(const char *zone)
{
    uint32_t number = 0;

    for (const char *p = zone; *p; p++) {
        if (*p < '0' || *p > '9' || number > UINT32_MAX / 10 - 9)
            return if_nametoindex(zone);
        number = number * 10 + (uint32_t)(*p - '0');
    }
    return number;
}

static bool parse_v6(struct sockaddr_in6 *ret_v6, const char *text)
{
    const char *zone = strchr(text, '%');
    const size_t len = zone ? (size_t)(zone - text) : strlen(text);
    char digits[INET6_ADDRSTRLEN];

    if (len >= sizeof digits)
        return false;
    memcpy(digits, text, len);
    digits[len] = '\0';
    if (inet_pton(AF_INET6, digits, &ret_v6->sin6_addr) != 1)
        return false;
    if (zone)
        ret_v6->sin6_scope_id = parse_zone(zone + 1);
    return !zone || ret_v6->sin6_scope_id;
}

bool wr_addr_parse(struct wr_addr *ret_addr, const char *text, uint16_t port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
                              .sin6_port = htons(port)};

    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        set(ret_addr, &v4, sizeof v4, sizeof v4);
    else if (parse_v6(&v6, text))
        set(ret_addr, &v6, sizeof v6, sizeof v6);
    else
        return false;
    return true;
}

bool wr_addr_unix(struct wr_addr *ret_addr, const char *path)
{
    const size_t head = offsetof(struct sockaddr_un, sun_path);
    const size_t len = strlen(path);
    const bool is_abstract = path[0] == '@';
    struct sockaddr_un un;

    if (len == 0 || len >= sizeof un.sun_path)
        return false;
    memset(&un, 0, sizeof un);
    un.sun_family = AF_UNIX;
    memcpy(un.sun_path, path, len);
    if (is_abstract)
        un.sun_path[0] = '\0';
    /* The length tells where an abstract name ends; a path has its NUL. */
    set(ret_addr, &un, sizeof un, (socklen_t)(head + len + !is_abstract));
    return true;
}

void wr_addr_set_port(struct wr_addr *addr, uint16_t port)
{
    if (addr->sa.ss_family == AF_INET) {
        struct sockaddr_in v4 = get_v4(addr);

        v4.sin_port = htons(port);
        memcpy(&addr->sa, &v4, sizeof v4);
    } else if (addr->sa.ss_family == AF_INET6) {
        struct sockaddr_in6 v6 = get_v6(addr);

        v6.sin6_port = htons(port);
        memcpy(&addr->sa, &v6, sizeof v6);
    }
}

/* Padding, and the flow label of IPv6, are no part of an address. */
static bool equal(const struct wr_addr *a, const struct wr_addr *b,
                  bool with_port)
{
    if (a->sa.ss_family != b->sa.ss_family)
        return false;
    if (a->sa.ss_family == AF_INET) {
        const struct sockaddr_in x = get_v4(a), y = get_v4(b);

        return (!with_port || x.sin_port == y.sin_port) &&
               x.sin_addr.s_addr == y.sin_addr.s_addr;
    }
    if (a->sa.ss_family == AF_INET6) {
        const struct sockaddr_in6 x = get_v6(a), y = get_v6(b);

        return (!with_port || x.sin6_port == y.sin6_port) &&
               x.sin6_scope_id == y.sin6_scope_id &&
               memcmp(&x.sin6_addr, &y.sin6_addr, sizeof x.sin6_addr) == 0;
    }
    return a->len == b->len && memcmp(&a->sa, &b->sa, a->len) == 0;
}

bool wr_addr_equal(const struct wr_addr *a, const struct wr_addr *b)
{
    return a->len == b->len && equal(a, b, true);
}

bool wr_addr_equal_host(const struct wr_addr *a, const struct wr_addr *b)
{
    return equal(a, b, false);
}

static void text_v4(const struct sockaddr_in *v4, char *buf, size_t cap)
{
    char digits[INET_ADDRSTRLEN];

    inet_ntop(AF_INET, &v4->sin_addr, digits, sizeof digits);
    snprintf(buf, cap, "%s:%u", digits, (unsigned)ntohs(v4->sin_port));
}

static void text_v6(const struct sockaddr_in6 *v6, char *buf, size_t cap)
{
    char digits[INET6_ADDRSTRLEN];
    char zone[IF_NAMESIZE + 1] = "", name[IF_NAMESIZE];

    inet_ntop(AF_INET6, &v6->sin6_addr, digits, sizeof digits);
    if (v6->sin6_scope_id && if_indextoname(v6->sin6_scope_id, name))
        snprintf(zone, sizeof zone, "%%%s", name);
    else if (v6->sin6_scope_id)
        snprintf(zone, sizeof zone, "%%%u", (unsigned)v6->sin6_scope_id);
    snprintf(buf, cap, "[%s%s]:%u", digits, zone,
             (unsigned)ntohs(v6->sin6_port));
}

static void text_unix(const struct wr_addr *addr, char *buf, size_t cap)
{
    const size_t head = offsetof(struct sockaddr_un, sun_path);
    const char *path = (const char *)&addr->sa + head;
    const size_t len = addr->len > head ? addr->len - head : 0;

    if (len == 0)
        snprintf(buf, cap, "unix:");
    else if (path[0] == '\0')
        snprintf(buf, cap, "unix:@%.*s", (int)(len - 1), path + 1);
    else
        snprintf(buf, cap, "unix:%.*s", (int)len, path);
}

const char *wr_addr_text(const struct wr_addr *addr, char *buf, size_t cap)
{
    if (addr->sa.ss_family == AF_INET) {
        const struct sockaddr_in v4 = get_v4(addr);

        text_v4(&v4, buf, cap);
    } else if (addr->sa.ss_family == AF_INET6) {
        const struct sockaddr_in6 v6 = get_v6(addr);

        text_v6(&v6, buf, cap);
    } else if (addr->sa.ss_family == AF_UNIX) {
        text_unix(addr, buf, cap);
    } else {
        snprintf(buf, cap, "?");
    }
    return buf;
}

/* Index of the first address from `from` on whose family is (or is not)
 * `family`; count when there is none. */
static unsigned next_of(const struct wr_addrs *addrs, unsigned from,
                        sa_family_t family, bool same)
{
    while (from < addrs->count &&
           (addrs->list[from].sa.ss_family == family) != same)
        from++;
    return from;
}

void wr_addrs_interleave(struct wr_addrs *addrs)
{
    const struct wr_addrs in = *addrs;
    const sa_family_t family = in.count ? in.list[0].sa.ss_family : AF_UNSPEC;
    unsigned same = next_of(&in, 0, family, true);
    unsigned other = next_of(&in, 0, family, false);
    unsigned out = 0;

    while (same < in.count || other < in.count) {
        if (same < in.count) {
            addrs->list[out++] = in.list[same];
            same = next_of(&in, same + 1, family, true);
        }
        if (other < in.count) {
            addrs->list[out++] = in.list[other];
            other = next_of(&in, other + 1, family, false);
        }
    }
}
