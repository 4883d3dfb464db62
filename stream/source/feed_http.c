// One GET of plain http over a stream of env; the body is the feed. The answer must be a 200; its
// body ends with its length, its last chunk or the connection.
#include "base/assert.h"
#include "base/container_of.h"
#include "stream/source/feed.h"

#include <http_parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FEED_HTTP_TEXT_SIZE = 2048 };

#define FEED_HTTP_TIMEOUT_NS (10 * (uint64_t)1000000000)

struct feed_http {
    struct feed *feed;
    struct env_address address;
    char host[FEED_HTTP_TEXT_SIZE], path[FEED_HTTP_TEXT_SIZE], url[FEED_HTTP_TEXT_SIZE];
    struct env_stream *stream;
    http_parser parser;
    bool is_connecting, is_paused, is_complete, is_destroyed;
};

static void feed_http_stop(struct feed_http *self)
{
    if (self->stream != NULL) env_stream_close(self->stream, false);
    self->stream = NULL;
}

static void feed_http_fail(struct feed_http *self, enum status status, const char *text)
{
    char line[ERROR_TEXT_SIZE];
    feed_http_stop(self);
    (void)snprintf(line, sizeof line, "%.200s: %.200s", self->url, text);
    feed_end(self->feed, status, line);
}

// What comes before the answer: 100 Continue and its like.
static bool feed_http_is_ahead(const http_parser *parser)
{
    return parser->status_code >= 100 && parser->status_code < 200 && parser->status_code != 101;
}

static int feed_http_on_headers(http_parser *parser)
{
    // A 1 would say "no body", and the answer would be a whole one.
    return parser->status_code == 200 || feed_http_is_ahead(parser) ? 0 : -1;
}

static int feed_http_on_body(http_parser *parser, const char *at, size_t size)
{
    struct feed_http *self = parser->data;
    feed_add(self->feed, slice_make(at, size));
    return 0;
}

static int feed_http_on_complete(http_parser *parser)
{
    struct feed_http *self = parser->data;
    self->is_complete = !feed_http_is_ahead(parser);
    return 0;
}

static void feed_http_parse(struct feed_http *self, struct slice bytes)
{
    static const http_parser_settings settings = {.on_headers_complete = feed_http_on_headers,
                                                  .on_body = feed_http_on_body,
                                                  .on_message_complete = feed_http_on_complete};
    size_t parsed =
        http_parser_execute(&self->parser, &settings, (const char *)bytes.data, bytes.size);
    if (self->is_complete) {
        feed_http_stop(self);
        feed_end(self->feed, STATUS_OK, "");
    } else if (self->parser.http_errno == HPE_CB_headers_complete) {
        char text[64];
        (void)snprintf(text, sizeof text, "the server answered %u", self->parser.status_code);
        feed_http_fail(self, STATUS_INVALID, text);
    } else if (parsed != bytes.size) {
        feed_http_fail(self, STATUS_MALFORMED, "the server's answer is no HTTP");
    }
}

static void feed_http_data(void *context, struct slice bytes)
{
    struct feed_http *self = context;
    feed_http_parse(self, bytes);
    if (self->stream == NULL || !feed_is_full(self->feed) || self->is_paused) return;
    self->is_paused = true;
    env_stream_pause(self->stream);
}

static void feed_http_ended(void *context, enum status status)
{
    struct feed_http *self = context;
    // Of no bytes: the connection's end may be the body's.
    if (status == STATUS_CLOSED) feed_http_parse(self, slice_make("", 0));
    if (self->feed->has_ended) return;
    feed_http_fail(self, status, "the connection broke before the end of the answer");
}

static void feed_http_connected(void *context, enum status status, struct env_stream *stream)
{
    static const struct env_stream_events events = {feed_http_data, NULL, feed_http_ended};
    struct feed_http *self = context;
    self->is_connecting = false;
    if (self->is_destroyed) {
        if (stream != NULL) env_stream_close(stream, false);
        free(self);
        return;
    }
    if (status != STATUS_OK) {
        feed_http_fail(self, status, status_text(status));
        return;
    }
    self->stream = stream;
    env_stream_start(stream, &events, self);
    char request[2 * FEED_HTTP_TEXT_SIZE + 128];
    int size = snprintf(request, sizeof request,
                        "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: helenus\r\n"
                        "Accept: application/x-ndjson, */*\r\nConnection: close\r\n\r\n",
                        self->path, self->host);
    env_stream_write(stream, slice_make(request, (size_t)size));
}

static void feed_http_resume(struct feed *feed)
{
    struct feed_http *self = feed->kind;
    if (!self->is_paused || self->stream == NULL) return;
    self->is_paused = false;
    env_stream_resume(self->stream);
}

static void feed_http_destroy(struct feed *feed)
{
    struct feed_http *self = feed->kind;
    feed_http_stop(self);
    self->is_destroyed = true;
    if (!self->is_connecting) free(self);
}

static enum status feed_http_read_url(struct feed_http *self, const char *url, struct error *error)
{
    struct http_parser_url parts;
    http_parser_url_init(&parts);
    size_t size = strlen(url);
    if (size >= FEED_HTTP_TEXT_SIZE || http_parser_parse_url(url, size, 0, &parts) != 0 ||
        (parts.field_set & 1 << UF_HOST) == 0 || (parts.field_set & 1 << UF_USERINFO) != 0)
        return error_set(error, STATUS_INVALID, "%s: not a URL of the form http://host:port/path",
                         url);
    memcpy(self->url, url, size + 1);
    memcpy(self->host, url + parts.field_data[UF_HOST].off, parts.field_data[UF_HOST].len);
    const char *path = "/";
    if ((parts.field_set & 1 << UF_PATH) != 0) path = url + parts.field_data[UF_PATH].off;
    (void)snprintf(self->path, sizeof self->path, "%.*s", (int)strcspn(path, "#"), path);
    uint16_t port = (parts.field_set & 1 << UF_PORT) != 0 ? parts.port : 80;
    const char *host = strcmp(self->host, "localhost") == 0 ? "127.0.0.1" : self->host;
    if (env_address_parse(host, port, &self->address) == STATUS_OK) return STATUS_OK;
    return error_set(error, STATUS_INVALID, "%s: the host must be an address, or localhost", url);
}

enum status feed_http_start(struct feed *feed, const char *url, struct error *error)
{
    struct feed_http *self = calloc(1, sizeof *self);
    ASSERT(self != NULL);
    self->feed = feed;
    enum status status = feed_http_read_url(self, url, error);
    if (status != STATUS_OK) {
        free(self);
        return status;
    }
    http_parser_init(&self->parser, HTTP_RESPONSE);
    self->parser.data = self;
    feed->kind = self;
    feed->resume = feed_http_resume;
    feed->destroy = feed_http_destroy;
    self->is_connecting = true;
    env_connect(feed->env, &self->address, FEED_HTTP_TIMEOUT_NS, feed_http_connected, self);
    return STATUS_OK;
}
