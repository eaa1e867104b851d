#include "order.h"

const struct watch_member *
watch_order_obstacle(const struct watch_member *member)
{
    for (size_t i = 0; i < member->after_count; i++) {
        if (member->after[i]->machine->state != WATCH_RUNNING)
            return member->after[i];
    }
    return NULL;
}

void watch_order_settle(struct watch_member **members, size_t count,
                        uint64_t now_ns)
{
    for (size_t i = 0; i < count; i++)
        watch_machine_hold(members[i]->machine,
                           watch_order_obstacle(members[i]) != NULL, now_ns);
}

/* Marks all that `member` comes after, if something needs it.  true: one more
 * than before is. */
static bool need_what_it_needs(struct watch_member *member)
{
    bool is_news = false;

    if (!member->is_needed && !member->machine->has_process)
        return false;
    for (size_t i = 0; i < member->after_count; i++) {
        is_news |= !member->after[i]->is_needed;
        member->after[i]->is_needed = true;
    }
    return is_news;
}

static void find_needed(struct watch_member **members, size_t count)
{
    bool is_news = true;

    for (size_t i = 0; i < count; i++)
        members[i]->is_needed = false;
    while (is_news) {
        is_news = false;
        for (size_t i = 0; i < count; i++)
            is_news |= need_what_it_needs(members[i]);
    }
}

static bool is_down(const struct watch_machine *machine)
{
    return machine->state == WATCH_STOPPED && !machine->has_process;
}

bool watch_order_stop(struct watch_member **members, size_t count,
                      uint64_t now_ns)
{
    bool are_all_down = true;

    find_needed(members, count);
    for (size_t i = 0; i < count; i++) {
        struct watch_machine *machine = members[i]->machine;
        const bool is_stopping =
            machine->state == WATCH_STOPPING && !machine->is_wanted;

        /* Nobody comes back while the others end. */
        watch_machine_hold(machine, true, now_ns);
        if (!is_stopping && !(members[i]->is_needed && machine->has_process))
            watch_machine_stop(machine, now_ns);
        are_all_down = are_all_down && is_down(machine);
    }
    return are_all_down;
}

/* Takes away, round by round, whoever comes after nothing that is left. */
const struct watch_member *watch_order_cycle(struct watch_member **members,
                                             size_t count)
{
    bool is_news = true;

    for (size_t i = 0; i < count; i++)
        members[i]->is_marked = false;
    while (is_news) {
        is_news = false;
        for (size_t i = 0; i < count; i++) {
            struct watch_member *member = members[i];
            size_t left = 0;

            for (size_t k = 0; k < member->after_count; k++)
                left += !member->after[k]->is_marked;
            if (!member->is_marked && left == 0) {
                member->is_marked = true;
                is_news = true;
            }
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (!members[i]->is_marked)
            return members[i];
    }
    return NULL;
}
