/* The files page.html and its like; the build makes the bytes. */
#ifndef WEIR_WATCH_PAGE_FILES_H
#define WEIR_WATCH_PAGE_FILES_H

#include <stddef.h>

extern const unsigned char page_html[];
extern const size_t page_html_len;
extern const unsigned char page_css[];
extern const size_t page_css_len;
extern const unsigned char page_js[];
extern const size_t page_js_len;
extern const unsigned char page_svg[];
extern const size_t page_svg_len;

#endif
