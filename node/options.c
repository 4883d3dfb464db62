#include "node/options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char letter_of(const struct option_spec *spec)
{
    return spec->name[0] != '\0' && spec->name[1] == ',' ? spec->name[0] : '\0';
}

static const char *long_name_of(const struct option_spec *spec)
{
    return letter_of(spec) == '\0' ? spec->name : spec->name + 2;
}

static const struct option_spec *find_spec(const struct command *command, const char *name,
                                           size_t length)
{
    for (size_t i = 0; i < command->spec_count; i++) {
        const char *own = long_name_of(&command->specs[i]);
        if (strlen(own) == length && memcmp(own, name, length) == 0) return &command->specs[i];
    }
    return NULL;
}

// The option of an argument such as "-k".
static const struct option_spec *find_letter(const struct command *command, const char *argument)
{
    if (argument[0] != '-' || argument[1] == '\0' || argument[2] != '\0') return NULL;
    for (size_t i = 0; i < command->spec_count; i++)
        if (letter_of(&command->specs[i]) == argument[1]) return &command->specs[i];
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
                         long_name_of(spec), spec->min, spec->max, value);
    *(int64_t *)(void *)((char *)target + spec->offset) = number;
    return STATUS_OK;
}

static enum status set_option(const struct option_spec *spec, const char *value, void *target,
                              struct error *error)
{
    if (spec->kind == OPTION_NUMBER) return set_number(spec, value, target, error);
    if (spec->kind == OPTION_LIST) {
        struct option_list *list = (struct option_list *)(void *)((char *)target + spec->offset);
        if (list->count == OPTION_LIST_MAX)
            return error_set(error, STATUS_INVALID, "--%s is given more than %d times",
                             long_name_of(spec), OPTION_LIST_MAX);
        list->items[list->count++] = value;
        return STATUS_OK;
    }
    *(const char **)(void *)((char *)target + spec->offset) = value;
    return STATUS_OK;
}

// The value or values of an option that takes some, behind argv[*index]. Moves on past them.
static enum status take_values(const struct option_spec *spec, int argc, char **argv, int *index,
                               void *target, struct error *error)
{
    if (*index + 1 >= argc)
        return error_set(error, STATUS_INVALID, "--%s needs a value: --%s %s", long_name_of(spec),
                         long_name_of(spec), spec->value);
    enum status status = set_option(spec, argv[++*index], target, error);
    while (spec->kind == OPTION_LIST && status == STATUS_OK && *index + 1 < argc &&
           argv[*index + 1][0] != '-')
        status = set_option(spec, argv[++*index], target, error);
    return status;
}

bool options_is_help(const char *argument)
{
    return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
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
            return error_set(error, STATUS_INVALID, "--%s takes no value", long_name_of(spec));
        *(bool *)((char *)target + spec->offset) = true;
        return STATUS_OK;
    }
    if (equals != NULL) return set_option(spec, equals + 1, target, error);
    return take_values(spec, argc, argv, index, target, error);
}

// One option such as "-k" at argv[*index].
static enum status take_letter(const struct option_spec *spec, int argc, char **argv, int *index,
                               void *target, struct error *error)
{
    if (spec->kind != OPTION_FLAG) return take_values(spec, argc, argv, index, target, error);
    *(bool *)((char *)target + spec->offset) = true;
    return STATUS_OK;
}

static enum status check_operands(const struct command *command, const struct operands *operands,
                                  struct error *error)
{
    if (operands->count < command->operands_min)
        return error_set(error, STATUS_INVALID, "something is missing: helenus %s %s",
                         command->name, command->usage);
    if (operands->count > command->operands_max)
        return error_set(error, STATUS_INVALID, "'%s' is too much: helenus %s%s%s",
                         operands->items[command->operands_max], command->name,
                         command->usage[0] == '\0' ? "" : " ", command->usage);
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
        const struct option_spec *letter = only_operands ? NULL : find_letter(command, argv[i]);
        if (letter != NULL) {
            enum status status = take_letter(letter, argc, argv, &i, target, error);
            if (status != STATUS_OK) return status;
            continue;
        }
        if (only_operands || strncmp(argv[i], "--", 2) != 0) {
            if (!only_operands && options_is_help(argv[i])) {
                options_print_help(command);
                return STATUS_END;
            }
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

// Of UTF-8 that has nothing wide: the bytes that begin a character.
static int columns_of(const char *text)
{
    int count = 0;
    for (; *text != '\0'; text++)
        count += (*text & 0xc0) != 0x80;
    return count;
}

void options_print_help(const struct command *command)
{
    printf("helenus %s%s%s\n\n%s.\n", command->name, command->usage[0] == '\0' ? "" : " ",
           command->usage, command->summary);
    if (command->text != NULL) printf("\n%s\n", command->text);
    if (command->spec_count == 0) return;
    int width = 0;
    bool has_letters = false;
    for (size_t i = 0; i < command->spec_count; i++) {
        const struct option_spec *spec = &command->specs[i];
        const char *value = spec->value == NULL ? "" : spec->value;
        int length = columns_of(long_name_of(spec)) + columns_of(value);
        if (length > width) width = length;
        has_letters = has_letters || letter_of(spec) != '\0';
    }
    printf("\nOptions:\n");
    for (size_t i = 0; i < command->spec_count; i++) {
        const struct option_spec *spec = &command->specs[i];
        const char *name = long_name_of(spec), *value = spec->value == NULL ? "" : spec->value;
        int length = columns_of(name) + columns_of(value);
        if (letter_of(spec) != '\0')
            printf("  -%c, --%s %s%*s  %s\n", letter_of(spec), name, value, width - length, "",
                   spec->help);
        else
            printf("  %s--%s %s%*s  %s\n", has_letters ? "    " : "", name, value, width - length,
                   "", spec->help);
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
