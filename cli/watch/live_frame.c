#include "live_frame.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../table.h"
#include "event_text.h"
#include "stamp.h"

enum {
    GAP = 2,
    NAME_MIN = 8,
    ERROR_MIN = 12,
    CELL_MAX = 512 /* bytes of a cell's text */
};

/* Columns of the table; the last takes what is left of the line. */
enum column {
    NAME,
    STATE,
    HEALTH,
    UPTIME,
    RESTARTS,
    LAST_ERROR,
    COLUMNS
};

struct frame {
    FILE *out;
    struct live_size size;
    int used; /* lines */
    bool in_colour;
    int widths[COLUMNS];
    int shown; /* columns that there is room for */
};

static const char *const titles[COLUMNS] = {"NAME",   "STATE",    "HEALTH",
                                            "UPTIME", "RESTARTS", "LAST ERROR"};

static const char *colour_of(const struct frame *frame, enum tone tone)
{
    static const char *const colours[] = {[TONE_PLAIN] = "",
                                          [TONE_GOOD] = "\033[32m",
                                          [TONE_WARN] = "\033[33m",
                                          [TONE_BAD] = "\033[31m",
                                          [TONE_DIM] = "\033[2m"};

    return frame->in_colour ? colours[tone] : "";
}

/* --- text of a given width ----------------------------------------------- */

static size_t bytes_of_char(const char *text)
{
    size_t len = 1;

    while ((text[len] & 0xC0) == 0x80)
        len++;
    return len;
}

/* Bytes at the front of a printable text that take at most so many columns. */
static size_t fit(const char *text, int columns)
{
    size_t len = 0;

    while (text[len]) {
        const size_t step = bytes_of_char(text + len);
        char one[8] = "";

        if (step >= sizeof one)
            break;
        memcpy(one, text + len, step);
        columns -= step == 1 ? 1 : cli_width(one);
        if (columns < 0)
            break;
        len += step;
    }
    return len;
}

/* Writes a text in exactly `width` columns, or in at most so many when it is
 * the last of its line.  What does not fit ends in "…". */
static void write_cell(struct frame *frame, enum tone tone, int width,
                       bool is_last, const char *text)
{
    char *clean = cli_printable(text, strlen(text));
    const int wanted = cli_width(clean);
    const char *colour = colour_of(frame, tone);
    int taken = wanted;

    fputs(colour, frame->out);
    if (wanted <= width) {
        fputs(clean, frame->out);
    } else if (width > 0) {
        const size_t len = fit(clean, width - 1);

        fprintf(frame->out, "%.*s…", (int)len, clean);
        clean[len] = '\0';
        taken = cli_width(clean) + 1;
    } else {
        taken = 0;
    }
    fputs(*colour ? "\033[0m" : "", frame->out);
    if (!is_last)
        fprintf(frame->out, "%*s", width - taken + GAP, "");
    free(clean);
}

static bool has_room(const struct frame *frame)
{
    return frame->used < frame->size.lines;
}

static void end_line(struct frame *frame)
{
    fputc('\n', frame->out);
    frame->used++;
}

__attribute__((format(printf, 3, 4))) static void
write_line(struct frame *frame, enum tone tone, const char *format, ...)
{
    char text[CELL_MAX];
    va_list args;

    if (!has_room(frame))
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    write_cell(frame, tone, frame->size.columns, true, text);
    end_line(frame);
}

/* --- a service ----------------------------------------------------------- */

static bool is_well(const struct watch_service_view *service)
{
    return service->is_healthy || !service->is_wanted;
}

static enum tone state_tone(const struct watch_service_view *service)
{
    switch (service->state) {
    case WATCH_RUNNING:
        return service->is_healthy ? TONE_GOOD : TONE_BAD;
    case WATCH_FAILED:
    case WATCH_TIMEOUT:
        return TONE_BAD;
    case WATCH_BACKOFF:
        return TONE_WARN;
    case WATCH_STOPPED:
        return TONE_DIM;
    default:
        return TONE_PLAIN;
    }
}

static enum tone health_tone(const struct watch_service_view *service)
{
    if (service->state != WATCH_RUNNING)
        return TONE_DIM;
    if (!service->is_healthy)
        return TONE_BAD;
    return service->fails_in_a_row ? TONE_WARN : TONE_GOOD;
}

static void health_text(const struct watch_service_view *service,
                        char text[CELL_MAX])
{
    if (service->state != WATCH_RUNNING)
        snprintf(text, CELL_MAX, "-");
    else if (service->is_healthy && service->fails_in_a_row)
        snprintf(text, CELL_MAX, "%u of %u failed", service->fails_in_a_row,
                 service->fall);
    else if (service->is_healthy && service->probe_status)
        snprintf(text, CELL_MAX, "healthy %.1f ms", service->probe_latency_ms);
    else
        snprintf(text, CELL_MAX, "%s",
                 !service->is_healthy ? "unhealthy"
                 : service->health[0] ? "healthy"
                                      : "alive");
}

/* "BACKOFF, 4.2 s" */
static void state_text(const struct watch_service_view *service,
                       char text[CELL_MAX])
{
    char span[WATCH_SPAN_SIZE];

    if (service->next_start_ms < 0) {
        snprintf(text, CELL_MAX, "%s", watch_state_name(service->state));
        return;
    }
    watch_span((uint64_t)service->next_start_ms, span);
    snprintf(text, CELL_MAX, "%s, %s", watch_state_name(service->state), span);
}

static void cell_text(const struct watch_service_view *service,
                      enum column column, char text[CELL_MAX])
{
    char span[WATCH_SPAN_SIZE];

    switch (column) {
    case NAME:
        snprintf(text, CELL_MAX, "%s", service->name);
        break;
    case STATE:
        state_text(service, text);
        break;
    case HEALTH:
        health_text(service, text);
        break;
    case UPTIME:
        watch_span(service->uptime_ms, span);
        snprintf(text, CELL_MAX, "%s", service->uptime_ms ? span : "-");
        break;
    case RESTARTS:
        snprintf(text, CELL_MAX, "%u", service->restarts);
        break;
    default:
        snprintf(text, CELL_MAX, "%s", service->last_error);
        break;
    }
}

static enum tone cell_tone(const struct watch_service_view *service,
                           enum column column)
{
    switch (column) {
    case STATE:
        return state_tone(service);
    case HEALTH:
        return health_tone(service);
    case LAST_ERROR:
        return is_well(service) ? TONE_DIM : TONE_PLAIN;
    default:
        return TONE_PLAIN;
    }
}

static void write_service(struct frame *frame,
                          const struct watch_service_view *service)
{
    char text[CELL_MAX];

    for (int i = 0; i < frame->shown; i++) {
        const bool is_last = i + 1 == frame->shown;
        int width = frame->widths[i];

        cell_text(service, (enum column)i, text);
        if (i == RESTARTS) { /* a number stands to the right */
            fprintf(frame->out, "%*s", width - cli_width(text), "");
            width = cli_width(text);
        }
        write_cell(frame, cell_tone(service, (enum column)i), width, is_last,
                   text);
    }
    end_line(frame);
}

/* --- the table ----------------------------------------------------------- */

static int width_of(const struct watch_view *view, int column)
{
    char text[CELL_MAX];
    int widest = cli_width(titles[column]);

    for (size_t i = 0; i < view->count; i++) {
        int width;

        cell_text(&view->services[i], (enum column)column, text);
        width = cli_width(text);
        if (width > widest)
            widest = width;
    }
    return widest;
}

/* The name gives way first, as the one that is known; then columns go, from
 * the last. */
static void find_widths(struct frame *frame, const struct watch_view *view)
{
    int left = frame->size.columns;
    int name;

    frame->shown = LAST_ERROR;
    for (int i = 0; i < LAST_ERROR; i++) {
        frame->widths[i] = width_of(view, i);
        left -= frame->widths[i] + GAP;
    }
    if (left < ERROR_MIN && frame->widths[NAME] > NAME_MIN) {
        name = frame->widths[NAME] + left - ERROR_MIN;
        name = name > NAME_MIN ? name : NAME_MIN;
        left += frame->widths[NAME] - name;
        frame->widths[NAME] = name;
    }
    if (left >= ERROR_MIN) {
        frame->widths[LAST_ERROR] = left;
        frame->shown = COLUMNS;
    }
    for (left += GAP; left < 0 && frame->shown > 1; frame->shown--)
        left += frame->widths[frame->shown - 1] + GAP;
}

static void write_titles(struct frame *frame)
{
    if (!has_room(frame))
        return;
    for (int i = 0; i < frame->shown; i++)
        write_cell(frame, TONE_DIM, frame->widths[i], i + 1 == frame->shown,
                   titles[i]);
    end_line(frame);
}

/* Those that are not well, or the others. */
static size_t write_some(struct frame *frame, const struct watch_view *view,
                         size_t room, bool well)
{
    size_t written = 0;

    for (size_t i = 0; i < view->count && written < room; i++) {
        if (is_well(&view->services[i]) == well) {
            write_service(frame, &view->services[i]);
            written++;
        }
    }
    return written;
}

static void write_services(struct frame *frame, const struct watch_view *view)
{
    const int left = frame->size.lines - frame->used;
    size_t room = left > 0 ? (size_t)left : 0;
    size_t shown;

    if (view->count <= room) {
        for (size_t i = 0; i < view->count; i++)
            write_service(frame, &view->services[i]);
        return;
    }
    room -= room > 0; /* for the line that says so */
    shown = write_some(frame, view, room, false);
    shown += write_some(frame, view, room - shown, true);
    write_line(frame, TONE_DIM, "… and %zu more: weir watch status",
               view->count - shown);
}

/* --- the rest ------------------------------------------------------------ */

static void write_head(struct frame *frame, const struct watch_view *view)
{
    size_t wanted = 0;
    size_t well = 0;
    char span[WATCH_SPAN_SIZE];
    char stamp[WATCH_STAMP_SIZE];

    for (size_t i = 0; i < view->count; i++) {
        wanted += view->services[i].is_wanted;
        well += view->services[i].is_wanted && view->services[i].is_healthy;
    }
    watch_span(view->uptime_ms, span);
    watch_stamp(view->now_ms, stamp);
    write_line(frame,
               well == wanted     ? TONE_GOOD
               : view->is_settled ? TONE_BAD
                                  : TONE_WARN,
               "weir watch: %zu of %zu healthy%s  up %s  %.8s", well, wanted,
               view->is_ending ? ", stopping" : "", span, stamp + 11);
}

static void write_pool(struct frame *frame, const weir_pool_figures *pool,
                       const struct watch_outlets *outlets)
{
    char webhook[80] = "";
    char page[80] = "";

    if (outlets->has_webhook)
        snprintf(webhook, sizeof webhook,
                 "  webhook: %zu waiting, %" PRIu64 " dropped",
                 outlets->webhook.queued, outlets->webhook.dropped);
    if (outlets->page)
        snprintf(page, sizeof page, "  page: http://%s/", outlets->page);
    write_line(frame, TONE_PLAIN,
               "pool: %" PRIu64 " open (%" PRIu64 " lent, %" PRIu64
               " idle), %" PRIu64 " waiting, %" PRIu64 " requests, %" PRIu64
               " failed%s%s",
               pool->open, pool->leased, pool->idle, pool->waiting,
               pool->requests, pool->failures, webhook, page);
}

/* As many as there is room for; the newest is the last. */
static void write_events(struct frame *frame, const struct watch_recent *recent)
{
    const int left = frame->size.lines - frame->used - 1;
    size_t count = left > 0 ? (size_t)left : 0;

    if (count > recent->count)
        count = recent->count;
    if (count == 0)
        return;
    write_line(frame, TONE_PLAIN, "%s", "");
    while (count-- > 0) {
        const struct watch_event *event = watch_recent_at(recent, count);
        char *words = watch_event_words(event);

        write_line(frame,
                   watch_event_is_failure(event->kind) ? TONE_BAD : TONE_DIM,
                   "%.8s%s", words + 11, words + WATCH_STAMP_LEN);
        free(words);
    }
}

char *live_frame(const struct live_sight *sight, struct live_size size,
                 bool in_colour)
{
    struct frame frame = {.size = size, .in_colour = in_colour};
    char *text = NULL;
    size_t len;

    frame.out = open_memstream(&text, &len);
    if (!frame.out) {
        cli_complain("out of memory");
        exit(EXIT_SOME_FAILED);
    }
    find_widths(&frame, sight->view);
    write_head(&frame, sight->view);
    write_pool(&frame, &sight->view->pool, sight->outlets);
    if (sight->note)
        write_line(&frame, TONE_WARN, "%s", sight->note);
    write_line(&frame, TONE_PLAIN, "%s", "");
    write_titles(&frame);
    write_services(&frame, sight->view);
    write_events(&frame, sight->recent);
    if (fclose(frame.out) != 0) {
        cli_complain("out of memory");
        exit(EXIT_SOME_FAILED);
    }
    return text;
}
