/* The files of the page, which the build has put into the program. */
#ifndef WEIR_WATCH_PAGE_ASSET_H
#define WEIR_WATCH_PAGE_ASSET_H

#include <stddef.h>

struct page_asset {
    const char *path; /* "/page.css" */
    const char *type; /* of its content */
    const unsigned char *bytes;
    const size_t *len;
};

/* NULL: there is none of that path. */
const struct page_asset *page_asset_find(const char *path);

#endif
