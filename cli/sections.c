/* The sections that commands keep in the settings, in the order in which `weir
 * config` shows them. */
#include "section.h"
#include "watch/settings.h"

const struct section *const cli_sections[] = {
    &watch_section,
    NULL,
};
