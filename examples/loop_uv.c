/* Calls on a libuv loop.
 *
 *   cc loop_uv.c $(pkg-config --cflags --libs weir libuv) && ./a.out URL... */
#include <uv.h>

#include "fetch_all.h"

struct driver {
    weir_pool *pool;
    uv_poll_t poll;
    uv_timer_t timer;
};

static void drive(struct driver *driver);

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    drive(poll->data);
}

static void on_timer(uv_timer_t *timer)
{
    drive(timer->data);
}

/* Dispatches, and sets the timer anew; without calls the loop may end. */
static void drive(struct driver *driver)
{
    int timeout;

    weir_pool_dispatch(driver->pool, NULL);
    timeout = weir_pool_timeout(driver->pool);
    if (timeout >= 0)
        uv_timer_start(&driver->timer, on_timer, (uint64_t)timeout, 0);
    else
        uv_timer_stop(&driver->timer);
    if (calls_left == 0) {
        uv_close((uv_handle_t *)&driver->poll, NULL);
        uv_close((uv_handle_t *)&driver->timer, NULL);
    }
}

int main(int argc, char **argv)
{
    struct driver driver = {.pool = begin(argc, argv)};
    uv_loop_t *loop = uv_default_loop();

    uv_poll_init(loop, &driver.poll, weir_pool_fd(driver.pool));
    uv_timer_init(loop, &driver.timer);
    driver.poll.data = &driver;
    driver.timer.data = &driver;
    uv_poll_start(&driver.poll, UV_READABLE, on_readable);
    uv_timer_start(&driver.timer, on_timer, 0, 0);
    uv_run(loop, UV_RUN_DEFAULT);
    uv_loop_close(loop);
    return end(driver.pool);
}
