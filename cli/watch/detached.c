/* Detached processes, from one supervisor to the next.
 *
 * A file in the state folder names each by its number and by when it began, in
 * ticks since the machine did: a number that has been given to another process
 * since is never taken for it. */
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor.h"

static char *file_of(const struct watch_supervisor *supervisor)
{
    return cli_format("%s/detached.json", supervisor->settings->state);
}

/* Which start of the machine this is; "" if the kernel does not say. */
static void read_boot(char *boot, size_t size)
{
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

    boot[0] = '\0';
    if (!file)
        return;
    if (fgets(boot, (int)size, file))
        boot[strcspn(boot, "\n")] = '\0';
    fclose(file);
}

/* When a process began; 0: there is none. */
static unsigned long long start_of(pid_t pid)
{
    enum {
        START_FIELD = 22,
        FIRST_BEHIND_NAME = 3
    };
    char path[40];
    char line[1024];
    char *at = NULL;
    char *save = NULL;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    if (!file)
        return 0;
    if (fgets(line, sizeof line, file))
        at = strrchr(line, ')'); /* its name may hold anything */
    fclose(file);
    if (!at)
        return 0;
    at = strtok_r(at + 1, " ", &save);
    for (int field = FIRST_BEHIND_NAME; at && field < START_FIELD; field++)
        at = strtok_r(NULL, " ", &save);
    return at ? strtoull(at, NULL, 10) : 0;
}

/* --- writing ------------------------------------------------------------- */

static json_t *list_units(const struct watch_supervisor *supervisor)
{
    json_t *services = json_object();

    for (size_t i = 0; i < supervisor->count; i++) {
        const struct watch_unit *unit = supervisor->units[i];

        if (!unit->settings->is_detached || unit->pid <= 0)
            continue;
        json_object_set_new(services, unit->settings->name,
                            json_pack("{s:i, s:I, s:s}", "pid", (int)unit->pid,
                                      "start", (json_int_t)start_of(unit->pid),
                                      "settings", unit->settings->fingerprint));
    }
    return services;
}

void watch_detached_save(struct watch_supervisor *supervisor)
{
    char boot[64];
    char *path = file_of(supervisor);
    char *temporary = cli_format("%s.new", path);
    json_t *root;

    read_boot(boot, sizeof boot);
    root = json_pack("{s:s, s:o}", "boot", boot, "services",
                     list_units(supervisor));
    if (!root || json_dump_file(root, temporary, JSON_INDENT(1)) != 0 ||
        rename(temporary, path) != 0)
        cli_complain("write %s: %s", path, strerror(errno));
    json_decref(root);
    free(temporary);
    free(path);
}

/* --- reading ------------------------------------------------------------- */

/* The process of an entry; 0: it is gone. */
static pid_t process_of(const json_t *entry)
{
    const pid_t pid = (pid_t)json_integer_value(json_object_get(entry, "pid"));
    const unsigned long long start =
        (unsigned long long)json_integer_value(json_object_get(entry, "start"));

    return pid > 1 && start != 0 && start_of(pid) == start &&
                   getpgid(pid) == pid
               ? pid
               : 0;
}

static void end_orphan(struct watch_supervisor *supervisor, const char *name,
                       pid_t pid)
{
    char detail[160];

    kill(-pid, SIGTERM);
    snprintf(detail, sizeof detail,
             "%.64s is not in the settings any more: process %d has been asked "
             "to end",
             name, (int)pid);
    watch_tell(supervisor, NULL,
               &(struct watch_event){.kind = WATCH_EVENT_REMOVED,
                                     .detail = detail,
                                     .pid = pid,
                                     .exit_code = -1});
}

static void adopt(struct watch_supervisor *supervisor, const char *name,
                  const json_t *entry)
{
    struct watch_unit *unit = watch_unit_find(supervisor, name);
    const char *fingerprint =
        json_string_value(json_object_get(entry, "settings"));
    const pid_t pid = process_of(entry);

    if (pid == 0)
        return;
    if (!unit) {
        end_orphan(supervisor, name, pid);
        return;
    }
    if (!watch_unit_adopt(unit, pid))
        return;
    /* It runs by settings that hold no more. */
    if (!fingerprint || strcmp(fingerprint, unit->settings->fingerprint) != 0) {
        watch_machine_restart(&unit->machine, watch_loop_now(supervisor->loop));
        watch_unit_act(unit);
    }
}

void watch_detached_adopt(struct watch_supervisor *supervisor)
{
    char boot[64];
    char *path = file_of(supervisor);
    json_t *root = json_load_file(path, 0, NULL);
    const char *then = json_string_value(json_object_get(root, "boot"));
    const char *name;
    json_t *entry;

    read_boot(boot, sizeof boot);
    if (then && strcmp(then, boot) == 0) {
        json_object_foreach(json_object_get(root, "services"), name, entry)
        {
            adopt(supervisor, name, entry);
        }
    }
    json_decref(root);
    free(path);
    supervisor->has_news = root != NULL;
}
