/* What the tests on a wire share.  They run at its near end, started by `wire`,
 * and tell it what to do to the packets; their servers are at its far end. */
#ifndef NETWORK_NET_H
#define NETWORK_NET_H

#include "client.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "origin.h"

#define FAR "10.99.0.2"
#define FAR_ALSO "10.99.0.3"
#define FAR_6 "fd99::2"

/* Seconds: a limit that must run out, and one that never may. */
#define SHORT 0.3
#define LONG 20.0

static int net_near = -1, net_far = -1, net_control = -1;

/* Asks the wire; its answer is in buf. */
static inline void wire_ask(const char *message, char *buf, size_t cap)
{
    ssize_t got;

    assert_true(send(net_control, message, strlen(message), 0) > 0);
    got = recv(net_control, buf, cap - 1, 0);
    assert_true(got > 0);
    buf[got] = '\0';
    if (strncmp(buf, "ok", 2) != 0)
        fail_msg("wire: %s", buf);
}

/* From now on; it is so when this returns. */
static inline void wire_set(const char *name, const char *value)
{
    char message[64], answer[256];

    snprintf(message, sizeof message, "%s %s", name, value);
    wire_ask(message, answer, sizeof answer);
}

/* Of the figures that the wire keeps: near, far, lost, swallowed, refused,
 * reordered, duplicated. */
static inline unsigned long wire_count(const char *name)
{
    char answer[256], word[32];
    const char *at;

    wire_ask("counts", answer, sizeof answer);
    snprintf(word, sizeof word, " %s ", name);
    at = strstr(answer, word);
    assert_non_null(at);
    return strtoul(at + strlen(word), NULL, 10);
}

/* A wire that does nothing. */
static inline void wire_clear(void)
{
    static const char *const rules[][2] = {
        {"delay-ms", "0"},  {"jitter-ms", "0"}, {"loss", "0"},
        {"duplicate", "0"}, {"reorder", "0"},   {"hole", "none"},
        {"only", "any"},    {"seed", "1"},      {"unreachable", "none"}};

    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        wire_set(rules[i][0], rules[i][1]);
}

/* This thread's sockets and children are at that end from now on. */
static inline void be_at(int net)
{
    assert_int_equal(setns(net, CLONE_NEWNET), 0);
}

/* An origin at the far end. */
static inline struct origin *far_origin(const struct origin_options *options)
{
    struct origin_options chosen = {0};
    struct origin *origin;

    if (options)
        chosen = *options;
    if (!chosen.address)
        chosen.address = FAR;
    be_at(net_far);
    origin = origin_start(&chosen);
    be_at(net_near);
    assert_non_null(origin);
    return origin;
}

static inline int net_begin(void **state)
{
    const char *far = getenv("WIRE_FAR_NET");
    const char *control = getenv("WIRE_CONTROL");

    (void)state;
    if (!far || !control) {
        fputs("this test is run by wire: wire -- TEST\n", stderr);
        return -1;
    }
    net_control = atoi(control);
    net_near = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    net_far = open(far, O_RDONLY | O_CLOEXEC);
    return net_near >= 0 && net_far >= 0 ? 0 : -1;
}

#endif
