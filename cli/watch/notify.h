/* Word to the service manager (systemd, or whoever speaks its protocol): a
 * datagram of "NAME=value" lines to the socket that NOTIFY_SOCKET names, see
 * sd_notify(3).
 *
 * The protocol is written here and not taken from libsystemd: it is one
 * sendto(), and the library brings five others with it. */
#ifndef WEIR_CLI_WATCH_NOTIFY_H
#define WEIR_CLI_WATCH_NOTIFY_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct watch_notify {
    int fd; /* -1: nobody listens; all below is silent */
    struct sockaddr_un address;
    socklen_t address_len;
    uint64_t beat_ns; /* a sign of life is due so often; 0: none is wanted */
};

/* Takes what the manager has put into the environment, and out of it, so that
 * no service takes it for its own.  Complains of what cannot be used. */
void notify_open(struct watch_notify *notify);
void notify_close(struct watch_notify *notify);

/* One or more lines; what cannot be sent is lost. */
__attribute__((format(printf, 2, 3))) void
notify_say(const struct watch_notify *notify, const char *format, ...);

/* Those with a rule to keep.  `status` is one line for people. */
void notify_ready(const struct watch_notify *notify, const char *status);
void notify_reloading(const struct watch_notify *notify);
void notify_stopping(const struct watch_notify *notify);
void notify_status(const struct watch_notify *notify, const char *status);
void notify_alive(const struct watch_notify *notify);

#endif
