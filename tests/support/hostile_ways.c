/* What an attacking origin answers. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "hostile_inner.h"

/* It says what it was sent for, to find out how it could be taken. */
#define EVIL                                                                   \
    "HTTP/1.1 200 OK\r\nX-Token: evil\r\nX-Cause: %-20.20s %16s\r\n"           \
    "Content-Length: 4\r\n\r\nevil"

enum {
    EVIL_LEN = sizeof EVIL - 1 - 12 + 20 + HOSTILE_TOKEN,
    FLOOD_LENGTH = 40,   /* more interim responses than anybody takes */
    LAST_STRETCH = 8000, /* that one write takes whole */
};

static const struct {
    const char *name;
    enum hostile_verdict verdict;
} ways[] = {
#define HOSTILE_X(name, verdict, what) {#name, HOSTILE_##verdict},
    HOSTILE_WAYS(HOSTILE_X){NULL, HOSTILE_EITHER}, HOSTILE_COURSES(HOSTILE_X)
#undef HOSTILE_X
};

const char *hostile_way_name(enum hostile_way way)
{
    return ways[way].name;
}

enum hostile_verdict hostile_way_verdict(enum hostile_way way)
{
    return ways[way].verdict;
}

/* --- reading ------------------------------------------------------------- */

static size_t length_of(const char *head)
{
    for (const char *line = strstr(head, "\r\n"); line;
         line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, "Content-Length:", 15) == 0)
            return strtoul(line + 17, NULL, 10);
    }
    return 0;
}

size_t hostile_read_request(struct hostile_request *request, const char *head)
{
    unsigned way = 0;
    char method[8];

    if (sscanf(head, "%7s /%u/%16[^/]/%zu", method, &way, request->token,
               &request->size) != 4 ||
        way >= HOSTILE_WAY_END || way == HOSTILE_WAY_COUNT ||
        strlen(request->token) != HOSTILE_TOKEN)
        hostile_die(head);
    request->way = (enum hostile_way)way;
    request->is_head = strcmp(method, "HEAD") == 0;
    return length_of(head);
}

/* --- writing ------------------------------------------------------------- */

static char *room(struct hostile_answer *answer, size_t len)
{
    if (answer->cap - answer->len <= len) {
        answer->cap = 2 * (answer->len + len) + 512;
        answer->bytes = realloc(answer->bytes, answer->cap);
        if (!answer->bytes)
            hostile_die("memory");
    }
    return answer->bytes + answer->len;
}

__attribute__((format(printf, 2, 3))) static void
say(struct hostile_answer *answer, const char *format, ...)
{
    va_list args;
    char *at = room(answer, 512);
    int len;

    va_start(args, format);
    len = vsnprintf(at, 512, format, args);
    va_end(args);
    if (len < 0 || len >= 512)
        hostile_die("an answer is too long");
    answer->len += (size_t)len;
}

/* Bytes `from` to `to` of the right body. */
static void say_body(struct hostile_answer *answer,
                     const struct hostile_request *request, size_t from,
                     size_t to)
{
    char *at = room(answer, to - from);

    for (size_t i = from; i < to; i++)
        *at++ = request->token[i % HOSTILE_TOKEN];
    answer->len += to - from;
}

static void say_evil(struct hostile_answer *answer,
                     const struct hostile_request *request)
{
    answer->evil_at = answer->len;
    say(answer, EVIL, ways[request->way].name, request->token);
}

/* A write ends here. */
static void cut(struct hostile_answer *answer)
{
    if (answer->cut_count < HOSTILE_CUTS)
        answer->cuts[answer->cut_count++] = answer->len;
}

/* --- parts --------------------------------------------------------------- */

struct parts {
    struct hostile_answer *answer;
    const struct hostile_request *request;
    uint64_t connection;
    uint64_t choice;
};

/* Up to the fields that say how long the body is. */
static void begin(const struct parts *p, const char *status_line)
{
    say(p->answer, "%s\r\nX-Token: %s\r\nX-Connection: %llu\r\n", status_line,
        p->request->token, (unsigned long long)p->connection);
}

static void ok(const struct parts *p)
{
    begin(p, "HTTP/1.1 200 OK");
}

static void end_head(const struct parts *p)
{
    say(p->answer, "\r\n");
}

static void sized(const struct parts *p, size_t size)
{
    say(p->answer, "Content-Length: %zu\r\n", size);
}

static void body(const struct parts *p)
{
    if (!p->request->is_head)
        say_body(p->answer, p->request, 0, p->request->size);
}

/* The whole of an answer of known length, with more fields. */
static void whole(const struct parts *p, const char *fields)
{
    ok(p);
    sized(p, p->request->size);
    say(p->answer, "%s\r\n", fields);
    body(p);
}

/* The chunks of a body, without the last one. */
static void chunks(const struct parts *p)
{
    const size_t size = p->request->size;
    size_t from = 0;

    ok(p);
    say(p->answer, "Transfer-Encoding: chunked\r\n\r\n");
    while (from < size && !p->request->is_head) {
        const size_t step = 1 + (size_t)(p->choice % 8000);
        const size_t to = size - from < step ? size : from + step;

        say(p->answer, "%zx\r\n", to - from);
        say_body(p->answer, p->request, from, to);
        say(p->answer, "\r\n");
        from = to;
    }
}

static void last_chunk(const struct parts *p)
{
    if (!p->request->is_head)
        say(p->answer, "0\r\nX-Trailer: %s\r\n\r\n", p->request->token);
}

static void interim(const struct parts *p, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        say(p->answer, "HTTP/1.1 103 Early Hints\r\nX-Token: evil\r\n\r\n");
}

/* --- answers that are right ---------------------------------------------- */

static void right(const struct parts *p)
{
    struct hostile_answer *answer = p->answer;

    switch (p->request->way) {
    case HOSTILE_CHUNKED:
        chunks(p);
        last_chunk(p);
        break;
    case HOSTILE_SINGLY:
        whole(p, "");
        answer->piece = 1 + answer->len / 8;
        break;
    case HOSTILE_CLOSES:
        whole(p, "Connection: close\r\n");
        answer->end = HOSTILE_CLOSE;
        break;
    case HOSTILE_DROPS:
        whole(p, "");
        answer->end = HOSTILE_CLOSE;
        break;
    case HOSTILE_OLD:
        begin(p, "HTTP/1.0 200 OK");
        end_head(p);
        body(p);
        answer->end = HOSTILE_CLOSE;
        break;
    case HOSTILE_FOLDED:
        whole(p, "X-Fold: a\r\n b\r\n");
        break;
    case HOSTILE_BARE_LF:
        whole(p, "X-Bare: a\n");
        break;
    case HOSTILE_INTERIM:
        interim(p, 1 + (unsigned)(p->choice % 16));
        whole(p, "");
        break;
    default:
        whole(p, "");
        break;
    }
}

/* --- a second response --------------------------------------------------- */

static void tail(const struct parts *p)
{
    const size_t size = p->request->size;
    const size_t rest = (size_t)(p->choice % LAST_STRETCH);
    const size_t half = size > rest ? size - rest : 0;

    ok(p);
    sized(p, size);
    end_head(p);
    say_body(p->answer, p->request, 0, half);
    cut(p->answer);
    say_body(p->answer, p->request, half, size);
}

static void second(const struct parts *p)
{
    switch (p->request->way) {
    case HOSTILE_SECOND_TAIL:
        tail(p);
        break;
    case HOSTILE_SECOND_CHUNK:
        chunks(p);
        cut(p->answer);
        last_chunk(p);
        break;
    case HOSTILE_SECOND_HEAD:
        say(p->answer, "HTTP/1.1 2");
        cut(p->answer);
        say(p->answer, "00 OK\r\nX-Token: %s\r\nContent-Length: %zu\r\n\r\n",
            p->request->token, p->request->size);
        body(p);
        break;
    case HOSTILE_SECOND_CLOSE:
        whole(p, "Connection: close\r\n");
        break;
    default:
        whole(p, "");
        break;
    }
    say_evil(p->answer, p->request);
}

/* A response that has no body by its nature, and what follows all the same. */
static void bodiless(const struct parts *p)
{
    switch (p->request->way) {
    case HOSTILE_AFTER_204:
        begin(p, "HTTP/1.1 204 No Content");
        break;
    case HOSTILE_AFTER_304:
        begin(p, "HTTP/1.1 304 Not Modified");
        sized(p, p->request->size);
        break;
    case HOSTILE_BODY_204:
        begin(p, "HTTP/1.1 204 No Content");
        sized(p, EVIL_LEN);
        break;
    default: /* HEAD_BODY */
        ok(p);
        sized(p, EVIL_LEN);
        break;
    }
    end_head(p);
    say_evil(p->answer, p->request);
}

/* --- answers that are wrong ---------------------------------------------- */

static void broken_chunks(const struct parts *p)
{
    const char next = p->request->token[p->request->size % HOSTILE_TOKEN];

    chunks(p);
    if (p->request->way == HOSTILE_BAD_CHUNK)
        say(p->answer, "0x4\r\nevil\r\n");
    else if (p->request->way == HOSTILE_LF_CHUNK)
        say(p->answer, "4\nevil\r\n");
    else if (p->request->way == HOSTILE_LONG_CHUNK)
        say(p->answer, "1\r\n%c", next);
    else
        say(p->answer, "ff\r\n%c", next);
    if (p->request->way == HOSTILE_CUT_CHUNKS)
        p->answer->end = HOSTILE_CLOSE;
    else
        say_evil(p->answer, p->request);
}

static void two_framings(const struct parts *p)
{
    ok(p);
    sized(p, p->request->size);
    if (p->request->way == HOSTILE_TWO_LENGTHS)
        sized(p, p->request->size + EVIL_LEN);
    else
        say(p->answer, "Transfer-Encoding: chunked\r\n");
    end_head(p);
    body(p);
    say(p->answer, "0\r\n\r\n");
    say_evil(p->answer, p->request);
}

static void cut_off(const struct parts *p)
{
    const bool is_reset = p->request->way == HOSTILE_RESET;

    p->answer->end = is_reset ? HOSTILE_ABORT : HOSTILE_CLOSE;
    if (p->request->way == HOSTILE_CLOSE_FIRST ||
        (is_reset && p->choice % 2 == 0))
        return;
    ok(p);
    sized(p, p->request->size + 1);
    end_head(p);
    body(p);
}

static void wrong(const struct parts *p)
{
    switch (p->request->way) {
    case HOSTILE_LENGTH_AND_CHUNKS:
    case HOSTILE_TWO_LENGTHS:
        two_framings(p);
        break;
    case HOSTILE_FLOOD:
        interim(p, FLOOD_LENGTH);
        whole(p, "");
        break;
    case HOSTILE_SWITCHES:
        begin(p, "HTTP/1.1 101 Switching Protocols");
        say(p->answer, "Upgrade: evil\r\nConnection: Upgrade\r\n\r\n");
        say_evil(p->answer, p->request);
        break;
    case HOSTILE_GARBAGE:
        say(p->answer, "evil evil evil\r\n\r\n");
        say_evil(p->answer, p->request);
        break;
    case HOSTILE_TRUNCATED:
    case HOSTILE_CLOSE_FIRST:
    case HOSTILE_RESET:
        cut_off(p);
        break;
    default:
        broken_chunks(p);
        break;
    }
}

/* --- all ----------------------------------------------------------------- */

static void start(struct hostile_answer *answer)
{
    answer->len = 0;
    answer->sent = 0;
    answer->cut_count = 0;
    answer->piece = 0;
    answer->evil_at = 0;
    answer->end = HOSTILE_KEEP;
}

void hostile_compose_evil(struct hostile_answer *answer,
                          const struct hostile_request *request)
{
    start(answer);
    say_evil(answer, request);
}

void hostile_compose(struct hostile_answer *answer,
                     const struct hostile_request *request, uint64_t connection,
                     uint64_t choice)
{
    const struct parts parts = {answer, request, connection, choice};
    const enum hostile_way way = request->way;

    start(answer);
    if (ways[way].verdict == HOSTILE_FAILS)
        wrong(&parts);
    else if (way >= HOSTILE_SECOND_SAME && way <= HOSTILE_SECOND_CLOSE)
        second(&parts);
    else if (way >= HOSTILE_AFTER_204 && way <= HOSTILE_HEAD_BODY)
        bodiless(&parts);
    else
        right(&parts);
}

/* --- courses ------------------------------------------------------------- */

/* Never on a connection that has served, of which a reset would say no more
 * than that it was stale. */
static void lose_first(const struct parts *p)
{
    p->answer->end = HOSTILE_CLOSE;
    if (p->request->is_first)
        p->answer->end = HOSTILE_ABORT;
    else
        whole(p, "Connection: close\r\n");
}

void hostile_compose_course(struct hostile_answer *answer,
                            const struct hostile_request *request,
                            const char *onward)
{
    const struct parts parts = {answer, request, 0, 0};

    start(answer);
    if (request->way == HOSTILE_REDIRECTS)
        say(answer,
            "HTTP/1.1 307 Temporary Redirect\r\nX-Token: evil\r\n"
            "Location: %s/%u/%s/%zu\r\nContent-Length: 4\r\n\r\nevil",
            onward ? onward : "", (unsigned)HOSTILE_PLAIN, request->token,
            request->size);
    else if (request->way == HOSTILE_LOST)
        lose_first(&parts);
    else if (!request->is_first)
        whole(&parts, "");
    else
        say(answer, "HTTP/1.1 503 Service Unavailable\r\nX-Token: evil\r\n"
                    "Content-Length: 4\r\n\r\nevil");
}
