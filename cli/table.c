#include "table.h"

#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

enum {
    GAP = 2 /* between two columns */
};

struct cell {
    char *text;
    enum tone tone;
};

struct table {
    const char *const *titles;
    size_t columns;
    struct cell *cells; /* row by row */
    size_t count;
    size_t room;
};

/* --- text ----------------------------------------------------------------- */

/* Bytes of the UTF-8 character at the front and its code; 0: there is none. */
static size_t take_character(const char *text, size_t len, wchar_t *ret)
{
    static const unsigned long least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char first = (unsigned char)*text;
    const size_t bytes = first < 0x80   ? 1
                         : first < 0xc2 ? 0
                         : first < 0xe0 ? 2
                         : first < 0xf0 ? 3
                         : first < 0xf5 ? 4
                                        : 0;
    unsigned long code = bytes > 1 ? first & (0x7fUL >> bytes) : first;

    if (bytes == 0 || bytes > len)
        return 0;
    for (size_t i = 1; i < bytes; i++) {
        const unsigned char byte = (unsigned char)text[i];

        if ((byte & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (byte & 0x3f);
    }
    if (code < least[bytes] || code > 0x10ffff ||
        (code >= 0xd800 && code < 0xe000))
        return 0;
    *ret = (wchar_t)code;
    return bytes;
}

/* Controls of ASCII and Latin-1, and marks that change the direction. */
static bool can_be_shown(wchar_t code)
{
    return code >= 0x20 && (code < 0x7f || code >= 0xa0) &&
           !(code >= 0x202a && code <= 0x202e) &&
           !(code >= 0x2066 && code <= 0x2069);
}

char *cli_printable(const char *text, size_t len)
{
    char *copy = cli_alloc(len + 1);
    char *at = copy;

    while (len > 0) {
        wchar_t code = 0;
        const size_t bytes = take_character(text, len, &code);
        const size_t step = bytes ? bytes : 1;

        if (bytes && can_be_shown(code)) {
            memcpy(at, text, bytes);
            at += bytes;
        } else {
            *at++ = '?';
        }
        text += step;
        len -= step;
    }
    return copy;
}

/* wcwidth() knows characters beyond ASCII in some locales only. */
static locale_t use_utf8(locale_t *ret_own)
{
    *ret_own = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    return *ret_own ? uselocale(*ret_own) : (locale_t)0;
}

/* Of a text that is not ASCII alone: a locale costs more than all the rest. */
static int measure(const char *text, size_t len)
{
    locale_t own;
    const locale_t before = use_utf8(&own);
    int width = 0;

    while (len > 0) {
        wchar_t code = 0;
        const size_t bytes = take_character(text, len, &code);
        const size_t step = bytes ? bytes : 1;
        const int wide = bytes ? wcwidth(code) : 1;

        width += wide < 0 ? 1 : wide;
        text += step;
        len -= step;
    }
    if (own) {
        uselocale(before);
        freelocale(own);
    }
    return width;
}

int cli_width(const char *text)
{
    const size_t len = strlen(text);

    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] >= 0x80)
            return measure(text, len);
    }
    return (int)len;
}

bool cli_can_colour(FILE *file)
{
    const char *no_colour = getenv("NO_COLOR");
    const char *term = getenv("TERM");

    return isatty(fileno(file)) && !(no_colour && *no_colour) && term &&
           strcmp(term, "dumb") != 0;
}

/* --- the table ------------------------------------------------------------ */

struct table *table_new(const char *const *titles)
{
    struct table *table = cli_alloc(sizeof *table);

    table->titles = titles;
    while (titles[table->columns])
        table->columns++;
    return table;
}

void table_free(struct table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < table->count; i++)
        free(table->cells[i].text);
    free(table->cells);
    free(table);
}

void table_cell(struct table *table, enum tone tone, const char *format, ...)
{
    va_list args;
    char *text = NULL;
    int len;

    if (table->count == table->room) {
        const size_t room = table->room ? 2 * table->room : 64;
        struct cell *grown = cli_alloc(room * sizeof *grown);

        if (table->count)
            memcpy(grown, table->cells, table->count * sizeof *grown);
        free(table->cells);
        table->cells = grown;
        table->room = room;
    }
    va_start(args, format);
    len = vasprintf(&text, format, args);
    va_end(args);
    table->cells[table->count++] = (struct cell){
        len < 0 ? cli_copy("?") : cli_printable(text, (size_t)len), tone};
    if (len >= 0)
        free(text);
}

static bool is_right(const struct table *table, size_t column)
{
    return table->titles[column][0] == '>';
}

static const char *title(const struct table *table, size_t column)
{
    return table->titles[column] + is_right(table, column);
}

static int *find_widths(const struct table *table)
{
    int *widths = cli_alloc(table->columns * sizeof *widths);

    for (size_t i = 0; i < table->columns; i++)
        widths[i] = cli_width(title(table, i));
    for (size_t i = 0, column = 0; i < table->count; i++) {
        const int width = cli_width(table->cells[i].text);

        if (width > widths[column])
            widths[column] = width;
        column = column + 1 < table->columns ? column + 1 : 0;
    }
    return widths;
}

/* Without blanks at the end of a line. */
static void print_cell(const struct table *table, const int *widths,
                       size_t column, const char *text, const char *colour,
                       FILE *out)
{
    const bool is_last = column + 1 == table->columns;
    const int room = widths[column] - cli_width(text);

    fprintf(out, "%*s%s%s%s", is_right(table, column) ? room : 0, "", colour,
            text, *colour ? "\033[0m" : "");
    if (is_last)
        fputc('\n', out);
    else
        fprintf(out, "%*s", (is_right(table, column) ? 0 : room) + GAP, "");
}

void table_print(const struct table *table, FILE *out, bool in_colour)
{
    static const char *const colours[] = {[TONE_PLAIN] = "",
                                          [TONE_GOOD] = "\033[32m",
                                          [TONE_WARN] = "\033[33m",
                                          [TONE_BAD] = "\033[31m",
                                          [TONE_DIM] = "\033[2m"};
    int *widths = find_widths(table);

    for (size_t i = 0; i < table->columns; i++)
        print_cell(table, widths, i, title(table, i),
                   in_colour ? "\033[1m" : "", out);
    for (size_t i = 0, column = 0; i < table->count; i++) {
        print_cell(table, widths, column, table->cells[i].text,
                   in_colour ? colours[table->cells[i].tone] : "", out);
        column = column + 1 < table->columns ? column + 1 : 0;
    }
    free(widths);
}
