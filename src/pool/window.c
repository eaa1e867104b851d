#include "pool/window.h"

#include <assert.h>

void wr_window_init(struct wr_window *window, uint64_t slot_ns)
{
    assert(slot_ns > 0);
    *window = (struct wr_window){.slot_ns = slot_ns};
}

static struct wr_tally *slot_of(struct wr_window *window, uint64_t number)
{
    return &window->slots[number % WR_WINDOW_SLOTS];
}

/* Empties the slots between the newest until now and that of now_ns. */
static void advance(struct wr_window *window, uint64_t now_ns)
{
    const uint64_t newest = now_ns / window->slot_ns;

    if (newest <= window->newest)
        return;
    if (newest - window->newest >= WR_WINDOW_SLOTS) {
        wr_window_init(window, window->slot_ns);
        window->newest = newest;
    }
    while (window->newest < newest) {
        struct wr_tally *slot = slot_of(window, ++window->newest);

        window->sum.all -= slot->all;
        window->sum.some -= slot->some;
        *slot = (struct wr_tally){0};
    }
}

void wr_window_add(struct wr_window *window, uint64_t now_ns,
                   struct wr_tally more)
{
    struct wr_tally *slot;

    advance(window, now_ns);
    slot = slot_of(window, window->newest);
    slot->all += more.all;
    slot->some += more.some;
    window->sum.all += more.all;
    window->sum.some += more.some;
}

struct wr_tally wr_window_sum(struct wr_window *window, uint64_t now_ns)
{
    advance(window, now_ns);
    return window->sum;
}
