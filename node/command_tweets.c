// helenus tweets: a made-up stream of tweets, to standard output or by HTTP.
#include "node/commands.h"

#include "base/env_uv.h"
#include "node/options.h"
#include "stream/tweets/tweets.h"

#include <stdint.h>

struct tweets_command_options {
    int64_t seed, count, days, tags, serve, rate;
    const char *counts;
    bool status;
};

static const struct option_spec specs[] = {
    {"seed", OPTION_NUMBER, offsetof(struct tweets_command_options, seed), "N",
     "The same seed gives the same tweets (1)", 0, INT64_MAX},
    {"count", OPTION_NUMBER, offsetof(struct tweets_command_options, count), "N",
     "How many; 0: without an end (100000; served: 0)", 0, INT64_MAX},
    {"days", OPTION_NUMBER, offsetof(struct tweets_command_options, days), "N",
     "Over how many days they go (7)", 1, 36500},
    {"tags", OPTION_NUMBER, offsetof(struct tweets_command_options, tags), "N",
     "How many different hashtags there are (20000)", 1, 100000000},
    {"status", OPTION_FLAG, offsetof(struct tweets_command_options, status), NULL,
     "Full status objects of about 3 KB instead of 300 bytes", 0, 0},
    {"counts", OPTION_TEXT, offsetof(struct tweets_command_options, counts), "FILE",
     "Writes the true counts too: hashtag, interval, mentions", 0, 0},
    {"serve", OPTION_NUMBER, offsetof(struct tweets_command_options, serve), "PORT",
     "Serves them by HTTP on 127.0.0.1, as lines of JSON", 1, 65535},
    {"rate", OPTION_NUMBER, offsetof(struct tweets_command_options, rate), "N",
     "Tweets per second for each client; 0: as fast as it takes them (served: 1000)", 0,
     1000000000},
};

static const struct command tweets_command = {
    .name = "tweets",
    .usage = "[options]",
    .summary = "Makes up a stream of tweets, the same for the same seed",
    .text = "For example:\n"
            "    helenus tweets --count 1000000 --counts counts.tsv >tweets.jsonl\n"
            "    helenus tweets --serve 8080 --rate 5000",
    .specs = specs,
    .spec_count = sizeof specs / sizeof *specs,
};

int command_tweets(int argc, char **argv)
{
    struct tweets_command_options options = {.seed = 1, .count = -1, .rate = -1};
    struct operands operands;
    int code = options_begin(&tweets_command, argc, argv, &options, &operands);
    if (code >= 0) return code;
    bool serves = options.serve != 0;
    struct tweets_options tweets = {
        .seed = (uint64_t)options.seed,
        .count = options.count >= 0 ? (uint64_t)options.count
                 : serves           ? 0
                                    : 100000,
        .days = (uint32_t)options.days,
        .tags = (uint32_t)options.tags,
        .is_status = options.status,
        .counts_path = options.counts,
        .serve_port = (uint16_t)options.serve,
        .rate = options.rate >= 0 ? (uint64_t)options.rate
                : serves          ? 1000
                                  : 0,
    };
    struct env *env;
    struct error error;
    if (env_uv_create(&env, &error) != STATUS_OK) return command_fail(tweets_command.name, &error);
    code = tweets_main(env, &tweets);
    env_uv_destroy(env);
    return code;
}
