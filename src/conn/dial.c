#include "conn/dial_inner.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"

static wr_dial_step_fn step_begin, step_name, step_resolve, step_connect;

#define BIT(state) (1u << (state))

static const struct {
    const char *name;
    weir_stage stage;
    wr_dial_step_fn *step;
    unsigned next; /* allowed, a bit a state */
} states[] = {
    [DIAL_BEGIN] = {"begin", WEIR_STAGE_RESOLVE, step_begin,
                    BIT(DIAL_NAME) | BIT(DIAL_RESOLVE) | BIT(DIAL_CONNECT) |
                        BIT(DIAL_FAILED)},
    [DIAL_NAME] = {"name", WEIR_STAGE_RESOLVE, step_name,
                   BIT(DIAL_RESOLVE) | BIT(DIAL_CONNECT) | BIT(DIAL_FAILED)},
    [DIAL_RESOLVE] = {"resolve", WEIR_STAGE_RESOLVE, step_resolve,
                      BIT(DIAL_CONNECT) | BIT(DIAL_FAILED)},
    [DIAL_CONNECT] = {"connect", WEIR_STAGE_CONNECT, step_connect,
                      BIT(DIAL_HOP) | BIT(DIAL_PROXY) | BIT(DIAL_TLS) |
                          BIT(DIAL_DONE) | BIT(DIAL_FAILED)},
    [DIAL_HOP] = {"hop", WEIR_STAGE_TLS, wr_dial_step_hop,
                  BIT(DIAL_PROXY) | BIT(DIAL_DONE) | BIT(DIAL_FAILED)},
    [DIAL_PROXY] = {"proxy", WEIR_STAGE_PROXY, wr_dial_step_proxy,
                    BIT(DIAL_TLS) | BIT(DIAL_DONE) | BIT(DIAL_FAILED)},
    [DIAL_TLS] = {"tls", WEIR_STAGE_TLS, wr_dial_step_tls,
                  BIT(DIAL_DONE) | BIT(DIAL_FAILED)},
    [DIAL_DONE] = {"done", WEIR_STAGE_NONE, NULL, 0},
    [DIAL_FAILED] = {"failed", WEIR_STAGE_NONE, NULL, 0},
};

/* What the time in a state counts as; NULL: nothing. */
static uint64_t *time_of(struct wr_dial *dial, enum dial_state state)
{
    switch (state) {
    case DIAL_NAME:
    case DIAL_RESOLVE:
        return &dial->times.resolve_ns;
    case DIAL_CONNECT:
    case DIAL_HOP:
    case DIAL_PROXY:
        return &dial->times.connect_ns;
    case DIAL_TLS:
        return &dial->times.tls_ns;
    default:
        return NULL;
    }
}

void wr_dial_set_state(struct wr_dial *dial, enum dial_state state,
                       uint64_t now_ns)
{
    uint64_t *time_ns = time_of(dial, dial->state);

    assert(states[dial->state].next & BIT(state));
    if (time_ns)
        *time_ns += now_ns - dial->entered_ns;
    if (state != DIAL_FAILED)
        dial->entered_ns = now_ns;
    dial->state = state;
}

struct wr_dial *wr_dial_new(const struct wr_dial_means *means,
                            struct wr_target *target, uint64_t now_ns,
                            uint64_t limit_ns)
{
    struct wr_dial *dial = wr_calloc(1, sizeof *dial);

    if (!dial)
        return NULL;
    dial->means = *means;
    dial->target = target;
    wr_target_ref(target);
    dial->begun_ns = now_ns;
    dial->entered_ns = now_ns;
    dial->limit_ns = limit_ns;
    dial->deadline_ns = wr_after(now_ns, limit_ns);
    return dial;
}

static void start_race(struct wr_dial *dial, struct wr_addrs *addrs,
                       uint64_t now_ns)
{
    const struct wr_target *target = dial->target;

    for (unsigned i = 0; i < addrs->count && !target->unix_path; i++)
        wr_addr_set_port(&addrs->list[i], wr_target_peer_port(target));
    wr_addrs_interleave(addrs);
    wr_race_init(&dial->race, addrs, target->local);
    wr_dial_set_state(dial, DIAL_CONNECT, now_ns);
}

/* An address that needs no DNS: a Unix socket, an override, an IP literal. */
static bool known_address(const struct wr_target *target, struct wr_addr *ret)
{
    if (target->unix_path)
        return wr_addr_unix(ret, target->unix_path);
    if (target->address) {
        *ret = *target->address;
        return true;
    }
    return wr_addr_parse(ret, wr_target_peer_host(target),
                         wr_target_peer_port(target));
}

static bool is_wanted_family(const struct wr_target *target,
                             const struct wr_addr *addr)
{
    if (target->ip_version == WEIR_IP_V4)
        return addr->sa.ss_family != AF_INET6;
    if (target->ip_version == WEIR_IP_V6)
        return addr->sa.ss_family != AF_INET;
    return true;
}

/* DONE: *ret_addrs has the addresses.  WAIT: dial->query asks for them. */
static enum wr_step look_up(struct wr_dial *dial, const char *host,
                            uint64_t now_ns, struct wr_addrs *ret_addrs,
                            weir_error *ret_err)
{
    const weir_ip_version version = dial->target->ip_version;

    if (wr_resolver_cached(dial->means.resolver, host, version, now_ns,
                           ret_addrs))
        return WR_STEP_DONE;
    dial->query =
        wr_query_new(dial->means.resolver, host, version, now_ns, ret_err);
    return dial->query ? WR_STEP_WAIT : WR_STEP_ERROR;
}

/* DONE: as look_up, for a query that was under way. */
static enum wr_step go_on_looking(struct wr_dial *dial,
                                  const struct wr_waits *ready, uint64_t now_ns,
                                  struct wr_waits *ret_waits,
                                  struct wr_addrs *ret_addrs,
                                  weir_error *ret_err)
{
    const enum wr_step step = wr_query_step(dial->query, ready, now_ns,
                                            ret_waits, ret_addrs, ret_err);

    if (step == WR_STEP_DONE) {
        wr_query_free(dial->query);
        dial->query = NULL;
    }
    return step;
}

/* Begins the message of a failure at the proxy with whose it is: the address in
 * it is not the URL's. */
static enum wr_step blame_proxy(const struct wr_dial *dial, weir_error *err)
{
    static const char whose[] = "proxy: ";
    const size_t len = sizeof whose - 1;
    size_t kept;

    if (!dial->target->proxy || !err || err->error_class == WEIR_CLASS_LOCAL)
        return WR_STEP_ERROR;
    kept = strnlen(err->message, sizeof err->message - 1 - len);
    memmove(err->message + len, err->message, kept);
    memcpy(err->message, whose, len);
    err->message[len + kept] = '\0';
    return WR_STEP_ERROR;
}

/* On to the peer of the socket: the origin, or the proxy. */
static enum wr_step begin_peer(struct wr_dial *dial, uint64_t now_ns,
                               weir_error *ret_err)
{
    const struct wr_target *target = dial->target;
    struct wr_addrs addrs = {0};
    enum wr_step step;

    if (known_address(target, &addrs.list[0])) {
        if (!is_wanted_family(target, &addrs.list[0])) {
            wr_error_set(ret_err, WEIR_E_RESOLVE,
                         "resolve %s: not an IPv%d address",
                         wr_target_peer_host(target), (int)target->ip_version);
            return blame_proxy(dial, ret_err);
        }
        addrs.count = 1;
        start_race(dial, &addrs, now_ns);
        return WR_STEP_WAIT;
    }
    step = look_up(dial, wr_target_peer_host(target), now_ns, &addrs, ret_err);
    if (step == WR_STEP_DONE)
        start_race(dial, &addrs, now_ns);
    else if (step == WR_STEP_WAIT)
        wr_dial_set_state(dial, DIAL_RESOLVE, now_ns);
    return step == WR_STEP_ERROR ? blame_proxy(dial, ret_err) : WR_STEP_WAIT;
}

/* The proxy is given one address.  Nothing says whether it has IPv6, so one of
 * IPv4 is taken if there is any. */
static void choose_origin(struct wr_dial *dial, const struct wr_addrs *addrs)
{
    dial->origin = addrs->list[0];
    for (unsigned i = addrs->count; i-- > 0;) {
        if (addrs->list[i].sa.ss_family == AF_INET)
            dial->origin = addrs->list[i];
    }
}

static bool wants_name(const struct wr_target *target)
{
    struct wr_addr addr;

    return target->proxy && target->proxy->kind == WR_PROXY_SOCKS5 &&
           !wr_addr_parse(&addr, target->host, target->port);
}

static enum wr_step step_begin(struct wr_dial *dial,
                               const struct wr_waits *ready, uint64_t now_ns,
                               struct wr_waits *ret_waits, weir_error *ret_err)
{
    struct wr_addrs addrs = {0};
    enum wr_step step;

    (void)ready;
    (void)ret_waits;
    if (!wants_name(dial->target))
        return begin_peer(dial, now_ns, ret_err);
    step = look_up(dial, dial->target->host, now_ns, &addrs, ret_err);
    if (step == WR_STEP_DONE) {
        choose_origin(dial, &addrs);
        return begin_peer(dial, now_ns, ret_err);
    }
    if (step == WR_STEP_WAIT)
        wr_dial_set_state(dial, DIAL_NAME, now_ns);
    return step;
}

static enum wr_step step_name(struct wr_dial *dial,
                              const struct wr_waits *ready, uint64_t now_ns,
                              struct wr_waits *ret_waits, weir_error *ret_err)
{
    struct wr_addrs addrs = {0};
    const enum wr_step step =
        go_on_looking(dial, ready, now_ns, ret_waits, &addrs, ret_err);

    if (step != WR_STEP_DONE)
        return step;
    choose_origin(dial, &addrs);
    return begin_peer(dial, now_ns, ret_err);
}

static enum wr_step step_resolve(struct wr_dial *dial,
                                 const struct wr_waits *ready, uint64_t now_ns,
                                 struct wr_waits *ret_waits,
                                 weir_error *ret_err)
{
    struct wr_addrs addrs = {0};
    const enum wr_step step =
        go_on_looking(dial, ready, now_ns, ret_waits, &addrs, ret_err);

    if (step == WR_STEP_ERROR)
        return blame_proxy(dial, ret_err);
    if (step != WR_STEP_DONE)
        return step;
    start_race(dial, &addrs, now_ns);
    return WR_STEP_WAIT;
}

/* --- the socket, and what is put on it ----------------------------------- */

static struct wr_conn *new_conn(struct wr_target *target, int fd,
                                const struct wr_addr *peer)
{
    struct wr_conn *conn = wr_calloc(1, sizeof *conn);

    if (!conn)
        return NULL;
    conn->io.fd = fd;
    conn->target = target;
    wr_target_ref(target);
    if (!target->unix_path && peer->len <= sizeof conn->peer)
        memcpy(&conn->peer, &peer->sa, peer->len);
    conn->kept_until_ns = WR_NEVER;
    atomic_init(&conn->is_cut, false);
    return conn;
}

static enum wr_step step_connect(struct wr_dial *dial,
                                 const struct wr_waits *ready, uint64_t now_ns,
                                 struct wr_waits *ret_waits,
                                 weir_error *ret_err)
{
    int fd = -1;
    const enum wr_step step = wr_race_step(
        &dial->race, ready, now_ns, ret_waits, &fd, &dial->peer, ret_err);

    if (step == WR_STEP_ERROR)
        return blame_proxy(dial, ret_err);
    if (step != WR_STEP_DONE)
        return step;
    dial->conn = new_conn(dial->target, fd, &dial->peer);
    if (!dial->conn) {
        close(fd);
        wr_error_no_memory(ret_err);
        return WR_STEP_ERROR;
    }
    return wr_dial_build_up(dial, now_ns, ret_err);
}

/* --- the whole ----------------------------------------------------------- */

static enum wr_step fail(struct wr_dial *dial, weir_stage stage,
                         uint64_t now_ns, weir_error *ret_err)
{
    wr_dial_set_state(dial, DIAL_FAILED, now_ns);
    if (ret_err)
        ret_err->stage = stage;
    return WR_STEP_ERROR;
}

static enum wr_step time_out(struct wr_dial *dial, uint64_t now_ns,
                             weir_error *ret_err)
{
    const weir_stage stage = wr_dial_stage(dial);
    char peer[WR_ADDR_TEXT];

    wr_dial_peer(dial, peer);
    wr_error_set(ret_err, WEIR_E_CONNECT_TIMEOUT,
                 "connect to %s: not done within %.3f s, still in stage %s",
                 peer[0] ? peer : dial->target->origin,
                 (double)dial->limit_ns / 1e9, weir_stage_name(stage));
    return fail(dial, stage, now_ns, ret_err);
}

enum wr_step wr_dial_step(struct wr_dial *dial, const struct wr_waits *ready,
                          uint64_t now_ns, struct wr_waits *ret_waits,
                          weir_error *ret_err)
{
    struct wr_waits seen; /* `ready` may be `ret_waits`, which is cleared */

    assert(dial->state < DIAL_DONE);
    if (ready) {
        seen = *ready;
        ready = &seen;
    }
    for (;;) {
        const enum dial_state before = dial->state;
        enum wr_step step;

        wr_waits_clear(ret_waits);
        step = states[before].step(dial, ready, now_ns, ret_waits, ret_err);
        if (step == WR_STEP_ERROR)
            return fail(dial, states[before].stage, now_ns, ret_err);
        if (step == WR_STEP_DONE)
            return step;
        if (dial->state == before)
            break;
        ready = NULL; /* it was for the state before */
    }
    if (now_ns >= dial->deadline_ns)
        return time_out(dial, now_ns, ret_err);
    wr_waits_until(ret_waits, dial->deadline_ns);
    return WR_STEP_WAIT;
}

/* At least 1 for what happened. */
static uint32_t microseconds(uint64_t span_ns)
{
    const uint64_t span_us = (span_ns + 999) / 1000;

    return span_us < UINT32_MAX ? (uint32_t)span_us : UINT32_MAX;
}

struct wr_conn *wr_dial_take(struct wr_dial *dial)
{
    struct wr_conn *conn = dial->conn;

    conn->dial_us[0] = microseconds(dial->times.resolve_ns);
    conn->dial_us[1] = microseconds(dial->times.connect_ns);
    conn->dial_us[2] = microseconds(dial->times.tls_ns);
    conn->dialed_ns = dial->begun_ns;
    dial->conn = NULL;
    return conn;
}

const struct wr_dial_times *wr_dial_times(const struct wr_dial *dial)
{
    return &dial->times;
}

struct wr_target *wr_dial_target(const struct wr_dial *dial)
{
    return dial->target;
}

weir_stage wr_dial_stage(const struct wr_dial *dial)
{
    return states[dial->state].stage;
}

uint64_t wr_dial_begun(const struct wr_dial *dial)
{
    return dial->begun_ns;
}

const char *wr_dial_peer(const struct wr_dial *dial, char buf[WR_ADDR_TEXT])
{
    buf[0] = '\0';
    return dial->conn ? wr_addr_text(&dial->peer, buf, WR_ADDR_TEXT) : buf;
}

bool wr_dial_is_tunnelled(const struct wr_dial *dial)
{
    return dial->is_tunnelled;
}

const char *wr_dial_tls_text(const struct wr_dial *dial, char buf[WR_TLS_TEXT])
{
    const struct wr_conn *conn = dial->conn;

    buf[0] = '\0';
    return conn && conn->io.tls ? wr_tls_text(conn->io.tls, buf, WR_TLS_TEXT)
                                : buf;
}

void wr_dial_free(struct wr_dial *dial)
{
    if (!dial)
        return;
    wr_query_free(dial->query);
    wr_race_done(&dial->race);
    wr_tunnel_done(&dial->tunnel);
    if (dial->conn) {
        dial->conn->is_silent = true; /* no handshake, so nothing to end */
        wr_conn_free(dial->conn);
    }
    wr_target_unref(dial->target);
    wr_free(dial);
}
