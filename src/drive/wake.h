/* What wakes a thread: an eventfd while it polls, a condition otherwise.
 *
 * An eventfd takes two system calls to make and to close, which a dial need not
 * pay: the pool keeps one from dial to dial. */
#ifndef WR_DRIVE_WAKE_H
#define WR_DRIVE_WAKE_H

#include "drive/runtime.h"

/* Gives the thread an eventfd, which wakes it from now on.  false, errno: there
 * is none, and wake_fd is -1. */
bool wr_wake_open_locked(struct weir_pool *pool, struct wr_thread *thread);
/* Takes it back; a thread without one is left alone. */
void wr_wake_close_locked(struct weir_pool *pool, struct wr_thread *thread);
/* The pool keeps none any more. */
void wr_wake_drop_spare_locked(struct weir_pool *pool);
/* Under the lock. */
void wr_wake_thread(struct wr_thread *thread);
/* The thread has seen the event. */
void wr_wake_hear(const struct wr_thread *thread);

#endif
