/* The commands at the two ends of a wire. */
#ifndef WIRE_RUN_H
#define WIRE_RUN_H

#include <stdbool.h>
#include <sys/types.h>

struct children {
    pid_t near; /* 0 = none */
    pid_t far;  /* leads a process group of its own */
};

/* From now on signals come to the descriptor that is returned. */
int children_begin(struct children *children);
/* Works off a signal.  true: the near command has ended, or the wire is to;
 * *ret_code is the exit code. */
bool children_signal(struct children *children, int signals, int *ret_code);
/* Ends those that are left, and waits for them. */
void children_end(struct children *children);

/* In the network that this process is in, for the shell. */
bool start_far(struct children *children, const char *command);
/* In network `net`, with descriptor `control`. */
bool start_near(struct children *children, char *const *command, int net,
                int control);
/* Somebody listens on that TCP port, in this process's network. */
bool is_listening(unsigned port);

#endif
