// `helenus tweets`: a stream of tweets that looks real and is the same for the same seed.
//
// Hashtags follow Zipf's law with #iphone and #android on top; texts are in several languages, with
// emoji, links and line breaks; times go evenly over some days.
#ifndef STREAM_TWEETS_H
#define STREAM_TWEETS_H

#include "base/buffer.h"
#include "base/env.h"

struct tweets_options {
    uint64_t seed;
    uint64_t count;          // 0: without an end (only to be served).
    uint32_t days;           // 0: 7.
    int64_t start_us;        // Of the first tweet; 0: 2014-06-02.
    uint32_t tags;           // How many different hashtags; 0: 20000.
    bool is_status;          // Full status objects of about 3 KB.
    const char *counts_path; // NULL: none. The true counts, as truth.py writes them.
    uint16_t serve_port;     // 0: to standard output.
    uint64_t rate;           // Tweets per second when served; 0: as fast as they are taken.
};

struct tweets; // A generator.
struct tweets *tweets_create(const struct tweets_options *options);
void tweets_destroy(struct tweets *tweets);
// Appends the next line. False at the end.
bool tweets_next(struct tweets *tweets, struct buffer *lines);
// Of the last one: its text, not as JSON, and its time.
struct slice tweets_text(const struct tweets *tweets);
int64_t tweets_time_us(const struct tweets *tweets);

// Runs the subcommand on env_uv. Returns the exit code.
int tweets_main(struct env *env, const struct tweets_options *options);

#endif
