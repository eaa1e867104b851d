/* How long weir holds its lock: a warm GET again and again, each hold of any
 * mutex of the asking thread timed.  Usage as of a client (client.h); prints
 * holds a request, and of one hold the median and the 99th percentile in
 * nanoseconds, what the clock itself takes left out.
 */
#include <dlfcn.h>
#include <pthread.h>

#include "weir.h"

/* By libweir.so, in the place of the C library's. */
#define SEEN __attribute__((visibility("default")))

enum {
    HOLDS_MAX = 1 << 20
};

static uint32_t holds[HOLDS_MAX];
static unsigned hold_count;
static _Thread_local bool is_timed;
static _Thread_local uint64_t since_ns;

static uint64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void record(uint64_t from_ns)
{
    if (hold_count < HOLDS_MAX)
        holds[hold_count++] = (uint32_t)(now_ns() - from_ns);
}

/* The C library's function of that name. */
static void *next_one(void **cache, const char *name)
{
    if (!*cache)
        *cache = dlsym(RTLD_NEXT, name);
    return *cache;
}

SEEN int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    static void *cache;
    int (*lock)(pthread_mutex_t *);
    int result;

    *(void **)&lock = next_one(&cache, "pthread_mutex_lock");
    result = lock(mutex);
    if (is_timed)
        since_ns = now_ns();
    return result;
}

SEEN int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    static void *cache;
    int (*unlock)(pthread_mutex_t *);

    *(void **)&unlock = next_one(&cache, "pthread_mutex_unlock");
    if (is_timed)
        record(since_ns);
    return unlock(mutex);
}

static int compare(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a;
    const uint32_t y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static uint32_t percentile(unsigned percent)
{
    qsort(holds, hold_count, sizeof *holds, compare);
    return holds[(uint64_t)(hold_count - 1) * percent / 100];
}

static uint32_t clock_cost(void)
{
    hold_count = 0;
    for (unsigned i = 0; i < 10000; i++)
        record(now_ns());
    return percentile(50);
}

static uint32_t above(uint32_t ns, uint32_t base_ns)
{
    return ns > base_ns ? ns - base_ns : 0;
}

int main(int argc, char **argv)
{
    const struct client_args args = client_args(argc, argv, 0);
    const weir_pool_options options = weir_client_options(&args);
    const uint32_t clock_ns = clock_cost();
    struct weir_client client;

    weir_client_open(&client, &args, &options);
    for (long i = 0; i < args.requests / 10; i++)
        weir_client_get(&client);
    hold_count = 0;
    is_timed = true;
    for (long i = 0; i < args.requests; i++)
        weir_client_get(&client);
    is_timed = false;
    if (hold_count == 0)
        client_die("lock_times: no lock was seen");
    printf("%.2f %u %u\n", (double)hold_count / (double)args.requests,
           above(percentile(50), clock_ns), above(percentile(99), clock_ns));
    weir_client_close(&client);
    return 0;
}
