/* Who may ask the page for what.  Decided from the words of a request alone.
 *
 * Without a token the page listens on loopback, and the danger is a browser
 * that somebody else's page tells what to ask:
 *   - a name of theirs that leads to 127.0.0.1 (DNS rebinding) would let them
 *     read: so Host must be a name of loopback;
 *   - a form or a fetch of theirs would reach us without their reading the
 *     answer (CSRF): so an order must carry a field that a browser sends to
 *     another origin only after asking us (CORS), which we never answer, and
 *     the Origin, where there is one, must be ours;
 *   - any user of the machine can connect: so an order must come from our own
 *     user, or root.
 * With a token whoever has it may do all, from a page of ours. */
#ifndef WEIR_WATCH_PAGE_GUARD_H
#define WEIR_WATCH_PAGE_GUARD_H

#include <stdbool.h>

struct page_guard {
    const char *token; /* NULL: none is set */
    bool has_control;  /* orders are taken at all */
};

/* What a request says of itself; NULL: nothing. */
struct page_asker {
    const char *host;          /* Host */
    const char *origin;        /* Origin */
    const char *fetch_site;    /* Sec-Fetch-Site */
    const char *marker;        /* X-Weir-Watch */
    const char *authorization; /* Authorization */
    bool is_own_user;          /* the process at the other end is ours */
};

/* X(NAME, status, why) */
#define PAGE_VERDICT_TABLE(X)                                                  \
    X(ALLOWED, 200, "")                                                        \
    X(WRONG_HOST, 421, "this page answers to loopback names only")             \
    X(NO_TOKEN, 401, "a token is needed")                                      \
    X(NO_CONTROL, 403, "this page takes no orders")                            \
    X(FOREIGN_ORIGIN, 403, "orders come from this page's own origin only")     \
    X(NO_MARKER, 403, "an order needs the field X-Weir-Watch")                 \
    X(OTHER_USER, 403,                                                         \
      "without a token, orders are taken from the supervisor's own user only")

enum page_verdict {
#define WATCH_X(NAME, status, why) PAGE_##NAME,
    PAGE_VERDICT_TABLE(WATCH_X)
#undef WATCH_X
};

/* HTTP status of a verdict, and the reason for people. */
unsigned page_verdict_status(enum page_verdict verdict);
const char *page_verdict_why(enum page_verdict verdict);

/* May it see what the supervisor does? */
enum page_verdict page_may_see(const struct page_guard *guard,
                               const struct page_asker *asker);
/* May it start and stop services? */
enum page_verdict page_may_order(const struct page_guard *guard,
                                 const struct page_asker *asker);
/* Would it be allowed to, if it asked in the right form? */
bool page_may_control(const struct page_guard *guard,
                      const struct page_asker *asker);

#endif
