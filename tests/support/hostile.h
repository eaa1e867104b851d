/* An origin that attacks: it answers each request in the way that its target
 * names, most of them meant to make a client take bytes of one answer for
 * another, and the client's next request must not receive them.
 *
 * It knows nothing of weir.  One thread serves all connections and keeps
 * nothing of them, so that it lasts for millions of exchanges:
 *
 *   GET /WAY/TOKEN/SIZE     WAY is a number, TOKEN has HOSTILE_TOKEN letters
 *
 * A right answer has the field "X-Token: TOKEN", and a body of SIZE bytes of
 * which number i is TOKEN[i % HOSTILE_TOKEN].  Whatever the request has not
 * asked for has "evil" in the place of the token.  What the origin cannot do
 * for lack of memory or threads ends the program. */
#ifndef HOSTILE_H
#define HOSTILE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    HOSTILE_TOKEN = 16
};

/* How a call must end, unless something else disturbs it. */
enum hostile_verdict {
    HOSTILE_ANSWERS, /* with the right answer */
    HOSTILE_FAILS,   /* in an error */
    HOSTILE_EITHER,  /* one or the other */
};

/* X(name, verdict, what it does) */
#define HOSTILE_WAYS(X)                                                        \
    X(PLAIN, ANSWERS, "a length")                                              \
    X(CHUNKED, ANSWERS, "chunks and a trailer")                                \
    X(SINGLY, ANSWERS, "in many small segments")                               \
    X(CLOSES, ANSWERS, "Connection: close")                                    \
    X(DROPS, ANSWERS, "closes behind it without a word")                       \
    X(OLD, ANSWERS, "HTTP/1.0, up to the close")                               \
    X(FOLDED, ANSWERS, "a folded field")                                       \
    X(BARE_LF, ANSWERS, "a bare line feed in the head")                        \
    X(INTERIM, ANSWERS, "a few interim responses first")                       \
    X(SECOND_SAME, ANSWERS, "a second response in the same segment")           \
    X(SECOND_TAIL, ANSWERS, "a second one behind the tail of the body")        \
    X(SECOND_CHUNK, ANSWERS, "a second one behind the last chunk")             \
    X(SECOND_HEAD, ANSWERS, "a second one within the segment of the head")     \
    X(SECOND_CLOSE, ANSWERS, "a second one behind Connection: close")          \
    X(AFTER_204, ANSWERS, "204, then a response")                              \
    X(AFTER_304, ANSWERS, "304 with a length, then a response")                \
    X(BODY_204, ANSWERS, "204 with a length and a body")                       \
    X(HEAD_BODY, ANSWERS, "to HEAD: a body, which is a response")              \
    X(EARLY, ANSWERS, "before the request's body is in")                       \
    X(LATE, ANSWERS, "a second one when hostile_surprise() says so")           \
    X(STALL, EITHER, "after HOSTILE_STALL_MS")                                 \
    X(LENGTH_AND_CHUNKS, FAILS, "Content-Length and Transfer-Encoding")        \
    X(TWO_LENGTHS, FAILS, "two lengths, of which one ends at a response")      \
    X(FLOOD, FAILS, "interim responses without end")                           \
    X(SWITCHES, FAILS, "101, then a response")                                 \
    X(TRUNCATED, FAILS, "closes within the body")                              \
    X(CUT_CHUNKS, FAILS, "closes within the chunks")                           \
    X(BAD_CHUNK, FAILS, "a chunk size that is none")                           \
    X(LF_CHUNK, FAILS, "a chunk size that ends in a bare line feed")           \
    X(LONG_CHUNK, FAILS, "more in a chunk than its size, a response")          \
    X(GARBAGE, FAILS, "no response at all")                                    \
    X(CLOSE_FIRST, FAILS, "closes without an answer")                          \
    X(RESET, FAILS, "resets within the answer")

/* Not counted as ways: for a client that follows redirects and tries again, one
 * call at a time. */
#define HOSTILE_COURSES(X)                                                     \
    X(REDIRECTS, ANSWERS, "307, to PLAIN")                                     \
    X(BUSY, ANSWERS, "503 to the first request that has a token")              \
    X(LOST, ANSWERS, "a reset to it; later ones, a close")

enum hostile_way {
#define HOSTILE_X(name, verdict, what) HOSTILE_##name,
    HOSTILE_WAYS(HOSTILE_X) HOSTILE_WAY_COUNT,
    HOSTILE_COURSES(HOSTILE_X) HOSTILE_WAY_END
#undef HOSTILE_X
};

enum {
    HOSTILE_STALL_MS = 20,
    /* A body of the ways SECOND_TAIL, and of the others called SECOND, is at
     * most so long: then the second response is there with the end of the
     * first, and whether a client sees it is no matter of chance. */
    HOSTILE_TAIL_MAX = 40000,
    HOSTILE_SECOND_MAX = 4000
};

struct hostile_options {
    const char *certs;       /* folder of certs_new(): TLS; NULL = plain */
    const char *onward;      /* where REDIRECTS leads to, as "http://host:port";
                                borrowed; NULL = the origin itself */
    bool is_everywhere;      /* at all addresses; false = 127.0.0.1 */
    uint64_t seed;           /* of where answers are split; 0 = 1 */
    void (*on_thread)(void); /* called on its thread first; NULL = none */
};

struct hostile;

/* NULL after printing why. */
struct hostile *hostile_start(const struct hostile_options *options);
/* NULL is allowed. */
void hostile_stop(struct hostile *hostile);
uint16_t hostile_port(const struct hostile *hostile);
const char *hostile_way_name(enum hostile_way way);
enum hostile_verdict hostile_way_verdict(enum hostile_way way);

/* Sends a response on a connection of which an answer had the number in its
 * field X-Connection, and waits until the client's kernel has it.  false: that
 * connection has gone.  Any thread but the origin's. */
bool hostile_surprise(struct hostile *hostile, uint64_t connection);

/* Connections that are open. */
uint64_t hostile_open(struct hostile *hostile);
/* Requests that have come; and those before the answer to the one before. */
uint64_t hostile_requests(struct hostile *hostile);
uint64_t hostile_pipelined(struct hostile *hostile);

#endif
