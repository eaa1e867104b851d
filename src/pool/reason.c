#include <weir/pool.h>

const char *weir_close_reason_meaning(weir_close_reason reason)
{
    static const char *const meanings[] = {
#define WEIR_X(name, meaning) [WEIR_CLOSE_##name] = meaning,
        WEIR_CLOSE_REASONS(WEIR_X)
#undef WEIR_X
    };

    return (size_t)reason < WEIR_CLOSE_REASON_COUNT ? meanings[reason]
                                                    : "unknown reason";
}
