#include "drive/poller.h"

#include <errno.h>

struct wr_poller *wr_poller_open(weir_poller wanted)
{
    const struct wr_poller_kind *kind = &wr_poller_poll;
    struct wr_poller *poller;

#ifdef __linux__
    if (wanted != WEIR_POLLER_POLL)
        kind = &wr_poller_epoll;
#else
    (void)wanted;
#endif
    errno = ENOMEM;
    poller = kind->open();
    if (poller)
        poller->kind = kind;
    return poller;
}
