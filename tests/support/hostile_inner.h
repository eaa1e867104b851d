/* Shared by hostile.c (sockets and the loop) and hostile_ways.c (what is
 * answered) alone. */
#ifndef HOSTILE_INNER_H
#define HOSTILE_INNER_H

#include <openssl/ssl.h>
#include <stddef.h>
#include <sys/queue.h>

#include "hostile.h"

enum {
    HOSTILE_CUTS = 4
};

enum hostile_end {
    HOSTILE_KEEP,
    HOSTILE_CLOSE, /* TLS: with close_notify */
    HOSTILE_ABORT, /* with a reset */
};

struct hostile_request {
    bool is_head;
    bool is_first; /* that has its token */
    enum hostile_way way;
    char token[HOSTILE_TOKEN + 1];
    size_t size;
};

/* An answer, on its way. */
struct hostile_answer {
    char *bytes;
    size_t len;
    size_t cap;
    size_t sent;
    size_t cuts[HOSTILE_CUTS]; /* ascending: a write ends there */
    unsigned cut_count;
    size_t piece;   /* a write has no more; 0 = any */
    size_t evil_at; /* where a second response begins; 0 = there is none */
    enum hostile_end end;
};

struct hostile_conn {
    uint64_t number;
    int fd;
    SSL *ssl;
    bool has_shaken;
    bool wants_out; /* registered for EPOLLOUT */
    bool is_gone;
    char *in;
    size_t in_len;
    size_t in_cap;
    size_t body_left; /* of the request */
    bool is_asked;    /* a request whose answer is not out */
    bool has_answer;  /* composed */
    uint64_t due_ms;  /* when the answer begins; 0 = at once */
    struct hostile_request request;
    struct hostile_answer answer;
    TAILQ_ENTRY(hostile_conn) link;
};

/* Reads a header section that ends in NUL; returns the length of the body. */
size_t hostile_read_request(struct hostile_request *request, const char *head);
/* Writes the answer to a request; `choice` decides where it is split. */
void hostile_compose(struct hostile_answer *answer,
                     const struct hostile_request *request, uint64_t connection,
                     uint64_t choice);
/* The same for what is in HOSTILE_COURSES. */
void hostile_compose_course(struct hostile_answer *answer,
                            const struct hostile_request *request,
                            const char *onward);
/* The response that nobody has asked for; `request` came before. */
void hostile_compose_evil(struct hostile_answer *answer,
                          const struct hostile_request *request);
void hostile_die(const char *what);

#endif
