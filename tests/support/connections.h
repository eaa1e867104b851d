/* Counts the TCP connections that the program under test holds, where it makes
 * and closes them: what a server sees of a close may come late.  For programs
 * linked with --wrap=connect and --wrap=close. */
#ifndef CONNECTIONS_H
#define CONNECTIONS_H

/* From here on nothing has been held. */
void connections_forget_most(void);

/* The most that were held at a time, being made ones included. */
unsigned connections_most(void);

/* The same to any one port. */
unsigned connections_most_at_one(void);

#endif
