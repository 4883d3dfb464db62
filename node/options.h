// The command line of a subcommand, as a table: what may stand there, what it means, where it goes.
//
//     static const struct option_spec specs[] = {
//         {"nodes", OPTION_NUMBER, offsetof(struct ring_options, nodes), "N", "Nodes", 1, 100},
//     };
// `--name value` and `--name=value` are the same, and so is `-n value` where a letter is given;
// flags take no value; `--` ends options. What is left are the operands. --help and -h print the
// table.
#ifndef NODE_OPTIONS_H
#define NODE_OPTIONS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_kind {
    OPTION_FLAG,   // bool
    OPTION_TEXT,   // const char *
    OPTION_NUMBER, // int64_t, from `min` to `max`
    OPTION_LIST,   // struct option_list: as often as wanted, and each with several values
};

struct option_spec {
    const char *name; // Without its dashes. "k,key": -k is the same as --key.
    enum option_kind kind;
    size_t offset;     // Of the target in the subcommand's struct.
    const char *value; // How --help calls the value, e.g. "DIR"; NULL for a flag.
    const char *help;
    int64_t min, max; // NUMBER only.
};

// What -k A -k B or -k A B gives. Behind the first value, one that begins with a dash ends it.
enum { OPTION_LIST_MAX = 500 };
struct option_list {
    const char *items[OPTION_LIST_MAX];
    size_t count;
};

// What a subcommand says of itself.
struct command {
    const char *name;    // "ring start"
    const char *usage;   // "[options] JOB.lua [ARGS...]", behind the name.
    const char *summary; // One line for the list of all commands.
    const char *text;    // A paragraph for --help; may be NULL.
    const struct option_spec *specs;
    size_t spec_count;
    size_t operands_min, operands_max;
    // Everything behind the first operand is an operand too (it belongs to a job).
    bool operands_take_rest;
};

// Exit codes of the program.
enum { EXIT_OK = 0, EXIT_FAULT = 1, EXIT_USAGE = 2 };

struct operands {
    char **items;
    size_t count;
};

// Fills `target` and `operands`. STATUS_END: --help was asked for and printed. INVALID: `error`
// says what is wrong and what to do.
MUST_USE enum status options_parse(const struct command *command, int argc, char **argv,
                                   void *target, struct operands *operands, struct error *error);
void options_print_help(const struct command *command);
// "--help" or "-h".
bool options_is_help(const char *argument);

// The whole beginning of a subcommand: parses; prints help or the fault. Returns -1 to go on, else
// the exit code.
int options_begin(const struct command *command, int argc, char **argv, void *target,
                  struct operands *operands);

#endif
