/* One turn of a loop: the inbox, a wait, what came of it. */
#include "drive/loop.h"

#include <unistd.h>

#include "base/cold.h"
#include "base/prefetch.h"
#include "drive/call.h"
#include "drive/keeper.h"
#include "net/clock.h"

enum {
    INBOX_ROUNDS = 8, /* before the poller has its turn */
};

/* Found without a call, in the room that the C library keeps for libraries
 * loaded later. */
__attribute__((
    tls_model("initial-exec"))) static _Thread_local struct wr_loop *loop_here;

struct wr_loop *wr_loop_here(void)
{
    return loop_here;
}

void wr_loop_wake_locked(struct wr_loop *loop)
{
    static const uint64_t one = 1;

    if (!loop->is_asleep || loop->is_woken || loop == loop_here)
        return;
    loop->is_woken = true;
    (void)!write(loop->wake_fd, &one, sizeof one);
}

void wr_loop_set_due(struct wr_heap *heap, struct wr_heap_node *node,
                     uint64_t at_ns)
{
    if (at_ns == WR_NEVER)
        wr_heap_remove(heap, node);
    else if (wr_heap_has(node))
        wr_heap_update(heap, node, at_ns);
    else
        wr_heap_insert(heap, node, at_ns);
}

/* --- the inbox ----------------------------------------------------------- */

static struct wr_news take_news_locked(struct weir_call *call)
{
    const struct wr_news news = {
        .conn = call->waiter.conn,
        .has_failed = call->waiter.status != WEIR_OK,
        .is_cancelled = atomic_load(&call->wants_cancel),
        .is_resumed = call->wants_resume,
        .is_shut = call->is_shut,
        .is_held = call->rival != NULL,
    };

    call->waiter.conn = NULL;
    call->wants_resume = false;
    call->is_posted = false;
    call->refs += news.is_held;
    return news;
}

enum {
    NEWS_MAX = 64
};

/* What has been taken out of an inbox. */
struct batch {
    struct wr_loop_dial_list dials;
    struct weir_call *calls[NEWS_MAX];
    struct wr_news news[NEWS_MAX];
    unsigned count;
};

/* Takes what others have left here, a handful at a time.  false: nothing. */
static bool take_batch_locked(struct wr_loop *loop, struct batch *batch)
{
    unsigned count = 0;

    TAILQ_INIT(&batch->dials);
    TAILQ_CONCAT(&batch->dials, &loop->new_dials, link);
    while (count < NEWS_MAX && !TAILQ_EMPTY(&loop->inbox)) {
        struct weir_call *call = TAILQ_FIRST(&loop->inbox);

        TAILQ_REMOVE(&loop->inbox, call, inbox);
        batch->calls[count] = call;
        batch->news[count] = take_news_locked(call);
        count++;
    }
    batch->count = count;
    return count > 0 || !TAILQ_EMPTY(&batch->dials);
}

/* One of a pair, which the news of the other one may have ended. */
static void let_go(struct weir_call *call)
{
    pthread_mutex_lock(&call->pool->lock);
    wr_call_unref_unlock(call);
}

static void hand_out(struct wr_loop *loop, struct batch *batch)
{
    loop->now_ns = wr_now();
    if (!TAILQ_EMPTY(&batch->dials))
        wr_loop_adopt_dials(loop, &batch->dials);
    for (unsigned i = 0; i < batch->count; i++) {
        wr_call_take_news(loop, batch->calls[i], &batch->news[i]);
        if (batch->news[i].is_held)
            let_go(batch->calls[i]);
        wr_calls_begin_ready(loop);
    }
}

/* --- waiting ------------------------------------------------------------- */

uint64_t wr_loop_due_locked(struct wr_loop *loop)
{
    if (!TAILQ_EMPTY(&loop->inbox) || !TAILQ_EMPTY(&loop->new_dials) ||
        !TAILQ_EMPTY(&loop->again) || loop->is_stopping ||
        (loop->pool->is_cut && !loop->is_cut))
        return 0;
    return wr_earlier(
        wr_earlier(wr_earlier(wr_heap_min(&loop->call_due), loop->untimed_ns),
                   wr_heap_min(&loop->dial_due)),
        wr_keeper_due_locked(loop));
}

/* Until when there is nothing to do; 0 = there is.  From here on the loop
 * counts as asleep, so that what comes wakes it. */
static uint64_t fall_asleep_locked(struct wr_loop *loop)
{
    loop->must_cut = loop->pool->is_cut && !loop->is_cut;
    loop->must_stop = loop->is_stopping;
    loop->keep_ns = wr_keeper_due_locked(loop);
    loop->is_asleep = true;
    loop->sleeps_until_ns = wr_loop_due_locked(loop);
    return loop->sleeps_until_ns;
}

/* Works off some of the inbox, if it may.  false: there is nothing, and the
 * loop has fallen asleep, unless ret_until_ns is NULL. */
static bool work_off(struct wr_loop *loop, bool may_take,
                     uint64_t *ret_until_ns)
{
    struct batch batch;
    bool has_batch;

    pthread_mutex_lock(&loop->pool->lock);
    loop->is_asleep = false;
    has_batch = may_take && take_batch_locked(loop, &batch);
    if (!has_batch && ret_until_ns)
        *ret_until_ns = fall_asleep_locked(loop);
    pthread_mutex_unlock(&loop->pool->lock);
    if (has_batch)
        hand_out(loop, &batch);
    return has_batch;
}

/* Works off the inbox, then falls asleep.  Returns until when: 0 if there has
 * been anything and the program runs the loop, for it may be what it waits
 * for. */
static uint64_t settle_down(struct wr_loop *loop)
{
    uint64_t until_ns = 0;
    int rounds = 0;

    while (work_off(loop, rounds < INBOX_ROUNDS, &until_ns))
        rounds++;
    return rounds > 0 && !loop->has_thread ? 0 : until_ns;
}

/* --- events -------------------------------------------------------------- */

static void hear_wake_up(struct wr_loop *loop)
{
    uint64_t count;

    (void)!read(loop->wake_fd, &count, sizeof count);
    pthread_mutex_lock(&loop->pool->lock);
    loop->is_woken = false;
    pthread_mutex_unlock(&loop->pool->lock);
}

WR_COLD static void dial_event(struct wr_loop *loop, struct wr_loop_dial *dial,
                               uint32_t slot, short events)
{
    struct wr_waits ready = dial->waits;

    for (unsigned i = 0; i < ready.count; i++)
        ready.fds[i].revents = dial->slots[i] == slot ? events : 0;
    wr_loop_dial_step(loop, dial, &ready);
}

static void handle_event(struct wr_loop *loop,
                         const struct wr_poller_event *event)
{
    const uint32_t index = (uint32_t)event->data;
    struct wr_slot *slot = &loop->slots[index];

    if (index == 0) {
        hear_wake_up(loop);
        return;
    }
    if (atomic_load_explicit(&slot->generation, memory_order_relaxed) !=
        (unsigned)(event->data >> 32))
        return; /* gone since the poller told of it */
    if (slot->call) {
        wr_prefetch(slot->conn, sizeof *slot->conn);
        wr_call_on_event(loop, slot->call, event->events);
    } else if (slot->dial) {
        dial_event(loop, slot->dial, index, event->events);
    } else {
        wr_keeper_look(loop, event->data);
    }
}

static void fire_due(struct wr_loop *loop)
{
    if (loop->untimed_ns <= loop->now_ns)
        wr_calls_time(loop);
    while (wr_heap_min(&loop->call_due) <= loop->now_ns) {
        struct wr_heap_node *node = wr_heap_first(&loop->call_due);

        wr_heap_remove(&loop->call_due, node);
        wr_call_on_due(loop, WR_OWNER(node, struct weir_call, due));
    }
    while (wr_heap_min(&loop->dial_due) <= loop->now_ns) {
        struct wr_heap_node *node = wr_heap_first(&loop->dial_due);

        wr_heap_remove(&loop->dial_due, node);
        wr_loop_dial_step(loop, WR_OWNER(node, struct wr_loop_dial, due), NULL);
    }
}

/* Each call once, though some may come back, and one may end another. */
WR_COLD static void go_on_again(struct wr_loop *loop)
{
    struct weir_call *call;
    unsigned count = 0;

    TAILQ_FOREACH (call, &loop->again, again)
        count++;
    for (; count > 0 && !TAILQ_EMPTY(&loop->again); count--) {
        call = TAILQ_FIRST(&loop->again);
        TAILQ_REMOVE(&loop->again, call, again);
        call->is_in_again = false;
        wr_call_go_on(loop, call);
    }
}

/* The grace of a close is over: everything ends now. */
WR_COLD static void cut_all(struct wr_loop *loop)
{
    struct weir_call *call;

    loop->is_cut = true;
    loop->must_cut = false;
    wr_loop_drop_dials(loop);
    while ((call = TAILQ_FIRST(&loop->calls)) != NULL)
        wr_call_cut(loop, call, WEIR_E_CLOSED,
                    "the pool was closed and its grace is over");
}

WR_COLD void wr_loop_end(struct wr_loop *loop)
{
    struct wr_loop *const outer = loop_here;

    loop_here = loop;
    loop->is_cut = true;
    while (work_off(loop, true, NULL))
        continue;
    wr_loop_drop_dials(loop);
    hear_wake_up(loop); /* an external one's descriptor is quiet from now on */
    loop_here = outer;
}

/* A thread of weir's own has read the clock within its last turn.  That will do
 * where the wait is long and ends an eighth early, so that what the turn's
 * callbacks took makes nothing late. */
static int wait_ms(const struct wr_loop *loop, uint64_t until_ns)
{
    const uint64_t left_ns = wr_left(until_ns, loop->now_ns);

    if (until_ns == 0)
        return 0;
    if (until_ns == WR_NEVER || left_ns < WR_SECOND || !loop->has_thread)
        return wr_poll_timeout(until_ns, wr_now());
    return wr_poll_timeout(until_ns - left_ns / 8, loop->now_ns);
}

void wr_loop_turn(struct wr_loop *loop, uint64_t deadline_ns)
{
    struct wr_loop *const outer = loop_here;
    uint64_t until_ns;
    int count;

    loop_here = loop;
    until_ns = wr_earlier(settle_down(loop), deadline_ns);
    count = wr_poller_wait(loop->poller, wait_ms(loop, until_ns), loop->events,
                           WR_LOOP_EVENTS);
    loop->now_ns = wr_now();
    for (int i = 0; i < count; i++) {
        if (i > 0)
            loop->now_ns = wr_now();
        handle_event(loop, &loop->events[i]);
        wr_calls_begin_ready(loop);
    }
    fire_due(loop);
    if (!TAILQ_EMPTY(&loop->again))
        go_on_again(loop);
    if (loop->keep_ns <= loop->now_ns)
        wr_keeper_round(loop);
    wr_calls_begin_ready(loop);
    if (loop->must_cut)
        cut_all(loop);
    loop_here = outer;
}
