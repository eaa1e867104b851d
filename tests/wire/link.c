#include "link.h"

#include <stdlib.h>
#include <string.h>

struct packet {
    uint64_t due_ns;
    uint64_t number; /* of the arrival: first come, first out */
    enum side from;
    size_t len;
    unsigned char bytes[PACKET_BYTES];
};

struct link {
    const struct rules *rules;
    link_deliver_fn *deliver;
    void *user;
    uint64_t random;
    uint64_t number;
    uint64_t last_ns[SIDES]; /* when the latest in order is due */
    struct counts counts;
    unsigned count;
    struct packet *heap[LINK_PACKETS]; /* the earliest first; owned */
};

/* --- chance -------------------------------------------------------------- */

/* splitmix64 */
static uint64_t next_random(struct link *link)
{
    uint64_t z = link->random += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* 0 to just below 1 */
static double chance(struct link *link)
{
    return (double)(next_random(link) >> 11) / 9007199254740992.0;
}

static bool happens(struct link *link, double percent)
{
    return percent > 0 && chance(link) * 100 < percent;
}

void link_reseed(struct link *link)
{
    link->random = link->rules->seed;
}

/* --- the heap ------------------------------------------------------------ */

static bool is_before(const struct packet *a, const struct packet *b)
{
    return a->due_ns != b->due_ns ? a->due_ns < b->due_ns
                                  : a->number < b->number;
}

static void swap(struct link *link, unsigned a, unsigned b)
{
    struct packet *kept = link->heap[a];

    link->heap[a] = link->heap[b];
    link->heap[b] = kept;
}

static void push(struct link *link, struct packet *packet)
{
    unsigned at = link->count++;

    link->heap[at] = packet;
    while (at > 0 && is_before(link->heap[at], link->heap[(at - 1) / 2])) {
        swap(link, at, (at - 1) / 2);
        at = (at - 1) / 2;
    }
}

static struct packet *pop(struct link *link)
{
    struct packet *first = link->heap[0];
    unsigned at = 0;

    link->heap[0] = link->heap[--link->count];
    for (;;) {
        const unsigned left = 2 * at + 1;
        unsigned least = at;

        for (unsigned i = left; i < left + 2 && i < link->count; i++) {
            if (is_before(link->heap[i], link->heap[least]))
                least = i;
        }
        if (least == at)
            return first;
        swap(link, at, least);
        at = least;
    }
}

/* --- what is done to a packet -------------------------------------------- */

/* The rules that can be narrowed to one address concern this packet. */
static bool is_concerned(const struct rules *rules, enum side from,
                         const unsigned char *bytes, size_t len)
{
    const bool is_v4 = len >= 20 && bytes[0] >> 4 == 4;
    const bool is_v6 = len >= 40 && bytes[0] >> 4 == 6;
    size_t at; /* of the far address */

    if (!rules->family)
        return true;
    if (is_v4 && rules->family == AF_INET)
        at = from == NEAR ? 16 : 12;
    else if (is_v6 && rules->family == AF_INET6)
        at = from == NEAR ? 24 : 8;
    else
        return false;
    return memcmp(bytes + at, rules->only, is_v4 ? 4 : 16) == 0;
}

static uint64_t ns_of(double ms)
{
    return (uint64_t)(ms * 1e6);
}

/* When a packet is due: in its order, unless it is held back, or the delay has
 * become less. */
static uint64_t due_of(struct link *link, enum side from, uint64_t now_ns)
{
    const struct rules *rules = link->rules;
    uint64_t due_ns = now_ns + ns_of(rules->delay_ms);

    if (rules->jitter_ms > 0)
        due_ns += ns_of(rules->jitter_ms * chance(link));
    if (due_ns < link->last_ns[from] &&
        link->last_ns[from] <=
            now_ns + ns_of(rules->delay_ms) + ns_of(rules->jitter_ms))
        due_ns = link->last_ns[from];
    if (happens(link, rules->reorder)) {
        link->counts.reordered++;
        return due_ns + ns_of(rules->reorder_ms);
    }
    link->last_ns[from] = due_ns;
    return due_ns;
}

static void hold(struct link *link, enum side from, const void *bytes,
                 size_t len, uint64_t now_ns)
{
    struct packet *packet =
        link->count < LINK_PACKETS ? malloc(sizeof *packet) : NULL;

    if (!packet) {
        link->counts.lost++;
        return;
    }
    packet->due_ns = due_of(link, from, now_ns);
    packet->number = link->number++;
    packet->from = from;
    packet->len = len;
    memcpy(packet->bytes, bytes, len);
    push(link, packet);
}

/* The router stands at the near end. */
static void refuse(struct link *link, const void *bytes, size_t len)
{
    unsigned char answer[PACKET_BYTES];
    const size_t size =
        make_unreachable(bytes, len, (enum unreachable)link->rules->unreachable,
                         answer, sizeof answer);

    link->counts.refused++;
    if (size)
        link->deliver(link->user, FAR, answer, size);
}

void link_take(struct link *link, enum side from, const void *bytes, size_t len,
               uint64_t now_ns)
{
    const struct rules *rules = link->rules;
    const bool is_narrow = is_concerned(rules, from, bytes, len);

    if (len > PACKET_BYTES)
        return;
    if (is_narrow && from == NEAR && rules->unreachable != REACHABLE) {
        refuse(link, bytes, len);
        return;
    }
    if (is_narrow && rules->hole[from]) {
        link->counts.swallowed++;
        return;
    }
    if (is_narrow && happens(link, rules->loss)) {
        link->counts.lost++;
        return;
    }
    hold(link, from, bytes, len, now_ns);
    if (happens(link, rules->duplicate)) {
        link->counts.duplicated++;
        hold(link, from, bytes, len, now_ns);
    }
    link_run(link, now_ns);
}

uint64_t link_run(struct link *link, uint64_t now_ns)
{
    const struct rules *rules = link->rules;

    while (link->count > 0 && link->heap[0]->due_ns <= now_ns) {
        struct packet *packet = pop(link);

        if (rules->hole[packet->from] &&
            is_concerned(rules, packet->from, packet->bytes, packet->len)) {
            link->counts.swallowed++;
        } else {
            link->counts.carried[packet->from]++;
            link->deliver(link->user, packet->from, packet->bytes, packet->len);
        }
        free(packet);
    }
    return link->count > 0 ? link->heap[0]->due_ns : UINT64_MAX;
}

const struct counts *link_counts(const struct link *link)
{
    return &link->counts;
}

/* --- life ---------------------------------------------------------------- */

struct link *link_new(const struct rules *rules, link_deliver_fn *deliver,
                      void *user)
{
    struct link *link = calloc(1, sizeof *link);

    if (!link)
        return NULL;
    link->rules = rules;
    link->deliver = deliver;
    link->user = user;
    link_reseed(link);
    return link;
}

void link_free(struct link *link)
{
    while (link && link->count > 0)
        free(pop(link));
    free(link);
}
