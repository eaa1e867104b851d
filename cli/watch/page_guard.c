#include "page_guard.h"

#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>
#include <strings.h>

static const struct {
    unsigned status;
    const char *why;
} verdicts[] = {
#define WATCH_X(NAME, status, why) {status, why},
    PAGE_VERDICT_TABLE(WATCH_X)
#undef WATCH_X
};

unsigned page_verdict_status(enum page_verdict verdict)
{
    return verdicts[verdict].status;
}

const char *page_verdict_why(enum page_verdict verdict)
{
    return verdicts[verdict].why;
}

/* ":8080", with any port: a tunnel may have changed it, and rebinding is a
 * matter of names. */
static bool is_port_or_nothing(const char *text)
{
    if (!*text)
        return true;
    return *text == ':' && text[1] &&
           strspn(text + 1, "0123456789") == strlen(text + 1);
}

static bool is_loopback_v4(const char *text, size_t len)
{
    char name[INET_ADDRSTRLEN];
    struct in_addr address;

    if (len >= sizeof name)
        return false;
    memcpy(name, text, len);
    name[len] = '\0';
    return inet_pton(AF_INET, name, &address) == 1 &&
           ntohl(address.s_addr) >> 24 == 127;
}

static bool is_loopback_name(const char *host)
{
    static const char local[] = "localhost";
    static const char v6[] = "[::1]";
    const size_t len = strcspn(host, ":");

    if (strncmp(host, v6, sizeof v6 - 1) == 0)
        return is_port_or_nothing(host + sizeof v6 - 1);
    if (!is_port_or_nothing(host + len))
        return false;
    return (len == sizeof local - 1 && strncasecmp(host, local, len) == 0) ||
           is_loopback_v4(host, len);
}

/* Equal or not in a time that says nothing about the token: of both the digest
 * is compared, which has one length whatever the guess. */
static bool is_equal(const char *guess, const char *token)
{
    unsigned char digests[2][EVP_MAX_MD_SIZE];
    unsigned lengths[2];

    return EVP_Digest(guess, strlen(guess), digests[0], &lengths[0],
                      EVP_sha256(), NULL) == 1 &&
           EVP_Digest(token, strlen(token), digests[1], &lengths[1],
                      EVP_sha256(), NULL) == 1 &&
           CRYPTO_memcmp(digests[0], digests[1], lengths[0]) == 0;
}

static bool has_token(const struct page_guard *guard,
                      const struct page_asker *asker)
{
    static const char scheme[] = "Bearer ";
    const char *guess = asker->authorization;

    if (!guess || strncasecmp(guess, scheme, sizeof scheme - 1) != 0)
        return false;
    guess += sizeof scheme - 1;
    return is_equal(guess + strspn(guess, " "), guard->token);
}

/* The Origin of a page that this host has served, over TLS or not: something in
 * front of us may have added that. */
static bool is_own_origin(const struct page_asker *asker)
{
    const char *origin = asker->origin;

    if (!origin)
        return true;
    if (strncmp(origin, "http://", 7) == 0)
        origin += 7;
    else if (strncmp(origin, "https://", 8) == 0)
        origin += 8;
    else
        return false; /* "null" too */
    return asker->host && strcasecmp(origin, asker->host) == 0;
}

/* Browsers say how a page and its target are related; nobody else does. */
static bool is_own_site(const struct page_asker *asker)
{
    return !asker->fetch_site || strcmp(asker->fetch_site, "same-origin") == 0;
}

enum page_verdict page_may_see(const struct page_guard *guard,
                               const struct page_asker *asker)
{
    if (guard->token)
        return has_token(guard, asker) ? PAGE_ALLOWED : PAGE_NO_TOKEN;
    if (!asker->host || !is_loopback_name(asker->host))
        return PAGE_WRONG_HOST;
    return PAGE_ALLOWED;
}

bool page_may_control(const struct page_guard *guard,
                      const struct page_asker *asker)
{
    return guard->has_control && (guard->token || asker->is_own_user);
}

enum page_verdict page_may_order(const struct page_guard *guard,
                                 const struct page_asker *asker)
{
    const enum page_verdict verdict = page_may_see(guard, asker);

    if (verdict != PAGE_ALLOWED)
        return verdict;
    if (!guard->has_control)
        return PAGE_NO_CONTROL;
    if (!is_own_origin(asker) || !is_own_site(asker))
        return PAGE_FOREIGN_ORIGIN;
    if (!asker->marker)
        return PAGE_NO_MARKER;
    return page_may_control(guard, asker) ? PAGE_ALLOWED : PAGE_OTHER_USER;
}
