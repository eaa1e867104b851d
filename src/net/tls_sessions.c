/* Sessions by pool key.  The key holds the digest of the TLS configuration, so
 * a session never serves under settings other than those it was verified
 * with. */
#include <string.h>
#include <sys/queue.h>

#include "base/mem.h"
#include "net/map.h"
#include "net/tls_inner.h"

/* Servers give two tickets as a rule; a few more let parallel dials resume. */
enum {
    SLOTS = 4
};

struct entry {
    UT_hash_handle hh;
    TAILQ_ENTRY(entry) link;
    unsigned count;               /* >= 1 but while it is being made */
    SSL_SESSION *sessions[SLOTS]; /* owned; the newest is last */
    size_t key_len;
    char key[];
};

struct wr_tls_sessions {
    pthread_mutex_t lock; /* over all that follows */
    unsigned max;
    unsigned count; /* sessions in all entries */
    struct entry *entries;
    TAILQ_HEAD(, entry) order; /* the one stored to last is last */
};

/* Sessions that are to be freed once the lock is no longer held. */
struct victims {
    unsigned count;
    SSL_SESSION *list[SLOTS + 1];
};

struct wr_tls_sessions *wr_tls_sessions_new(unsigned max)
{
    struct wr_tls_sessions *sessions = wr_calloc(1, sizeof *sessions);

    if (!sessions)
        return NULL;
    pthread_mutex_init(&sessions->lock, NULL);
    sessions->max = max;
    TAILQ_INIT(&sessions->order);
    return sessions;
}

static struct entry *find(const struct wr_tls_sessions *sessions,
                          struct wr_slice key)
{
    struct entry *entry = NULL;

    HASH_FIND(hh, sessions->entries, key.data, key.len, entry);
    return entry;
}

static void remove_entry(struct wr_tls_sessions *sessions, struct entry *entry)
{
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): uthash holds it */
    HASH_DEL(sessions->entries, entry);
    TAILQ_REMOVE(&sessions->order, entry, link);
    wr_free(entry);
}

static struct entry *add_entry(struct wr_tls_sessions *sessions,
                               struct wr_slice key)
{
    struct entry *entry = wr_calloc(1, sizeof *entry + key.len);

    if (!entry)
        return NULL;
    memcpy(entry->key, key.data, key.len);
    entry->key_len = key.len;
    HASH_ADD_KEYPTR(hh, sessions->entries, entry->key, key.len, entry);
    if (!entry->hh.tbl) {
        wr_free(entry);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&sessions->order, entry, link);
    return entry;
}

static SSL_SESSION *pop(struct wr_tls_sessions *sessions, struct entry *entry,
                        bool newest)
{
    const unsigned index = newest ? entry->count - 1 : 0;
    SSL_SESSION *session = entry->sessions[index];

    entry->count--;
    sessions->count--;
    for (unsigned i = index; i < entry->count; i++)
        entry->sessions[i] = entry->sessions[i + 1];
    return session;
}

static void drop_oldest(struct wr_tls_sessions *sessions, struct entry *entry,
                        struct victims *victims)
{
    victims->list[victims->count++] = pop(sessions, entry, false);
}

static bool is_single_use(const SSL_SESSION *session)
{
    return SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION;
}

static void free_all(const struct victims *victims)
{
    for (unsigned i = 0; i < victims->count; i++)
        SSL_SESSION_free(victims->list[i]);
}

static bool put_locked(struct wr_tls_sessions *sessions, struct wr_slice key,
                       SSL_SESSION *session, struct victims *victims)
{
    const unsigned room = is_single_use(session) ? SLOTS - 1 : 0;
    struct entry *entry = find(sessions, key);
    struct entry *oldest;

    if (!entry)
        entry = add_entry(sessions, key);
    if (!entry)
        return false;
    while (entry->count > room)
        drop_oldest(sessions, entry, victims);
    entry->sessions[entry->count++] = session;
    sessions->count++;
    TAILQ_REMOVE(&sessions->order, entry, link);
    TAILQ_INSERT_TAIL(&sessions->order, entry, link);
    if (sessions->count <= sessions->max)
        return true;
    oldest = TAILQ_FIRST(&sessions->order);
    drop_oldest(sessions, oldest, victims);
    if (oldest->count == 0)
        remove_entry(sessions, oldest);
    return true;
}

bool wr_tls_sessions_put(struct wr_tls_sessions *sessions, struct wr_slice key,
                         SSL_SESSION *session)
{
    struct victims victims = {0};
    bool taken;

    if (sessions->max == 0)
        return false;
    pthread_mutex_lock(&sessions->lock);
    taken = put_locked(sessions, key, session, &victims);
    pthread_mutex_unlock(&sessions->lock);
    free_all(&victims);
    return taken;
}

static SSL_SESSION *take_locked(struct wr_tls_sessions *sessions,
                                struct wr_slice key)
{
    struct entry *entry = find(sessions, key);
    SSL_SESSION *session;

    if (!entry)
        return NULL;
    session = entry->sessions[entry->count - 1];
    if (!is_single_use(session) && SSL_SESSION_is_resumable(session))
        return SSL_SESSION_up_ref(session) ? session : NULL;
    session = pop(sessions, entry, true);
    if (entry->count == 0)
        remove_entry(sessions, entry);
    return session;
}

SSL_SESSION *wr_tls_sessions_take(struct wr_tls_sessions *sessions,
                                  struct wr_slice key)
{
    for (;;) {
        SSL_SESSION *session;

        pthread_mutex_lock(&sessions->lock);
        session = take_locked(sessions, key);
        pthread_mutex_unlock(&sessions->lock);
        if (!session || SSL_SESSION_is_resumable(session))
            return session;
        SSL_SESSION_free(session);
    }
}

void wr_tls_sessions_free(struct wr_tls_sessions *sessions)
{
    struct entry *entry;

    if (!sessions)
        return;
    while ((entry = TAILQ_FIRST(&sessions->order)) != NULL) {
        while (entry->count)
            SSL_SESSION_free(pop(sessions, entry, false));
        remove_entry(sessions, entry);
    }
    pthread_mutex_destroy(&sessions->lock);
    wr_free(sessions);
}
