/* Address racing (RFC 8305 section 5) with real sockets and virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/race.h"

#define MS UINT64_C(1000000)

/* Any point in time will do. */
static const uint64_t t0 = 77 * WR_SECOND;

static unsigned open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    unsigned count = 0;

    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

/* A listener on an address of its own; its address with the port chosen. */
static int listen_on(const char *literal, int backlog, struct wr_addr *ret_addr)
{
    int fd;

    assert_true(wr_addr_parse(ret_addr, literal, 0));
    fd = socket(ret_addr->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&ret_addr->sa, ret_addr->len),
                     0);
    assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(
        getsockname(fd, (struct sockaddr *)&ret_addr->sa, &ret_addr->len), 0);
    return fd;
}

/* An address that refuses: a port that is bound but not listened on. */
static int refuse_on(const char *literal, struct wr_addr *ret_addr)
{
    int fd;

    assert_true(wr_addr_parse(ret_addr, literal, 0));
    fd = socket(ret_addr->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&ret_addr->sa, ret_addr->len),
                     0);
    assert_int_equal(
        getsockname(fd, (struct sockaddr *)&ret_addr->sa, &ret_addr->len), 0);
    return fd;
}

/* An address that never answers: a listener whose queue is full. */
struct hole {
    int listener;
    int fillers[2];
    struct wr_addr addr;
};

static void dig(struct hole *hole)
{
    hole->listener = listen_on("127.0.0.1", 0, &hole->addr);
    for (int i = 0; i < 2; i++) {
        hole->fillers[i] =
            socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        connect(hole->fillers[i], (struct sockaddr *)&hole->addr.sa,
                hole->addr.len);
    }
}

static void fill(struct hole *hole)
{
    close(hole->listener);
    close(hole->fillers[0]);
    close(hole->fillers[1]);
}

static struct wr_addrs list_of(const struct wr_addr *a, const struct wr_addr *b,
                               const struct wr_addr *c)
{
    struct wr_addrs addrs = {.count = 0};

    addrs.list[addrs.count++] = *a;
    if (b)
        addrs.list[addrs.count++] = *b;
    if (c)
        addrs.list[addrs.count++] = *c;
    return addrs;
}

/* One race, and what its last step said. */
struct run {
    struct wr_race race;
    struct wr_waits waits;
    struct wr_addr winner;
    weir_error err;
    int fd;
};

static void start(struct run *run, const struct wr_addr *a,
                  const struct wr_addr *b, const struct wr_addr *local)
{
    const struct wr_addrs addrs = list_of(a, b, NULL);

    memset(run, 0, sizeof *run);
    run->fd = -1;
    wr_race_init(&run->race, &addrs, local);
}

static enum wr_step step(struct run *run, const struct wr_waits *ready,
                         uint64_t now_ns)
{
    return wr_race_step(&run->race, ready, now_ns, &run->waits, &run->fd,
                        &run->winner, &run->err);
}

/* Goes on until the race is over, while the clock stands still. */
static enum wr_step drive(struct run *run, const struct wr_waits *ready,
                          uint64_t now_ns)
{
    enum wr_step outcome = step(run, ready, now_ns);

    while (outcome == WR_STEP_WAIT) {
        struct wr_waits polled = run->waits;

        assert_true(poll(polled.fds, polled.count, 10000) > 0);
        outcome = step(run, &polled, now_ns);
    }
    return outcome;
}

static void the_socket_is_blocking_nodelay_and_close_on_exec(void **state)
{
    struct wr_addr addr;
    const int listener = listen_on("127.0.0.1", 5, &addr);
    struct run run;
    int on = 0;
    socklen_t len = sizeof on;

    (void)state;
    start(&run, &addr, NULL, NULL);
    assert_int_equal(drive(&run, NULL, t0), WR_STEP_DONE);
    assert_true(wr_addr_equal(&run.winner, &addr));
    assert_int_equal(fcntl(run.fd, F_GETFL) & O_NONBLOCK, 0);
    assert_int_equal(fcntl(run.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(getsockopt(run.fd, IPPROTO_TCP, TCP_NODELAY, &on, &len),
                     0);
    assert_true(on);
    close(run.fd);
    close(listener);
}

static void a_refused_address_gives_way_to_the_next_at_once(void **state)
{
    struct wr_addr refusing, listening;
    const int refuser = refuse_on("::1", &refusing);
    const int listener = listen_on("127.0.0.1", 5, &listening);
    const unsigned before = open_descriptors();
    struct run run;

    (void)state;
    start(&run, &refusing, &listening, NULL);
    assert_int_equal(drive(&run, NULL, t0),
                     WR_STEP_DONE); /* the clock has not moved */
    assert_true(wr_addr_equal(&run.winner, &listening));
    assert_int_equal(open_descriptors(), before + 1);
    close(run.fd);
    close(listener);
    close(refuser);
}

static void an_error_names_the_first_address_and_counts_the_others(void **state)
{
    struct wr_addr a, b;
    const int fds[] = {refuse_on("::1", &a), refuse_on("127.0.0.1", &b)};
    const struct wr_addrs three = list_of(&a, &b, &b);
    char text[WR_ADDR_TEXT], expected[256];
    struct run run;

    (void)state;
    wr_addr_text(&a, text, sizeof text);

    start(&run, &a, NULL, NULL);
    assert_int_equal(drive(&run, NULL, t0), WR_STEP_ERROR);
    assert_int_equal(run.err.code, WEIR_E_CONNECT);
    assert_int_equal(run.err.error_class, WEIR_CLASS_CONNECT);
    assert_int_equal(run.err.system_code, ECONNREFUSED);
    snprintf(expected, sizeof expected, "connect to %s: connection refused",
             text);
    assert_string_equal(run.err.message, expected);

    start(&run, &a, &b, NULL);
    assert_int_equal(drive(&run, NULL, t0), WR_STEP_ERROR);
    strcat(expected, ", and 1 more address");
    assert_string_equal(run.err.message, expected);

    wr_race_init(&run.race, &three, NULL);
    assert_int_equal(drive(&run, NULL, t0), WR_STEP_ERROR);
    snprintf(expected, sizeof expected,
             "connect to %s: connection refused, and 2 more addresses", text);
    assert_string_equal(run.err.message, expected);
    assert_int_equal(
        wr_race_step(&run.race, NULL, t0, &run.waits, &run.fd, NULL, NULL),
        WR_STEP_ERROR); /* stays so, and an error may be unwanted */
    close(fds[0]);
    close(fds[1]);
}

/* RFC 8305 section 5: the recommended Connection Attempt Delay is 250 ms */
static void the_second_attempt_starts_after_250_ms(void **state)
{
    const unsigned before = open_descriptors();
    struct hole hole;
    struct wr_addr addr;
    int listener;
    struct run run;

    (void)state;
    dig(&hole);
    listener = listen_on("::1", 5, &addr);
    start(&run, &hole.addr, &addr, NULL);
    assert_int_equal(step(&run, NULL, t0), WR_STEP_WAIT);
    assert_int_equal(run.waits.count, 1);
    assert_int_equal(run.waits.fds[0].events, POLLOUT);
    assert_int_equal(run.waits.deadline_ns, t0 + 250 * MS);
    assert_int_equal(step(&run, &run.waits, t0 + 249 * MS), WR_STEP_WAIT);
    assert_int_equal(run.race.started, 1);
    assert_int_equal(drive(&run, &run.waits, t0 + 250 * MS), WR_STEP_DONE);
    assert_true(wr_addr_equal(&run.winner, &addr));
    close(run.fd); /* the loser has been closed by the race */
    close(listener);
    fill(&hole);
    assert_int_equal(open_descriptors(), before);
}

static void attempts_run_side_by_side(void **state)
{
    const unsigned before = open_descriptors();
    struct hole hole;
    struct run run;

    (void)state;
    dig(&hole);
    start(&run, &hole.addr, &hole.addr, NULL);
    assert_int_equal(step(&run, NULL, t0), WR_STEP_WAIT);
    assert_int_equal(step(&run, &run.waits, t0 + 300 * MS), WR_STEP_WAIT);
    assert_int_equal(run.waits.count, 2);
    assert_int_equal(run.waits.deadline_ns, WR_NEVER); /* nothing to start */
    wr_race_done(&run.race);
    wr_race_done(&run.race); /* twice is allowed */
    fill(&hole);
    assert_int_equal(open_descriptors(), before);
}

/* A socket with ECONNREFUSED waiting in it, put in place of an attempt's: what
 * a refusal looks like that arrives later. */
static void fail_attempt(struct run *run, unsigned index)
{
    struct wr_addr addr;
    const int refuser = socket(AF_INET, SOCK_DGRAM, 0);
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct pollfd wait = {fd, 0, 0};

    assert_true(wr_addr_parse(&addr, "127.0.0.1", 0));
    bind(refuser, (struct sockaddr *)&addr.sa, addr.len);
    getsockname(refuser, (struct sockaddr *)&addr.sa, &addr.len);
    close(refuser);
    connect(fd, (struct sockaddr *)&addr.sa, addr.len);
    assert_int_equal(send(fd, "x", 1, 0), 1);
    assert_int_equal(poll(&wait, 1, 10000), 1);
    assert_true(dup2(fd, run->race.attempts[index].fd) >= 0);
    close(fd);
}

static void a_late_refusal_starts_the_next_at_once(void **state)
{
    struct hole hole;
    struct wr_addr addr;
    const int listener = listen_on("127.0.0.1", 5, &addr);
    struct wr_waits ready;
    struct run run;

    (void)state;
    dig(&hole);
    start(&run, &hole.addr, &addr, NULL);
    assert_int_equal(step(&run, NULL, t0), WR_STEP_WAIT);
    fail_attempt(&run, 0);
    ready = run.waits;
    ready.fds[0].revents = POLLERR;
    assert_int_equal(drive(&run, &ready, t0 + 10 * MS), WR_STEP_DONE);
    assert_true(wr_addr_equal(&run.winner, &addr));
    close(run.fd);
    close(listener);
    fill(&hole);
}

static void an_early_attempt_may_fail_while_a_later_one_runs(void **state)
{
    struct hole hole;
    struct wr_waits ready;
    struct run run;

    (void)state;
    dig(&hole);
    start(&run, &hole.addr, &hole.addr, NULL);
    assert_int_equal(step(&run, NULL, t0), WR_STEP_WAIT);
    assert_int_equal(step(&run, &run.waits, t0 + 250 * MS), WR_STEP_WAIT);
    fail_attempt(&run, 0);
    ready = run.waits;
    ready.fds[0].revents = POLLERR;
    assert_int_equal(step(&run, &ready, t0 + 260 * MS), WR_STEP_WAIT);
    assert_int_equal(run.waits.count, 1);
    fail_attempt(&run, 1);
    ready = run.waits;
    ready.fds[0].revents = POLLERR;
    assert_int_equal(step(&run, &ready, t0 + 270 * MS), WR_STEP_ERROR);
    assert_int_equal(run.err.system_code, ECONNREFUSED);
    fill(&hole);
}

/* rule 1.6 */
static void the_local_end_is_bound(void **state)
{
    struct wr_addr addr, local, peer, other;
    const int listener = listen_on("127.0.0.1", 5, &addr);
    const int listener6 = listen_on("::1", 5, &other);
    struct run run;
    int accepted;

    (void)state;
    assert_true(wr_addr_parse(&local, "127.0.0.2", 0));
    start(&run, &other, &addr, &local); /* IPv6 cannot come from there */
    assert_int_equal(drive(&run, NULL, t0), WR_STEP_DONE);
    assert_true(wr_addr_equal(&run.winner, &addr));
    peer.len = sizeof peer.sa;
    accepted = accept(listener, (struct sockaddr *)&peer.sa, &peer.len);
    wr_addr_set_port(&peer, 0);
    assert_true(wr_addr_equal(&peer, &local));
    close(accepted);
    close(run.fd);
    close(listener);
    close(listener6);
}

static void a_local_address_of_another_family_fits_nothing(void **state)
{
    struct wr_addr addr, local;
    struct run run;

    (void)state;
    assert_true(wr_addr_parse(&local, "127.0.0.1", 0));
    assert_true(wr_addr_parse(&addr, "2001:db8::1", 80));
    start(&run, &addr, NULL, &local);
    assert_int_equal(step(&run, NULL, t0), WR_STEP_ERROR);
    assert_int_equal(run.err.code, WEIR_E_CONNECT);
    assert_int_equal(run.err.system_code, EAFNOSUPPORT);
    assert_string_equal(run.err.message,
                        "connect to [2001:db8::1]:80 from 127.0.0.1:0: address "
                        "family not supported by protocol");
}

static void a_local_address_not_ours_is_a_local_fault(void **state)
{
    struct wr_addr addr, local;
    const int listener = listen_on("127.0.0.1", 5, &addr);
    const unsigned before = open_descriptors();
    struct run run;

    (void)state;
    assert_true(wr_addr_parse(&local, "192.0.2.1", 0));
    start(&run, &addr, NULL, &local);
    assert_int_equal(step(&run, NULL, t0), WR_STEP_ERROR);
    assert_int_equal(run.err.code, WEIR_E_SYSTEM);
    assert_int_equal(run.err.system_code, EADDRNOTAVAIL);
    assert_int_equal(open_descriptors(), before);
    close(listener);
}

static void no_descriptor_left_is_a_local_fault(void **state)
{
    struct wr_addr a, b;
    const int listener = listen_on("127.0.0.1", 5, &a);
    const int refuser = refuse_on("::1", &b);
    struct rlimit limit, none;
    struct run run;
    enum wr_step outcome;

    (void)state;
    start(&run, &a, &b, NULL);
    getrlimit(RLIMIT_NOFILE, &limit);
    none = (struct rlimit){(rlim_t)refuser + 1, limit.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    outcome = step(&run, NULL, t0);
    setrlimit(RLIMIT_NOFILE, &limit);
    assert_int_equal(outcome, WR_STEP_ERROR);
    assert_int_equal(run.err.code, WEIR_E_SYSTEM);
    assert_int_equal(run.err.error_class, WEIR_CLASS_LOCAL);
    assert_int_equal(run.err.system_code, EMFILE);
    close(listener);
    close(refuser);
}

/* A port of the ephemeral range may be given to the connecting socket itself,
 * which then connects to itself; here on purpose. */
static void a_connection_to_itself_is_a_refusal(void **state)
{
    struct wr_addr addr;
    struct run run;

    (void)state;
    close(refuse_on("127.0.0.1", &addr)); /* a port that is free */
    start(&run, &addr, NULL, &addr);
    assert_int_equal(drive(&run, NULL, t0), WR_STEP_ERROR);
    assert_int_equal(run.err.system_code, ECONNREFUSED);
}

/* rule 1.4 */
static void unix_sockets_by_path(void **state)
{
    char folder[] = "/tmp/weir-race-XXXXXX";
    char path[64], text[128];
    struct wr_addr addr;
    struct run run;
    int listener;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/s", folder);
    assert_true(wr_addr_unix(&addr, path));
    start(&run, &addr, NULL, NULL);
    assert_int_equal(drive(&run, NULL, t0), WR_STEP_ERROR);
    assert_int_equal(run.err.code, WEIR_E_CONNECT);
    assert_int_equal(run.err.system_code, ENOENT);
    snprintf(text, sizeof text, "connect to unix:%s: no such file or directory",
             path);
    assert_string_equal(run.err.message, text);

    listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&addr.sa, addr.len), 0);
    assert_int_equal(listen(listener, 5), 0);
    start(&run, &addr, NULL, NULL);
    assert_int_equal(drive(&run, NULL, t0), WR_STEP_DONE);
    assert_int_equal(fcntl(run.fd, F_GETFL) & O_NONBLOCK, 0);
    close(run.fd);
    close(listener);
    unlink(path);
    rmdir(folder);
}

/* Connecting to a Unix socket whose backlog is full says EAGAIN, and poll()
 * has nothing to say about it. */
static void a_full_unix_backlog_is_tried_again(void **state)
{
    struct wr_addr addr;
    const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int filler = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char name[64];
    struct run run;
    uint64_t again_ns;
    int accepted;

    (void)state;
    snprintf(name, sizeof name, "@weir-test-race-%d", (int)getpid());
    assert_true(wr_addr_unix(&addr, name));
    assert_int_equal(bind(listener, (struct sockaddr *)&addr.sa, addr.len), 0);
    assert_int_equal(listen(listener, 0), 0);
    assert_int_equal(connect(filler, (struct sockaddr *)&addr.sa, addr.len), 0);
    start(&run, &addr, NULL, NULL);
    assert_int_equal(step(&run, NULL, t0), WR_STEP_WAIT);
    assert_int_equal(run.waits.count, 0);
    again_ns = run.waits.deadline_ns;
    assert_in_range(again_ns, t0 + 1, t0 + 100 * MS);
    assert_int_equal(step(&run, &run.waits, again_ns), WR_STEP_WAIT);
    accepted = accept(listener, NULL, NULL);
    assert_int_equal(step(&run, &run.waits, run.waits.deadline_ns),
                     WR_STEP_DONE);
    close(run.fd);
    close(accepted);
    close(filler);
    close(listener);
}

static void a_race_that_never_began_can_be_ended(void **state)
{
    struct wr_race zero = {0};
    struct wr_addr addr;
    struct run run;

    (void)state;
    wr_race_done(&zero);
    assert_true(wr_addr_parse(&addr, "127.0.0.1", 1));
    start(&run, &addr, NULL, NULL);
    wr_race_done(&run.race);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_socket_is_blocking_nodelay_and_close_on_exec),
        cmocka_unit_test(a_refused_address_gives_way_to_the_next_at_once),
        cmocka_unit_test(
            an_error_names_the_first_address_and_counts_the_others),
        cmocka_unit_test(the_second_attempt_starts_after_250_ms),
        cmocka_unit_test(attempts_run_side_by_side),
        cmocka_unit_test(a_late_refusal_starts_the_next_at_once),
        cmocka_unit_test(an_early_attempt_may_fail_while_a_later_one_runs),
        cmocka_unit_test(the_local_end_is_bound),
        cmocka_unit_test(a_local_address_of_another_family_fits_nothing),
        cmocka_unit_test(a_local_address_not_ours_is_a_local_fault),
        cmocka_unit_test(no_descriptor_left_is_a_local_fault),
        cmocka_unit_test(a_connection_to_itself_is_a_refusal),
        cmocka_unit_test(unix_sockets_by_path),
        cmocka_unit_test(a_full_unix_backlog_is_tried_again),
        cmocka_unit_test(a_race_that_never_began_can_be_ended),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
