/* What the sweeps of system calls share: a pool lives with an origin while each
 * system call of one kind fails once, in each way that it can.  What a kernel
 * may answer at any time makes no difference, and all else is an error that
 * names it.  Nothing is left behind, and the pool works on. */
#ifndef FAULT_SWEEP_H
#define FAULT_SWEEP_H

#include "client.h"

#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

#include "alloc.h"
#include "certs.h"
#include "faults.h"
#include "hostile.h"

enum {
    BATCH = 4,
    USES = 3, /* of one pool */
    STUCK_S = 20
};

static char *certs;
static struct hostile *plain;
static struct hostile *tls;
static char tls_url[64];
static char servers[64];    /* that a life with a host asks */
static atomic_uint numbers; /* of tokens */
static uint64_t cases;

/* How a call may fail, and whether anybody may notice. */
static const struct way_to_fail {
    enum faults_call call;
    int error;
    bool is_transparent;
} ways[] = {
    {FAULTS_socket, EMFILE, false},
    {FAULTS_socket, ENFILE, false},
    {FAULTS_socket, ENOBUFS, false},
    {FAULTS_connect, EINTR, true},
    {FAULTS_connect, ECONNREFUSED, false},
    {FAULTS_connect, ENOBUFS, false},
    {FAULTS_connect, EADDRNOTAVAIL, false},
    {FAULTS_connect, ENETUNREACH, false},
    {FAULTS_recv, EINTR, true},
    {FAULTS_recv, EAGAIN, true},
    {FAULTS_recv, FAULTS_SHORT, true},
    {FAULTS_recv, ECONNRESET, false},
    {FAULTS_recv, ENOMEM, false},
    {FAULTS_recvfrom, EINTR, true},
    {FAULTS_recvfrom, EAGAIN, true},
    {FAULTS_recvfrom, FAULTS_SHORT, true},
    {FAULTS_recvfrom, ECONNREFUSED, false},
    {FAULTS_recvfrom, ECONNRESET, false},
    {FAULTS_recvfrom, ENOMEM, false},
    {FAULTS_send, EINTR, true},
    {FAULTS_send, EAGAIN, true},
    {FAULTS_send, FAULTS_SHORT, true},
    {FAULTS_send, ENOBUFS, false},
    {FAULTS_send, EPIPE, false},
    {FAULTS_send, ECONNRESET, false},
    {FAULTS_sendmsg, EINTR, true},
    {FAULTS_sendmsg, EAGAIN, true},
    {FAULTS_sendmsg, FAULTS_SHORT, true},
    {FAULTS_sendmsg, ECONNRESET, false},
    {FAULTS_sendmsg, ENOBUFS, false},
    {FAULTS_poll, EINTR, true},
    {FAULTS_epoll_create1, EMFILE, false},
    {FAULTS_epoll_ctl, ENOMEM, false},
    {FAULTS_epoll_ctl, ENOSPC, false},
    {FAULTS_epoll_wait, EINTR, true},
    {FAULTS_eventfd, EMFILE, false},
    {FAULTS_setsockopt, ENOBUFS, false},
    {FAULTS_close, EINTR, true},
    {FAULTS_close, EIO, true},
    {FAULTS_getrandom, EINTR, true},
    {FAULTS_getrandom, EAGAIN, true},
    {FAULTS_getrandom, FAULTS_SHORT, true},
};

struct life {
    const char *name;
    struct hostile *(*origin)(void);
    bool is_batch;
    bool is_posting;
    enum hostile_way way;
    unsigned attempts; /* that a call may have; 0 = one */
    const char *host;  /* NULL = an address */
};

/* --- what is done -------------------------------------------------------- */

static inline struct hostile *over_tcp(void)
{
    return plain;
}

static inline struct hostile *over_tls(void)
{
    return tls;
}

/* What malloc looks at, in any thread, before it gives memory back. */
static inline bool is_malloc_s(int folder, const char *name)
{
    static const char file[] = "/proc/sys/vm/overcommit_memory";
    char target[sizeof file];

    return readlinkat(folder, name, target, sizeof target) == sizeof file - 1 &&
           memcmp(target, file, sizeof file - 1) == 0;
}

static inline unsigned descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    const struct dirent *entry;
    unsigned count = 0;

    assert_non_null(folder);
    while ((entry = readdir(folder)) != NULL)
        count += !is_malloc_s(dirfd(folder), entry->d_name);
    closedir(folder);
    return count;
}

/* The origin lives in this process too, and closes its ends a little later. */
static inline unsigned descriptors_in_the_end(unsigned wanted)
{
    const double deadline = seconds_now() + STUCK_S;
    unsigned count = descriptors();

    while (count != wanted && seconds_now() < deadline) {
        sched_yield();
        count = descriptors();
    }
    return count;
}

/* Before a pool is opened: what the origin holds once it has closed its ends of
 * what is gone. */
static inline unsigned descriptors_at_rest(void)
{
    unsigned count;

    do {
        while (hostile_open(plain) + hostile_open(tls) > 0)
            sched_yield();
        count = descriptors();
    } while (hostile_open(plain) + hostile_open(tls) > 0);
    return count;
}

static inline weir_request *ask(const struct life *life, char *token)
{
    char url[128];
    weir_request *request;

    snprintf(token, HOSTILE_TOKEN + 1, "%016u", atomic_fetch_add(&numbers, 1));
    snprintf(url, sizeof url, "%s://%s:%u/%u/%s/2000",
             life->origin() == tls ? "https" : "http",
             life->host ? life->host : "127.0.0.1",
             hostile_port(life->origin()), (unsigned)life->way, token);
    request = must_request(life->is_posting ? "PUT" : "GET", url);
    if (life->is_posting)
        weir_request_set_body_copy(request, "hello", 5, NULL);
    return request;
}

static inline void check_body(weir_slice body, const char *token)
{
    assert_int_equal(body.len, 2000);
    for (size_t i = 0; i < body.len; i++)
        assert_int_equal(body.data[i], token[i % HOSTILE_TOKEN]);
}

static inline weir_status call_once(const struct life *life, weir_pool *pool,
                                    weir_error *err)
{
    char token[HOSTILE_TOKEN + 1];
    weir_request *request = ask(life, token);
    weir_response *response = NULL;
    const weir_status status = fetch_by_driver(pool, request, &response, err);

    if (status == WEIR_OK)
        check_body(weir_response_body(response), token);
    weir_response_free(response);
    weir_request_free(request);
    return status;
}

/* The first failure of a few calls at a time. */
static inline weir_status call_batch(const struct life *life, weir_pool *pool,
                                     weir_error *err)
{
    weir_call *calls[BATCH];
    char tokens[BATCH][HOSTILE_TOKEN + 1];
    weir_status outcome = WEIR_OK;

    for (unsigned i = 0; i < BATCH; i++) {
        weir_request *request = ask(life, tokens[i]);
        const weir_status status =
            weir_submit(pool, request, NULL, NULL, &calls[i], err);

        weir_request_free(request);
        if (status != WEIR_OK) {
            outcome = status;
            calls[i] = NULL;
        }
    }
    for (unsigned i = 0; i < BATCH; i++) {
        weir_response *response = NULL;
        weir_error failure;
        weir_status status;

        if (!calls[i])
            continue;
        status = weir_call_wait(calls[i], STUCK_S, &response, &failure);
        if (status == WEIR_OK) {
            check_body(weir_response_body(response), tokens[i]);
        } else {
            outcome = status;
            *err = failure;
        }
        weir_response_free(response);
        weir_call_free(calls[i]);
    }
    return outcome;
}

static inline weir_status use(const struct life *life, weir_pool *pool,
                              weir_error *err)
{
    return life->is_batch ? call_batch(life, pool, err)
                          : call_once(life, pool, err);
}

/* --- each fault ---------------------------------------------------------- */

static inline void check_error(const struct life *life,
                               const struct way_to_fail *way, uint64_t nth,
                               const weir_error *err)
{
    const char *name = faults_name(way->call);
    /* What this machine lacks is lacking at the next attempt, too. */
    const bool is_for_retry =
        life->attempts > 1 && err->error_class != WEIR_CLASS_LOCAL;
    const bool is_lost =
        err->code == WEIR_E_RESET || err->code == WEIR_E_TRUNCATED;
    const bool is_unresolved = life->host && err->code == WEIR_E_RESOLVE &&
                               err->stage == WEIR_STAGE_RESOLVE &&
                               strstr(err->message, life->host);

    if (way->is_transparent || is_for_retry)
        fail_msg("%s: %s %llu failed with %d, which nobody must notice: %s",
                 life->name, name, (unsigned long long)nth, way->error,
                 err->message);
    if (err->system_code == way->error ||
        (way->error == ENOMEM && err->code == WEIR_E_NO_MEMORY))
        return;
    if (is_unresolved &&
        (way->call == FAULTS_socket || way->call == FAULTS_connect ||
         way->call == FAULTS_sendmsg || way->call == FAULTS_recvfrom))
        return; /* c-ares has words of its own for it */
    if (is_lost && (way->call == FAULTS_send || way->call == FAULTS_sendmsg ||
                    way->call == FAULTS_recv))
        return; /* told by what was read */
    fail_msg("%s: %s %llu failed with %d, but it says: %s %s (%d)", life->name,
             name, (unsigned long long)nth, way->error,
             weir_status_name(err->code), err->message, err->system_code);
}

static inline weir_pool_options options_of(const struct life *life, char *path,
                                           size_t cap)
{
    weir_pool_options options = test_options();

    if (life->origin() == tls || life->way == HOSTILE_REDIRECTS)
        options.ca_file = certs_path(certs, "ca.pem", path, cap);
    if (life->host) {
        options.dns_servers = servers;
        options.dns_max_ttl = 0; /* every dial asks anew */
    }
    options.max_per_host = 2;
    options.total_timeout = STUCK_S;
    options.max_redirects = 3;
    options.retry_attempts = life->attempts ? life->attempts : 1;
    options.retry_delay = 0.001;
    return options;
}

/* Undisturbed, each call had its redirect or its retry, and no other. */
static inline void check_course(const struct life *life, weir_pool *pool)
{
    const weir_pool_figures figures = figures_of(pool);

    assert_int_equal(figures.redirects,
                     life->way == HOSTILE_REDIRECTS ? USES : 0);
    assert_int_equal(figures.retries, life->attempts > 1 ? USES : 0);
}

/* A redirect leads from one origin to another. */
static inline uint64_t most_open(const struct life *life,
                                 const weir_pool_options *options)
{
    return life->way == HOSTILE_REDIRECTS ? 2 * options->max_per_host
                                          : options->max_per_host;
}

static inline void live(const struct life *life, const struct way_to_fail *way,
                        uint64_t nth)
{
    char path[256];
    const weir_pool_options options = options_of(life, path, sizeof path);
    weir_pool *pool = NULL;
    weir_error err;

    if (way)
        faults_fail_at(way->call, nth, way->error);
    if (weir_pool_open(&options, &pool, &err) != WEIR_OK) {
        faults_end();
        if (!way)
            fail_msg("%s: %s", life->name, err.message);
        else
            check_error(life, way, nth, &err);
        return;
    }
    for (unsigned i = 0; i < USES; i++) {
        if (use(life, pool, &err) == WEIR_OK)
            continue;
        if (!way) {
            fail_msg("%s: %s", life->name, err.message);
            return;
        }
        check_error(life, way, nth, &err);
        if (use(life, pool, &err) != WEIR_OK)
            fail_msg("%s: %s %llu failed, and then: %s", life->name,
                     faults_name(way->call), (unsigned long long)nth,
                     err.message);
    }
    if (!way)
        check_course(life, pool);
    assert_int_equal(figures_of(pool).leased, 0);
    assert_int_equal(figures_of(pool).waiting, 0);
    assert_true(figures_of(pool).open <= most_open(life, &options));
    assert_int_equal(weir_pool_close(pool, 1, NULL), WEIR_OK);
    assert_int_equal(figures_of(pool).open, 0);
    weir_pool_free(pool);
    faults_end();
}

static inline void check_way(const struct life *life,
                             const struct way_to_fail *way)
{
    const uint64_t held = alloc_held();
    const unsigned open = descriptors_at_rest();

    for (uint64_t nth = 1;; nth++) {
        const uint64_t made = faults_made();

        live(life, way, nth);
        if (alloc_held() != held || descriptors_in_the_end(open) != open)
            fail_msg("%s: after %s %llu: %lld blocks, %d descriptors are left",
                     life->name, faults_name(way->call),
                     (unsigned long long)nth, (long long)(alloc_held() - held),
                     (int)(descriptors() - open));
        if (faults_made() == made)
            return;
        cases++;
    }
}

static inline void check(const struct life *life)
{
    live(life, NULL, 0); /* what lives as long as the process is there now */
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        check_way(life, &ways[i]);
}

static inline int begin(void **state)
{
    static const weir_allocator counting = {alloc_malloc, alloc_realloc,
                                            alloc_free};

    (void)state;
    certs = certs_new();
    if (!certs || weir_set_allocator(&counting) != WEIR_OK)
        return -1;
    tls = hostile_start(&(struct hostile_options){
        .certs = certs, .on_thread = faults_spare_thread});
    snprintf(tls_url, sizeof tls_url, "https://127.0.0.1:%u",
             tls ? hostile_port(tls) : 0);
    plain = hostile_start(
        &(struct hostile_options){.onward = tls_url,
                                  .is_everywhere = true,
                                  .on_thread = faults_spare_thread});
    return plain && tls ? 0 : -1;
}

static inline int end(void **state)
{
    (void)state;
    hostile_stop(plain);
    hostile_stop(tls);
    certs_done(certs);
    return 0;
}

static inline int no_faults(void **state)
{
    (void)state;
    faults_end();
    return 0;
}

#define TEST(name) cmocka_unit_test_teardown(name, no_faults)

#endif
