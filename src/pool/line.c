/* Buckets, their waiting lines, and which tickets a dial covers. */
#include "pool/state.h"

#include <string.h>

/* --- buckets ------------------------------------------------------------- */

struct bucket *wr_pool_find_bucket(const struct wr_core *core,
                                   const struct wr_key *key)
{
    struct bucket *bucket;

    HASH_FIND_BYHASHVALUE(hh, core->buckets, key->bytes, key->len, key->hash,
                          bucket);
    return bucket;
}

struct bucket *wr_pool_add_bucket(struct wr_core *core,
                                  const struct wr_key *key)
{
    struct bucket *bucket;

    if (!wr_heap_reserve(&core->back_offs, core->counts.buckets + 1))
        return NULL;
    bucket = wr_calloc(1, sizeof *bucket + key->len);
    if (!bucket)
        return NULL;
    memcpy(bucket->key, key->bytes, key->len);
    bucket->key_len = key->len;
    bucket->usual_capacity = 1;
    for (int home = 0; home < HOMES; home++)
        TAILQ_INIT(&bucket->lendable[home]);
    TAILQ_INIT(&bucket->line);
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, core->buckets, bucket->key, key->len,
                                key->hash, bucket);
    if (!bucket->hh.tbl) {
        wr_free(bucket);
        return NULL;
    }
    core->counts.buckets++;
    return bucket;
}

void wr_pool_drop_if_empty(struct wr_core *core, struct bucket *bucket)
{
    if (bucket->conns || bucket->tickets || bucket->warm ||
        wr_heap_has(&bucket->back_off))
        return;
    wr_pool_forget_failures(core, bucket);
    HASH_DELETE(hh, core->buckets, bucket);
    wr_free(bucket);
    core->counts.buckets--;
}

/* --- needs --------------------------------------------------------------- */

static void set_cold(struct wr_core *core, struct bucket *bucket, bool is_cold)
{
    if (is_cold == bucket->is_cold)
        return;
    bucket->is_cold = is_cold;
    if (is_cold)
        TAILQ_INSERT_TAIL(&core->cold, bucket, cold);
    else
        TAILQ_REMOVE(&core->cold, bucket, cold);
}

void wr_pool_update_needs(struct wr_core *core, struct bucket *bucket)
{
    const bool may_dial =
        bucket->conns < core->limits.max_per_bucket && !bucket->is_backing_off;

    set_cold(core, bucket, may_dial && bucket->conns < bucket->warm);
    if (!may_dial || !bucket->uncovered)
        wr_heap_remove(&core->hungry, &bucket->hungry);
    else if (wr_heap_has(&bucket->hungry))
        wr_heap_update(&core->hungry, &bucket->hungry,
                       bucket->uncovered->arrival);
    else
        wr_heap_insert(&core->hungry, &bucket->hungry,
                       bucket->uncovered->arrival);
}

/* --- covering ------------------------------------------------------------ */

static void cover_next(struct wr_core *core, struct bucket *bucket)
{
    struct ticket *ticket = bucket->uncovered;

    ticket->is_covered = true;
    wr_heap_remove(&core->waits, &ticket->due);
    bucket->uncovered = TAILQ_NEXT(ticket, line);
    bucket->covered++;
    core->uncovered--;
}

static void uncover_last(struct wr_core *core, struct bucket *bucket)
{
    struct ticket *ticket =
        bucket->uncovered ? TAILQ_PREV(bucket->uncovered, ticket_list, line)
                          : TAILQ_LAST(&bucket->line, ticket_list);

    ticket->is_covered = false;
    if (ticket->deadline_ns != WR_HEAP_NONE)
        wr_heap_insert(&core->waits, &ticket->due, ticket->deadline_ns);
    bucket->uncovered = ticket;
    bucket->covered--;
    core->uncovered++;
}

void wr_pool_settle_cover(struct wr_core *core, struct bucket *bucket)
{
    const unsigned wanted =
        bucket->cover < bucket->tickets ? bucket->cover : bucket->tickets;

    while (bucket->covered < wanted)
        cover_next(core, bucket);
    while (bucket->covered > wanted)
        uncover_last(core, bucket);
    wr_pool_update_needs(core, bucket);
}

/* --- leaving ------------------------------------------------------------- */

void wr_pool_leave_line(struct wr_core *core, struct ticket *ticket)
{
    struct bucket *bucket = ticket->bucket;

    if (ticket->is_covered) {
        bucket->covered--;
    } else {
        wr_heap_remove(&core->waits, &ticket->due);
        if (bucket->uncovered == ticket)
            bucket->uncovered = TAILQ_NEXT(ticket, line);
        core->uncovered--;
    }
    TAILQ_REMOVE(&bucket->line, ticket, line);
    bucket->tickets--;
    core->counts.waiting--;
}

void wr_pool_fail_ticket(struct wr_core *core, struct ticket *ticket,
                         weir_status status, const weir_error *cause)
{
    wr_pool_leave_line(core, ticket);
    ticket->outcome = WR_ACT_FAIL;
    ticket->status = status;
    ticket->cause = cause;
    core->caused += cause != NULL;
    TAILQ_INSERT_TAIL(&core->outcomes, ticket, line);
}

void wr_pool_fail_line(struct wr_core *core, struct bucket *bucket,
                       weir_status status, const weir_error *cause)
{
    struct ticket *ticket;

    while ((ticket = TAILQ_FIRST(&bucket->line)) != NULL)
        wr_pool_fail_ticket(core, ticket, status, cause);
}
