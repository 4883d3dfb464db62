// Bytes on the wire between real clients and Cassandra 5.0.4 (corpus/frames of the shared folder),
// cut into frames by the reader under test.
#ifndef TESTS_CQL_PROTOCOL_CORPUS_FRAMES_H
#define TESTS_CQL_PROTOCOL_CORPUS_FRAMES_H

#include "cql/protocol/frame.h"
#include "cql/protocol/message.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const corpus_names[] = {
    "01_cqlsh",
    "02_python_default",
    "03_python_v3",
    "04_python_v4",
    "05_python_v4_lz4",
    "06_python_v5",
    "07_python_v5_lz4",
    "08_python_v5_lz4_big",
    "09_counter_prepared",
    "10_paging",
    "11_batch",
    "12_errors",
    "13_events",
    "14_conditions",
    "15_metadata_changed_v5",
    "16_scylla_driver",
    "17_node_driver",
    "18_gocql",
};
enum { CORPUS_COUNT = sizeof corpus_names / sizeof corpus_names[0], CORPUS_SIDES_MAX = 64 };

struct corpus_side {
    int connection;
    char sender; // 'C' or 'S'.
    struct buffer bytes;
    int frame_count; // As the capture's comments tell it.
};

struct corpus {
    struct corpus_side sides[CORPUS_SIDES_MAX];
    size_t count;
};

static inline void corpus_path(const char *name, char path[512])
{
    const char *shared = getenv("HELENUS_SHARED");
    (void)snprintf(path, 512, "%s/corpus/frames/%s.txt", shared == NULL ? "../shared" : shared,
                   name);
}

// False, and says so, when the shared folder is not there. In CI that is a failure.
static inline bool corpus_is_there(void)
{
    char path[512];
    corpus_path(corpus_names[0], path);
    FILE *file = fopen(path, "r");
    if (file != NULL) {
        (void)fclose(file);
        return true;
    }
    const char *ci = getenv("CI");
    ck_assert_msg(ci == NULL || strcmp(ci, "true") != 0, "no ../shared in CI");
    printf("skipped: no ../shared\n");
    return false;
}

static inline struct corpus_side *corpus_side(struct corpus *corpus, int connection, char sender)
{
    for (size_t i = 0; i < corpus->count; i++)
        if (corpus->sides[i].connection == connection && corpus->sides[i].sender == sender)
            return &corpus->sides[i];
    ck_assert_uint_lt(corpus->count, CORPUS_SIDES_MAX);
    struct corpus_side *side = &corpus->sides[corpus->count++];
    *side = (struct corpus_side){.connection = connection, .sender = sender};
    buffer_init(&side->bytes, 64u * 1024 * 1024);
    return side;
}

static inline void corpus_take_line(struct corpus *corpus, const char *line)
{
    int connection, version, at = 0;
    char sender;
    if (sscanf(line, "# %d %c v%d", &connection, &sender, &version) == 3) {
        if (strstr(line, ", stream ") != NULL)
            corpus_side(corpus, connection, sender)->frame_count++;
        return;
    }
    if (line[0] == '#' || sscanf(line, "%d %c %*d %n", &connection, &sender, &at) != 2) return;
    struct corpus_side *side = corpus_side(corpus, connection, sender);
    unsigned byte;
    for (const char *hex = line + at; sscanf(hex, "%2x", &byte) == 1; hex += 2)
        buffer_put_u8(&side->bytes, (uint8_t)byte);
}

static inline void corpus_read(const char *name, struct corpus *corpus)
{
    corpus->count = 0;
    char path[512];
    corpus_path(name, path);
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "cannot open %s", path);
    char *line = NULL;
    size_t capacity = 0;
    while (getline(&line, &capacity, file) > 0)
        corpus_take_line(corpus, line);
    free(line);
    (void)fclose(file);
    ck_assert_uint_gt(corpus->count, 0);
}

static inline void corpus_free(struct corpus *corpus)
{
    for (size_t i = 0; i < corpus->count; i++)
        buffer_deinit(&corpus->sides[i].bytes);
}

// What the connection's STARTUP asked for.
struct corpus_mode {
    bool lz4;
    int version;
};

static inline void corpus_switch(struct frame_reader *reader, const struct corpus_mode *mode)
{
    if (mode->version >= 5)
        frame_reader_set_segmented(reader, mode->lz4);
    else if (mode->lz4)
        frame_reader_set_lz4(reader);
}

// Calls `each` for the frames of one side, fed in pieces of `piece_size`. Returns how many; a
// version that we do not know counts as one and ends it.
static inline int corpus_each_frame(const struct corpus_side *side, struct corpus_mode *mode,
                                    size_t piece_size,
                                    void (*each)(void *context, const struct frame *frame),
                                    void *context)
{
    struct frame_reader reader;
    frame_reader_init(&reader, 16u * 1024 * 1024);
    int count = 0;
    bool ended = false;
    for (size_t at = 0; at < side->bytes.size && !ended; at += piece_size) {
        size_t left = side->bytes.size - at, size = left < piece_size ? left : piece_size;
        uint8_t *piece = malloc(size); // So that a read past its end is seen.
        memcpy(piece, side->bytes.data + at, size);
        frame_reader_push(&reader, slice_make(piece, size));
        for (;;) {
            struct frame frame;
            enum frame_event event = frame_reader_next(&reader, &frame);
            if (event == FRAME_NONE) break;
            ck_assert_msg(event != FRAME_BROKEN, "%s", reader.fault);
            count++;
            ended = event == FRAME_UNSUPPORTED;
            if (ended) break;
            ck_assert_int_eq(event, FRAME_READY);
            ck_assert_int_eq(frame.is_response, side->sender == 'S');
            if (frame.opcode == OPCODE_STARTUP) {
                struct message_startup startup;
                struct cql_error error;
                ck_assert(message_decode_startup(frame.body, frame.version, &startup, &error));
                mode->version = frame.version;
                mode->lz4 = startup.compression == MESSAGE_LZ4;
            }
            if (each != NULL) each(context, &frame);
            if (frame.opcode == OPCODE_STARTUP ||
                (frame.opcode == OPCODE_READY && !reader.segmented))
                corpus_switch(&reader, mode);
        }
        frame_reader_park(&reader);
        free(piece);
    }
    frame_reader_deinit(&reader);
    return count;
}

// As above, for the server's side: what its client asked for is found first.
static inline int corpus_each_response(struct corpus *corpus, const struct corpus_side *side,
                                       size_t piece_size,
                                       void (*each)(void *context, const struct frame *frame),
                                       void *context)
{
    struct corpus_mode mode = {0};
    (void)corpus_each_frame(corpus_side(corpus, side->connection, 'C'), &mode, 1u << 20, NULL,
                            NULL);
    return corpus_each_frame(side, &mode, piece_size, each, context);
}

#endif
