/* Records of origins: where they live, and which are forgotten. */
#include "pool/health.h"

#include <assert.h>
#include <string.h>

#include "pool/origin.h"

TAILQ_HEAD(origin_list, wr_origin);

struct wr_health {
    size_t max;
    struct wr_origin *origins; /* uthash, by name */
    struct origin_list unused; /* least recently used first */
};

static void forget(struct wr_health *health, struct wr_origin *origin)
{
    if (origin->references == 0)
        TAILQ_REMOVE(&health->unused, origin, unused);
    HASH_DEL(health->origins, origin);
    wr_free(origin);
}

static void forget_surplus(struct wr_health *health)
{
    while (HASH_COUNT(health->origins) > health->max &&
           !TAILQ_EMPTY(&health->unused))
        forget(health, TAILQ_FIRST(&health->unused));
}

struct wr_health *wr_health_new(size_t max_origins)
{
    struct wr_health *health = wr_calloc(1, sizeof *health);

    if (!health)
        return NULL;
    health->max = max_origins;
    TAILQ_INIT(&health->unused);
    return health;
}

void wr_health_free(struct wr_health *health)
{
    if (!health)
        return;
    while (health->origins)
        forget(health, health->origins);
    wr_free(health);
}

static struct wr_origin *add(struct wr_health *health, const char *name,
                             size_t len)
{
    struct wr_origin *origin = wr_calloc(1, sizeof *origin + len + 1);

    if (!origin)
        return NULL;
    memcpy(origin->name, name, len);
    HASH_ADD_KEYPTR(hh, health->origins, origin->name, len, origin);
    if (!origin->hh.tbl) {
        wr_free(origin);
        return NULL;
    }
    return origin;
}

struct wr_origin *wr_health_open(struct wr_health *health, const char *origin)
{
    const size_t len = strlen(origin);
    struct wr_origin *found;

    HASH_FIND(hh, health->origins, origin, len, found);
    if (!found) {
        found = add(health, origin, len);
        if (!found)
            return NULL;
    } else if (found->references == 0) {
        TAILQ_REMOVE(&health->unused, found, unused);
    }
    found->references++;
    forget_surplus(health);
    return found;
}

void wr_health_close(struct wr_health *health, struct wr_origin *origin)
{
    if (!origin)
        return;
    assert(origin->references > 0);
    if (--origin->references > 0)
        return;
    TAILQ_INSERT_TAIL(&health->unused, origin, unused);
    forget_surplus(health);
}
