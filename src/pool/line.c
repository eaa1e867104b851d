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
    struct bucket *bucket = wr_calloc(1, sizeof *bucket + key->len);

    if (!bucket)
        return NULL;
    memcpy(bucket->key, key->bytes, key->len);
    bucket->key_len = key->len;
    bucket->usual_capacity = 1;
    TAILQ_INIT(&bucket->lendable);
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
    if (bucket->conns || bucket->tickets)
        return;
    wr_heap_remove(&core->hungry, &bucket->hungry);
    HASH_DELETE(hh, core->buckets, bucket);
    wr_free(bucket);
    core->counts.buckets--;
}

/* --- covering ------------------------------------------------------------ */

void wr_pool_update_hungry(struct wr_core *core, struct bucket *bucket)
{
    const bool is_hungry =
        bucket->uncovered && bucket->conns < core->limits.max_per_bucket;

    if (!is_hungry)
        wr_heap_remove(&core->hungry, &bucket->hungry);
    else if (wr_heap_has(&bucket->hungry))
        wr_heap_update(&core->hungry, &bucket->hungry,
                       bucket->uncovered->arrival);
    else
        wr_heap_insert(&core->hungry, &bucket->hungry,
                       bucket->uncovered->arrival);
}

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

/* Lets the covered tickets be the oldest min(tickets, cover) again. */
void wr_pool_settle_cover(struct wr_core *core, struct bucket *bucket)
{
    const unsigned wanted =
        bucket->cover < bucket->tickets ? bucket->cover : bucket->tickets;

    while (bucket->covered < wanted)
        cover_next(core, bucket);
    while (bucket->covered > wanted)
        uncover_last(core, bucket);
    wr_pool_update_hungry(core, bucket);
}

/* Takes a ticket out of its line. */
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
                         weir_status status)
{
    wr_pool_leave_line(core, ticket);
    ticket->outcome = WR_ACT_FAIL;
    ticket->status = status;
    TAILQ_INSERT_TAIL(&core->outcomes, ticket, line);
}
