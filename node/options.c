#include "node/options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option_spec *find_spec(const struct command *command, const char *name,
                                           size_t length)
{
    for (size_t i = 0; i < command->spec_count; i++) {
        const struct option_spec *spec = &command->specs[i];
        if (strlen(spec->name) == length && memcmp(spec->name, name, length) == 0) return spec;
    }
    return NULL;
}

static enum status set_number(const struct option_spec *spec, const char *value, void *target,
                              struct error *error)
{
    char *end;
    errno = 0;
    long long number = strtoll(value, &end, 10);
    if (*value == '\0' || *end != '\0' || errno != 0 || number < spec->min || number > spec->max)
        return error_set(error, STATUS_INVALID,
                         "--%s takes a whole number from %" PRId64 " to %" PRId64 ", not '%s'",
                         spec->name, spec->min, spec->max, value);
    *(int64_t *)(void *)((char *)target + spec->offset) = number;
    return STATUS_OK;
}

static enum status set_option(const struct option_spec *spec, const char *value, void *target,
                              struct error *error)
{
    if (spec->kind == OPTION_NUMBER) return set_number(spec, value, target, error);
    *(const char **)(void *)((char *)target + spec->offset) = value;
    return STATUS_OK;
}

// One option at argv[*index], which begins with "--". Moves on past its value.
static enum status take_option(const struct command *command, int argc, char **argv, int *index,
                               void *target, struct error *error)
{
    const char *name = argv[*index] + 2;
    const char *equals = strchr(name, '=');
    size_t length = equals == NULL ? strlen(name) : (size_t)(equals - name);
    if (equals == NULL && strcmp(name, "help") == 0) {
        options_print_help(command);
        return STATUS_END;
    }
    const struct option_spec *spec = find_spec(command, name, length);
    if (spec == NULL)
        return error_set(error, STATUS_INVALID,
                         "no option --%.*s; see 'helenus %s --help' for those there are",
                         (int)length, name, command->name);
    if (spec->kind == OPTION_FLAG) {
        if (equals != NULL)
            return error_set(error, STATUS_INVALID, "--%s takes no value", spec->name);
        *(bool *)((char *)target + spec->offset) = true;
        return STATUS_OK;
    }
    if (equals != NULL) return set_option(spec, equals + 1, target, error);
    if (*index + 1 >= argc)
        return error_set(error, STATUS_INVALID, "--%s needs a value: --%s %s", spec->name,
                         spec->name, spec->value);
    (*index)++;
    return set_option(spec, argv[*index], target, error);
}

static enum status check_operands(const struct command *command, const struct operands *operands,
                                  struct error *error)
{
    if (operands->count < command->operands_min)
        return error_set(error, STATUS_INVALID, "something is missing: helenus %s %s",
                         command->name, command->usage);
    if (operands->count > command->operands_max)
        return error_set(error, STATUS_INVALID, "'%s' is too much: helenus %s %s",
                         operands->items[command->operands_max], command->name, command->usage);
    return STATUS_OK;
}

enum status options_parse(const struct command *command, int argc, char **argv, void *target,
                          struct operands *operands, struct error *error)
{
    // Operands gather at the front of argv, whose options have been read by then.
    operands->items = argv;
    operands->count = 0;
    bool only_operands = false;
    for (int i = 0; i < argc; i++) {
        if (!only_operands && strcmp(argv[i], "--") == 0) {
            only_operands = true;
            continue;
        }
        if (only_operands || strncmp(argv[i], "--", 2) != 0) {
            // "-5" is a number.
            if (!only_operands && argv[i][0] == '-' && argv[i][1] != '\0' &&
                (argv[i][1] < '0' || argv[i][1] > '9'))
                return error_set(error, STATUS_INVALID, "no option %s; see 'helenus %s --help'",
                                 argv[i], command->name);
            operands->items[operands->count++] = argv[i];
            only_operands = only_operands || command->operands_take_rest;
            continue;
        }
        enum status status = take_option(command, argc, argv, &i, target, error);
        if (status != STATUS_OK) return status;
    }
    return check_operands(command, operands, error);
}

void options_print_help(const struct command *command)
{
    printf("helenus %s %s\n\n%s.\n", command->name, command->usage, command->summary);
    if (command->text != NULL) printf("\n%s\n", command->text);
    if (command->spec_count == 0) return;
    int width = 0;
    for (size_t i = 0; i < command->spec_count; i++) {
        const struct option_spec *spec = &command->specs[i];
        int length = (int)(strlen(spec->name) + (spec->value == NULL ? 0 : strlen(spec->value)));
        if (length > width) width = length;
    }
    printf("\nOptions:\n");
    for (size_t i = 0; i < command->spec_count; i++) {
        const struct option_spec *spec = &command->specs[i];
        const char *value = spec->value == NULL ? "" : spec->value;
        int length = (int)(strlen(spec->name) + strlen(value));
        printf("  --%s %s%*s  %s\n", spec->name, value, width - length, "", spec->help);
    }
}

int options_begin(const struct command *command, int argc, char **argv, void *target,
                  struct operands *operands)
{
    struct error error;
    enum status status = options_parse(command, argc, argv, target, operands, &error);
    if (status == STATUS_OK) return -1;
    if (status == STATUS_END) return EXIT_OK;
    (void)fprintf(stderr, "helenus %s: %s\n", command->name, error.text);
    return EXIT_USAGE;
}
