/* The deadline heap: order, removal, and no allocation but where reserved. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <weir/memory.h>

#include "base/heap.h"

enum {
    NODES = 500
};

struct thing {
    struct wr_heap_node node;
    uint64_t key;
};

static struct thing things[NODES];

static void fill(struct wr_heap *heap)
{
    assert_true(wr_heap_reserve(heap, NODES));
    for (unsigned i = 0; i < NODES; i++) {
        things[i] = (struct thing){.key = (i * 7919u) % 1009u};
        wr_heap_insert(heap, &things[i].node, things[i].key);
    }
}

/* Takes all nodes; each key must be at least the one before. */
static unsigned drain(struct wr_heap *heap)
{
    uint64_t last = 0;
    unsigned count = 0;
    struct wr_heap_node *node;

    while ((node = wr_heap_first(heap)) != NULL) {
        const uint64_t key = wr_heap_key(heap, node);

        assert_true(key >= last);
        assert_int_equal(key, wr_heap_min(heap));
        assert_int_equal(key, WR_OWNER(node, struct thing, node)->key);
        last = key;
        wr_heap_remove(heap, node);
        assert_false(wr_heap_has(node));
        count++;
    }
    assert_true(wr_heap_min(heap) == WR_HEAP_NONE);
    return count;
}

static void nodes_come_out_in_order(void **state)
{
    struct wr_heap heap = {0};

    (void)state;
    fill(&heap);
    assert_int_equal(drain(&heap), NODES);
    wr_heap_done(&heap);
}

static void removed_nodes_never_come_out(void **state)
{
    struct wr_heap heap = {0};

    (void)state;
    fill(&heap);
    for (unsigned i = 0; i < NODES; i++) {
        if (i % 3)
            wr_heap_remove(&heap, &things[i].node);
    }
    wr_heap_remove(&heap, &things[1].node); /* twice: left alone */
    assert_int_equal(drain(&heap), (NODES + 2) / 3);
    wr_heap_done(&heap);
}

static void a_changed_key_moves_its_node(void **state)
{
    struct wr_heap heap = {0};

    (void)state;
    fill(&heap);
    for (unsigned i = 0; i < NODES; i++) {
        things[i].key = (things[i].key * 31u + i) % 2003u;
        wr_heap_update(&heap, &things[i].node, things[i].key);
    }
    assert_int_equal(drain(&heap), NODES);
    wr_heap_done(&heap);
}

static void *no_memory(size_t size)
{
    (void)size;
    return NULL;
}

static void *no_more(void *ptr, size_t size)
{
    (void)ptr;
    (void)size;
    return NULL;
}

static void what_was_reserved_needs_no_memory(void **state)
{
    const weir_allocator failing = {no_memory, no_more, free};
    struct wr_heap heap = {0};

    (void)state;
    fill(&heap);
    weir_set_allocator(&failing);
    assert_false(wr_heap_reserve(&heap, 1 << 20));
    for (unsigned round = 0; round < 100; round++) {
        struct thing *thing = &things[round % NODES];

        wr_heap_remove(&heap, &thing->node);
        wr_heap_insert(&heap, &thing->node, thing->key);
    }
    assert_int_equal(drain(&heap), NODES);
    weir_set_allocator(NULL);
    wr_heap_done(&heap);
}

static void a_size_that_overflows_is_refused(void **state)
{
    struct wr_heap heap = {0};

    (void)state;
    assert_false(wr_heap_reserve(&heap, SIZE_MAX / 2));
    assert_true(wr_heap_min(&heap) == WR_HEAP_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_come_out_in_order),
        cmocka_unit_test(removed_nodes_never_come_out),
        cmocka_unit_test(a_changed_key_moves_its_node),
        cmocka_unit_test(what_was_reserved_needs_no_memory),
        cmocka_unit_test(a_size_that_overflows_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
