#include "page_asset.h"

#include <string.h>

#include "page_files.h"

static const struct page_asset assets[] = {
    {"/", "text/html; charset=utf-8", page_html, sizeof page_html},
    {"/page.css", "text/css; charset=utf-8", page_css, sizeof page_css},
    {"/page.js", "text/javascript; charset=utf-8", page_js, sizeof page_js},
    {"/favicon.ico", "image/svg+xml", page_svg, sizeof page_svg},
};

const struct page_asset *page_asset_find(const char *path)
{
    for (size_t i = 0; i < sizeof assets / sizeof *assets; i++) {
        if (strcmp(path, assets[i].path) == 0)
            return &assets[i];
    }
    return NULL;
}
