/* Calls on a bare poll() loop of the program's own.
 *
 *   cc loop_poll.c $(pkg-config --cflags --libs weir) && ./a.out URL... */
#include <poll.h>

#include "fetch_all.h"

int main(int argc, char **argv)
{
    weir_pool *pool = begin(argc, argv);
    struct pollfd fds[1] = {{.fd = weir_pool_fd(pool), .events = POLLIN}};

    while (calls_left > 0) {
        poll(fds, 1, weir_pool_timeout(pool));
        weir_pool_dispatch(pool, NULL); /* callbacks run here */
    }
    return end(pool);
}
