/* Between the server and its answers. */
#ifndef WEIR_WATCH_PAGE_INNER_H
#define WEIR_WATCH_PAGE_INNER_H

#include <microhttpd.h>

#include "page.h"
#include "page_guard.h"

/* A request that has been received whole. */
struct page_request {
    struct MHD_Connection *connection;
    const char *method;
    const char *path; /* without a query, unescaped */
    struct page_asker asker;
};

/* Answers it. */
enum MHD_Result page_answer(const struct page_guard *guard,
                            const struct page_source *source,
                            const struct page_request *request);

#endif
