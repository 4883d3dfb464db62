#include "node/sstable_tool/verify_files.h"

#include "base/assert.h"
#include "base/checksum.h"
#include "base/limits.h"
#include "storage/sstable/compression.h"
#include "storage/sstable/file_reader.h"
#include "storage/sstable/format.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { BAD_CHUNKS_MAX = 16, PIECE_SIZE = 1 << 20 };

struct checking {
    struct env *env;
    struct verify_report *report;
    struct verify_progress *progress;
    struct error *error;
    bool has[SSTABLE_COMPONENT_COUNT];
    uint64_t sizes[SSTABLE_COMPONENT_COUNT];
    struct arena arena;
    // Of Data.db.
    struct env_file *file;
    uint32_t digest; // Of all bytes so far.
    size_t bad_chunk_count;
    struct {
        size_t index;
        uint64_t offset;
    } bad_chunks[BAD_CHUNKS_MAX];
};

// ---- Which files there are ----------------------------------------------------------------------

static enum status find_files(struct checking *checking)
{
    for (int i = 0; i < SSTABLE_COMPONENT_COUNT; i++) {
        char path[SSTABLE_PATH_SIZE];
        tool_input_path(path, checking->report->input, (enum sstable_component)i);
        struct env_file *file;
        enum status status =
            env_file_open(checking->env, path, ENV_OPEN_READ, &file, checking->error);
        if (status == STATUS_NOT_FOUND) continue;
        if (status != STATUS_OK) return status;
        status = env_file_size(file, &checking->sizes[i], checking->error);
        env_file_close(file);
        if (status != STATUS_OK) return status;
        checking->has[i] = true;
        checking->report->bytes += checking->sizes[i];
    }
    static const enum sstable_component needed[] = {SSTABLE_DATA, SSTABLE_INDEX,
                                                    SSTABLE_STATISTICS};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (!checking->has[needed[i]])
            verify_report_at(checking->report, needed[i], 0, "the file is missing");
    return STATUS_OK;
}

static void check_listed(struct checking *checking, struct slice line, uint64_t offset,
                         bool listed[SSTABLE_COMPONENT_COUNT])
{
    for (int i = 0; i < SSTABLE_COMPONENT_COUNT; i++) {
        const char *name = sstable_component_name((enum sstable_component)i);
        if (!slice_equals(line, slice_of_text(name))) continue;
        listed[i] = true;
        if (!checking->has[i])
            verify_report_at(checking->report, SSTABLE_TOC, offset,
                             "it lists %s, which is not there", name);
        return;
    }
    verify_report_at(checking->report, SSTABLE_TOC, offset, "no component is called '%.*s'",
                     (int)(line.size > 100 ? 100 : line.size), (const char *)line.data);
}

// TOC.txt: a name a line.
static enum status check_toc(struct checking *checking)
{
    if (!checking->has[SSTABLE_TOC]) {
        verify_report_note(checking->report, "there is no TOC.txt");
        return STATUS_OK;
    }
    char path[SSTABLE_PATH_SIZE];
    tool_input_path(path, checking->report->input, SSTABLE_TOC);
    struct slice file;
    enum status status = file_reader_read_file(checking->env, path, MIB, &file, checking->error);
    if (status != STATUS_OK) return status;
    bool listed[SSTABLE_COMPONENT_COUNT] = {false};
    for (size_t start = 0; start < file.size;) {
        const uint8_t *end = memchr(file.data + start, '\n', file.size - start);
        size_t size = (end == NULL ? file.data + file.size : end) - (file.data + start);
        if (size > 0) check_listed(checking, slice_make(file.data + start, size), start, listed);
        start += size + 1;
    }
    for (int i = 0; i < SSTABLE_COMPONENT_COUNT; i++)
        if (checking->has[i] && !listed[i])
            verify_report_at(checking->report, SSTABLE_TOC, file.size, "it does not list %s",
                             sstable_component_name((enum sstable_component)i));
    free((void *)file.data);
    return STATUS_OK;
}

// ---- The bytes of Data.db -----------------------------------------------------------------------

// Adds what is between two offsets to the digest; the bytes stay in `bytes`.
static enum status read_piece(struct checking *checking, uint64_t offset, uint8_t *bytes,
                              size_t size)
{
    size_t read_size;
    enum status status =
        env_file_read(checking->file, offset, bytes, size, &read_size, checking->error);
    if (status != STATUS_OK) return status;
    if (read_size != size) {
        verify_report_at(checking->report, SSTABLE_DATA, offset + read_size, "the file ends");
        return STATUS_END;
    }
    checking->digest = checksum_crc32_more(checking->digest, slice_make(bytes, size));
    verify_progress_step(checking->progress, "checksums", offset, checking->sizes[SSTABLE_DATA]);
    return STATUS_OK;
}

static enum status read_rest(struct checking *checking, uint64_t offset, uint8_t *bytes)
{
    enum status status = STATUS_OK;
    uint64_t end = checking->sizes[SSTABLE_DATA];
    for (uint64_t at = offset; at < end && status == STATUS_OK;) {
        size_t size = end - at < PIECE_SIZE ? (size_t)(end - at) : PIECE_SIZE;
        status = read_piece(checking, at, bytes, size);
        at += size;
    }
    return status;
}

static void add_bad_chunk(struct checking *checking, size_t index, uint64_t offset)
{
    if (checking->bad_chunk_count < BAD_CHUNKS_MAX) {
        checking->bad_chunks[checking->bad_chunk_count].index = index;
        checking->bad_chunks[checking->bad_chunk_count].offset = offset;
    }
    checking->bad_chunk_count++;
}

// Chunks that have data.
static size_t chunk_count_of(const struct compression_info *info)
{
    uint32_t size = info->compression.chunk_size;
    return (size_t)(info->data_size / size + (info->data_size % size != 0));
}

// False: the table of chunks is damaged.
static bool check_chunk_table(struct checking *checking, const struct compression_info *info,
                              struct slice file)
{
    const struct compression *compression = &info->compression;
    uint64_t bound = compression_bound(compression) + compression->chunk_size + 1024;
    uint64_t at = (uint64_t)(info->offsets - file.data), before = 0;
    uint32_t limit = compression->max_compressed_size;
    if (limit != INT32_MAX && limit > compression->chunk_size)
        verify_report_at(checking->report, SSTABLE_COMPRESSION_INFO, at - 16,
                         "largest compressed size %u, of chunks of %u bytes", limit,
                         compression->chunk_size);
    for (size_t i = 0; i < info->chunk_count; i++) {
        uint64_t offset = bytes_get_u64(info->offsets + 8 * i);
        // At least one byte and a checksum; only the empty chunk, which Cassandra's compactions
        // leave behind the last one, may have no byte.
        uint64_t least = i < chunk_count_of(info) ? 5 : 4;
        if ((i == 0 && offset != 0) ||
            (i > 0 && (offset < before + 5 || offset > before + bound)) ||
            offset + least > checking->sizes[SSTABLE_DATA]) {
            verify_report_at(checking->report, SSTABLE_COMPRESSION_INFO, at + 8 * i,
                             "bad offset of chunk %zu", i);
            return false;
        }
        before = offset;
    }
    size_t wanted = chunk_count_of(info);
    if (info->chunk_count != wanted && info->chunk_count != wanted + 1) {
        verify_report_at(checking->report, SSTABLE_COMPRESSION_INFO, at - 4,
                         "%zu chunks; %" PRIu64 " bytes of data have %zu", info->chunk_count,
                         info->data_size, wanted);
        return false;
    }
    if (info->chunk_count == 0 || checking->sizes[SSTABLE_DATA] > before + bound) {
        verify_report_at(checking->report, SSTABLE_COMPRESSION_INFO, file.size,
                         "Data.db goes on behind the last chunk");
        return false;
    }
    return true;
}

// A chunk whose checksum is right decompresses to its length, or CompressionInfo.db tells wrong of
// the compressor or of the length. The first and the last show it.
static void try_chunk(struct checking *checking, const struct compression_info *info, size_t index,
                      struct slice stored, struct slice file)
{
    size_t count = chunk_count_of(info);
    bool is_last = index + 1 == count;
    if (index >= count || (index > 0 && !is_last)) return;
    uint64_t chunk_size = info->compression.chunk_size, before = index * chunk_size;
    uint64_t size = info->data_size > before ? info->data_size - before : 0;
    if (size > chunk_size && !is_last) size = chunk_size;
    // i64 data length, i32 number of chunks, then the offsets.
    uint64_t place = is_last ? (uint64_t)(info->offsets - file.data) - 12 : 0;
    uint8_t *chunk = malloc(chunk_size);
    ASSERT(chunk != NULL);
    if (size == 0 || size > chunk_size ||
        compression_decompress(&info->compression, stored, chunk, (size_t)size) != STATUS_OK)
        verify_report_at(checking->report, SSTABLE_COMPRESSION_INFO, place,
                         "chunk %zu of Data.db does not decompress to %" PRIu64 " bytes", index,
                         size);
    free(chunk);
}

static enum status read_compressed(struct checking *checking, const struct compression_info *info,
                                   struct slice file)
{
    uint8_t *bytes = NULL;
    size_t capacity = 0;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < info->chunk_count && status == STATUS_OK; i++) {
        uint64_t offset = bytes_get_u64(info->offsets + 8 * i);
        uint64_t end = i + 1 < info->chunk_count ? bytes_get_u64(info->offsets + 8 * (i + 1))
                                                 : checking->sizes[SSTABLE_DATA];
        size_t size = (size_t)(end - offset);
        if (size > capacity) {
            free(bytes);
            bytes = malloc(size);
            ASSERT(bytes != NULL);
            capacity = size;
        }
        status = read_piece(checking, offset, bytes, size);
        if (status != STATUS_OK) break;
        struct slice stored = slice_make(bytes, size - 4);
        if (checksum_crc32(stored) != bytes_get_u32(bytes + size - 4))
            add_bad_chunk(checking, i, offset);
        else
            try_chunk(checking, info, i, stored, file);
    }
    free(bytes);
    return status;
}

// One for each chunk, and maybe one for the empty chunk that Cassandra's compactions leave.
static bool has_crc_count(uint64_t count, uint64_t wanted)
{
    return count == wanted || count == wanted + 1;
}

// CRC.db: i32 size of chunks, then i32 a chunk.
static enum status read_plain(struct checking *checking, struct slice crc_file)
{
    uint64_t data_size = checking->sizes[SSTABLE_DATA];
    uint32_t chunk_size = crc_file.size < 4 ? 0 : bytes_get_u32(crc_file.data);
    bool is_sound = chunk_size >= 512 && chunk_size <= CHUNK_SIZE_MAX &&
                    has_crc_count(crc_file.size / 4 - 1, (data_size + chunk_size - 1) / chunk_size);
    if (crc_file.size > 0 && (!is_sound || crc_file.size % 4 != 0))
        verify_report_at(checking->report, SSTABLE_CRC, 0, "bad size of chunks: %u", chunk_size);
    if (!is_sound) chunk_size = PIECE_SIZE;
    uint8_t *bytes = malloc(chunk_size);
    ASSERT(bytes != NULL);
    enum status status = STATUS_OK;
    for (uint64_t at = 0; at < data_size && status == STATUS_OK; at += chunk_size) {
        size_t size = data_size - at < chunk_size ? (size_t)(data_size - at) : chunk_size;
        size_t index = (size_t)(at / chunk_size);
        status = read_piece(checking, at, bytes, size);
        if (status == STATUS_OK && is_sound &&
            checksum_crc32(slice_make(bytes, size)) != bytes_get_u32(crc_file.data + 4 + 4 * index))
            add_bad_chunk(checking, index, at);
    }
    free(bytes);
    return status;
}

// What is wrong: with a right digest the bytes are, and what says otherwise is damaged.
static void blame(struct checking *checking, enum sstable_component table, uint64_t table_offset,
                  size_t entry_size, bool digest_is_right)
{
    size_t count = checking->bad_chunk_count;
    for (size_t i = 0; i < count && i < BAD_CHUNKS_MAX; i++) {
        if (digest_is_right)
            verify_report_at(checking->report, table,
                             table_offset + entry_size * checking->bad_chunks[i].index,
                             "does not fit to chunk %zu of Data.db, whose bytes are as written",
                             checking->bad_chunks[i].index);
        else
            verify_report_at(checking->report, SSTABLE_DATA, checking->bad_chunks[i].offset,
                             "bad checksum of chunk %zu", checking->bad_chunks[i].index);
    }
    if (count > BAD_CHUNKS_MAX)
        verify_report_at(checking->report, SSTABLE_DATA, 0, "%zu chunks have bad checksums", count);
}

// Digest.crc32: decimal digits. `*is_known`: there is one.
static enum status read_digest(struct checking *checking, bool *is_known, uint32_t *digest)
{
    *is_known = false;
    if (!checking->has[SSTABLE_DIGEST]) {
        verify_report_note(checking->report, "there is no Digest.crc32");
        return STATUS_OK;
    }
    char path[SSTABLE_PATH_SIZE];
    tool_input_path(path, checking->report->input, SSTABLE_DIGEST);
    struct slice file;
    enum status status = file_reader_read_file(checking->env, path, KIB, &file, checking->error);
    if (status != STATUS_OK) return status;
    uint64_t value = 0;
    bool is_sound = file.size > 0 && file.size <= 11;
    for (size_t i = 0; i < file.size && is_sound; i++) {
        bool is_digit = file.data[i] >= '0' && file.data[i] <= '9';
        is_sound = is_digit || (i + 1 == file.size && i > 0 && file.data[i] == '\n');
        if (is_digit) value = value * 10 + (uint64_t)(file.data[i] - '0');
    }
    if (!is_sound || value > UINT32_MAX)
        verify_report_at(checking->report, SSTABLE_DIGEST, 0, "not a checksum in decimal digits");
    else
        *is_known = true;
    *digest = (uint32_t)value;
    free((void *)file.data);
    return STATUS_OK;
}

static enum status check_data(struct checking *checking, struct slice table_file,
                              enum sstable_component table)
{
    struct compression_info info;
    struct error cause = {0};
    bool is_compressed = table == SSTABLE_COMPRESSION_INFO, has_chunks = false;
    uint64_t table_offset = 4;
    size_t entry_size = 4;
    if (is_compressed) {
        enum status decoded = compression_info_decode(&info, table_file, &checking->arena, &cause);
        if (decoded == STATUS_OK) {
            has_chunks = check_chunk_table(checking, &info, table_file);
            table_offset = (uint64_t)(info.offsets - table_file.data);
            entry_size = 8;
        } else {
            verify_report_at(checking->report, table, 0, "%s", cause.text);
        }
    }
    uint8_t *piece = malloc(PIECE_SIZE);
    ASSERT(piece != NULL);
    enum status status = has_chunks      ? read_compressed(checking, &info, table_file)
                         : is_compressed ? read_rest(checking, 0, piece)
                                         : read_plain(checking, table_file);
    free(piece);
    if (status != STATUS_OK) return status == STATUS_END ? STATUS_OK : status;
    bool is_known;
    uint32_t digest = 0;
    status = read_digest(checking, &is_known, &digest);
    if (status != STATUS_OK) return status;
    bool is_right = is_known && digest == checking->digest;
    blame(checking, table, table_offset, entry_size, is_right);
    if (is_known && !is_right && checking->bad_chunk_count == 0) {
        bool is_checked = has_chunks || (!is_compressed && table_file.size > 0);
        verify_report_at(checking->report, is_checked ? SSTABLE_DIGEST : SSTABLE_DATA, 0,
                         "the checksum in Digest.crc32 is %u; that of Data.db is %u%s", digest,
                         checking->digest, is_checked ? ", and all its chunks have theirs" : "");
    }
    return STATUS_OK;
}

static enum status open_data(struct checking *checking)
{
    if (!checking->has[SSTABLE_DATA]) return STATUS_OK;
    char path[SSTABLE_PATH_SIZE];
    enum sstable_component table =
        checking->has[SSTABLE_COMPRESSION_INFO] ? SSTABLE_COMPRESSION_INFO : SSTABLE_CRC;
    struct slice table_file = slice_make(NULL, 0);
    enum status status = STATUS_OK;
    if (checking->has[table]) {
        tool_input_path(path, checking->report->input, table);
        status = file_reader_read_file(checking->env, path, COMPONENT_SIZE_MAX, &table_file,
                                       checking->error);
    } else {
        verify_report_note(checking->report, "Data.db is not compressed and there is no CRC.db");
    }
    if (status != STATUS_OK) return status;
    tool_input_path(path, checking->report->input, SSTABLE_DATA);
    status = env_file_open(checking->env, path, ENV_OPEN_READ, &checking->file, checking->error);
    if (status == STATUS_OK) {
        status = check_data(checking, table_file, table);
        env_file_close(checking->file);
    }
    free((void *)table_file.data);
    return status;
}

enum status verify_files(struct env *env, struct verify_report *report,
                         struct verify_progress *progress, struct error *error)
{
    struct checking checking = {.env = env, .report = report, .progress = progress, .error = error};
    arena_init(&checking.arena, 4 * KIB);
    enum status status = find_files(&checking);
    if (status == STATUS_OK) status = check_toc(&checking);
    if (status == STATUS_OK) status = open_data(&checking);
    arena_deinit(&checking.arena);
    return status;
}
