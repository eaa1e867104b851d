#include "notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../cli.h"

enum {
    MESSAGE_MAX = 1024,
    NS_PER_USEC = 1000
};

/* A path, or '@' and a name in the abstract namespace. */
static bool set_address(struct watch_notify *notify, const char *name)
{
    const size_t len = strlen(name);

    if ((name[0] != '/' && name[0] != '@') || len < 2 ||
        len >= sizeof notify->address.sun_path)
        return false;
    notify->address.sun_family = AF_UNIX;
    memcpy(notify->address.sun_path, name, len);
    if (name[0] == '@')
        notify->address.sun_path[0] = '\0';
    notify->address_len =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    return true;
}

/* A whole decimal number, and nothing else. */
static bool read_number(const char *text, uint64_t *ret_number)
{
    char *end;

    errno = 0;
    *ret_number = strtoumax(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && !*end && errno == 0;
}

/* How often to say that all is well: twice within the manager's limit, as it
 * recommends.  0: the watchdog is off, or meant for another process. */
static uint64_t beat_interval_ns(void)
{
    const char *usec_text = getenv("WATCHDOG_USEC");
    const char *pid_text = getenv("WATCHDOG_PID");
    uint64_t usec;
    uint64_t pid;

    if (!usec_text)
        return 0;
    if (!read_number(usec_text, &usec) || usec == 0 ||
        usec > UINT64_MAX / NS_PER_USEC) {
        cli_complain("watch: WATCHDOG_USEC: found '%s', expected microseconds",
                     usec_text);
        return 0;
    }
    if (pid_text && (!read_number(pid_text, &pid) || pid != (uint64_t)getpid()))
        return 0;
    return usec * NS_PER_USEC / 2;
}

void notify_open(struct watch_notify *notify)
{
    const char *name = getenv("NOTIFY_SOCKET");

    *notify = (struct watch_notify){.fd = -1};
    if (name && *name) {
        if (!set_address(notify, name)) {
            cli_complain("watch: NOTIFY_SOCKET: found '%s', expected an "
                         "absolute path or '@' and a name",
                         name);
        } else {
            notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
            notify->beat_ns = notify->fd >= 0 ? beat_interval_ns() : 0;
        }
    }
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

void notify_close(struct watch_notify *notify)
{
    if (notify->fd >= 0)
        close(notify->fd);
    notify->fd = -1;
}

void notify_say(const struct watch_notify *notify, const char *format, ...)
{
    char message[MESSAGE_MAX];
    va_list args;
    int len;

    if (notify->fd < 0)
        return;
    va_start(args, format);
    len = vsnprintf(message, sizeof message, format, args);
    va_end(args);
    if (len < 0)
        return;
    if (len >= MESSAGE_MAX)
        len = MESSAGE_MAX - 1;
    /* A manager that does not read must not hold up the supervision. */
    (void)sendto(notify->fd, message, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT,
                 (const struct sockaddr *)&notify->address,
                 notify->address_len);
}

void notify_ready(const struct watch_notify *notify, const char *status)
{
    notify_say(notify, "READY=1\nSTATUS=%s\nMAINPID=%ld", status,
               (long)getpid());
}

void notify_reloading(const struct watch_notify *notify)
{
    struct timespec now;

    /* Type=notify-reload tells this reload from an earlier one by the time. */
    clock_gettime(CLOCK_MONOTONIC, &now);
    notify_say(notify, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
               (uint64_t)now.tv_sec * 1000000 +
                   (uint64_t)now.tv_nsec / NS_PER_USEC);
}

void notify_stopping(const struct watch_notify *notify)
{
    notify_say(notify, "STOPPING=1\nSTATUS=stopping");
}

void notify_status(const struct watch_notify *notify, const char *status)
{
    notify_say(notify, "STATUS=%s", status);
}

void notify_alive(const struct watch_notify *notify)
{
    notify_say(notify, "WATCHDOG=1");
}
