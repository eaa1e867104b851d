/* Records of conns and tickets: where they live and how they are found. */
#include "pool/state.h"

/* --- records ------------------------------------------------------------- */

uint64_t wr_pool_handle(uint32_t index, uint32_t generation)
{
    return (uint64_t)generation << 32 | index;
}

struct conn *wr_pool_find_conn(const struct wr_core *core, wr_conn_id id)
{
    const size_t index = (uint32_t)id;
    struct conn *conn;

    if (index >= core->conn_count)
        return NULL;
    conn = &core->conn_chunks[index / CHUNK_RECORDS][index % CHUNK_RECORDS];
    return conn->state != CONN_FREE && conn->generation == id >> 32 ? conn
                                                                    : NULL;
}

struct ticket *wr_pool_find_ticket(const struct wr_core *core, wr_ticket_id id)
{
    const size_t index = (uint32_t)id;
    struct ticket *ticket;

    if (index >= core->ticket_count)
        return NULL;
    ticket = &core->ticket_chunks[index / CHUNK_RECORDS][index % CHUNK_RECORDS];
    return ticket->is_live && ticket->generation == id >> 32 ? ticket : NULL;
}

wr_conn_id wr_pool_id_of(const struct conn *conn)
{
    return wr_pool_handle(conn->index, conn->generation);
}

/* Room for one more pointer in an array of chunks. */
static bool grow_array(void **array, size_t *cap, size_t used)
{
    const size_t wanted = *cap ? *cap * 2 : 8;
    void *larger;

    if (used < *cap)
        return true;
    larger = wr_realloc(*array, wanted * sizeof(void *));
    if (!larger)
        return false;
    *array = larger;
    *cap = wanted;
    return true;
}

static bool add_conns(struct wr_core *core)
{
    const size_t chunks = core->conn_count / CHUNK_RECORDS;
    struct conn *chunk;

    if (!grow_array((void **)&core->conn_chunks, &core->conn_chunk_cap,
                    chunks) ||
        !wr_heap_reserve(&core->due, core->conn_count + CHUNK_RECORDS))
        return false;
    chunk = wr_calloc(CHUNK_RECORDS, sizeof *chunk);
    if (!chunk)
        return false;
    core->conn_chunks[chunks] = chunk;
    for (unsigned i = 0; i < CHUNK_RECORDS; i++) {
        chunk[i].index = (uint32_t)core->conn_count++;
        chunk[i].generation = 1;
        TAILQ_INSERT_TAIL(&core->spare, &chunk[i], lru);
    }
    return true;
}

bool wr_pool_add_tickets(struct wr_core *core)
{
    const size_t chunks = core->ticket_count / CHUNK_RECORDS;
    const size_t total = core->ticket_count + CHUNK_RECORDS;
    struct ticket *chunk;

    if (!grow_array((void **)&core->ticket_chunks, &core->ticket_chunk_cap,
                    chunks) ||
        !wr_heap_reserve(&core->waits, total) ||
        !wr_heap_reserve(&core->hungry, total))
        return false;
    chunk = wr_calloc(CHUNK_RECORDS, sizeof *chunk);
    if (!chunk)
        return false;
    core->ticket_chunks[chunks] = chunk;
    for (unsigned i = 0; i < CHUNK_RECORDS; i++) {
        chunk[i].index = (uint32_t)core->ticket_count++;
        chunk[i].generation = 1;
        TAILQ_INSERT_TAIL(&core->spare_tickets, &chunk[i], line);
    }
    return true;
}

bool wr_pool_reserve_conns(struct wr_core *core, uint64_t more,
                           uint64_t max_total)
{
    uint64_t wanted = core->counts.open + more;

    if (wanted > max_total)
        wanted = max_total;
    while (core->conn_count < wanted) {
        if (!add_conns(core))
            return false;
    }
    return true;
}

void wr_pool_free_ticket(struct wr_core *core, struct ticket *ticket)
{
    core->caused -= ticket->cause != NULL;
    ticket->cause = NULL;
    ticket->is_live = false;
    ticket->generation++;
    ticket->outcome = WR_ACT_NONE;
    TAILQ_INSERT_HEAD(&core->spare_tickets, ticket, line);
}
