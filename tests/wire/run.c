#include "run.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "place.h"

enum {
    EXIT_NO_COMMAND = 127,
    LISTENING = 10 /* TCP_LISTEN as /proc/net/tcp has it */
};

int children_begin(struct children *children)
{
    sigset_t set;

    children->near = children->far = 0;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* In a child, before it becomes the command. */
static void prepare(void)
{
    sigset_t set;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigemptyset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
}

bool start_far(struct children *children, const char *command)
{
    const pid_t pid = fork();

    if (pid == 0) {
        prepare();
        setpgid(0, 0);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        perror("wire: /bin/sh");
        _exit(EXIT_NO_COMMAND);
    }
    if (pid < 0)
        perror("wire: fork");
    else
        children->far = pid;
    return pid > 0;
}

static void set_environment(int control)
{
    char text[64];

    setenv("WIRE_NEAR", NEAR_ADDRESS, 1);
    setenv("WIRE_FAR", FAR_ADDRESS, 1);
    snprintf(text, sizeof text, "/proc/%d/ns/net", (int)getppid());
    setenv("WIRE_FAR_NET", text, 1);
    snprintf(text, sizeof text, "%d", control);
    setenv("WIRE_CONTROL", text, 1);
}

bool start_near(struct children *children, char *const *command, int net,
                int control)
{
    const pid_t pid = fork();

    if (pid == 0) {
        prepare();
        set_environment(control);
        if (setns(net, CLONE_NEWNET) != 0 || fcntl(control, F_SETFD, 0) != 0) {
            perror("wire: near end");
            _exit(EXIT_NO_COMMAND);
        }
        execvp(command[0], command);
        fprintf(stderr, "wire: ");
        perror(command[0]);
        _exit(EXIT_NO_COMMAND);
    }
    if (pid < 0)
        perror("wire: fork");
    else
        children->near = pid;
    return pid > 0;
}

static int code_of(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Waits for whoever has ended; true: the near command has. */
static bool reap(struct children *children, int *ret_code)
{
    bool is_over = false;
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == children->near) {
            children->near = 0;
            *ret_code = code_of(status);
            is_over = true;
        }
        if (pid == children->far)
            children->far = 0;
    }
    return is_over;
}

bool children_signal(struct children *children, int signals, int *ret_code)
{
    struct signalfd_siginfo info;

    while (read(signals, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo != SIGCHLD) {
            *ret_code = 128 + (int)info.ssi_signo;
            return true;
        }
    }
    return reap(children, ret_code);
}

void children_end(struct children *children)
{
    if (children->near) {
        kill(children->near, SIGTERM);
        waitpid(children->near, NULL, 0);
    }
    if (children->far) {
        kill(-children->far, SIGTERM);
        waitpid(children->far, NULL, 0);
    }
    children->near = children->far = 0;
}

static bool is_in(const char *path, unsigned port)
{
    FILE *file = fopen(path, "re");
    char line[256];
    bool is_found = false;

    while (file && !is_found && fgets(line, sizeof line, file)) {
        unsigned long local = 0, state = 0;
        char *at = strchr(line, ':'); /* behind the line's number */

        at = at ? strchr(at + 1, ':') : NULL;
        if (at)
            local = strtoul(at + 1, &at, 16);
        at = at ? strchr(at, ':') : NULL;
        if (at) {
            strtoul(at + 1, &at, 16);
            state = strtoul(at, NULL, 16);
        }
        is_found = local == port && state == LISTENING;
    }
    if (file)
        fclose(file);
    return is_found;
}

bool is_listening(unsigned port)
{
    return is_in("/proc/self/net/tcp", port) ||
           is_in("/proc/self/net/tcp6", port);
}
