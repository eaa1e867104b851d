/* Cost of the pool's operations against how much it holds: origins (each with
 * an idle connection) and waiters, from 10 to 1,000,000.
 *
 * Every operation touches a random origin, so the larger sizes pay for cache
 * misses as a program with that many origins would; the number of steps does
 * not grow.  No socket, no lock: the core alone.  usage: pool_ops [OPERATIONS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/deadline.h"
#include "pool/core.h"

static uint64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * WR_SECOND + (uint64_t)ts.tv_nsec;
}

static uint64_t next_random(void)
{
    static uint64_t state = 88172645463325252u;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void die(const char *what)
{
    fprintf(stderr, "pool_ops: %s\n", what);
    exit(1);
}

/* --- a core with things in it -------------------------------------------- */

struct keys {
    uint64_t *names;
    uint32_t *hashes;
    size_t count;
};

static struct keys make_keys(size_t count)
{
    struct keys keys = {calloc(count, sizeof *keys.names),
                        calloc(count, sizeof *keys.hashes), count};

    if (!keys.names || !keys.hashes)
        die("out of memory");
    for (size_t i = 0; i < count; i++) {
        keys.names[i] = i;
        keys.hashes[i] = (uint32_t)next_random();
    }
    return keys;
}

static void free_keys(struct keys *keys)
{
    free(keys->names);
    free(keys->hashes);
}

static struct wr_key key_at(const struct keys *keys, size_t i)
{
    return (struct wr_key){&keys->names[i], sizeof keys->names[i],
                           keys->hashes[i]};
}

static struct wr_core *make_core(unsigned max_total, unsigned max_waiting)
{
    const struct wr_core_limits limits = {.max_total = max_total,
                                          .max_per_bucket = max_total,
                                          .max_waiting = max_waiting,
                                          .idle_ns = WR_NEVER / 2,
                                          .max_age_ns = WR_NEVER,
                                          .reuse = true};
    struct wr_core *core = wr_core_new(&limits);

    if (!core)
        die("out of memory");
    return core;
}

/* Asks, dials when told to, and returns the conn granted; 0: it waits. */
static wr_conn_id acquire(struct wr_core *core, const struct wr_key *key,
                          wr_ticket_id *ret_ticket)
{
    struct wr_action action;
    wr_conn_id granted = 0;

    if (wr_core_acquire(core, key, WR_HOME_THREAD, 1, WR_NEVER, core, &action,
                        ret_ticket) != WEIR_OK)
        die("acquire refused");
    if (action.kind == WR_ACT_GRANT)
        return action.conn;
    while ((action = wr_core_next_action(core)).kind != WR_ACT_NONE) {
        if (action.kind == WR_ACT_DIAL)
            wr_core_dialed(core, action.conn, 1, core, 1);
        else if (action.kind == WR_ACT_CLOSE)
            wr_core_closed(core, action.conn, 1);
        else if (action.kind == WR_ACT_GRANT)
            granted = action.conn;
    }
    return granted;
}

static void release(struct wr_core *core, wr_conn_id conn)
{
    wr_core_release(core, conn, 1, true, WEIR_CLOSE_IDLE, WR_NEVER);
}

static struct wr_core *core_with_origins(const struct keys *keys)
{
    struct wr_core *core = make_core((unsigned)keys->count, 10);
    wr_ticket_id ticket;

    for (size_t i = 0; i < keys->count; i++) {
        const struct wr_key key = key_at(keys, i);

        release(core, acquire(core, &key, &ticket));
    }
    return core;
}

/* --- what is measured: nanoseconds for one operation --------------------- */

/* acquire an idle connection of a random origin, release it. */
static double warm(size_t size, long operations)
{
    struct keys keys = make_keys(size);
    struct wr_core *core = core_with_origins(&keys);
    wr_ticket_id ticket;
    const uint64_t begun_ns = now_ns();
    double cost;

    for (long i = 0; i < operations; i++) {
        const struct wr_key key = key_at(&keys, next_random() % size);

        release(core, acquire(core, &key, &ticket));
    }
    cost = (double)(now_ns() - begun_ns) / (double)operations;
    wr_core_free(core);
    free_keys(&keys);
    return cost;
}

/* acquire from an origin that has none, with the pool full: the least recently
 * used connection is closed and a new one dialled; release. */
static double evict(size_t size, long operations)
{
    struct keys keys = make_keys(2 * size);
    struct keys first = keys;
    struct wr_core *core;
    wr_ticket_id ticket;
    uint64_t begun_ns;
    double cost;

    first.count = size;
    core = core_with_origins(&first);
    begun_ns = now_ns();
    for (long i = 0; i < operations; i++) {
        const struct wr_key key =
            key_at(&keys, ((size_t)i + size) % keys.count);

        release(core, acquire(core, &key, &ticket));
    }
    cost = (double)(now_ns() - begun_ns) / (double)operations;
    wr_core_free(core);
    free_keys(&keys);
    return cost;
}

/* With `size` callers in line for one connection: it is released to the oldest,
 * and a new caller joins at the end. */
static double hand_over(size_t size, long operations)
{
    struct keys keys = make_keys(1);
    struct wr_core *core = make_core(1, (unsigned)size + 1);
    const struct wr_key key = key_at(&keys, 0);
    wr_ticket_id ticket;
    wr_conn_id conn = acquire(core, &key, &ticket);
    uint64_t begun_ns;
    double cost;

    for (size_t i = 0; i < size; i++)
        acquire(core, &key, &ticket);
    begun_ns = now_ns();
    for (long i = 0; i < operations; i++) {
        release(core, conn);
        conn = wr_core_next_action(core).conn;
        acquire(core, &key, &ticket);
    }
    cost = (double)(now_ns() - begun_ns) / (double)operations;
    wr_core_free(core);
    free_keys(&keys);
    return cost;
}

/* With `size` callers in line: a random one gives up, a new one joins. */
static double cancel(size_t size, long operations)
{
    struct keys keys = make_keys(1);
    struct wr_core *core = make_core(1, (unsigned)size + 1);
    const struct wr_key key = key_at(&keys, 0);
    wr_ticket_id *tickets = calloc(size, sizeof *tickets);
    wr_ticket_id ticket;
    uint64_t begun_ns;
    double cost;

    if (!tickets)
        die("out of memory");
    acquire(core, &key, &ticket);
    for (size_t i = 0; i < size; i++)
        acquire(core, &key, &tickets[i]);
    begun_ns = now_ns();
    for (long i = 0; i < operations; i++) {
        const size_t which = next_random() % size;

        wr_core_cancel(core, tickets[which], 1);
        acquire(core, &key, &tickets[which]);
    }
    cost = (double)(now_ns() - begun_ns) / (double)operations;
    free(tickets);
    wr_core_free(core);
    free_keys(&keys);
    return cost;
}

/* ------------------------------------------------------------------------- */

static const struct {
    const char *name;
    double (*measure)(size_t size, long operations);
} measures[] = {
    {"acquire+release", warm},
    {"evict+dial", evict},
    {"hand over+queue", hand_over},
    {"cancel+queue", cancel},
};

enum {
    MEASURES = sizeof measures / sizeof *measures
};

/* The least of three: what else runs on the machine only adds. */
static double least_of_three(int which, size_t size, long operations)
{
    double least = measures[which].measure(size, operations);

    for (int i = 0; i < 2; i++) {
        const double again = measures[which].measure(size, operations);

        least = again < least ? again : least;
    }
    return least;
}

int main(int argc, char **argv)
{
    const long operations = argc > 1 ? strtol(argv[1], NULL, 10) : 1000000;
    double first[MEASURES];

    if (operations < 1)
        die("usage: pool_ops [OPERATIONS]");
    printf("nanoseconds a pair of operations, least of three runs of %ld "
           "(times the first row)\n%10s",
           operations, "size");
    for (int i = 0; i < MEASURES; i++)
        printf(" %20s", measures[i].name);
    putchar('\n');
    for (size_t size = 10; size <= 1000000; size *= 10) {
        printf("%10zu", size);
        for (int i = 0; i < MEASURES; i++) {
            const double cost = least_of_three(i, size, operations);

            if (size == 10)
                first[i] = cost;
            printf(" %11.1f (x%5.2f)", cost, cost / first[i]);
            fflush(stdout);
        }
        putchar('\n');
    }
    return 0;
}
