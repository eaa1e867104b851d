#include "http/no_proxy.h"

#include <arpa/inet.h>
#include <string.h>

#include "http/ascii.h"
#include "http/host.h"

/* An address as 16 bytes; an IPv4 one is mapped (RFC 4291 section 2.5.5.2). */
struct address {
    unsigned char bytes[16];
    bool is_ipv4;
};

/* Whom the entries are held against. */
struct subject {
    const char *host;
    size_t len;
    uint16_t port;
    bool is_address;
    struct address address;
};

/* An entry, or a part of one. */
struct span {
    const char *at;
    const char *end;
};

static size_t length(struct span span)
{
    return (size_t)(span.end - span.at);
}

static bool parse_address(struct span text, struct address *ret)
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    const size_t len = length(text);
    char copy[INET6_ADDRSTRLEN];

    if (len >= sizeof copy)
        return false;
    memcpy(copy, text.at, len);
    copy[len] = '\0';
    memcpy(ret->bytes, mapped, sizeof mapped);
    ret->is_ipv4 = inet_pton(AF_INET, copy, ret->bytes + 12) == 1;
    if (ret->is_ipv4)
        return true;
    if (inet_pton(AF_INET6, copy, ret->bytes) != 1)
        return false;
    ret->is_ipv4 = memcmp(ret->bytes, mapped, sizeof mapped) == 0;
    return true;
}

/* 0 to `max` in decimal, at most 5 digits; -1 else. */
static long parse_number(struct span text, long max)
{
    long number = 0;

    if (length(text) == 0 || length(text) > 5)
        return -1;
    for (; text.at < text.end; text.at++) {
        if (!wr_is_digit(*text.at))
            return -1;
        number = number * 10 + (*text.at - '0');
    }
    return number <= max ? number : -1;
}

static bool has_prefix(const struct address *address,
                       const struct address *prefix, unsigned bits)
{
    const unsigned whole = bits / 8;
    const unsigned rest = bits % 8;

    if (memcmp(address->bytes, prefix->bytes, whole) != 0)
        return false;
    return rest == 0 ||
           (address->bytes[whole] ^ prefix->bytes[whole]) >> (8 - rest) == 0;
}

/* `tail` is what stands behind the address: nothing, ":port" or "/bits". */
static bool matches_address(struct span text, struct span tail,
                            const struct subject *subject)
{
    struct address entry;
    long number;

    if (!subject->is_address || !parse_address(text, &entry) ||
        entry.is_ipv4 != subject->address.is_ipv4)
        return false;
    if (length(tail) == 0)
        return has_prefix(&subject->address, &entry, 128);
    if (*tail.at++ == ':')
        return parse_number(tail, 65535) == subject->port &&
               has_prefix(&subject->address, &entry, 128);
    /* ::ffff:10.0.0.0/104 counts all bits, 10.0.0.0/8 those of IPv4. */
    if (entry.is_ipv4 && !memchr(text.at, ':', length(text))) {
        number = parse_number(tail, 32);
        return number >= 0 &&
               has_prefix(&subject->address, &entry, 96 + (unsigned)number);
    }
    number = parse_number(tail, 128);
    return number >= 0 &&
           has_prefix(&subject->address, &entry, (unsigned)number);
}

/* The host itself, or a subdomain. */
static bool matches_name(struct span text, const struct subject *subject)
{
    struct wr_host name;
    size_t before;

    if (subject->is_address)
        return false;
    if (length(text) > 1 && text.at[0] == '*' && text.at[1] == '.')
        text.at++;
    if (length(text) > 0 && *text.at == '.')
        text.at++;
    if (length(text) == 0 || *text.at == '[' ||
        wr_host_parse(&name, text.at, 0, length(text), NULL) != WEIR_OK ||
        name.kind != WR_HOST_NAME || name.len > subject->len)
        return false;
    before = subject->len - name.len;
    return memcmp(subject->host + before, name.text, name.len) == 0 &&
           (before == 0 || subject->host[before - 1] == '.');
}

/* Where an address or a name ends: at the bracket, or at ":" or "/"; an
 * address of IPv6 without brackets has more than one colon. */
static const char *find_tail(struct span *entry)
{
    const char *colon;
    const char *slash;
    const char *end;

    if (*entry->at == '[') {
        end = memchr(entry->at, ']', length(*entry));
        entry->at++;
        return end;
    }
    colon = memchr(entry->at, ':', length(*entry));
    slash = memchr(entry->at, '/', length(*entry));
    if (colon && memchr(colon + 1, ':', (size_t)(entry->end - colon - 1)))
        colon = NULL;
    end = slash ? slash : colon;
    return end ? end : entry->end;
}

static bool matches(struct span entry, const struct subject *subject)
{
    const bool is_bracketed = *entry.at == '[';
    struct span text = entry;
    struct span tail;

    if (length(entry) == 1 && *entry.at == '*')
        return true;
    text.end = find_tail(&text);
    if (!text.end)
        return false;
    tail = (struct span){text.end + is_bracketed, entry.end};
    if (length(tail) && *tail.at != ':' && *tail.at != '/')
        return false;
    if (subject->is_address)
        return matches_address(text, tail, subject);
    if (is_bracketed || (length(tail) && *tail.at++ == '/'))
        return false;
    if (text.end < entry.end && parse_number(tail, 65535) != subject->port)
        return false;
    return matches_name(text, subject);
}

static bool is_between(char c)
{
    return c == ',' || wr_is_blank(c) || c == '\n' || c == '\r';
}

bool wr_no_proxy_has(const char *list, const char *host, uint16_t port)
{
    struct subject subject = {.host = host, .len = strlen(host), .port = port};
    const char *zone = memchr(host, '%', subject.len);
    struct span entry = {list, list};

    subject.is_address =
        parse_address((struct span){host, zone ? zone : host + subject.len},
                      &subject.address);
    for (; *entry.end; entry.at = entry.end) {
        while (is_between(*entry.at))
            entry.at++;
        entry.end = entry.at;
        while (*entry.end && !is_between(*entry.end))
            entry.end++;
        if (entry.end > entry.at && matches(entry, &subject))
            return true;
    }
    return false;
}
