/* Descriptors that are registered with a loop, and whose they are. */
#include <errno.h>

#include "base/mem.h"
#include "drive/loop.h"

/* Slot 0 is the loop's own wake-up, so 0 also says "none". */
enum {
    FIRST_SLOTS = 64
};

uint64_t wr_slot_data(const struct wr_loop *loop, uint32_t index)
{
    const unsigned generation = atomic_load_explicit(
        &loop->slots[index].generation, memory_order_relaxed);

    return (uint64_t)generation << 32 | index;
}

static bool grow(struct wr_loop *loop)
{
    const uint32_t wanted =
        loop->slot_count ? loop->slot_count * 2 : FIRST_SLOTS;
    struct wr_slot *slots = wr_realloc(loop->slots, wanted * sizeof *slots);

    if (!slots)
        return false;
    loop->slots = slots;
    for (uint32_t i = wanted; i-- > loop->slot_count;) {
        slots[i] = (struct wr_slot){.fd = -1, .next_free = loop->free_slot};
        atomic_init(&slots[i].generation, 1);
        if (i > 0)
            loop->free_slot = i;
    }
    loop->slot_count = wanted;
    return true;
}

int wr_slot_add_first(struct wr_loop *loop)
{
    if (!grow(loop))
        return ENOMEM;
    loop->slots[0].fd = loop->wake_fd;
    return wr_poller_add(loop->poller, loop->wake_fd, POLLIN, false,
                         wr_slot_data(loop, 0));
}

int wr_slot_add_locked(struct wr_loop *loop, int fd, short events, bool edge,
                       uint32_t *ret_slot)
{
    struct wr_slot *slot;
    uint32_t index;
    int error;

    if (!loop->free_slot && !grow(loop))
        return ENOMEM;
    index = loop->free_slot;
    slot = &loop->slots[index];
    error = wr_poller_add(loop->poller, fd, events, edge,
                          wr_slot_data(loop, index));
    if (error)
        return error;
    loop->free_slot = slot->next_free;
    slot->fd = fd;
    slot->conn = NULL;
    slot->call = NULL;
    slot->dial = NULL;
    *ret_slot = index;
    return 0;
}

void wr_slot_drop_locked(struct wr_loop *loop, uint32_t index)
{
    struct wr_slot *slot = &loop->slots[index];

    wr_poller_remove(loop->poller, slot->fd, wr_slot_data(loop, index));
    atomic_fetch_add_explicit(&slot->generation, 1, memory_order_relaxed);
    slot->fd = -1;
    slot->conn = NULL;
    slot->next_free = loop->free_slot;
    loop->free_slot = index;
}

int wr_loop_attach_locked(struct wr_loop *loop, struct wr_conn *conn)
{
    const int error = wr_slot_add_locked(
        loop, conn->io.fd, POLLIN | POLLOUT | POLLRDHUP, true, &conn->slot);

    if (error)
        return error;
    loop->slots[conn->slot].conn = conn;
    conn->loop = loop;
    conn->io.is_held |= loop->poller->kind->holds_files;
    wr_core_set_home(loop->pool->core, conn->id, WR_HOME_LOOP);
    return 0;
}

void wr_loop_detach_locked(struct wr_conn *conn)
{
    struct wr_loop *loop = conn->loop;

    if (!loop)
        return;
    wr_slot_drop_locked(loop, conn->slot);
    conn->loop = NULL;
    wr_core_set_home(loop->pool->core, conn->id, WR_HOME_THREAD);
}
