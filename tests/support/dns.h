/* A scripted DNS server on 127.0.0.1 (UDP), in a thread of its own.
 *
 * It answers A and AAAA questions for the names it was told, NXDOMAIN for all
 * others, and nothing over TCP (its port refuses).  Thread-safe. */
#ifndef TEST_DNS_H
#define TEST_DNS_H

enum {
    DNS_NOERROR = 0,
    DNS_SERVFAIL = 2,
    DNS_NXDOMAIN = 3,
    DNS_REFUSED = 5,
    /* no codes of DNS, but faults: */
    DNS_TRUNCATED = 100, /* the TC bit and no answer: "ask again over TCP" */
    DNS_GARBAGE = 101,   /* a message that ends in its middle */
    /* and lies: */
    DNS_FORGED = 102,   /* only answers to other questions than were asked */
    DNS_OUTRUN = 103,   /* such answers first, then the true one */
    DNS_LOOP = 104,     /* a name that is a pointer to itself */
    DNS_OVERLONG = 105, /* a record that is longer than the message */
};

struct dns_server;

/* NULL after printing why. */
struct dns_server *dns_start(void);
/* Ends and joins the thread; NULL is allowed. */
void dns_stop(struct dns_server *server);
/* "127.0.0.1:PORT", for c-ares; lent. */
const char *dns_address(const struct dns_server *server);
unsigned short dns_port(const struct dns_server *server);
/* Answers `name` with the addresses of both families in `csv`
 * ("192.0.2.1,2001:db8::1", at most 32) and the TTL in seconds; again: in place
 * of what was set. */
void dns_answer(struct dns_server *server, const char *name, const char *csv,
                unsigned ttl);
/* Fails `name` with one of the codes above; what was set as its answer stays,
 * for those that tell it. */
void dns_fail(struct dns_server *server, const char *name, int code);
/* `name` is an alias of `target`, whose answer follows in the same message. */
void dns_alias(struct dns_server *server, const char *name, const char *target,
               unsigned ttl);
/* Questions received so far. */
unsigned dns_queries(struct dns_server *server);

#endif
