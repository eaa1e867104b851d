/* wire: a network of two machines and what lies between them, in namespaces of
 * its own.  Knows nothing of weir. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "link.h"
#include "place.h"
#include "run.h"

enum {
    EXIT_NOT_HERE = 77, /* which CTest takes for "skipped" */
    WAIT_S = 10
};

struct options {
    const char *far;   /* command for the far side; NULL = none */
    unsigned wait;     /* port that it must listen on first; 0 = none */
    bool counts;       /* tell them at the end */
    char *const *near; /* the command */
};

struct wire {
    struct place places[SIDES];
    struct rules rules;
    struct link *link;
    struct children children;
    int signals;
    int control;
};

/* --- the command line ---------------------------------------------------- */

static void print_usage(FILE *to)
{
    fprintf(to,
            "usage: wire [OPTION...] [--] COMMAND [ARGUMENT...]\n\n"
            "Runs COMMAND at the near end of a wire whose far end has a "
            "network of its own,\nand does to the packets between them what "
            "it is told.\n\n"
            "  near " NEAR_ADDRESS ", " NEAR_ADDRESS_6 "\n"
            "  far  " FAR_ADDRESS " (10.99.0.3, 10.99.0.4), " FAR_ADDRESS_6
            "\n\n"
            "  --far COMMAND            for the shell, at the far end; ends "
            "with COMMAND\n"
            "  --wait PORT              until the far end listens there (TCP)\n"
            "  --counts                 tell at the end what became of the "
            "packets\n\nRules, and what they are without being told:\n\n");
    for (const struct rule_help *rule = rules_help; rule->name; rule++) {
        char left[32];

        snprintf(left, sizeof left, "--%s %s", rule->name, rule->value);
        fprintf(to, "  %-24s %s\n", left, rule->text);
    }
    fprintf(
        to,
        "\nCOMMAND finds in its environment WIRE_NEAR and WIRE_FAR (the "
        "addresses),\nWIRE_FAR_NET (for nsenter --net=) and WIRE_CONTROL, a "
        "descriptor of a socket\n(SOCK_SEQPACKET): \"RULE VALUE\" changes a "
        "rule and \"counts\" asks for figures;\neach is answered with \"ok "
        "...\" or \"error ...\" once it is so.\n\n"
        "The exit code is COMMAND's (128 + N after a signal), 2 for bad "
        "usage, and 77\nwhere namespaces or TUN devices are not allowed.\n\n"
        "What a pool is worth at a round trip of 50 ms:\n\n"
        "  wire --delay-ms 25 --far 'nginx -c /tmp/site.conf' --wait 80 -- \\\n"
        "      weir bench -n 200 http://" FAR_ADDRESS "/\n");
}

static int complain(const char *what)
{
    fprintf(stderr, "wire: %s\nTry 'wire --help'.\n", what);
    return 2;
}

/* An option that is no rule; -1: it is one.  Else the arguments it took, 0 =
 * it is wrong. */
static int read_own(struct options *options, const char *name,
                    const char *value)
{
    if (strcmp(name, "counts") == 0) {
        options->counts = true;
        return 1;
    }
    if (strcmp(name, "far") == 0 && value) {
        options->far = value;
        return 2;
    }
    if (strcmp(name, "wait") == 0 && value) {
        char *end;

        options->wait = (unsigned)strtoul(value, &end, 10);
        return *end || options->wait == 0 || options->wait > 65535 ? 0 : 2;
    }
    return strcmp(name, "far") == 0 || strcmp(name, "wait") == 0 ? 0 : -1;
}

/* 0: go on; else the exit code, and 1 stands for success. */
static int read_options(struct options *options, struct rules *rules, int argc,
                        char **argv)
{
    int at = 1;

    while (at < argc && strncmp(argv[at], "--", 2) == 0 && argv[at][2]) {
        const char *name = argv[at] + 2;
        const char *value = at + 1 < argc ? argv[at + 1] : NULL;
        char why[160];
        int took;

        if (strcmp(name, "help") == 0) {
            print_usage(stdout);
            return 1;
        }
        took = read_own(options, name, value);
        if (took == 0 || (took < 0 && !value)) {
            snprintf(why, sizeof why, "--%s: expected a value", name);
            return complain(why);
        }
        if (took < 0 && !rules_set(rules, name, value, why, sizeof why))
            return complain(why);
        at += took < 0 ? 2 : took;
    }
    at += at < argc && strcmp(argv[at], "--") == 0;
    if (at >= argc)
        return complain("expected a command");
    options->near = argv + at;
    return 0;
}

/* --- the control --------------------------------------------------------- */

static void tell_counts(const struct link *link, char *text, size_t cap)
{
    const struct counts *counts = link_counts(link);

    snprintf(text, cap,
             "near %lu far %lu lost %lu swallowed %lu refused %lu reordered "
             "%lu duplicated %lu",
             counts->carried[NEAR], counts->carried[FAR], counts->lost,
             counts->swallowed, counts->refused, counts->reordered,
             counts->duplicated);
}

/* One message, one answer.  false: nobody is there any more. */
static bool obey(struct wire *wire)
{
    char message[256], answer[256], why[160];
    const ssize_t got = recv(wire->control, message, sizeof message - 1, 0);
    char *value;

    if (got <= 0)
        return false;
    message[got] = '\0';
    message[strcspn(message, "\n")] = '\0';
    value = strchr(message, ' ');
    if (value)
        *value++ = '\0';
    if (strcmp(message, "counts") == 0) {
        tell_counts(wire->link, why, sizeof why);
        snprintf(answer, sizeof answer, "ok %s", why);
    } else if (rules_set(&wire->rules, message, value ? value : "", why,
                         sizeof why)) {
        if (strcmp(message, "seed") == 0)
            link_reseed(wire->link);
        snprintf(answer, sizeof answer, "ok");
    } else {
        snprintf(answer, sizeof answer, "error %s", why);
    }
    return send(wire->control, answer, strlen(answer), MSG_NOSIGNAL) > 0;
}

/* --- the packets --------------------------------------------------------- */

static uint64_t now(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

static void deliver(void *user, enum side from, const void *bytes, size_t len)
{
    const struct wire *wire = user;

    /* A full device loses what comes, as any would. */
    (void)!write(wire->places[from == NEAR ? FAR : NEAR].tun, bytes, len);
}

static void take_packets(struct wire *wire, enum side from)
{
    unsigned char bytes[PACKET_BYTES];
    ssize_t len;

    while ((len = read(wire->places[from].tun, bytes, sizeof bytes)) > 0)
        link_take(wire->link, from, bytes, (size_t)len, now());
}

static void wait_until(struct pollfd *fds, nfds_t count, uint64_t due_ns)
{
    const uint64_t at = now();
    const uint64_t left = due_ns > at ? due_ns - at : 0;
    const struct timespec span = {(time_t)(left / 1000000000u),
                                  (long)(left % 1000000000u)};

    if (ppoll(fds, count, due_ns == UINT64_MAX ? NULL : &span, NULL) <= 0) {
        for (nfds_t i = 0; i < count; i++)
            fds[i].revents = 0;
    }
}

/* Until the near command has ended; returns its exit code. */
static int carry(struct wire *wire)
{
    struct pollfd fds[] = {{wire->places[NEAR].tun, POLLIN, 0},
                           {wire->places[FAR].tun, POLLIN, 0},
                           {wire->signals, POLLIN, 0},
                           {wire->control, POLLIN, 0}};

    for (;;) {
        int code;

        wait_until(fds, 4, link_run(wire->link, now()));
        if (fds[0].revents)
            take_packets(wire, NEAR);
        if (fds[1].revents)
            take_packets(wire, FAR);
        if (fds[3].revents && !obey(wire))
            fds[3].fd = -1;
        if (fds[2].revents &&
            children_signal(&wire->children, wire->signals, &code))
            return code;
    }
}

/* --- the whole ----------------------------------------------------------- */

/* The far command listens; false: it does not, or has ended. */
static bool await_far(const struct options *options)
{
    for (int tries = 0; options->wait && !is_listening(options->wait);
         tries++) {
        if (tries == WAIT_S * 100) {
            fprintf(stderr, "wire: the far end does not listen on port %u\n",
                    options->wait);
            return false;
        }
        poll(NULL, 0, 10);
    }
    return true;
}

static int run(struct wire *wire, const struct options *options)
{
    int control[2];
    int code;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) != 0) {
        perror("wire: control");
        return 1;
    }
    wire->control = control[0];
    wire->link = link_new(&wire->rules, deliver, wire);
    if (!wire->link)
        return 1;
    wire->signals = children_begin(&wire->children);
    if (options->far && !start_far(&wire->children, options->far))
        return 1;
    if (!await_far(options)) {
        children_end(&wire->children);
        return 1;
    }
    if (!start_near(&wire->children, options->near, wire->places[NEAR].net,
                    control[1]))
        return 1;
    close(control[1]);
    code = carry(wire);
    children_end(&wire->children);
    return code;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    struct wire wire = {.control = -1};
    char why[256];
    int code;

    rules_init(&wire.rules);
    code = read_options(&options, &wire.rules, argc, argv);
    if (code)
        return code == 1 ? 0 : code;
    if (!places_make(wire.places, why, sizeof why)) {
        printf("wire: no network of its own can be made here (%s)\n", why);
        return EXIT_NOT_HERE;
    }
    code = run(&wire, &options);
    if (options.counts) {
        tell_counts(wire.link, why, sizeof why);
        fprintf(stderr, "wire: %s\n", why);
    }
    link_free(wire.link);
    return code;
}
