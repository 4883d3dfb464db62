// helenus version.
#include "node/commands.h"

#include "base/error.h"
#include "node/options.h"
#include "node/version.h"

#include <stdio.h>

static const struct command command = {
    .name = "version",
    .usage = "",
    .summary = "Prints the version, and the Cassandra release whose behaviour it matches",
};

int command_version(int argc, char **argv)
{
    struct operands operands;
    int code = options_begin(&command, argc, argv, NULL, &operands);
    if (code >= 0) return code;
    printf("helenus %s (as Apache Cassandra %s)\n", HELENUS_VERSION, CASSANDRA_VERSION);
    return EXIT_OK;
}

int command_fail(const char *name, const struct error *error)
{
    (void)fflush(stdout);
    (void)fprintf(stderr, "helenus %s: %s\n", name, error->text);
    return EXIT_FAULT;
}
