#include "drive/leaks.h"

#include <stdio.h>
#include <string.h>

#include "drive/call.h"
#include "drive/keeper.h"
#include "net/clock.h"

/* --- where a call is made ------------------------------------------------ */

/* As loop_here in loop.c. */
__attribute__((
    tls_model("initial-exec"))) static _Thread_local struct wr_place place_here;

void wr_leaks_set_place(const char *file, unsigned line)
{
    place_here = (struct wr_place){file, line};
}

struct wr_place wr_leaks_place(void)
{
    return place_here;
}

/* --- watching ------------------------------------------------------------ */

/* "GET /path": a query may hold what is not for a log. */
static void note_request(struct wr_held *held,
                         const struct weir_request *request)
{
    const struct wr_slice *target = &request->url.target;
    const char *query = memchr(target->data, '?', target->len);
    const size_t len = query ? (size_t)(query - target->data) : target->len;

    snprintf(held->request, sizeof held->request, "%s %.*s", request->method,
             (int)(len < sizeof held->request ? len : sizeof held->request),
             target->data);
}

static void look_by_locked(struct weir_pool *pool, uint64_t due_ns)
{
    if (pool->leak_due_ns <= due_ns)
        return;
    pool->leak_due_ns = due_ns;
    wr_keeper_nudge_locked(pool, due_ns);
}

void wr_leaks_begin_locked(struct weir_pool *pool,
                           struct weir_response *response,
                           const struct weir_request *request,
                           const atomic_int *flow, struct wr_place place,
                           uint64_t now_ns)
{
    struct wr_held *held = &response->held;

    held->is_told = false;
    held->flow = flow;
    held->place = place;
    held->target = response->conn->target;
    atomic_store_explicit(&held->since_ns, 0, memory_order_relaxed);
    note_request(held, request);
    TAILQ_INSERT_TAIL(&pool->held, response, held.link);
    /* Without a keeper whoever comes next looks. */
    if (pool->options.keeper && pool->options.loop != WEIR_LOOP_EXTERNAL &&
        !pool->loop_count && !pool->has_no_keeper)
        pool->has_no_keeper = wr_loops_start_locked(pool, NULL) != WEIR_OK;
    look_by_locked(pool, wr_after(now_ns, pool->leak_ns));
}

void wr_leaks_adopt(struct weir_pool *pool, struct weir_response *response,
                    const atomic_int *flow, struct wr_place place)
{
    if (!response->held.is_watched)
        return;
    pthread_mutex_lock(&pool->lock);
    response->held.flow = flow;
    response->held.place = place;
    pthread_mutex_unlock(&pool->lock);
}

bool wr_leaks_unwatch_locked(struct weir_pool *pool,
                             struct weir_response *response, uint64_t now_ns)
{
    struct wr_held *held = &response->held;
    uint64_t since_ns;

    if (!held->is_watched)
        return false;
    held->is_watched = false;
    TAILQ_REMOVE(&pool->held, response, held.link);
    since_ns = atomic_load_explicit(&held->since_ns, memory_order_relaxed);
    if (held->is_told || since_ns == 0 ||
        wr_left(now_ns, since_ns) < pool->leak_ns)
        return false;
    held->is_told = true;
    pool->tally.leaks++;
    return true;
}

void wr_leaks_hand_over(struct weir_response *response)
{
    if (response->held.is_watched)
        atomic_store_explicit(&response->held.since_ns, wr_now(),
                              memory_order_relaxed);
}

void wr_leaks_take_back(struct weir_response *response)
{
    if (response->held.is_watched)
        atomic_store_explicit(&response->held.since_ns, 0,
                              memory_order_relaxed);
}

/* --- looking ------------------------------------------------------------- */

const char *wr_leaks_describe(const struct wr_held *held, uint64_t span_ns,
                              char *buf, size_t cap)
{
    const int len = snprintf(buf, cap, "%s: neither read nor freed for %.3f s",
                             held->request, (double)span_ns / 1e9);

    if (held->place.file && len > 0 && (size_t)len < cap)
        snprintf(buf + len, cap - (size_t)len, ", made at %s:%u",
                 held->place.file, held->place.line);
    return buf;
}

/* Since when the program has it; 0: it has not. */
static uint64_t held_since(struct wr_held *held, uint64_t now_ns)
{
    uint64_t since_ns =
        atomic_load_explicit(&held->since_ns, memory_order_relaxed);
    const bool is_paused =
        held->flow && atomic_load_explicit(held->flow, memory_order_relaxed) ==
                          WR_FLOW_PAUSED;

    if (!held->flow || is_paused == (since_ns != 0))
        return since_ns;
    /* A pause counts from when it is seen first. */
    since_ns = is_paused ? now_ns : 0;
    atomic_store_explicit(&held->since_ns, since_ns, memory_order_relaxed);
    return since_ns;
}

/* One that is due to be told, or NULL; *ret_due_ns: when to look again. */
static struct weir_response *find_due_locked(struct weir_pool *pool,
                                             uint64_t now_ns,
                                             uint64_t *ret_span_ns,
                                             uint64_t *ret_due_ns)
{
    struct weir_response *response;

    *ret_due_ns = WR_NEVER;
    TAILQ_FOREACH (response, &pool->held, held.link) {
        struct wr_held *held = &response->held;
        const uint64_t since_ns = held_since(held, now_ns);
        const uint64_t due_ns =
            wr_after(since_ns ? since_ns : now_ns, pool->leak_ns);

        if (held->is_told)
            continue;
        if (due_ns <= now_ns) {
            *ret_span_ns = wr_left(now_ns, since_ns);
            return response;
        }
        *ret_due_ns = wr_earlier(*ret_due_ns, due_ns);
    }
    return NULL;
}

void wr_leaks_look_locked(struct weir_pool *pool, uint64_t now_ns)
{
    struct weir_response *response;
    uint64_t due_ns;
    uint64_t span_ns;

    if (pool->leak_due_ns > now_ns)
        return;
    while ((response = find_due_locked(pool, now_ns, &span_ns, &due_ns)) !=
           NULL) {
        const uint64_t connection = response->number;
        char origin[300];
        char detail[WR_LEAK_TEXT];

        response->held.is_told = true;
        pool->tally.leaks++;
        if (!WR_TRACES(pool))
            continue;
        /* The response may be given back once the lock is. */
        snprintf(origin, sizeof origin, "%s", response->held.target->origin);
        wr_leaks_describe(&response->held, span_ns, detail, sizeof detail);
        pthread_mutex_unlock(&pool->lock);
        wr_trace(pool, WEIR_TRACE_LEAK, connection, origin, span_ns, "%s",
                 detail);
        pthread_mutex_lock(&pool->lock);
    }
    pool->leak_due_ns = due_ns;
}

void wr_leaks_forget(struct weir_pool *pool)
{
    struct weir_response *response;

    TAILQ_FOREACH (response, &pool->held, held.link)
        response->held.is_watched = false;
    TAILQ_INIT(&pool->held);
    pool->leak_due_ns = WR_NEVER;
}
