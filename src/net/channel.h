/* A c-ares channel and the sockets it has open: what one look-up runs on.
 *
 * Sockets are close-on-exec from birth and never raise SIGPIPE.  One thread at
 * a time. */
#ifndef WR_NET_CHANNEL_H
#define WR_NET_CHANNEL_H

#include <ares.h>
#include <stdint.h>
#include <sys/queue.h>

#include "net/poll.h"

enum {
    WR_CHANNEL_SOCKETS = WR_WAITS_MAX - 1
};

struct wr_channel {
    SLIST_ENTRY(wr_channel) link; /* the resolver's, while it rests */
    ares_channel ares;
    uint64_t made_ns;
    unsigned count;
    struct pollfd sockets[WR_CHANNEL_SOCKETS];
};

/* Reads the system's configuration (resolv.conf, nsswitch.conf), unless
 * `servers` (c-ares CSV) replaces its servers.  Returns an ARES_ status. */
int wr_channel_new(const char *servers, uint64_t now_ns,
                   struct wr_channel **ret_channel);
/* Look-ups that run are ended with ARES_EDESTRUCTION.  NULL is allowed. */
void wr_channel_free(struct wr_channel *channel);
/* Lets c-ares read, write and give up as `ready` and its own clock tell. */
void wr_channel_process(struct wr_channel *channel,
                        const struct wr_waits *ready);
/* Says what to wait for. */
void wr_channel_waits(const struct wr_channel *channel, uint64_t now_ns,
                      struct wr_waits *ret_waits);

#endif
