// The subcommand: tweets to standard output, or to whoever asks by HTTP; and their true counts.
#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_uv.h"
#include "base/limits.h"
#include "stream/dataset/combine.h"
#include "stream/source/day.h"
#include "stream/source/text.h"
#include "stream/tweets/tweets.h"

#include <http_parser.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { TWEETS_CLIENTS_MAX = 64, TWEETS_CHUNK_SIZE = 64 * 1024, TWEETS_CHUNKS_PER_TURN = 16 };

// Bytes that wait for a client; it gets more when they have left.
#define TWEETS_QUEUED_MAX (512 * (size_t)KIB)
#define TWEETS_TICK_NS    (20 * (uint64_t)1000000)

// ---- True counts -------------------------------------------------------------------------------

struct tweets_counts {
    struct combine cells; // "tag TAB interval" -> mentions
    struct buffer key, lower;
};

static void tweets_counts_add(struct tweets_counts *counts, struct slice tag, struct slice interval)
{
    bool is_new;
    buffer_clear(&counts->key);
    buffer_put(&counts->key, tag.data, tag.size);
    buffer_put_u8(&counts->key, '\t');
    buffer_put(&counts->key, interval.data, interval.size);
    struct value *mentions = combine_find(&counts->cells, buffer_slice(&counts->key), &is_new);
    *mentions = value_integer(is_new ? 1 : mentions->integer + 1);
}

static void tweets_counts_see(struct tweets_counts *counts, const struct tweets *tweets)
{
    struct text_words words = text_words_of(tweets_text(tweets));
    struct slice tag;
    char day[DAY_TEXT_SIZE];
    day_format(tweets_time_us(tweets) / 1000000, day);
    while (text_hashtags_next(&words, &tag)) {
        buffer_clear(&counts->lower);
        text_put_lower(&counts->lower, tag);
        tweets_counts_add(counts, buffer_slice(&counts->lower), slice_of_text("ALL"));
        tweets_counts_add(counts, buffer_slice(&counts->lower), slice_make(day, sizeof day));
    }
}

// By tag, then by interval: a TAB is less than whatever a tag may hold.
static int tweets_compare_slots(const void *a, const void *b)
{
    return slice_compare(((const struct combine_slot *)a)->key,
                         ((const struct combine_slot *)b)->key);
}

static void tweets_counts_put(struct tweets_counts *counts, struct buffer *lines)
{
    struct combine_slot *slots = calloc(counts->cells.count + 1, sizeof *slots);
    ASSERT(slots != NULL);
    size_t count = 0;
    for (size_t i = 0; i < counts->cells.capacity; i++)
        if (!slice_is_null(counts->cells.slots[i].key)) slots[count++] = counts->cells.slots[i];
    qsort(slots, count, sizeof *slots, tweets_compare_slots);
    for (size_t i = 0; i < count; i++) {
        buffer_put(lines, slots[i].key.data, slots[i].key.size);
        buffer_put_format(lines, "\t%" PRId64 "\n", slots[i].value.integer);
    }
    free(slots);
}

static int tweets_counts_write(struct env *env, struct tweets_counts *counts, const char *path)
{
    struct buffer lines;
    struct env_file *file;
    struct error error;
    buffer_init(&lines, SIZE_MAX / 4);
    tweets_counts_put(counts, &lines);
    enum status status = env_file_open(
        env, path, ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_TRUNCATE, &file, &error);
    if (status == STATUS_OK) {
        status = env_file_write(file, 0, lines.data, lines.size, &error);
        env_file_close(file);
    }
    buffer_deinit(&lines);
    if (status != STATUS_OK) (void)fprintf(stderr, "helenus tweets: %s\n", error.text);
    return status == STATUS_OK ? 0 : 1;
}

// ---- Standard output ---------------------------------------------------------------------------

static int tweets_write_all(struct tweets *tweets, struct tweets_counts *counts)
{
    struct buffer lines;
    buffer_init(&lines, 2 * (size_t)MIB);
    bool more = true;
    int code = 0;
    while (more && code == 0) {
        buffer_clear(&lines);
        while (lines.size < MIB && (more = tweets_next(tweets, &lines)))
            if (counts != NULL) tweets_counts_see(counts, tweets);
        if (fwrite(lines.data, 1, lines.size, stdout) != lines.size) code = 1;
    }
    if (fflush(stdout) != 0) code = 1;
    if (code != 0) perror("helenus tweets: standard output");
    buffer_deinit(&lines);
    return code;
}

// ---- HTTP --------------------------------------------------------------------------------------

struct tweets_server;

struct tweets_client {
    struct tweets_server *server;
    struct tweets_client *next, **place;
    struct env_stream *stream;
    http_parser parser;
    bool is_asked; // Its request is complete: tweets go to it.
    struct tweets *tweets;
    struct buffer lines;
    uint64_t begin_ns, sent;
    struct env_task free, more;
};

struct tweets_server {
    struct env *env;
    const struct tweets_options *options;
    struct tweets_client *clients;
    size_t client_count;
    struct env_timer tick;
};

static void tweets_client_free(struct env_task *task)
{
    struct tweets_client *client = CONTAINER_OF(task, struct tweets_client, free);
    tweets_destroy(client->tweets);
    buffer_deinit(&client->lines);
    free(client);
}

static void tweets_client_end(struct tweets_client *client, bool flush)
{
    if (client->stream == NULL) return;
    env_stream_close(client->stream, flush);
    client->stream = NULL;
    env_task_cancel(client->server->env, &client->more);
    *client->place = client->next;
    if (client->next != NULL) client->next->place = client->place;
    client->server->client_count--;
    env_task_post(client->server->env, &client->free, tweets_client_free);
}

static void tweets_client_write_text(struct tweets_client *client, const char *text)
{
    env_stream_write(client->stream, slice_of_text(text));
}

// How many tweets may have left by now.
static uint64_t tweets_client_allowed(const struct tweets_client *client)
{
    uint64_t rate = client->server->options->rate;
    if (rate == 0) return UINT64_MAX;
    uint64_t since_ns = env_monotonic_ns(client->server->env) - client->begin_ns;
    return (uint64_t)((double)since_ns / 1e9 * (double)rate) + 1;
}

static void tweets_client_feed_more(struct env_task *task);

// One chunk after the other, until the client has enough to do; then it is others' turn.
static void tweets_client_feed(struct tweets_client *client)
{
    uint64_t allowed = tweets_client_allowed(client);
    for (int i = 0; client->stream != NULL && env_stream_queued(client->stream) < TWEETS_QUEUED_MAX;
         i++) {
        if (i == TWEETS_CHUNKS_PER_TURN) {
            env_task_post(client->server->env, &client->more, tweets_client_feed_more);
            return;
        }
        bool more = true;
        buffer_clear(&client->lines);
        while (client->lines.size < TWEETS_CHUNK_SIZE && client->sent < allowed &&
               (more = tweets_next(client->tweets, &client->lines)))
            client->sent++;
        if (client->lines.size > 0) {
            char head[32];
            (void)snprintf(head, sizeof head, "%zx\r\n", client->lines.size);
            tweets_client_write_text(client, head);
            env_stream_write(client->stream, buffer_slice(&client->lines));
            tweets_client_write_text(client, "\r\n");
        }
        if (!more) {
            tweets_client_write_text(client, "0\r\n\r\n");
            tweets_client_end(client, true);
        } else if (client->lines.size == 0) {
            return;
        }
    }
}

static void tweets_client_feed_more(struct env_task *task)
{
    tweets_client_feed(CONTAINER_OF(task, struct tweets_client, more));
}

static int tweets_client_asked(http_parser *parser)
{
    struct tweets_client *client = parser->data;
    client->is_asked = true;
    return 0;
}

static void tweets_client_data(void *context, struct slice bytes)
{
    static const http_parser_settings settings = {.on_message_complete = tweets_client_asked};
    struct tweets_client *client = context;
    if (client->is_asked) return;
    size_t parsed =
        http_parser_execute(&client->parser, &settings, (const char *)bytes.data, bytes.size);
    if (client->is_asked) {
        tweets_client_write_text(client, "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n"
                                         "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
        client->begin_ns = env_monotonic_ns(client->server->env);
        tweets_client_feed(client);
    } else if (parsed != bytes.size) {
        tweets_client_write_text(client, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"
                                         "Content-Length: 0\r\n\r\n");
        tweets_client_end(client, true);
    }
}

static void tweets_client_drained(void *context)
{
    struct tweets_client *client = context;
    if (client->is_asked) tweets_client_feed(client);
}

static void tweets_client_ended(void *context, enum status status)
{
    (void)status;
    tweets_client_end(context, false);
}

static void tweets_accepted(void *context, struct env_stream *stream)
{
    static const struct env_stream_events events = {tweets_client_data, tweets_client_drained,
                                                    tweets_client_ended};
    struct tweets_server *server = context;
    if (server->client_count == TWEETS_CLIENTS_MAX) {
        env_stream_close(stream, false);
        return;
    }
    struct tweets_client *client = calloc(1, sizeof *client);
    ASSERT(client != NULL);
    client->server = server;
    client->stream = stream;
    client->tweets = tweets_create(server->options);
    buffer_init(&client->lines, MIB);
    http_parser_init(&client->parser, HTTP_REQUEST);
    client->parser.data = client;
    client->next = server->clients;
    client->place = &server->clients;
    if (client->next != NULL) client->next->place = &client->next;
    server->clients = client;
    server->client_count++;
    env_stream_start(stream, &events, client);
}

static void tweets_tick(struct env_timer *timer)
{
    struct tweets_server *server = CONTAINER_OF(timer, struct tweets_server, tick);
    for (struct tweets_client *client = server->clients, *next; client != NULL; client = next) {
        next = client->next;
        if (client->is_asked) tweets_client_feed(client);
    }
    env_timer_start(server->env, timer, TWEETS_TICK_NS, tweets_tick);
}

static int tweets_serve(struct env *env, const struct tweets_options *options)
{
    struct tweets_server server = {.env = env, .options = options};
    struct env_address address;
    struct env_listener *listener;
    struct error error;
    enum status status = env_address_parse("127.0.0.1", options->serve_port, &address);
    ASSERT(status == STATUS_OK);
    if (env_listen(env, &address, tweets_accepted, &server, &listener, &error) != STATUS_OK) {
        (void)fprintf(stderr, "helenus tweets: %s\n", error.text);
        return 1;
    }
    (void)fprintf(stderr, "http://127.0.0.1:%u/ gives each client the same tweets\n",
                  env_listener_address(listener).port);
    if (options->rate > 0) env_timer_start(env, &server.tick, TWEETS_TICK_NS, tweets_tick);
    env_uv_run(env); // Until a signal.
    return 0;
}

int tweets_main(struct env *env, const struct tweets_options *options)
{
    if (options->serve_port != 0) return tweets_serve(env, options);
    struct tweets_counts counts;
    combine_init(&counts.cells);
    buffer_init(&counts.key, MIB);
    buffer_init(&counts.lower, MIB);
    struct tweets *tweets = tweets_create(options);
    int code = tweets_write_all(tweets, options->counts_path == NULL ? NULL : &counts);
    if (code == 0 && options->counts_path != NULL)
        code = tweets_counts_write(env, &counts, options->counts_path);
    tweets_destroy(tweets);
    combine_deinit(&counts.cells);
    buffer_deinit(&counts.key);
    buffer_deinit(&counts.lower);
    return code;
}
