#include "net/cache.h"

#include <string.h>

#include "base/mem.h"
#include "base/slice.h"
#include "net/map.h"

/* The key: one byte for the families, then the name in lower case. */
struct cache_key {
    size_t len;
    char bytes[1 + WR_HOST_MAX];
};

struct wr_cache_entry {
    UT_hash_handle hh;
    uint64_t stored_ns;
    uint64_t expires_ns;
    unsigned turn;
    unsigned count;
    struct wr_addr *list; /* behind the entry, as the key */
    char *key;
};

static bool make_key(struct cache_key *key, const char *host,
                     weir_ip_version version)
{
    const size_t len = strlen(host);

    if (len == 0 || len > WR_HOST_MAX)
        return false;
    key->len = 1 + len;
    key->bytes[0] = (char)version;
    for (size_t i = 0; i < len; i++)
        key->bytes[1 + i] = wr_lower(host[i]);
    return true;
}

static struct wr_cache_entry *find(const struct wr_cache *cache,
                                   const struct cache_key *key)
{
    struct wr_cache_entry *entry = NULL;

    HASH_FIND(hh, cache->entries, key->bytes, key->len, entry);
    return entry;
}

static void drop(struct wr_cache *cache, struct wr_cache_entry *entry)
{
    HASH_DEL(cache->entries, entry);
    wr_free(entry);
}

/* One piece of memory: entry, addresses, key. */
static struct wr_cache_entry *new_entry(const struct cache_key *key,
                                        const struct wr_addrs *addrs)
{
    const size_t list_size = addrs->count * sizeof(struct wr_addr);
    struct wr_cache_entry *entry =
        wr_calloc(1, sizeof *entry + list_size + key->len);

    if (!entry)
        return NULL;
    entry->list = (struct wr_addr *)(entry + 1);
    entry->key = (char *)(entry->list + addrs->count);
    entry->count = addrs->count;
    memcpy(entry->list, addrs->list, list_size);
    memcpy(entry->key, key->bytes, key->len);
    return entry;
}

static bool contains(const struct wr_addr *list, unsigned count,
                     const struct wr_addr *addr)
{
    for (unsigned i = 0; i < count; i++) {
        if (wr_addr_equal_host(&list[i], addr))
            return true;
    }
    return false;
}

/* As sets: servers turn the order of an answer. */
static bool is_same_set(const struct wr_cache_entry *entry,
                        const struct wr_addrs *addrs)
{
    for (unsigned i = 0; i < addrs->count; i++) {
        if (!contains(entry->list, entry->count, &addrs->list[i]))
            return false;
    }
    for (unsigned i = 0; i < entry->count; i++) {
        if (!contains(addrs->list, addrs->count, &entry->list[i]))
            return false;
    }
    return true;
}

bool wr_cache_store(struct wr_cache *cache, const char *host,
                    weir_ip_version version, const struct wr_addrs *addrs,
                    uint64_t now_ns, uint64_t expires_ns)
{
    struct wr_cache_entry *entry;
    struct cache_key key;
    bool is_new = true;

    if (!make_key(&key, host, version))
        return false;
    entry = find(cache, &key);
    if (entry) {
        is_new = !is_same_set(entry, addrs);
        drop(cache, entry);
    }
    while (HASH_COUNT(cache->entries) >= cache->max)
        drop(cache, cache->entries);
    entry = new_entry(&key, addrs);
    if (!entry)
        return false;
    entry->stored_ns = now_ns;
    entry->expires_ns = expires_ns;
    HASH_ADD_KEYPTR(hh, cache->entries, entry->key, key.len, entry);
    if (!entry->hh.tbl) {
        wr_free(entry);
        return false;
    }
    return is_new;
}

static unsigned count_family(const struct wr_cache_entry *entry,
                             sa_family_t family)
{
    unsigned count = 0;

    for (unsigned i = 0; i < entry->count; i++)
        count += entry->list[i].sa.ss_family == family;
    return count;
}

/* The k-th address of a family, which has more than k. */
static const struct wr_addr *nth(const struct wr_cache_entry *entry,
                                 sa_family_t family, unsigned k)
{
    unsigned i = 0;

    for (;; i++) {
        if (entry->list[i].sa.ss_family == family && k-- == 0)
            return &entry->list[i];
    }
}

/* Every place keeps its family; within a family the addresses turn. */
static void copy_turned(const struct wr_cache_entry *entry,
                        struct wr_addrs *ret_addrs)
{
    const sa_family_t first = entry->list[0].sa.ss_family;
    unsigned seen[2] = {0, 0};

    for (unsigned i = 0; i < entry->count; i++) {
        const sa_family_t family = entry->list[i].sa.ss_family;
        const unsigned size = count_family(entry, family);
        const unsigned k = seen[family != first]++;

        ret_addrs->list[i] = *nth(entry, family, (k + entry->turn) % size);
    }
    ret_addrs->count = entry->count;
}

bool wr_cache_find(struct wr_cache *cache, const char *host,
                   weir_ip_version version, uint64_t now_ns,
                   struct wr_addrs *ret_addrs)
{
    struct wr_cache_entry *entry;
    struct cache_key key;

    if (!make_key(&key, host, version))
        return false;
    entry = find(cache, &key);
    if (!entry || entry->expires_ns <= now_ns)
        return false;
    entry->turn++;
    copy_turned(entry, ret_addrs);
    return true;
}

bool wr_cache_has_left(const struct wr_cache *cache, const char *host,
                       weir_ip_version version, const struct wr_addr *peer,
                       uint64_t since_ns)
{
    const struct wr_cache_entry *entry;
    struct cache_key key;

    if (!make_key(&key, host, version))
        return false;
    entry = find(cache, &key);
    if (!entry || entry->stored_ns <= since_ns || entry->count == WR_ADDRS_MAX)
        return false;
    return count_family(entry, peer->sa.ss_family) &&
           !contains(entry->list, entry->count, peer);
}

void wr_cache_done(struct wr_cache *cache)
{
    while (cache->entries)
        drop(cache, cache->entries);
}
