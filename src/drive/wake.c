#include "drive/wake.h"

#include <sys/eventfd.h>
#include <unistd.h>

bool wr_wake_open_locked(struct weir_pool *pool, struct wr_thread *thread)
{
    thread->wake_fd = pool->spare_wake_fd;
    pool->spare_wake_fd = -1;
    if (thread->wake_fd < 0)
        thread->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    thread->was_woken = false;
    return thread->wake_fd >= 0;
}

void wr_wake_close_locked(struct weir_pool *pool, struct wr_thread *thread)
{
    if (thread->wake_fd < 0)
        return;
    if (pool->spare_wake_fd < 0 && !pool->is_closed) {
        if (thread->was_woken)
            wr_wake_hear(thread);
        pool->spare_wake_fd = thread->wake_fd;
    } else {
        close(thread->wake_fd);
    }
    thread->wake_fd = -1;
}

void wr_wake_drop_spare_locked(struct weir_pool *pool)
{
    if (pool->spare_wake_fd >= 0)
        close(pool->spare_wake_fd);
    pool->spare_wake_fd = -1;
}

void wr_wake_thread(struct wr_thread *thread)
{
    static const uint64_t one = 1;

    thread->was_woken = true;
    if (thread->wake_fd >= 0)
        (void)!write(thread->wake_fd, &one, sizeof one);
    else
        pthread_cond_signal(&thread->wake);
}

void wr_wake_hear(const struct wr_thread *thread)
{
    uint64_t count;

    (void)!read(thread->wake_fd, &count, sizeof count);
}
