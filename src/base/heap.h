/* Deadline heap: nodes ordered by a 64-bit key, smallest first.
 *
 * Intrusive: a node lives inside what it belongs to; the heap holds pointers.
 * Costs: insert O(1) expected while keys mostly rise (they are deadlines),
 * O(log n) at worst; remove O(1) amortised: the slot is emptied and dropped
 * when it comes to the top, or in a sweep once half of the slots are empty;
 * pop O(log n).
 *
 * wr_heap_reserve() is the only call that allocates, so that inserting what
 * has been reserved cannot fail.  Not thread-safe. */
#ifndef WR_BASE_HEAP_H
#define WR_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cold.h"

#define WR_HEAP_NONE UINT64_MAX

struct wr_heap_node {
    size_t slot; /* index + 1 in the heap; 0 = not in it */
};

struct wr_heap_slot {
    uint64_t key;
    struct wr_heap_node *node; /* NULL = removed */
};

struct wr_heap {
    struct wr_heap_slot *slots;
    size_t len; /* slots in use, removed ones included */
    size_t cap;
    size_t removed;
};

/* The struct that a node is a member of. */
#define WR_OWNER(node, type, member)                                           \
    ((type *)(void *)((char *)(node)-offsetof(type, member)))

/* Room for `count` nodes in all, which is more than there is.  false: out of
 * memory, heap unchanged. */
WR_COLD bool wr_heap_grow(struct wr_heap *heap, size_t count);
/* The same if need be. */
static inline bool wr_heap_reserve(struct wr_heap *heap, size_t count)
{
    return count <= heap->cap || wr_heap_grow(heap, count);
}
/* Inserts a node that is in no heap; room must have been reserved. */
void wr_heap_insert(struct wr_heap *heap, struct wr_heap_node *node,
                    uint64_t key);
/* Changes the key of a node that is in the heap. */
void wr_heap_update(struct wr_heap *heap, struct wr_heap_node *node,
                    uint64_t key);
/* Removes a node; one that is in no heap is left alone. */
void wr_heap_remove(struct wr_heap *heap, struct wr_heap_node *node);
/* The node with the smallest key, or NULL; stays in the heap. */
struct wr_heap_node *wr_heap_first(struct wr_heap *heap);
/* Smallest key, or WR_HEAP_NONE when empty. */
static inline uint64_t wr_heap_min(struct wr_heap *heap)
{
    if (heap->len == 0)
        return WR_HEAP_NONE;
    if (!heap->slots[0].node && !wr_heap_first(heap))
        return WR_HEAP_NONE;
    return heap->slots[0].key;
}
/* Key of a node that is in the heap. */
uint64_t wr_heap_key(const struct wr_heap *heap,
                     const struct wr_heap_node *node);
static inline bool wr_heap_has(const struct wr_heap_node *node)
{
    return node->slot != 0;
}
/* Frees the slots; nodes are forgotten. */
void wr_heap_done(struct wr_heap *heap);

#endif
