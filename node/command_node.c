// helenus node: one node in the foreground, until SIGTERM or SIGINT.
#include "node/commands.h"

#include "base/env_uv.h"
#include "base/memory.h"
#include "node/config.h"
#include "node/node.h"
#include "node/options.h"
#include "node/ring_directory.h"
#include "node/settings.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STARTER_DESCRIPTOR = 3, KEYS_MAX = 64, SPECS_MAX = KEYS_MAX + 3 };

// Own options first, then one text for each key of the configuration.
struct node_options {
    const char *directory, *config_path;
    bool tell_starter;
    const char *keys[KEYS_MAX];
};

static const struct option_spec own_specs[] = {
    {"dir", OPTION_TEXT, offsetof(struct node_options, directory), "DIR",
     "Directory of the node's data (helenus-node)", 0, 0},
    {"config", OPTION_TEXT, offsetof(struct node_options, config_path), "FILE",
     "YAML file with the keys below, written with underscores", 0, 0},
    {"tell-starter", OPTION_FLAG, offsetof(struct node_options, tell_starter), NULL,
     "Write 'ready' to descriptor 3 when clients are served", 0, 0},
};

enum { OWN_COUNT = sizeof own_specs / sizeof own_specs[0] };

// "listen_address" -> "listen-address".
static void dashed(const char *key, char name[static 64])
{
    (void)snprintf(name, 64, "%s", key);
    for (char *at = name; *at != '\0'; at++)
        if (*at == '_') *at = '-';
}

struct running {
    struct env *env;
    struct node *node;
    bool stops;
};

static void node_is_stopped(void *context)
{
    struct running *running = context;
    env_uv_stop(running->env);
}

static void stop_was_asked(void *context)
{
    struct running *running = context;
    if (running->stops) return;
    running->stops = true;
    node_stop(running->node, node_is_stopped, running);
}

static enum status apply_keys(struct config *config, const struct node_options *options,
                              struct error *error)
{
    size_t key_count;
    const struct config_key *keys = config_keys(&key_count);
    for (size_t i = 0; i < key_count; i++) {
        if (options->keys[i] == NULL) continue;
        enum status status = config_set(config, keys[i].name, options->keys[i], error);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

static enum status write_pid(struct env *env, const char *directory, struct error *error)
{
    char path[RING_PATH_SIZE + 16], text[32];
    (void)snprintf(path, sizeof path, "%s/process", directory);
    (void)snprintf(text, sizeof text, "%d\n", (int)getpid());
    return ring_write_text(env, path, text, error);
}

// A directory with one of these files was durable before they were written.
static enum status make_directory(struct env *env, const char *directory, struct error *error)
{
    static const char *const names[] = {"members", "identity"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[RING_PATH_SIZE + 16];
        bool exists, is_dir;
        (void)snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        if (env_path_exists(env, path, &exists, &is_dir, NULL) == STATUS_OK && exists)
            return STATUS_OK;
    }
    return ring_make_directories(env, directory, error);
}

// Where a value of the configuration may be from.
static void name_source(const struct node_options *options, char *source, size_t size)
{
    bool has_keys = options->config_path == NULL;
    for (size_t i = 0; i < KEYS_MAX; i++)
        has_keys = has_keys || options->keys[i] != NULL;
    (void)snprintf(source, size, "%s%s%s", has_keys ? "the command line" : "",
                   has_keys && options->config_path != NULL ? ", or " : "",
                   options->config_path != NULL ? options->config_path : "");
}

static enum status start(struct running *running, const struct node_options *options,
                         struct error *error)
{
    struct config config;
    config_set_defaults(&config);
    config.program = "/proc/self/exe";
    enum status status = STATUS_OK;
    if (options->config_path != NULL)
        status = config_read_file(running->env, &config, options->config_path, error);
    if (status == STATUS_OK) status = apply_keys(&config, options, error);
    if (status == STATUS_OK) status = config_check_access(&config, error);
    if (status == STATUS_OK) status = config_check_encryption(running->env, &config, error);
    if (status == STATUS_OK) status = make_directory(running->env, options->directory, error);
    char source[RING_PATH_SIZE + 32];
    name_source(options, source, sizeof source);
    if (status == STATUS_OK)
        status = settings_check(running->env, options->directory, &config, source, error);
    if (status == STATUS_OK)
        status = node_start(running->env, options->directory, &config, &running->node, error);
    if (status == STATUS_OK) {
        settings_keep(running->env, options->directory, node_self(running->node));
        // Again: before there was a note of it, nothing was compared.
        status = settings_check(running->env, options->directory, &config, source, error);
    }
    if (status == STATUS_OK) status = write_pid(running->env, options->directory, error);
    if (status == STATUS_OK)
        status = env_uv_on_signal(running->env, SIGTERM, stop_was_asked, running, error);
    if (status == STATUS_OK)
        status = env_uv_on_signal(running->env, SIGINT, stop_was_asked, running, error);
    return status;
}

static void tell_starter(void)
{
    static const char word[] = "ready\n";
    // A starter that is gone does not matter.
    (void)!write(STARTER_DESCRIPTOR, word, strlen(word));
    (void)close(STARTER_DESCRIPTOR);
}

static int run(const struct node_options *given)
{
    struct running running = {0};
    struct error error;
    char directory[RING_PATH_SIZE];
    if (ring_absolute_path(given->directory, directory, &error) != STATUS_OK)
        return command_fail("node", &error);
    struct node_options whole = *given;
    whole.directory = directory;
    const struct node_options *options = &whole;
    if (env_uv_create(&running.env, &error) != STATUS_OK) return command_fail("node", &error);
    if (start(&running, options, &error) != STATUS_OK) {
        if (running.node != NULL) node_abandon(running.node);
        env_uv_destroy(running.env);
        return command_fail("node", &error);
    }
    if (options->tell_starter) tell_starter();
    env_uv_run(running.env);
    char path[RING_PATH_SIZE + 16];
    (void)snprintf(path, sizeof path, "%s/process", options->directory);
    (void)!env_remove(running.env, path, NULL);
    env_uv_destroy(running.env);
    return EXIT_OK;
}

int command_node(int argc, char **argv)
{
    memory_share_heaps();
    struct option_spec specs[SPECS_MAX];
    char names[KEYS_MAX][64];
    memcpy(specs, own_specs, sizeof own_specs);
    size_t key_count;
    const struct config_key *keys = config_keys(&key_count);
    size_t spec_count = OWN_COUNT;
    for (size_t i = 0; i < key_count && i < KEYS_MAX; i++) {
        // Of keys in maps the file says enough, and a password shall not be seen in a command line.
        if (strchr(keys[i].name, '.') != NULL) continue;
        dashed(keys[i].name, names[i]);
        specs[spec_count++] = (struct option_spec){
            .name = names[i],
            .kind = OPTION_TEXT,
            .offset = offsetof(struct node_options, keys) + i * sizeof(const char *),
            .value = keys[i].is_number ? "N" : "TEXT",
            .help = keys[i].help,
        };
    }
    const struct command command = {
        .name = "node",
        .usage = "[options]",
        .summary = "Runs one node in the foreground until SIGTERM or SIGINT",
        .text =
            "The directory is made if it is missing. 'helenus ring start' runs several at once.\n"
            "In the file alone: client_encryption_options, see docs/how-to-use-tls.md.",
        .specs = specs,
        .spec_count = spec_count,
    };
    struct node_options options = {.directory = "helenus-node"};
    struct operands operands;
    int code = options_begin(&command, argc, argv, &options, &operands);
    return code >= 0 ? code : run(&options);
}
