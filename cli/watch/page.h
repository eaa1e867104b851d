/* The page: services and the pool in a browser, and the same for machines
 * (/status.json, /metrics, /healthz), over libmicrohttpd in the main loop.
 *
 * page_guard.h says who may ask for what. */
#ifndef WEIR_WATCH_PAGE_H
#define WEIR_WATCH_PAGE_H

#include "loop.h"
#include "outlets.h"
#include "recent.h"
#include "view.h"

/* What the page shows and whom it orders about. */
struct page_source {
    const struct watch_view *(*view)(void *user);
    struct watch_outlets (*outlets)(void *user);
    /* `verb` is "start", "stop" or "restart". */
    bool (*order)(void *user, const char *verb, const char *service,
                  struct watch_refusal *why);
    void *user;
    const struct watch_recent *recent;
};

struct page_options {
    const char *listen; /* "127.0.0.1:8090"; port 0: any */
    const char *token;  /* NULL: none, and then loopback only */
    bool has_control;   /* services may be started and stopped */
    struct page_source source;
};

struct page;

/* The options are copied, the loop is borrowed.  NULL: `ret_err` says why. */
struct page *page_open(const struct page_options *options,
                       struct watch_loop *loop, weir_error *ret_err);
/* Another token, or none, and other rights from the next request on.  false:
 * refused, as it would be at opening; nothing has changed. */
bool page_change(struct page *page, const char *token, bool has_control,
                 weir_error *ret_err);
/* NULL is allowed. */
void page_close(struct page *page);
/* Where it listens indeed: "127.0.0.1:41233"; lent. */
const char *page_address(const struct page *page);

#endif
