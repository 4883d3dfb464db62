#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void assert_fail(const char *expression, const char *file, int line)
{
    (void)fprintf(stderr, "%s:%d: this must hold: %s\n", file, line, expression);
    abort();
}
