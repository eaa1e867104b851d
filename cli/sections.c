/* The sections that commands keep in the settings, in the order in which `weir
 * config` shows them. */
#include "section.h"
#include "watch/settings.h"

#include "providers/providers.h"

const struct section *const cli_sections[] = {
    &versions_section,
    &providers_section,
    &watch_section,
    NULL,
};
