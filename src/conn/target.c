#include "conn/target.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

/* Length first, so that no two lists of parts give the same bytes; a part that
 * is not there differs from one that is empty. */
static bool add_part(struct wr_buf *key, const void *bytes, size_t len)
{
    const uint32_t mark = bytes ? (uint32_t)len : UINT32_MAX;

    return wr_buf_append(key, &mark, sizeof mark) &&
           (!bytes || wr_buf_append(key, bytes, len));
}

static bool add_text(struct wr_buf *key, const char *text)
{
    return add_part(key, text, text ? strlen(text) : 0);
}

static const struct wr_proxy *proxy_of(const struct wr_target_parts *parts)
{
    const bool is_direct = !parts->proxy ||
                           parts->proxy->kind == WR_PROXY_NONE ||
                           parts->unix_path;

    return is_direct ? NULL : parts->proxy;
}

static bool is_tunnelled(const struct wr_target_parts *parts,
                         const struct wr_proxy *proxy)
{
    return parts->tls || wr_proxy_is_socks(proxy);
}

/* What begins every key: two keys of different use differ here. */
enum key_use {
    KEY_PLAIN,
    KEY_TLS,
    KEY_HOP,
    KEY_SINGLE = 0x80, /* with one of the first two */
};

static bool begin_key(struct wr_buf *key, const struct wr_target_parts *parts,
                      uint16_t port, unsigned use)
{
    const struct {
        uint16_t port;
        uint8_t use;
        uint8_t ip_version;
        uint32_t epoch;
    } fixed = {port, (uint8_t)use, (uint8_t)parts->ip_version, parts->epoch};

    return wr_buf_append(key, &fixed, sizeof fixed);
}

/* The credentials are there as they are, as they lie in memory anyway. */
static bool add_proxy(struct wr_buf *key, const struct wr_target_parts *parts,
                      const struct wr_proxy *proxy)
{
    const struct {
        uint16_t port;
        uint8_t kind;
        uint8_t is_tunnelled;
    } fixed = {proxy->port, (uint8_t)proxy->kind, is_tunnelled(parts, proxy)};

    return wr_buf_append(key, &fixed, sizeof fixed) &&
           add_text(key, proxy->host) &&
           add_part(key, proxy->userinfo.data, proxy->userinfo.len) &&
           add_part(key,
                    proxy->kind == WR_PROXY_HTTPS
                        ? wr_tls_context_digest(parts->context)
                        : NULL,
                    WR_DIGEST_LEN);
}

/* The pool key, protocol-rules section 1.  Socket options (7) are not offered;
 * the HTTP versions allowed (10) are 1.1 alone.  The origin stays in the key of
 * a forward proxy's connection: what one origin has answered there is never
 * taken for the answer of another. */
static bool build_key(struct wr_buf *key, const struct wr_target_parts *parts)
{
    const struct wr_proxy *proxy = proxy_of(parts);
    const void *digest =
        parts->tls ? wr_tls_context_digest(parts->context) : NULL;

    return begin_key(key, parts, parts->port,
                     (parts->tls ? KEY_TLS : KEY_PLAIN) |
                         (parts->is_single_use ? KEY_SINGLE : 0U)) &&
           add_text(key, parts->host) && add_text(key, parts->unix_path) &&
           add_text(key, parts->address) && add_text(key, parts->local) &&
           add_part(key, digest, WR_DIGEST_LEN) &&
           add_text(key, parts->isolation) &&
           (!proxy || add_proxy(key, parts, proxy));
}

/* Of the sessions of TLS with the proxy, whatever the origin. */
static bool build_hop_key(struct wr_buf *key,
                          const struct wr_target_parts *parts)
{
    const struct wr_proxy *proxy = proxy_of(parts);

    return !proxy || proxy->kind != WR_PROXY_HTTPS ||
           (begin_key(key, parts, proxy->port, KEY_HOP) &&
            add_text(key, parts->local) && add_text(key, parts->isolation) &&
            add_proxy(key, parts, proxy));
}

/* FNV-1a with a seed, folded by the finaliser of MurmurHash3. */
static uint32_t hash_bytes(const char *bytes, size_t len, uint32_t seed)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ seed;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
    hash ^= hash >> 33;
    hash *= UINT64_C(0xff51afd7ed558ccd);
    hash ^= hash >> 33;
    return (uint32_t)hash;
}

static bool build_origin(struct wr_buf *out,
                         const struct wr_target_parts *parts)
{
    const bool is_ipv6 = strchr(parts->host, ':') != NULL;

    return wr_buf_append_format(out, is_ipv6 ? "%s://[%s]:%u" : "%s://%s:%u",
                                parts->tls ? "https" : "http", parts->host,
                                (unsigned)parts->port);
}

static size_t text_size(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

/* Copies a text to *at and moves *at behind it. */
static const char *place_text(char **at, const char *text)
{
    char *copy = *at;

    if (!text)
        return NULL;
    memcpy(copy, text, strlen(text) + 1);
    *at += strlen(text) + 1;
    return copy;
}

/* Copies a literal to *at and moves *at behind it. */
static const struct wr_addr *place_address(struct wr_addr **at,
                                           const char *text, uint16_t port)
{
    if (!text || !wr_addr_parse(*at, text, port))
        return NULL;
    return (*at)++;
}

/* The proxy and the hop as they lie behind a target. */
struct way {
    struct wr_proxy proxy;
    struct wr_hop hop;
};

static size_t way_size(const struct wr_proxy *proxy,
                       const struct wr_buf *hop_key)
{
    if (!proxy)
        return 0;
    return sizeof(struct way) + text_size(proxy->host) + proxy->userinfo.len +
           hop_key->len;
}

/* Fills *way in, whose bytes go to *at. */
static void place_way(struct wr_target *target, struct way *way, char **at,
                      const struct wr_target_parts *parts,
                      const struct wr_proxy *proxy,
                      const struct wr_buf *hop_key)
{
    way->proxy = *proxy;
    way->proxy.block = NULL;
    way->proxy.host = place_text(at, proxy->host);
    if (proxy->userinfo.data) {
        memcpy(*at, proxy->userinfo.data, proxy->userinfo.len);
        way->proxy.userinfo.data = *at;
        *at += proxy->userinfo.len;
    }
    target->proxy = &way->proxy;
    target->is_tunnelled = is_tunnelled(parts, proxy);
    if (!hop_key->len)
        return;
    memcpy(*at, hop_key->data, hop_key->len);
    way->hop = (struct wr_hop){parts->context, {*at, hop_key->len}};
    *at += hop_key->len;
    target->hop = &way->hop;
}

static struct wr_target *assemble(const struct wr_target_parts *parts,
                                  const struct wr_buf *key,
                                  const struct wr_buf *hop_key,
                                  const char *origin)
{
    const struct wr_proxy *proxy = proxy_of(parts);
    const size_t addresses =
        (parts->address ? 1U : 0U) + (parts->local ? 1U : 0U);
    const size_t size = sizeof(struct wr_target) +
                        addresses * sizeof(struct wr_addr) + key->len +
                        text_size(parts->host) + text_size(parts->unix_path) +
                        text_size(origin) + way_size(proxy, hop_key);
    struct wr_target *target = wr_calloc(1, size);
    struct wr_addr *addr;
    struct way *way;
    char *at;

    if (!target)
        return NULL;
    addr = (struct wr_addr *)(target + 1);
    way = (struct way *)(addr + addresses);
    at = proxy ? (char *)(way + 1) : (char *)way;
    target->address = place_address(&addr, parts->address, parts->port);
    target->local = place_address(&addr, parts->local, 0);
    memcpy(at, key->data, key->len);
    target->key.bytes = at;
    target->key.len = (uint32_t)key->len;
    target->key.hash = hash_bytes(key->data, key->len, parts->hash_seed);
    at += key->len;
    target->host = place_text(&at, parts->host);
    target->unix_path = place_text(&at, parts->unix_path);
    target->origin = place_text(&at, origin);
    if (proxy)
        place_way(target, way, &at, parts, proxy, hop_key);
    atomic_init(&target->refs, 1);
    target->tls = parts->tls ? parts->context : NULL;
    target->is_single_use = parts->is_single_use;
    target->ip_version = parts->ip_version;
    target->port = parts->port;
    return target;
}

struct wr_target *wr_target_new(const struct wr_target_parts *parts)
{
    struct wr_target *target = NULL;
    struct wr_buf key = {0};
    struct wr_buf hop_key = {0};
    struct wr_buf origin = {0};

    if (build_key(&key, parts) && build_hop_key(&hop_key, parts) &&
        build_origin(&origin, parts) && wr_buf_append(&origin, "", 1))
        target = assemble(parts, &key, &hop_key, origin.data);
    wr_buf_done(&key);
    wr_buf_done(&hop_key);
    wr_buf_done(&origin);
    return target;
}

void wr_target_ref(struct wr_target *target)
{
    atomic_fetch_add_explicit(&target->refs, 1, memory_order_relaxed);
}

void wr_target_unref(struct wr_target *target)
{
    if (target &&
        atomic_fetch_sub_explicit(&target->refs, 1, memory_order_acq_rel) == 1)
        wr_free(target);
}
