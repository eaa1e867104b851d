#include "http/host.h"

#include <arpa/inet.h>
#include <string.h>

#if defined(WEIR_HAVE_IDNA)
#include <idn2.h>
#endif

#include "base/error.h"
#include "http/ascii.h"
#include "http/specimen.h"

/* The part of a text that is being read, for messages. */
struct source {
    const char *text;
    size_t from;
    size_t to;
    weir_error *err;
};

static weir_status refuse(const struct source *source, size_t offset,
                          const char *expected)
{
    return wr_error_at(
        source->err, WEIR_E_URL, offset,
        "invalid URL: host at byte %zu: found %s in %s, expected %s", offset,
        wr_specimen_at(source->text, offset, source->to).text,
        wr_specimen(source->text + source->from, source->to - source->from)
            .text,
        expected);
}

static bool is_name_byte(char c)
{
    c = wr_lower(c);
    return (c >= 'a' && c <= 'z') || wr_is_digit(c) || c == '-' || c == '_' ||
           c == '.';
}

/* --- IPv4 ------------------------------------------------------------------
 */

/* Would some resolver take the name for a number?  That is so when its last
 * label is all digits, or 0x and hex digits. */
static bool ends_in_number(const char *name, size_t len)
{
    size_t at = len;
    bool all_digits = true;

    while (at > 0 && name[at - 1] != '.')
        at--;
    for (size_t i = at; i < len; i++)
        all_digits = all_digits && wr_is_digit(name[i]);
    if (all_digits)
        return true;
    if (len - at < 2 || name[at] != '0' || wr_lower(name[at + 1]) != 'x')
        return false;
    for (size_t i = at + 2; i < len; i++) {
        if (wr_hex_value(name[i]) < 0)
            return false;
    }
    return true;
}

/* Four decimal numbers of 0 to 255 without leading zeros.  All other forms
 * that inet_aton() takes (octal, hex, fewer numbers) are read differently by
 * different programs, which is how filters are passed by. */
static bool is_dotted_quad(const char *name, size_t len)
{
    size_t at = 0;

    for (int number = 0; number < 4; number++) {
        const size_t first = at;
        unsigned value = 0;

        while (at < len && at - first < 3 && wr_is_digit(name[at]))
            value = value * 10 + (unsigned)(name[at++] - '0');
        if (at == first || value > 255 ||
            (name[first] == '0' && at - first > 1))
            return false;
        if (number < 3 && (at == len || name[at++] != '.'))
            return false;
    }
    return at == len;
}

/* --- names -----------------------------------------------------------------
 */

/* Checks the labels of name[0, len); *ret_at is the bad byte. */
static const char *check_labels(const char *name, size_t len, size_t *ret_at)
{
    size_t label = 0;

    for (size_t i = 0; i <= len; i++) {
        if (i < len && !is_name_byte(name[i])) {
            *ret_at = i;
            return "a letter, digit, '-', '_' or '.'";
        }
        if (i < len && name[i] != '.')
            continue;
        *ret_at = label + WR_LABEL_MAX;
        if (i - label > WR_LABEL_MAX)
            return "a label of at most 63 bytes";
        *ret_at = i;
        if (i == label)
            return "a label before it";
        label = i + 1;
    }
    *ret_at = WR_HOST_NAME_MAX;
    return len > WR_HOST_NAME_MAX ? "a name of at most 253 bytes" : NULL;
}

/* Takes a name in ASCII.  `ascii_at` is the offset of name[0] in the source,
 * or SIZE_MAX when it was converted: errors then point to the whole host. */
static weir_status take_ascii(struct wr_host *host, const struct source *source,
                              const char *name, size_t len, size_t ascii_at)
{
    const bool is_source = ascii_at != SIZE_MAX;
    const char *expected;
    size_t at = 0;

    if (len > 0 && name[len - 1] == '.')
        len--; /* the root: "example.org." is the same host */
    if (len == 0)
        return refuse(source, source->from, "a host name");
    expected = check_labels(name, len, &at);
    if (expected)
        return refuse(source, is_source ? ascii_at + at : source->from,
                      expected);
    host->kind = WR_HOST_NAME;
    if (ends_in_number(name, len)) {
        if (!is_dotted_quad(name, len))
            return refuse(source, source->from,
                          "an IPv4 address of four decimal numbers, or a name");
        host->kind = WR_HOST_IPV4;
    }
    for (size_t i = 0; i < len; i++)
        host->text[i] = wr_lower(name[i]);
    host->text[len] = '\0';
    host->len = len;
    host->address_len = len;
    return WEIR_OK;
}

#if defined(WEIR_HAVE_IDNA)

/* Converts a name that is not ASCII (RFC 5891, UTS 46 without transition). */
static weir_status take_international(struct wr_host *host,
                                      const struct source *source,
                                      size_t offset)
{
    const size_t len = source->to - source->from;
    /* UTF-8 takes at most 4 bytes for what becomes at least 1. */
    char name[4 * WR_HOST_NAME_MAX + 1];
    uint8_t *ascii = NULL;
    weir_status status;
    int code;

    if (len >= sizeof name)
        return refuse(source, source->from + WR_HOST_NAME_MAX,
                      "a shorter name");
    memcpy(name, source->text + source->from, len);
    name[len] = '\0';
    code = idn2_lookup_u8((const uint8_t *)name, &ascii,
                          IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    if (code == IDN2_MALLOC)
        return wr_error_no_memory(source->err);
    if (code != IDN2_OK)
        return wr_error_at(source->err, WEIR_E_URL, offset,
                           "invalid URL: host at byte %zu: found %s, expected "
                           "an international name: %s",
                           offset, wr_specimen(name, len).text,
                           idn2_strerror(code));
    status = take_ascii(host, source, (const char *)ascii,
                        strlen((const char *)ascii), SIZE_MAX);
    idn2_free(ascii);
    return status;
}

#else

static weir_status take_international(struct wr_host *host,
                                      const struct source *source,
                                      size_t offset)
{
    (void)host;
    return refuse(source, offset,
                  "ASCII (this build has no IDNA; write the name as xn--...)");
}

#endif

/* A name may hold bytes above ASCII, but no other byte that is none of a
 * name's: found here so that the offset is right. */
static weir_status take_name(struct wr_host *host, const struct source *source)
{
    const char *text = source->text;
    size_t foreign = source->to;

    for (size_t i = source->from; i < source->to; i++) {
        if ((unsigned char)text[i] >= 0x80)
            foreign = foreign < i ? foreign : i;
        else if (!is_name_byte(text[i]))
            return refuse(source, i, "a letter, digit, '-', '_' or '.'");
    }
    if (foreign < source->to)
        return take_international(host, source, foreign);
    return take_ascii(host, source, text + source->from,
                      source->to - source->from, source->from);
}

/* --- IPv6 ------------------------------------------------------------------
 */

/* Reads one byte of a zone (RFC 6874: unreserved or percent-encoded) at *at.
 * Returns 0 when there is none that an interface's name could have. */
static char take_zone_byte(const char *text, size_t *at, size_t to)
{
    const char c = text[*at];

    if (c == '%' && to - *at >= 3) {
        const int value =
            wr_hex_value(text[*at + 1]) * 16 + wr_hex_value(text[*at + 2]);

        if (wr_hex_value(text[*at + 1]) < 0 ||
            wr_hex_value(text[*at + 2]) < 0 || value <= ' ' || value >= 0x7f ||
            value == '%' || value == '/')
            return 0;
        *at += 3;
        return (char)value;
    }
    if (!is_name_byte(c) && c != '~')
        return 0;
    ++*at;
    return c;
}

/* Appends "%zone" from text[from, to), which begins with "%25". */
static weir_status take_zone(struct wr_host *host, const struct source *source,
                             size_t from, size_t to)
{
    const char *text = source->text;
    const size_t first = host->len + 1;
    size_t at = from + 3;

    if (to - from < 3 || memcmp(text + from, "%25", 3) != 0)
        return refuse(source, from, "%25 before a zone");
    host->text[host->len++] = '%';
    while (at < to) {
        char c;

        if (host->len - first == WR_ZONE_MAX)
            return refuse(source, at, "a zone of at most 15 bytes");
        c = take_zone_byte(text, &at, to);
        if (!c)
            return refuse(source, at, "the name of an interface");
        host->text[host->len++] = c;
    }
    host->text[host->len] = '\0';
    if (host->len == first)
        return refuse(source, at, "a zone");
    return WEIR_OK;
}

static weir_status take_ipv6(struct wr_host *host, const struct source *source)
{
    const size_t first = source->from + 1;
    const size_t last = source->to - 1;
    const char *text = source->text;
    char literal[INET6_ADDRSTRLEN];
    struct in6_addr address;
    size_t end = first;

    while (end < last && (wr_hex_value(text[end]) >= 0 || text[end] == ':' ||
                          text[end] == '.'))
        end++;
    if (end < last && text[end] != '%')
        return refuse(source, end, "an IPv6 address");
    if (end - first >= sizeof literal)
        return refuse(source, first, "an IPv6 address");
    memcpy(literal, text + first, end - first);
    literal[end - first] = '\0';
    if (inet_pton(AF_INET6, literal, &address) != 1)
        return refuse(source, first, "an IPv6 address");
    inet_ntop(AF_INET6, &address, host->text, INET6_ADDRSTRLEN);
    host->kind = WR_HOST_IPV6;
    host->len = strlen(host->text);
    host->address_len = host->len;
    return end < last ? take_zone(host, source, end, last) : WEIR_OK;
}

weir_status wr_host_parse(struct wr_host *ret_host, const char *text,
                          size_t from, size_t to, weir_error *ret_err)
{
    const struct source source = {text, from, to, ret_err};

    if (from < to && text[from] == '[')
        return take_ipv6(ret_host, &source);
    return take_name(ret_host, &source);
}
