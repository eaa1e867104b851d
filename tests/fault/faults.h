/* Makes system calls of the program under test fail, or do less than they were
 * asked for, as a kernel might; for programs linked with --wrap of each, see
 * tests/CMakeLists.txt.
 *
 * Two ways: at random, from a seed (faults_begin), or the nth call of one kind
 * (faults_fail_at).  Only what a kernel might do: a read that does not wait is
 * not told that there is nothing when there is something, and who has been told
 * less than there was by an edge is told again. */
#ifndef FAULTS_H
#define FAULTS_H

#include <stdbool.h>
#include <stdint.h>

/* X(name): the calls that can fail. */
#define FAULTS_CALLS(X)                                                        \
    X(socket)                                                                  \
    X(connect)                                                                 \
    X(recv)                                                                    \
    X(recvfrom)                                                                \
    X(send)                                                                    \
    X(sendmsg)                                                                 \
    X(poll)                                                                    \
    X(epoll_create1)                                                           \
    X(epoll_ctl)                                                               \
    X(epoll_wait)                                                              \
    X(eventfd)                                                                 \
    X(setsockopt)                                                              \
    X(close)                                                                   \
    X(getrandom)

enum faults_call {
#define FAULTS_X(name) FAULTS_##name,
    FAULTS_CALLS(FAULTS_X)
#undef FAULTS_X
    FAULTS_CALL_COUNT
};

enum {
    /* Instead of an errno: one byte is transferred; of a datagram, all. */
    FAULTS_SHORT = -1
};

const char *faults_name(enum faults_call call);

/* From now on calls fail at random. */
void faults_begin(uint64_t seed);
/* Reads from this port (in the host's order) that do not wait are whole, so
 * that whoever looks at a TLS stream sees the record that is there. */
void faults_read_whole(uint16_t port);
/* The nth call from now, counted from 1, and only that one. */
void faults_fail_at(enum faults_call call, uint64_t nth, int error);
/* No more of either. */
void faults_end(void);
/* Calls of a kind since faults_fail_at(), and faults made so far in all. */
uint64_t faults_calls(enum faults_call call);
uint64_t faults_made(void);
/* The calling thread's system calls are left alone: it is no part of what is
 * tested. */
void faults_spare_thread(void);

#endif
