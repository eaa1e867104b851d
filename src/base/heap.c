#include "base/heap.h"

#include "base/mem.h"

enum {
    ARITY = 4,
    SWEEP_MIN = 64
};

static void place(struct wr_heap *heap, size_t at, struct wr_heap_slot slot)
{
    heap->slots[at] = slot;
    if (slot.node)
        slot.node->slot = at + 1;
}

static void sift_up(struct wr_heap *heap, size_t at, struct wr_heap_slot slot)
{
    while (at > 0) {
        const size_t parent = (at - 1) / ARITY;

        if (heap->slots[parent].key <= slot.key)
            break;
        place(heap, at, heap->slots[parent]);
        at = parent;
    }
    place(heap, at, slot);
}

static void sift_down(struct wr_heap *heap, size_t at, struct wr_heap_slot slot)
{
    for (;;) {
        const size_t first = at * ARITY + 1;
        size_t least = first;

        if (first >= heap->len)
            break;
        for (size_t i = first + 1; i < first + ARITY && i < heap->len; i++) {
            if (heap->slots[i].key < heap->slots[least].key)
                least = i;
        }
        if (slot.key <= heap->slots[least].key)
            break;
        place(heap, at, heap->slots[least]);
        at = least;
    }
    place(heap, at, slot);
}

/* Drops all removed slots and puts the rest in order again. */
static void sweep(struct wr_heap *heap)
{
    size_t kept = 0;

    for (size_t i = 0; i < heap->len; i++) {
        if (heap->slots[i].node)
            place(heap, kept++, heap->slots[i]);
    }
    heap->len = kept;
    heap->removed = 0;
    for (size_t i = kept / ARITY + 1; i-- > 0;) {
        if (i < kept)
            sift_down(heap, i, heap->slots[i]);
    }
}

bool wr_heap_grow(struct wr_heap *heap, size_t count)
{
    struct wr_heap_slot *slots;
    size_t cap = heap->cap ? heap->cap : 16;
    size_t size;

    while (cap < count)
        cap = cap <= SIZE_MAX / 2 ? cap * 2 : count;
    if (__builtin_mul_overflow(cap, sizeof *slots, &size))
        return false;
    slots = wr_realloc(heap->slots, size);
    if (!slots)
        return false;
    heap->slots = slots;
    heap->cap = cap;
    return true;
}

void wr_heap_insert(struct wr_heap *heap, struct wr_heap_node *node,
                    uint64_t key)
{
    if (heap->len == heap->cap)
        sweep(heap);
    sift_up(heap, heap->len++, (struct wr_heap_slot){key, node});
}

void wr_heap_update(struct wr_heap *heap, struct wr_heap_node *node,
                    uint64_t key)
{
    const size_t at = node->slot - 1;
    const uint64_t old = heap->slots[at].key;

    if (key < old)
        sift_up(heap, at, (struct wr_heap_slot){key, node});
    else if (key > old)
        sift_down(heap, at, (struct wr_heap_slot){key, node});
}

void wr_heap_remove(struct wr_heap *heap, struct wr_heap_node *node)
{
    if (!node->slot)
        return;
    heap->slots[node->slot - 1].node = NULL;
    node->slot = 0;
    heap->removed++;
    if (heap->removed > SWEEP_MIN && heap->removed > heap->len / 2)
        sweep(heap);
}

struct wr_heap_node *wr_heap_first(struct wr_heap *heap)
{
    while (heap->len > 0 && !heap->slots[0].node) {
        heap->removed--;
        heap->len--;
        if (heap->len > 0)
            sift_down(heap, 0, heap->slots[heap->len]);
    }
    return heap->len > 0 ? heap->slots[0].node : NULL;
}

uint64_t wr_heap_key(const struct wr_heap *heap,
                     const struct wr_heap_node *node)
{
    return heap->slots[node->slot - 1].key;
}

void wr_heap_done(struct wr_heap *heap)
{
    wr_free(heap->slots);
    *heap = (struct wr_heap){0};
}
