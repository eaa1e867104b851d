/* The warm path is short of code, not of instructions: system calls empty the
 * processor's instruction cache, so a warm request fetches its code anew, and
 * pays for what lies between the lines that it runs
 * (docs/performance-notes.md).
 *
 * WR_COLD marks a function off that path: errors, ends, the first time of
 * anything.  The compiler puts it elsewhere, and with it the branches that lead
 * there. */
#ifndef WR_BASE_COLD_H
#define WR_BASE_COLD_H

#define WR_COLD __attribute__((cold, noinline))

#endif
