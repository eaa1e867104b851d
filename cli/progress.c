/* The progress line of weir fetch and weir versions: on a terminal alone, on
 * standard error, after half a second, at most ten times a second. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "progress.h"

#include "cli.h"

#define FIRST_AFTER 0.5
#define STEP 0.1

static struct {
    pthread_mutex_t lock;
    bool is_on;
    bool is_shown;
    size_t jobs;
    size_t done;
    uint64_t bytes;
    uint64_t expected; /* of the transfer under way, when there is one */
    uint64_t current;
    double begun;
    double drawn;
} progress = {.lock = PTHREAD_MUTEX_INITIALIZER};

void progress_begin(size_t jobs, bool is_wanted)
{
    progress.jobs = jobs;
    progress.is_on = is_wanted && isatty(STDERR_FILENO);
    progress.begun = cli_now();
    progress.drawn = progress.begun + FIRST_AFTER - STEP;
}

static void draw_bar(double part)
{
    enum {
        WIDTH = 30
    };
    char bar[WIDTH + 1];
    const int full = (int)(part * WIDTH);

    memset(bar, ' ', WIDTH);
    memset(bar, '#', (size_t)(full < WIDTH ? full : WIDTH));
    bar[WIDTH] = '\0';
    fprintf(stderr, "[%s] %3.0f %% ", bar, part * 100);
}

static void hide_locked(void)
{
    if (progress.is_shown)
        fputs("\r\033[K", stderr);
    progress.is_shown = false;
}

static void draw_locked(void)
{
    const double now = cli_now();

    if (!progress.is_on || now - progress.drawn < STEP)
        return;
    progress.drawn = now;
    hide_locked();
    if (progress.jobs > 1) {
        draw_bar((double)progress.done / (double)progress.jobs);
        fprintf(stderr, "%zu of %zu, ", progress.done, progress.jobs);
    } else if (progress.expected != WEIR_LENGTH_UNKNOWN && progress.expected) {
        draw_bar((double)progress.current / (double)progress.expected);
    }
    fprintf(stderr, "%.1f MB, %.1f MB/s", (double)progress.bytes / 1e6,
            (double)progress.bytes / 1e6 / (now - progress.begun));
    fflush(stderr);
    progress.is_shown = true;
}

void progress_bytes(size_t bytes, uint64_t expected)
{
    pthread_mutex_lock(&progress.lock);
    progress.bytes += bytes;
    progress.current += bytes;
    progress.expected = expected;
    draw_locked();
    pthread_mutex_unlock(&progress.lock);
}

void progress_job_done(void)
{
    pthread_mutex_lock(&progress.lock);
    progress.done++;
    progress.current = 0;
    draw_locked();
    pthread_mutex_unlock(&progress.lock);
}

void progress_hide(void)
{
    pthread_mutex_lock(&progress.lock);
    hide_locked();
    pthread_mutex_unlock(&progress.lock);
}

void progress_end(void)
{
    progress_hide();
    progress.is_on = false;
}
