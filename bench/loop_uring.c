/* The floor of an event loop over io_uring: what loop_floor.c does with epoll.
 * Says whether a poller of that sort would be worth its while in weir.
 *
 * BENCH_URING in the environment names the way:
 *
 *   complete  one receive for the life of a connection, into buffers that the
 *             ring picks; what is to be sent goes along with the next wait, so
 *             that there is one system call for many requests
 *   receive   the same receive; each request is sent by a send() of its own
 *   ready     the ring only tells that there is something to read, as a poller
 *             of weir does; recv() and send() are ours
 *
 * `loop_uring probe` ends with 77 where the kernel has no such ring, or does
 * not let us have one. */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <sys/mman.h>

#include "floor.h"

enum {
    NOT_HERE = 77,
    ROOM = 1 << 16, /* of a buffer; a smaller one costs more in large bodies */
    BUFFERS_MAX = 1 << 15,
    GROUP = 0, /* of buffers */
    SENT = 1   /* in place of a link: a send has failed */
};

enum way {
    COMPLETE,
    RECEIVE,
    READY
};

struct link {
    struct floor_link link;
    struct floor_answer answer;
    BIO *in; /* TLS: what has been received, and what is to be sent */
    BIO *out;
    char sent[1024]; /* TLS: the ring reads it while it sends */
};

struct uring_flight {
    struct floor_peer peer;
    enum way way;
    struct io_uring ring;
    struct io_uring_buf_ring *buffers;
    char *room; /* of the buffers */
    unsigned buffer_count;
    struct link *links;
    const struct client_args *args;
    long begun;
    long ended;
    long wanted;
    char in[ROOM];
};

static struct io_uring_sqe *next_entry(struct uring_flight *flight)
{
    struct io_uring_sqe *entry = io_uring_get_sqe(&flight->ring);

    if (!entry) {
        io_uring_submit(&flight->ring);
        entry = io_uring_get_sqe(&flight->ring);
    }
    if (!entry)
        client_die("uring: no entry");
    return entry;
}

/* Gives a buffer to the kernel, as the next but `ahead`. */
static void add_buffer(struct uring_flight *flight, unsigned id, int ahead)
{
    io_uring_buf_ring_add(flight->buffers, flight->room + (size_t)id * ROOM,
                          ROOM, (unsigned short)id,
                          (int)flight->buffer_count - 1, ahead);
}

/* Descriptors are registered: the place of a link is its file's. */
static int file_of(const struct uring_flight *flight, const struct link *link)
{
    return (int)(link - flight->links);
}

static void arm(struct uring_flight *flight, struct link *link)
{
    struct io_uring_sqe *entry = next_entry(flight);
    const int file = file_of(flight, link);

    if (flight->way == READY) {
        io_uring_prep_poll_multishot(entry, file, POLLIN | POLLRDHUP);
        entry->flags |= IOSQE_FIXED_FILE;
    } else {
        io_uring_prep_recv_multishot(entry, file, NULL, 0, 0);
        entry->ioprio |= IORING_RECVSEND_POLL_FIRST;
        entry->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
        entry->buf_group = GROUP;
    }
    io_uring_sqe_set_data(entry, link);
}

/* --- sending ------------------------------------------------------------- */

/* What is to be sent, as TLS has it. */
static const char *cipher(struct uring_flight *flight, struct link *link,
                          size_t *ret_len)
{
    const int len = flight->peer.request_len;
    int out;

    if (SSL_write(link->link.ssl, flight->peer.request, len) != len)
        client_die("uring: TLS write");
    out = BIO_read(link->out, link->sent, sizeof link->sent);
    if (out <= 0 || BIO_pending(link->out))
        client_die("uring: no room for a request");
    *ret_len = (size_t)out;
    return link->sent;
}

/* A send is heard of only when it fails: a short one is gone on with. */
static void queue_send(struct uring_flight *flight, struct link *link,
                       const char *data, size_t len)
{
    struct io_uring_sqe *entry = next_entry(flight);

    io_uring_prep_send(entry, file_of(flight, link), data, len,
                       MSG_NOSIGNAL | MSG_WAITALL);
    entry->flags |= IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS;
    io_uring_sqe_set_data64(entry, SENT);
}

static void send_next(struct uring_flight *flight, struct link *link)
{
    const char *data = flight->peer.request;
    size_t len = (size_t)flight->peer.request_len;

    flight->begun++;
    link->answer.want = 0;
    link->answer.got = 0;
    if (flight->way == READY) {
        floor_send(&flight->peer, &link->link);
        return;
    }
    if (link->link.ssl)
        data = cipher(flight, link, &len);
    if (flight->way == COMPLETE)
        queue_send(flight, link, data, len);
    else if (send(link->link.fd, data, len, MSG_NOSIGNAL) != (ssize_t)len)
        client_die("uring: send");
}

/* --- receiving ----------------------------------------------------------- */

static void answered(struct uring_flight *flight, struct link *link)
{
    flight->ended++;
    if (flight->begun < flight->wanted)
        send_next(flight, link);
}

static void take_tls(struct uring_flight *flight, struct link *link,
                     const char *in, size_t len)
{
    SSL *ssl = link->link.ssl;
    int got;

    if (BIO_write(link->in, in, (int)len) != (int)len)
        client_die("uring: no memory");
    while ((got = SSL_read(ssl, flight->in, ROOM)) > 0)
        if (floor_take(&link->answer, flight->in, (size_t)got)) {
            answered(flight, link);
            return;
        }
    if (SSL_get_error(ssl, got) != SSL_ERROR_WANT_READ)
        client_die("uring: TLS read");
}

static void on_received(struct uring_flight *flight, struct link *link,
                        const struct io_uring_cqe *cqe)
{
    const unsigned id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
    const char *in = flight->room + (size_t)id * ROOM;

    if (cqe->res <= 0 && cqe->res != -ENOBUFS)
        client_die("uring: receive");
    if (cqe->res > 0 && link->link.ssl)
        take_tls(flight, link, in, (size_t)cqe->res);
    else if (cqe->res > 0 && floor_take(&link->answer, in, (size_t)cqe->res))
        answered(flight, link);
    if (cqe->res > 0) {
        add_buffer(flight, id, 0);
        io_uring_buf_ring_advance(flight->buffers, 1);
    }
}

static bool would_block(const struct link *link, ssize_t got)
{
    if (link->link.ssl)
        return SSL_get_error(link->link.ssl, (int)got) == SSL_ERROR_WANT_READ;
    return got < 0 && errno == EAGAIN;
}

static void on_ready(struct uring_flight *flight, struct link *link,
                     const struct io_uring_cqe *cqe)
{
    bool is_whole;

    if (cqe->res < 0)
        client_die("uring: poll");
    do {
        const ssize_t got = floor_read(&link->link, flight->in, ROOM);

        if (got <= 0 && would_block(link, got))
            return;
        if (got <= 0)
            client_die("uring: read");
        is_whole = floor_take(&link->answer, flight->in, (size_t)got);
        if (!is_whole && !link->link.ssl && got < ROOM)
            return; /* the socket is empty */
    } while (!is_whole);
    answered(flight, link);
}

static void on_completion(struct uring_flight *flight,
                          const struct io_uring_cqe *cqe)
{
    struct link *link = io_uring_cqe_get_data(cqe);

    if (io_uring_cqe_get_data64(cqe) == SENT)
        client_die("uring: send");
    if (flight->way == READY)
        on_ready(flight, link, cqe);
    else
        on_received(flight, link, cqe);
    if (!(cqe->flags & IORING_CQE_F_MORE))
        arm(flight, link);
}

static void run(void *user, long count)
{
    struct uring_flight *flight = user;
    struct io_uring_cqe *cqe;

    flight->begun = 0;
    flight->ended = 0;
    flight->wanted = count;
    for (unsigned i = 0; i < flight->args->count && i < (unsigned long)count;
         i++)
        send_next(flight, &flight->links[i]);
    while (flight->ended < count) {
        unsigned head;
        unsigned seen = 0;

        io_uring_submit_and_wait(&flight->ring, 1);
        io_uring_for_each_cqe(&flight->ring, head, cqe)
        {
            on_completion(flight, cqe);
            seen++;
        }
        io_uring_cq_advance(&flight->ring, seen);
    }
}

/* --- setting up ---------------------------------------------------------- */

static unsigned power_of_two(unsigned at_least)
{
    unsigned power = 64;

    while (power < at_least && power < BUFFERS_MAX)
        power *= 2;
    return power;
}

/* For one thread, with what the kernel has to make that cheap.  Linux 6.0 has
 * such a ring, and a receive that goes on. */
static void open_ring(struct io_uring *ring, unsigned entries)
{
    static const unsigned wanted[] = {
        IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
        IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN};

    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        struct io_uring_params params = {
            .flags = wanted[i] | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
            .cq_entries = 4 * entries};

        if (io_uring_queue_init_params(entries, ring, &params) == 0)
            return;
    }
    fprintf(stderr, "uring: no ring\n");
    exit(NOT_HERE);
}

static void *pages(size_t bytes)
{
    void *found = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (found == MAP_FAILED)
        client_die("uring: no memory");
    return found;
}

static void add_buffers(struct uring_flight *flight)
{
    const unsigned count = flight->buffer_count;
    struct io_uring_buf_reg reg = {.ring_entries = count, .bgid = GROUP};

    flight->buffers = pages(count * sizeof(struct io_uring_buf));
    flight->room = pages((size_t)count * ROOM);
    reg.ring_addr = (uintptr_t)flight->buffers;
    if (io_uring_register_buf_ring(&flight->ring, &reg, 0) != 0)
        client_die("uring: no ring of buffers");
    for (unsigned id = 0; id < count; id++)
        add_buffer(flight, id, (int)id);
    io_uring_buf_ring_advance(flight->buffers, (int)count);
}

static enum way way_wanted(void)
{
    const char *name = getenv("BENCH_URING");

    if (!name || strcmp(name, "complete") == 0)
        return COMPLETE;
    if (strcmp(name, "receive") == 0)
        return RECEIVE;
    if (strcmp(name, "ready") != 0)
        client_die("uring: BENCH_URING is complete, receive or ready");
    return READY;
}

static void connect_link(struct uring_flight *flight, struct link *link)
{
    floor_connect(&flight->peer, &link->link);
    if (flight->way == READY) {
        fcntl(link->link.fd, F_SETFL, O_NONBLOCK);
    } else if (link->link.ssl) { /* the handshake is over: by hand from here */
        link->in = BIO_new(BIO_s_mem());
        link->out = BIO_new(BIO_s_mem());
        BIO_set_mem_eof_return(link->in, -1);
        SSL_set_bio(link->link.ssl, link->in, link->out);
    }
}

static void connect_all(struct uring_flight *flight)
{
    const unsigned count = flight->args->count;
    int *files = calloc(count, sizeof *files);

    flight->links = calloc(count, sizeof *flight->links);
    for (unsigned i = 0; i < count; i++) {
        connect_link(flight, &flight->links[i]);
        files[i] = flight->links[i].link.fd;
    }
    if (io_uring_register_files(&flight->ring, files, count) != 0)
        client_die("uring: no registered files");
    free(files);
    for (unsigned i = 0; i < count; i++)
        arm(flight, &flight->links[i]);
}

int main(int argc, char **argv)
{
    static struct uring_flight flight;
    const bool is_probe = argc == 2 && strcmp(argv[1], "probe") == 0;
    struct client_args args = {.count = 1};

    if (!is_probe)
        args = client_args(argc, argv, 64);
    flight.args = &args;
    flight.way = way_wanted();
    flight.buffer_count = power_of_two(args.count);
    open_ring(&flight.ring, flight.buffer_count);
    if (is_probe)
        return 0;
    io_uring_register_ring_fd(&flight.ring);
    add_buffers(&flight);
    floor_peer_init(&flight.peer, &args);
    connect_all(&flight);
    return client_run_many(&args, run, &flight);
}
