#include "base/status.h"

const char *status_text(enum status status)
{
    static const char *const texts[] = {
#define X(name, text) [STATUS_##name] = (text),
        STATUS_MAP(X)
#undef X
    };
    return texts[status];
}
