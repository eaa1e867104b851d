/* The layout of the public structs, as programs on LP64 have compiled it in.
 *
 * A line that no longer holds is a break of the ABI: members are appended,
 * never moved, and a struct that grows gets its new size here in the same
 * commit.  All is decided by the compiler; the program has nothing to do. */
#include <stddef.h>

#include <weir/weir.h>

#define SIZE(type, bytes)                                                      \
    _Static_assert(sizeof(type) == (bytes), "size of " #type)
#define MEMBER(type, member, bytes)                                            \
    _Static_assert(offsetof(type, member) == (bytes), #type "." #member)
#define VALUE(name, number) _Static_assert((name) == (number), #name)

#ifdef __LP64__

SIZE(weir_error, 344);
MEMBER(weir_error, code, 0);
MEMBER(weir_error, error_class, 4);
MEMBER(weir_error, stage, 8);
MEMBER(weir_error, system_code, 12);
MEMBER(weir_error, tls_code, 16);
MEMBER(weir_error, offset, 24);
MEMBER(weir_error, connection, 32);
MEMBER(weir_error, reused, 40);
MEMBER(weir_error, may_have_been_processed, 41);
MEMBER(weir_error, reserved0, 42);
MEMBER(weir_error, attempts, 44);
MEMBER(weir_error, retry_in, 48);
MEMBER(weir_error, reserved, 56);
MEMBER(weir_error, message, 88);

SIZE(weir_allocator, 24);
MEMBER(weir_allocator, malloc_fn, 0);
MEMBER(weir_allocator, realloc_fn, 8);
MEMBER(weir_allocator, free_fn, 16);

SIZE(weir_trace_event, 48);
MEMBER(weir_trace_event, size, 0);
MEMBER(weir_trace_event, kind, 8);
MEMBER(weir_trace_event, connection, 16);
MEMBER(weir_trace_event, origin, 24);
MEMBER(weir_trace_event, detail, 32);
MEMBER(weir_trace_event, elapsed, 40);

SIZE(weir_pool_options, 344);
MEMBER(weir_pool_options, size, 0);
MEMBER(weir_pool_options, enabled, 8);
MEMBER(weir_pool_options, verify, 9);
MEMBER(weir_pool_options, strict, 10);
MEMBER(weir_pool_options, max_connections, 12);
MEMBER(weir_pool_options, max_per_host, 16);
MEMBER(weir_pool_options, max_waiting, 20);
MEMBER(weir_pool_options, acquire_timeout, 24);
MEMBER(weir_pool_options, connect_timeout, 32);
MEMBER(weir_pool_options, first_byte_timeout, 40);
MEMBER(weir_pool_options, idle_read_timeout, 48);
MEMBER(weir_pool_options, total_timeout, 56);
MEMBER(weir_pool_options, idle_timeout, 64);
MEMBER(weir_pool_options, max_age, 72);
MEMBER(weir_pool_options, validate_after, 80);
MEMBER(weir_pool_options, dns_min_ttl, 88);
MEMBER(weir_pool_options, dns_max_ttl, 96);
MEMBER(weir_pool_options, max_body, 104);
MEMBER(weir_pool_options, max_status_line, 112);
MEMBER(weir_pool_options, max_header_bytes, 120);
MEMBER(weir_pool_options, max_header_fields, 128);
MEMBER(weir_pool_options, ip_version, 132);
MEMBER(weir_pool_options, user_agent, 136);
MEMBER(weir_pool_options, ca_file, 144);
MEMBER(weir_pool_options, ca_path, 152);
MEMBER(weir_pool_options, cert_file, 160);
MEMBER(weir_pool_options, key_file, 168);
MEMBER(weir_pool_options, tls_min_version, 176);
MEMBER(weir_pool_options, trace, 184);
MEMBER(weir_pool_options, trace_user, 192);
MEMBER(weir_pool_options, loop, 200);
MEMBER(weir_pool_options, poller, 204);
MEMBER(weir_pool_options, loops, 208);
MEMBER(weir_pool_options, keeper, 212);
MEMBER(weir_pool_options, follow_dns, 213);
MEMBER(weir_pool_options, dns_servers, 216);
MEMBER(weir_pool_options, proxy, 224);
MEMBER(weir_pool_options, no_proxy, 232);
MEMBER(weir_pool_options, decompress, 240);
MEMBER(weir_pool_options, redirect_downgrade, 241);
MEMBER(weir_pool_options, proxy_environment, 242);
MEMBER(weir_pool_options, max_redirects, 244);
MEMBER(weir_pool_options, retry_attempts, 248);
MEMBER(weir_pool_options, breaker_failures, 252);
MEMBER(weir_pool_options, breaker_min_requests, 256);
MEMBER(weir_pool_options, max_decode_ratio, 260);
MEMBER(weir_pool_options, retry_delay, 264);
MEMBER(weir_pool_options, retry_backoff, 272);
MEMBER(weir_pool_options, retry_max_delay, 280);
MEMBER(weir_pool_options, max_decoded, 288);
MEMBER(weir_pool_options, breaker_rate, 296);
MEMBER(weir_pool_options, breaker_window, 304);
MEMBER(weir_pool_options, breaker_open, 312);
MEMBER(weir_pool_options, hedge_delay, 320);
MEMBER(weir_pool_options, leak_after, 328);
MEMBER(weir_pool_options, hedge_p95, 336);

SIZE(weir_pool_figures, 368);
MEMBER(weir_pool_figures, size, 0);
MEMBER(weir_pool_figures, open, 8);
MEMBER(weir_pool_figures, idle, 16);
MEMBER(weir_pool_figures, leased, 24);
MEMBER(weir_pool_figures, dialing, 32);
MEMBER(weir_pool_figures, waiting, 40);
MEMBER(weir_pool_figures, buckets, 48);
MEMBER(weir_pool_figures, requests, 56);
MEMBER(weir_pool_figures, responses, 64);
MEMBER(weir_pool_figures, failures, 72);
MEMBER(weir_pool_figures, leases, 80);
MEMBER(weir_pool_figures, reused, 88);
MEMBER(weir_pool_figures, dialed, 96);
MEMBER(weir_pool_figures, dial_failures, 104);
MEMBER(weir_pool_figures, tls_resumed, 112);
MEMBER(weir_pool_figures, stale_retries, 120);
MEMBER(weir_pool_figures, queued, 128);
MEMBER(weir_pool_figures, queue_full, 136);
MEMBER(weir_pool_figures, acquire_timeouts, 144);
MEMBER(weir_pool_figures, bytes_sent, 152);
MEMBER(weir_pool_figures, bytes_received, 160);
MEMBER(weir_pool_figures, closed, 168);
MEMBER(weir_pool_figures, retries, 296);
MEMBER(weir_pool_figures, redirects, 304);
MEMBER(weir_pool_figures, retries_denied, 312);
MEMBER(weir_pool_figures, breaker_refusals, 320);
MEMBER(weir_pool_figures, hedges, 328);
MEMBER(weir_pool_figures, hedges_won, 336);
MEMBER(weir_pool_figures, hedges_skipped, 344);
MEMBER(weir_pool_figures, hedges_denied, 352);
MEMBER(weir_pool_figures, leaks, 360);

SIZE(weir_retry, 40);
MEMBER(weir_retry, size, 0);
MEMBER(weir_retry, attempts, 8);
MEMBER(weir_retry, delay, 16);
MEMBER(weir_retry, backoff, 24);
MEMBER(weir_retry, max_delay, 32);

SIZE(weir_hedge, 24);
MEMBER(weir_hedge, size, 0);
MEMBER(weir_hedge, delay, 8);
MEMBER(weir_hedge, p95, 16);

SIZE(weir_redirect, 48);
MEMBER(weir_redirect, size, 0);
MEMBER(weir_redirect, status, 8);
MEMBER(weir_redirect, count, 12);
MEMBER(weir_redirect, from, 16);
MEMBER(weir_redirect, to, 24);
MEMBER(weir_redirect, method, 32);
MEMBER(weir_redirect, is_same_origin, 40);

SIZE(weir_attempt, 64);
MEMBER(weir_attempt, size, 0);
MEMBER(weir_attempt, kind, 8);
MEMBER(weir_attempt, url, 16);
MEMBER(weir_attempt, status, 24);
MEMBER(weir_attempt, outcome, 28);
MEMBER(weir_attempt, connection, 32);
MEMBER(weir_attempt, delay, 40);
MEMBER(weir_attempt, begun, 48);
MEMBER(weir_attempt, took, 56);

SIZE(weir_close_report, 40);
MEMBER(weir_close_report, size, 0);
MEMBER(weir_close_report, finished, 8);
MEMBER(weir_close_report, cut, 16);
MEMBER(weir_close_report, refused, 24);
MEMBER(weir_close_report, idle, 32);

SIZE(weir_slice, 16);
MEMBER(weir_slice, data, 0);
MEMBER(weir_slice, len, 8);

SIZE(weir_field, 32);
MEMBER(weir_field, name, 0);
MEMBER(weir_field, value, 16);

SIZE(weir_timings, 72);
MEMBER(weir_timings, size, 0);
MEMBER(weir_timings, wait, 8);
MEMBER(weir_timings, resolve, 16);
MEMBER(weir_timings, connect, 24);
MEMBER(weir_timings, tls, 32);
MEMBER(weir_timings, send, 40);
MEMBER(weir_timings, first_byte, 48);
MEMBER(weir_timings, body, 56);
MEMBER(weir_timings, total, 64);

SIZE(weir_setting, 48);
MEMBER(weir_setting, size, 0);
MEMBER(weir_setting, section, 8);
MEMBER(weir_setting, key, 16);
MEMBER(weir_setting, value, 24);
MEMBER(weir_setting, layer, 32);
MEMBER(weir_setting, line, 40);
MEMBER(weir_setting, column, 44);

#endif

/* Numbers that a program has compiled in.  WEIR_STATUS_TABLE spells its own. */
VALUE(WEIR_E_CANCELLED, 28);
VALUE(WEIR_CLASS_CANCELLED, 10);
VALUE(WEIR_STAGE_BODY, 7);
VALUE(WEIR_STAGE_PROXY, 8);
VALUE(WEIR_TRACE_WAIT, 1);
VALUE(WEIR_TRACE_RETRY, 11);
VALUE(WEIR_TRACE_PROXY, 12);
VALUE(WEIR_TRACE_HEDGE, 15);
VALUE(WEIR_TRACE_LEAK, 16);
VALUE(WEIR_IP_V6, 6);
VALUE(WEIR_TIMEOUT_TOTAL, 4);
VALUE(WEIR_CLOSE_PEER_CLOSED, 0);
VALUE(WEIR_CLOSE_SHUTDOWN, 12);
_Static_assert(WEIR_CLOSE_REASON_COUNT <=
                   sizeof((weir_pool_figures){0}.closed) / sizeof(uint64_t),
               "weir_pool_figures.closed has room for every reason");

int main(void)
{
    return 0;
}
