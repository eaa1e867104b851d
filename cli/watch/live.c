#include "live.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../table.h"
#include "event_text.h"
#include "live_frame.h"
#include "live_notes.h"
#include "writing.h"

#define NS_PER_MS UINT64_C(1000000)

/* The size is looked at as often as that; drawing takes place when it has
 * changed, when something has happened, and once a second. */
#define LOOK_MS 200
#define DRAW_MS 1000

static const char enter_screen[] = "\033[?1049h\033[?25l";
static const char leave_screen[] = "\033[?25h\033[?1049l";

struct live {
    struct live_source source;
    struct watch_loop *loop;
    struct watch_source *watch;
    struct live_notes *notes;
    int fd; /* the terminal, opened anew so that it need not wait */
    bool in_colour;
    bool is_touched;
    struct live_size size;
    uint64_t look_ns;
    uint64_t draw_ns;
};

bool live_is_possible(void)
{
    const char *term = getenv("TERM");

    return isatty(STDOUT_FILENO) && term && *term && strcmp(term, "dumb") != 0;
}

static struct live_size find_size(const struct live *live)
{
    struct winsize found;

    if (ioctl(live->fd, TIOCGWINSZ, &found) != 0 || found.ws_col == 0 ||
        found.ws_row == 0)
        return (struct live_size){80, 24};
    return (struct live_size){found.ws_col, found.ws_row};
}

static char *make_frame(const struct live *live, struct live_size size)
{
    const struct watch_outlets outlets =
        live->source.outlets(live->source.user);
    const struct live_sight sight = {.view =
                                         live->source.view(live->source.user),
                                     .recent = live->source.recent,
                                     .outlets = &outlets,
                                     .note = live_notes_last(live->notes)};

    return live_frame(&sight, size, live->in_colour);
}

/* Every line is cleared behind its end, and all below the last: nothing of what
 * stood there stays, and nothing flickers. */
static void draw(struct live *live)
{
    char *frame = make_frame(live, live->size);
    char *screen = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&screen, &len);

    if (out) {
        fputs("\033[H", out);
        for (const char *at = frame; *at;) {
            const size_t line = strcspn(at, "\n");

            fprintf(out, "%s%.*s\033[K", at == frame ? "" : "\r\n", (int)line,
                    at);
            at += line + (at[line] == '\n');
        }
        fputs("\033[J", out);
        if (fclose(out) == 0)
            watch_write(live->fd, screen, len);
    }
    free(screen);
    free(frame);
}

static void on_ready(void *user, uint32_t events)
{
    struct live *live = user;
    const uint64_t now_ns = watch_loop_now(live->loop);
    const struct live_size size = find_size(live);

    (void)events;
    live->look_ns = now_ns + LOOK_MS * NS_PER_MS;
    if (size.columns == live->size.columns && size.lines == live->size.lines &&
        !live->is_touched && now_ns < live->draw_ns)
        return;
    live->size = size;
    live->is_touched = false;
    live->draw_ns = now_ns + DRAW_MS * NS_PER_MS;
    draw(live);
}

static int64_t timeout_ms(void *user)
{
    const struct live *live = user;

    return watch_ms_until(watch_loop_now(live->loop), live->look_ns);
}

/* A terminal opened anew can be told not to wait without telling the shell's
 * the same. */
static int open_terminal(void)
{
    const int fd =
        open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd < 0)
        return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    return fd;
}

struct live *live_open(const struct live_source *source,
                       struct watch_loop *loop)
{
    struct live *live = cli_alloc(sizeof *live);
    const struct watch_source_options options = {
        .fd = -1, .ready = on_ready, .timeout_ms = timeout_ms, .user = live};

    live->source = *source;
    live->loop = loop;
    live->in_colour = cli_can_colour(stdout);
    live->fd = open_terminal();
    fflush(stdout);
    watch_write(live->fd, enter_screen, sizeof enter_screen - 1);
    live->watch = watch_loop_add(loop, &options);
    live->notes = live_notes_open(loop, &live->is_touched);
    return live;
}

void live_close(struct live *live)
{
    char *frame;

    if (!live)
        return;
    frame =
        make_frame(live, (struct live_size){find_size(live).columns, INT_MAX});
    watch_loop_remove(live->loop, live->watch);
    watch_write(live->fd, leave_screen, sizeof leave_screen - 1);
    close(live->fd);
    fputs(frame, stdout);
    fflush(stdout);
    live_notes_close(live->notes);
    free(frame);
    free(live);
}

void live_touch(struct live *live)
{
    live->is_touched = true;
}

void live_print_event(void *user, const struct watch_event *event)
{
    char *words = watch_event_words(event);
    char *line = cli_format("%s\n", words);

    (void)user;
    watch_write(STDOUT_FILENO, line, strlen(line));
    free(line);
    free(words);
}
