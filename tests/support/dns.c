#include "dns.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    NAME_BYTES = 256,
    RECORDS = 32,
    ADDRESSES = 32,
    MESSAGE_BYTES = 4096
};
enum {
    TYPE_A = 1,
    TYPE_CNAME = 5,
    TYPE_AAAA = 28
};

struct record {
    char name[NAME_BYTES]; /* "" = not in use */
    char alias[NAME_BYTES];
    int code;
    uint32_t ttl;
    unsigned count;
    struct {
        uint16_t type;
        unsigned char bytes[16];
    } list[ADDRESSES];
};

struct dns_server {
    int udp;
    int tcp; /* bound, never listening: it refuses */
    int stop[2];
    pthread_t thread;
    char address[32];
    pthread_mutex_t lock; /* over all that follows */
    unsigned queries;
    struct record records[RECORDS];
};

struct message {
    unsigned char bytes[MESSAGE_BYTES];
    size_t len;
};

static void put(struct message *message, const void *bytes, size_t len)
{
    if (len > sizeof message->bytes - message->len)
        return;
    memcpy(message->bytes + message->len, bytes, len);
    message->len += len;
}

static void put16(struct message *message, unsigned value)
{
    const unsigned char bytes[] = {(unsigned char)(value >> 8),
                                   (unsigned char)value};

    put(message, bytes, sizeof bytes);
}

/* A name as labels (RFC 1035 section 3.1). */
static void put_name(struct message *message, const char *name)
{
    while (*name) {
        const size_t len = strcspn(name, ".");
        const unsigned char size = (unsigned char)len;

        put(message, &size, 1);
        put(message, name, len);
        name += len;
        name += *name == '.';
    }
    put(message, "", 1);
}

/* owner NULL: the name of the question, as a pointer to it (section 4.1.4), so
 * that many records fit into the 512 bytes of a plain UDP message. */
static void put_record(struct message *message, const char *owner,
                       unsigned type, uint32_t ttl, const void *bytes,
                       size_t len)
{
    if (owner)
        put_name(message, owner);
    else
        put16(message, 0xc00c);
    put16(message, type);
    put16(message, 1); /* IN */
    put16(message, ttl >> 16);
    put16(message, ttl & 0xffff);
    put16(message, (unsigned)len);
    put(message, bytes, len);
}

/* The question's name as text.  Returns where its type begins, or 0. */
static size_t read_name(const struct message *query, char *name)
{
    size_t at = 12, used = 0;

    while (at < query->len && query->bytes[at]) {
        const size_t len = query->bytes[at];

        if (len > 63 || at + 1 + len >= query->len ||
            used + len + 2 > NAME_BYTES)
            return 0;
        memcpy(name + used, query->bytes + at + 1, len);
        used += len;
        name[used++] = '.';
        at += 1 + len;
    }
    name[used ? used - 1 : 0] = '\0';
    return at + 5 <= query->len ? at + 1 : 0;
}

static struct record *find(struct dns_server *server, const char *name)
{
    for (int i = 0; i < RECORDS; i++) {
        if (strcasecmp(server->records[i].name, name) == 0)
            return &server->records[i];
    }
    return NULL;
}

static unsigned put_answers(struct dns_server *server, struct message *reply,
                            const struct record *record, const char *owner,
                            unsigned type)
{
    unsigned count = 0;

    if (record->alias[0]) {
        const struct record *target = find(server, record->alias);
        struct message name = {.len = 0};

        put_name(&name, record->alias);
        put_record(reply, owner, TYPE_CNAME, record->ttl, name.bytes, name.len);
        return target
                   ? 1 + put_answers(server, reply, target, target->name, type)
                   : 1;
    }
    for (unsigned i = 0; i < record->count; i++) {
        if (record->list[i].type != type)
            continue;
        put_record(reply, owner, type, record->ttl, record->list[i].bytes,
                   type == TYPE_A ? 4 : 16);
        count++;
    }
    return count;
}

/* One record that no parser should follow. */
static unsigned put_malformed(struct message *reply, int code, unsigned type)
{
    const size_t pointer = 0xc000 | reply->len;

    put16(reply, code == DNS_LOOP ? (unsigned)pointer : 0xc00c);
    put16(reply, type);
    put16(reply, 1);
    put16(reply, 0);
    put16(reply, 60);
    put16(reply, code == DNS_OVERLONG ? 0xffff : 4);
    put(reply, "\x7f\0\0\x42", 4);
    return 1;
}

/* What somebody would send who guesses: the answer 127.0.0.66, with another
 * number, and to another name. */
static void forge(struct dns_server *server, const struct message *query,
                  const struct sockaddr_in *peer)
{
    static const unsigned char evil[] = {127, 0, 0, 66};

    for (int kind = 0; kind < 2; kind++) {
        struct message lie = *query;

        lie.len = read_name(query, (char[NAME_BYTES]){0}) + 4;
        lie.bytes[2] = 0x81;
        lie.bytes[3] = 0x80;
        memset(lie.bytes + 6, 0, 6);
        lie.bytes[7] = 1;
        if (kind == 0)
            lie.bytes[0] ^= 0x55;
        else
            lie.bytes[13] ^= 1; /* the first letter of the name */
        put_record(&lie, NULL, TYPE_A, 60, evil, sizeof evil);
        sendto(server->udp, lie.bytes, lie.len, MSG_NOSIGNAL,
               (const struct sockaddr *)peer, sizeof *peer);
    }
}

/* A reply to one question (RFC 1035 section 4.1).  Returns the code. */
static int answer(struct dns_server *server, const struct message *query,
                  struct message *reply)
{
    char name[NAME_BYTES];
    const size_t at = read_name(query, name);
    const struct record *record = at ? find(server, name) : NULL;
    const int code = record ? record->code : DNS_NXDOMAIN;
    unsigned count = 0;

    reply->len = 0;
    if (!at)
        return code;
    put(reply, query->bytes, 2);
    put16(reply, 0x8180 | (code == DNS_TRUNCATED ? 0x0200 : 0) |
                     (code < 16 ? (unsigned)code : 0));
    put16(reply, 1);
    put16(reply, 0); /* answers: filled in below */
    put16(reply, 0);
    put16(reply, 0);
    put(reply, query->bytes + 12, at + 4 - 12);
    if (code == DNS_NOERROR || code == DNS_OUTRUN)
        count = put_answers(server, reply, record, NULL, query->bytes[at + 1]);
    if (code == DNS_GARBAGE)
        count = 3;
    if (code == DNS_LOOP || code == DNS_OVERLONG)
        count = put_malformed(reply, code, query->bytes[at + 1]);
    reply->bytes[6] = (unsigned char)(count >> 8);
    reply->bytes[7] = (unsigned char)count;
    return code;
}

static void serve_one(struct dns_server *server)
{
    struct sockaddr_in peer;
    socklen_t peer_len = sizeof peer;
    struct message query, reply;
    int code;
    const ssize_t got = recvfrom(server->udp, query.bytes, sizeof query.bytes,
                                 0, (struct sockaddr *)&peer, &peer_len);

    if (got <= 12)
        return;
    query.len = (size_t)got;
    pthread_mutex_lock(&server->lock);
    server->queries++;
    code = answer(server, &query, &reply);
    pthread_mutex_unlock(&server->lock);
    if (code == DNS_FORGED || code == DNS_OUTRUN)
        forge(server, &query, &peer);
    if (reply.len && code != DNS_FORGED)
        sendto(server->udp, reply.bytes, reply.len, MSG_NOSIGNAL,
               (const struct sockaddr *)&peer, peer_len);
}

static void *serve(void *user)
{
    struct dns_server *server = user;
    struct pollfd fds[] = {{server->udp, POLLIN, 0},
                           {server->stop[0], POLLIN, 0}};

    while (poll(fds, 2, -1) >= 0 && !fds[1].revents) {
        if (fds[0].revents)
            serve_one(server);
    }
    return NULL;
}

/* UDP and TCP on the same port, so that TCP is refused for sure. */
static int bind_both(struct dns_server *server)
{
    struct sockaddr_in addr = {.sin_family = AF_INET};
    socklen_t len = sizeof addr;

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    server->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(server->tcp, (struct sockaddr *)&addr, len) != 0 ||
        getsockname(server->tcp, (struct sockaddr *)&addr, &len) != 0 ||
        bind(server->udp, (struct sockaddr *)&addr, len) != 0)
        return -1;
    snprintf(server->address, sizeof server->address, "127.0.0.1:%u",
             (unsigned)ntohs(addr.sin_port));
    return 0;
}

struct dns_server *dns_start(void)
{
    struct dns_server *server = calloc(1, sizeof *server);

    if (!server || bind_both(server) != 0 || pipe(server->stop) != 0 ||
        pthread_mutex_init(&server->lock, NULL) != 0 ||
        pthread_create(&server->thread, NULL, serve, server) != 0) {
        perror("dns_start");
        free(server);
        return NULL;
    }
    return server;
}

void dns_stop(struct dns_server *server)
{
    if (!server)
        return;
    close(server->stop[1]);
    pthread_join(server->thread, NULL);
    close(server->stop[0]);
    close(server->udp);
    close(server->tcp);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

const char *dns_address(const struct dns_server *server)
{
    return server->address;
}

unsigned short dns_port(const struct dns_server *server)
{
    return (unsigned short)atoi(strchr(server->address, ':') + 1);
}

/* The record of a name, emptied; a new one if need be. */
static struct record *get_record(struct dns_server *server, const char *name)
{
    struct record *record = find(server, name);

    if (!record)
        record = find(server, "");
    if (!record || strlen(name) >= NAME_BYTES) {
        fprintf(stderr, "dns: no room for %s\n", name);
        abort();
    }
    memset(record, 0, sizeof *record);
    snprintf(record->name, sizeof record->name, "%s", name);
    return record;
}

void dns_answer(struct dns_server *server, const char *name, const char *csv,
                unsigned ttl)
{
    struct record *record;

    pthread_mutex_lock(&server->lock);
    record = get_record(server, name);
    record->ttl = ttl;
    while (*csv && record->count < ADDRESSES) {
        const size_t len = strcspn(csv, ",");
        char text[64];

        snprintf(text, sizeof text, "%.*s", (int)len, csv);
        record->list[record->count].type = TYPE_A;
        if (inet_pton(AF_INET, text, record->list[record->count].bytes) != 1) {
            record->list[record->count].type = TYPE_AAAA;
            inet_pton(AF_INET6, text, record->list[record->count].bytes);
        }
        record->count++;
        csv += len;
        csv += *csv == ',';
    }
    pthread_mutex_unlock(&server->lock);
}

void dns_fail(struct dns_server *server, const char *name, int code)
{
    struct record *record;

    pthread_mutex_lock(&server->lock);
    record = find(server, name);
    if (!record)
        record = get_record(server, name);
    record->code = code;
    pthread_mutex_unlock(&server->lock);
}

void dns_alias(struct dns_server *server, const char *name, const char *target,
               unsigned ttl)
{
    struct record *record;

    pthread_mutex_lock(&server->lock);
    record = get_record(server, name);
    record->ttl = ttl;
    snprintf(record->alias, sizeof record->alias, "%s", target);
    pthread_mutex_unlock(&server->lock);
}

unsigned dns_queries(struct dns_server *server)
{
    unsigned queries;

    pthread_mutex_lock(&server->lock);
    queries = server->queries;
    pthread_mutex_unlock(&server->lock);
    return queries;
}
