#include "page_asset.h"

#include <string.h>

#include "page_files.h"

static const struct page_asset assets[] = {
    {"/", "text/html; charset=utf-8", page_html, &page_html_len},
    {"/page.css", "text/css; charset=utf-8", page_css, &page_css_len},
    {"/page.js", "text/javascript; charset=utf-8", page_js, &page_js_len},
    {"/favicon.ico", "image/svg+xml", page_svg, &page_svg_len},
};

const struct page_asset *page_asset_find(const char *path)
{
    for (size_t i = 0; i < sizeof assets / sizeof *assets; i++) {
        if (strcmp(path, assets[i].path) == 0)
            return &assets[i];
    }
    return NULL;
}
