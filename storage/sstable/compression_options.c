#include "storage/sstable/compression_options.h"

#include "storage/schema/options.h"
#include "storage/sstable/compressor.h"
#include "storage/value/real.h"

#include <math.h>
#include <strings.h>

enum { KIB_DEFAULT = 16 };

// For "%.*s": a name or value of a client's, cut.
#define TEXT(slice) (int)((slice).size > 200 ? 200 : (slice).size), (const char *)(slice).data

static bool is_word(struct slice value, const char *word)
{
    return !slice_is_null(value) && slice_equals(value, slice_of_text(word));
}

// Integer.parseInt(): false where that throws.
static bool parse_int(struct slice text, int32_t *number)
{
    bool has_sign = text.size > 0 && (text.data[0] == '-' || text.data[0] == '+');
    if (text.size == (size_t)has_sign) return false;
    int64_t value = 0;
    for (size_t i = has_sign; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') return false;
        value = 10 * value + (text.data[i] - '0');
        if (value > (int64_t)INT32_MAX + 1) return false;
    }
    if (has_sign && text.data[0] == '-') value = -value;
    *number = (int32_t)value;
    return value <= INT32_MAX;
}

// Boolean.parseBoolean()
static bool is_true(struct slice value)
{
    return value.size == 4 && strncasecmp((const char *)value.data, "true", 4) == 0;
}

// ---- Parts --------------------------------------------------------------------------------------

static enum status check_length(struct slice value, int32_t *kib, struct error *error)
{
    *kib = KIB_DEFAULT;
    if (slice_is_null(value)) return STATUS_OK;
    if (!parse_int(value, kib))
        return error_set(error, STATUS_INVALID, "Invalid value for chunk_length_in_kb");
    if (*kib > INT32_MAX / 1024)
        return error_set(error, STATUS_INVALID, "Value of chunk_length_in_kb is too large (%d)",
                         (int)*kib);
    return STATUS_OK;
}

static enum status check_ratio(struct slice value, double *ratio, struct error *error)
{
    *ratio = 0;
    if (slice_is_null(value)) return STATUS_OK;
    if (value.size == 0)
        return error_set(error, STATUS_MALFORMED, "java.lang.NumberFormatException: empty String");
    if (real_parse_double(value, ratio) != STATUS_OK)
        return error_set(error, STATUS_MALFORMED,
                         "java.lang.NumberFormatException: For input string: \"%.*s\"",
                         TEXT(value));
    return STATUS_OK;
}

static enum status check_lz4(const struct options *options, struct error *error)
{
    struct slice type = options_find(options, "lz4_compressor_type");
    if (!slice_is_null(type) && !is_word(type, "fast") && !is_word(type, "high"))
        return error_set(error, STATUS_INVALID,
                         "Invalid compressor type '%.*s' specified for LZ4 parameter "
                         "'lz4_compressor_type'. Valid options are [high, fast].",
                         TEXT(type));
    struct slice value = options_find(options, "lz4_high_compressor_level");
    int32_t level;
    if (slice_is_null(value) || (parse_int(value, &level) && level >= 1 && level <= LZ4_HIGH_MAX))
        return STATUS_OK;
    return error_set(error, STATUS_INVALID,
                     "Invalid value [%.*s] for parameter 'lz4_high_compressor_level'. Value must "
                     "be between 1 and %d.",
                     TEXT(value), LZ4_HIGH_MAX);
}

static enum status check_zstd(const struct options *options, struct error *error)
{
    struct slice value = options_find(options, "compression_level");
    int32_t level;
    if (slice_is_null(value)) return STATUS_OK;
    if (!parse_int(value, &level))
        return error_set(error, STATUS_INVALID,
                         "ZstdCompressor.create() threw an error: java.lang.NumberFormatException "
                         "For input string: \"%.*s\"",
                         TEXT(value));
    if (level < ZSTD_LEVEL_MIN || level > ZSTD_LEVEL_MAX)
        return error_set(error, STATUS_INVALID,
                         "ZstdCompressor.create() threw an error: "
                         "java.lang.IllegalArgumentException compression_level=%d is invalid",
                         (int)level);
    return STATUS_OK;
}

static bool is_general(struct slice key)
{
    return is_word(key, "class") || is_word(key, "enabled") || is_word(key, "chunk_length_in_kb") ||
           is_word(key, "min_compress_ratio");
}

// The compressor's own options: their values, then that there are no others.
static enum status check_own(enum compressor compressor, const struct options *options,
                             struct error *error)
{
    enum status status = STATUS_OK;
    if (compressor == COMPRESSOR_LZ4) status = check_lz4(options, error);
    if (compressor == COMPRESSOR_ZSTD) status = check_zstd(options, error);
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < options->count; i++) {
        struct slice key = options->items[i].key;
        bool is_known =
            is_general(key) ||
            (compressor == COMPRESSOR_LZ4 &&
             (is_word(key, "lz4_compressor_type") || is_word(key, "lz4_high_compressor_level"))) ||
            (compressor == COMPRESSOR_ZSTD && is_word(key, "compression_level"));
        if (!is_known)
            return error_set(error, STATUS_INVALID, "Unknown compression options %.*s", TEXT(key));
    }
    return STATUS_OK;
}

// CompressionParams.validate()
static enum status check_sizes(int32_t kib, double ratio, struct error *error)
{
    if (kib <= 0)
        return error_set(error, STATUS_INVALID, "Invalid negative or null chunk_length_in_kb");
    if ((kib & (kib - 1)) != 0)
        return error_set(error, STATUS_INVALID, "chunk_length_in_kb must be a power of 2");
    double size = (double)kib * 1024, limit = ceil(fmin(size / ratio, INT32_MAX));
    if (ratio == 0 || isnan(ratio)) return STATUS_OK;
    if (limit < 0) return error_set(error, STATUS_INVALID, "Invalid negative min_compress_ratio");
    if (limit > size && limit < INT32_MAX)
        return error_set(error, STATUS_INVALID,
                         "min_compress_ratio can either be 0 or greater than or equal to 1");
    return STATUS_OK;
}

// ---- The whole ----------------------------------------------------------------------------------

static struct slice full_name(struct slice name, struct arena *arena)
{
    if (memchr(name.data, '.', name.size) != NULL) return arena_copy(arena, name);
    return slice_of_text(arena_format(arena, "org.apache.cassandra.io.compress.%.*s",
                                      (int)name.size, (const char *)name.data));
}

static void keep(struct options *kept, const char *key, struct slice value)
{
    ((struct option *)(uintptr_t)kept->items)[kept->count++] =
        (struct option){slice_of_text(key), value};
}

static struct slice ratio_text(double ratio, struct arena *arena)
{
    struct buffer text;
    buffer_init(&text, 64);
    real_put_double(ratio, &text);
    struct slice copy = arena_copy(arena, buffer_slice(&text));
    buffer_deinit(&text);
    return copy;
}

static void keep_all(const struct options *given, struct slice name, int32_t kib, double ratio,
                     struct arena *arena, struct options *kept)
{
    static const char *const own[] = {"compression_level", "lz4_compressor_type",
                                      "lz4_high_compressor_level"};
    // In the order of the keys, as all options of a schema.
    keep(kept, "chunk_length_in_kb", slice_of_text(arena_format(arena, "%d", (int)kib)));
    keep(kept, "class", name);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        struct slice value = options_find(given, own[i]);
        if (!slice_is_null(value)) keep(kept, own[i], arena_copy(arena, value));
    }
    if (ratio != 0) keep(kept, "min_compress_ratio", ratio_text(ratio, arena));
}

enum status compression_options_check(const struct options *given, struct arena *arena,
                                      struct options *kept, struct error *error)
{
    *kept = (struct options){ARENA_NEW_ARRAY(arena, struct option, 8), 0};
    struct slice enabled = options_find(given, "enabled");
    struct slice name = options_find(given, "class");
    bool is_enabled = slice_is_null(enabled) || is_true(enabled);
    if (given->count > 0 && is_enabled && slice_is_null(name))
        return error_set(error, STATUS_INVALID,
                         "Missing sub-option 'class' for the 'compression' option.");
    if (!is_enabled && given->count > 1)
        return error_set(
            error, STATUS_INVALID,
            "If the 'enabled' option is set to false no other options must be specified");
    if (slice_is_null(name)) {
        keep(kept, "enabled", slice_of_text("false"));
        return STATUS_OK;
    }
    if (name.size == 0)
        return error_set(error, STATUS_INVALID,
                         "The 'class' option must not be empty. To disable compression use "
                         "'enabled' : false");
    int32_t kib;
    double ratio;
    enum status status = check_length(options_find(given, "chunk_length_in_kb"), &kib, error);
    if (status == STATUS_OK)
        status = check_ratio(options_find(given, "min_compress_ratio"), &ratio, error);
    if (status != STATUS_OK) return status;
    name = full_name(name, arena);
    enum compressor compressor = compressor_of_name(name);
    if (compressor == COMPRESSOR_NONE)
        return error_set(error, STATUS_INVALID, "Could not create Compression for type %.*s",
                         TEXT(name));
    status = check_own(compressor, given, error);
    if (status == STATUS_OK) status = check_sizes(kib, ratio, error);
    if (status == STATUS_OK) keep_all(given, name, kib, ratio, arena, kept);
    return status;
}
