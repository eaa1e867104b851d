/* A supervisor's view, made up: what its outward face is tested with. */
#ifndef WEIR_TEST_MADE_UP_H
#define WEIR_TEST_MADE_UP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <watch/view.h>

/* 2026-11-28T13:53:36.042Z */
#define MADE_UP_NOW UINT64_C(1795874016042)

/* Healthy, unhealthy, given up, and stopped by order. */
__attribute__((unused)) static struct watch_service_view made_up_services[] = {
    {.name = "api",
     .state = WATCH_RUNNING,
     .is_healthy = true,
     .is_wanted = true,
     .pid = 4711,
     .uptime_ms = 7384000,
     .restarts = 2,
     .restarts_in_window = 1,
     .max_restarts = 5,
     .fall = 3,
     .next_start_ms = -1,
     .waits_for = "",
     .last_error = "",
     .health = "http://127.0.0.1:8080/health",
     .probe_status = 200,
     .probe_latency_ms = 1.25,
     .probe_at_ms = MADE_UP_NOW - 1000,
     .probe_error = "",
     .log = "/var/log/api.log"},
    {.name = "we\"ird\\na\nme",
     .state = WATCH_RUNNING,
     .is_wanted = true,
     .pid = 4712,
     .uptime_ms = 42500,
     .max_restarts = 5,
     .fails_in_a_row = 3,
     .fall = 3,
     .next_start_ms = -1,
     .waits_for = "",
     .last_error = "health check: connection refused",
     .last_error_at_ms = MADE_UP_NOW - 2000,
     .health = "http://127.0.0.1:8081/",
     .probe_at_ms = MADE_UP_NOW - 500,
     .probe_error = "connect to 127.0.0.1:8081: connection refused",
     .log = ""},
    {.name = "worker",
     .state = WATCH_BACKOFF,
     .is_wanted = true,
     .restarts = 4,
     .restarts_in_window = 4,
     .max_restarts = 5,
     .fall = 3,
     .next_start_ms = 4200,
     .waits_for = "",
     .last_error = "exit status 1: \xff\033[2Jno database",
     .last_error_at_ms = MADE_UP_NOW - 9000,
     .health = "",
     .probe_error = "",
     .log = ""},
    {.name = "batch",
     .state = WATCH_STOPPED,
     .next_start_ms = -1,
     .waits_for = "",
     .last_error = "",
     .health = "",
     .probe_error = "",
     .log = ""},
};

__attribute__((unused)) static struct watch_view made_up_view = {
    .services = made_up_services,
    .count = sizeof made_up_services / sizeof *made_up_services,
    .running = 2,
    .healthy = 1,
    .is_settled = true,
    .now_ms = MADE_UP_NOW,
    .started_at_ms = MADE_UP_NOW - 7400000,
    .uptime_ms = 7400000,
    .pool = {.size = sizeof(weir_pool_figures),
             .open = 3,
             .idle = 2,
             .leased = 1,
             .requests = 1234,
             .leases = 100,
             .reused = 88},
};

__attribute__((unused)) static const struct watch_event made_up_event = {
    .kind = WATCH_EVENT_PROCESS_DIED,
    .at_ms = MADE_UP_NOW,
    .service = "api",
    .detail = "exit status 1: no \"database\"\nat all",
    .pid = 4711,
    .exit_code = 1,
    .restarts = 2,
};

#endif
