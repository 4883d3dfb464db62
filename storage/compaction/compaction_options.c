// The checks, in the order in which Cassandra makes them: what all strategies have in common, what
// the strategy has of its own, names that nobody knows, thresholds.
#include "storage/compaction/compaction_options.h"

#include "base/buffer.h"
#include "storage/schema/options.h"
#include "storage/value/real.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define TEXT(slice) (int)(slice).size, (const char *)(slice).data

// The first failure ends it: what comes after finds nothing any more.
struct parse {
    const struct options *map;
    struct compaction_options *options;
    bool allow_unsafe;
    enum status status;
    struct error *error;
};

#define FAIL(parse, ...) ((parse)->status = error_set((parse)->error, STATUS_INVALID, __VA_ARGS__))

static const char package[] = "org.apache.cassandra.db.compaction.";

struct compaction_options compaction_options_default(void)
{
    return (struct compaction_options){
        .strategy = COMPACTION_SIZE_TIERED,
        .enabled = true,
        .tombstone_threshold = (double)0.2f,
        .tombstone_compaction_interval_s = 86400,
        .min_threshold = 4,
        .max_threshold = 32,
        .min_sstable_size = (uint64_t)50 * 1024 * 1024,
        .bucket_low = 0.5,
        .bucket_high = 1.5,
        .sstable_size_max = (uint64_t)160 * 1024 * 1024,
        .fanout = 10,
        .window_size_s = 86400,
        .window_unit_s = 86400,
        .timestamp_unit_us = 1,
        .expired_check_interval_s = 600,
    };
}

// ---- Values, as Java reads them ----------------------------------------------------------------

static bool is_word(struct slice text, const char *word)
{
    return text.size == strlen(word) && strncasecmp((const char *)text.data, word, text.size) == 0;
}

// Long.parseLong(), Integer.parseInt(): a sign and digits, nothing else.
static bool parse_integer(struct slice text, int64_t least, int64_t most, int64_t *value)
{
    char copy[32];
    size_t sign = text.size > 0 && (text.data[0] == '-' || text.data[0] == '+') ? 1 : 0;
    if (text.size == sign || text.size >= sizeof copy) return false;
    for (size_t i = sign; i < text.size; i++)
        if (text.data[i] < '0' || text.data[i] > '9') return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    errno = 0;
    long long number = strtoll(copy, NULL, 10);
    if (errno != 0 || number < least || number > most) return false;
    *value = number;
    return true;
}

static bool find(const struct parse *parse, const char *name, struct slice *text)
{
    *text = options_find(parse->map, name);
    return parse->status == STATUS_OK && !slice_is_null(*text);
}

static bool read_integer(struct parse *parse, const char *name, int64_t least, int64_t most,
                         int64_t *value)
{
    struct slice text;
    if (!find(parse, name, &text)) return false;
    if (parse_integer(text, least, most, value)) return true;
    FAIL(parse, "%.*s is not a parsable int (base10) for %s", TEXT(text), name);
    return false;
}

static void check_bool(struct parse *parse, const char *name, bool quoted, bool *value)
{
    struct slice text;
    if (!find(parse, name, &text)) return;
    *value = is_word(text, "true");
    if (*value || is_word(text, "false")) return;
    if (quoted) {
        FAIL(parse, "'%s' should be either 'true' or 'false', not '%.*s'", name, TEXT(text));
    } else {
        FAIL(parse, "%s should either be 'true' or 'false', not %.*s", name, TEXT(text));
    }
}

// ---- Of all strategies -------------------------------------------------------------------------

static void check_tombstones(struct parse *parse)
{
    struct compaction_options *options = parse->options;
    struct slice text;
    if (find(parse, "tombstone_threshold", &text)) {
        float threshold;
        if (real_parse_float(text, &threshold) != STATUS_OK) {
            FAIL(parse, "%.*s is not a parsable int (base10) for tombstone_threshold", TEXT(text));
        } else if (threshold < 0) {
            FAIL(parse, "tombstone_threshold must be greater than 0, but was %f",
                 (double)threshold);
        } else {
            options->tombstone_threshold = (double)threshold;
        }
    }
    int64_t interval;
    if (read_integer(parse, "tombstone_compaction_interval", INT64_MIN, INT64_MAX, &interval)) {
        options->tombstone_compaction_interval_s = interval;
        if (interval < 0)
            FAIL(parse, "tombstone_compaction_interval must be greater than 0, but was %" PRId64,
                 interval);
    }
    check_bool(parse, "unchecked_tombstone_compaction", true,
               &options->unchecked_tombstone_compaction);
    if (find(parse, "only_purge_repaired_tombstones", &text))
        options->only_purge_repaired_tombstones = is_word(text, "true");
}

static void check_common(struct parse *parse)
{
    check_tombstones(parse);
    struct slice text;
    if (find(parse, "log_all", &text) && !is_word(text, "true") && !is_word(text, "false"))
        FAIL(parse, "'log_all' should either be 'true' or 'false', not %.*s", TEXT(text));
    check_bool(parse, "enabled", false, &parse->options->enabled);
}

// ---- Of one strategy ---------------------------------------------------------------------------

static double read_bucket(struct parse *parse, const char *name, double otherwise)
{
    struct slice text;
    double value;
    if (!find(parse, name, &text)) return otherwise;
    if (real_parse_double(text, &value) == STATUS_OK) return value;
    FAIL(parse, "%.*s is not a parsable float for %s", TEXT(text), name);
    return otherwise;
}

static void real_text(double value, char text[32])
{
    struct buffer buffer;
    buffer_init(&buffer, 31);
    real_put_double(value, &buffer);
    (void)snprintf(text, 32, "%.*s", (int)buffer.size, (const char *)buffer.data);
    buffer_deinit(&buffer);
}

static void check_size_tiered(struct parse *parse)
{
    struct compaction_options *options = parse->options;
    int64_t size;
    if (read_integer(parse, "min_sstable_size", INT64_MIN, INT64_MAX, &size)) {
        options->min_sstable_size = (uint64_t)size;
        if (size < 0) FAIL(parse, "min_sstable_size must be non negative: %" PRId64, size);
    }
    options->bucket_low = read_bucket(parse, "bucket_low", options->bucket_low);
    options->bucket_high = read_bucket(parse, "bucket_high", options->bucket_high);
    if (parse->status == STATUS_OK && options->bucket_high <= options->bucket_low) {
        char low[32], high[32];
        real_text(options->bucket_low, low);
        real_text(options->bucket_high, high);
        FAIL(parse, "bucket_high value (%s) is less than or equal to the bucket_low value (%s)",
             high, low);
    }
}

static void check_leveled(struct parse *parse)
{
    struct compaction_options *options = parse->options;
    struct slice text;
    int64_t value;
    if (read_integer(parse, "sstable_size_in_mb", INT32_MIN, INT32_MAX, &value)) {
        options->sstable_size_max = (uint64_t)value * 1024 * 1024;
        if (value < 1)
            FAIL(parse, "sstable_size_in_mb must be larger than 0, but was %" PRId64, value);
    }
    if (find(parse, "fanout_size", &text)) {
        // Cassandra names the default of another option here.
        if (!parse_integer(text, INT32_MIN, INT32_MAX, &value)) {
            FAIL(parse, "1 is not a parsable int (base10) for fanout_size");
        } else if (value < 1) {
            FAIL(parse, "fanout_size must be larger than 0, but was %" PRId64, value);
        } else {
            options->fanout = (int)value;
        }
    }
    if (find(parse, "single_sstable_uplevel", &text))
        options->single_sstable_uplevel = is_word(text, "true");
    check_size_tiered(parse);
}

// One of some words, each with its number.
struct unit {
    const char *name;
    int64_t value;
};

static void check_unit(struct parse *parse, const char *name, const struct unit *units,
                       int64_t *value)
{
    struct slice text;
    if (!find(parse, name, &text)) return;
    for (; units->name != NULL; units++) {
        if (slice_equals(text, slice_of_text(units->name))) {
            *value = units->value;
            return;
        }
    }
    FAIL(parse, "%.*s is not valid for %s", TEXT(text), name);
}

static void check_unsafe_expiration(struct parse *parse)
{
    static const char name[] = "unsafe_aggressive_sstable_expiration";
    struct slice text;
    if (!find(parse, name, &text)) return;
    bool *unsafe = &parse->options->unsafe_aggressive_expiration;
    *unsafe = is_word(text, "true");
    if (!*unsafe && !is_word(text, "false")) {
        FAIL(parse, "%s is not 'true' or 'false' (%.*s)", name, TEXT(text));
    } else if (*unsafe && !parse->allow_unsafe) {
        FAIL(parse,
             "%s is requested but not allowed, restart cassandra with "
             "-Dcassandra.allow_%s=true to allow it",
             name, name);
    }
}

static void check_time_window(struct parse *parse)
{
    static const struct unit resolutions[] = {{"SECONDS", 1000000},
                                              {"MILLISECONDS", 1000},
                                              {"MICROSECONDS", 1},
                                              {"NANOSECONDS", 0},
                                              {NULL, 0}};
    static const struct unit units[] = {
        {"MINUTES", 60}, {"HOURS", 3600}, {"DAYS", 86400}, {NULL, 0}};
    struct compaction_options *options = parse->options;
    options->without_tombstone_compaction =
        slice_is_null(options_find(parse->map, "tombstone_threshold")) &&
        slice_is_null(options_find(parse->map, "tombstone_compaction_interval"));
    check_unit(parse, "timestamp_resolution", resolutions, &options->timestamp_unit_us);
    check_unit(parse, "compaction_window_unit", units, &options->window_unit_s);
    int64_t value = 1;
    if (read_integer(parse, "compaction_window_size", INT32_MIN, INT32_MAX, &value) && value < 1)
        FAIL(parse, "%" PRId64 " must be greater than 1 for compaction_window_size", value);
    options->window_size_s = options->window_unit_s * value;
    if (read_integer(parse, "expired_sstable_check_frequency_seconds", INT64_MIN, INT64_MAX,
                     &options->expired_check_interval_s) &&
        options->expired_check_interval_s < 0)
        FAIL(parse,
             "expired_sstable_check_frequency_seconds must not be negative, but was %" PRId64,
             options->expired_check_interval_s);
    check_unsafe_expiration(parse);
    check_size_tiered(parse);
}

// ---- UnifiedCompactionStrategy: checked only ---------------------------------------------------

// FBUtilities.parseHumanReadableBytes(), for what people write: 100MiB, 1GB, 512B. -1: too little
// or not understood.
static double human_size(struct slice text)
{
    static const char prefixes[] = "kMGTPE";
    char copy[40];
    if (text.size == 0 || text.size >= sizeof copy) return -1;
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    char *end;
    double value = strtod(copy, &end);
    while (*end == ' ')
        end++;
    const char *prefix = *end == 'K' ? prefixes : *end == '\0' ? NULL : strchr(prefixes, *end);
    double base = prefix != NULL && end[1] == 'i' ? 1024 : 1000;
    for (const char *p = prefixes; prefix != NULL && p <= prefix; p++)
        value *= base;
    return value;
}

static void check_unified_size(struct parse *parse, const char *name)
{
    struct slice text;
    if (!find(parse, name, &text)) return;
    if (text.size == 0 || text.data[text.size - 1] != 'B') {
        FAIL(parse, "%s %.*s is not a valid size in bytes: %.*s does not end in unit B", name,
             TEXT(text), TEXT(text));
    } else if (human_size(text) < 1024 * 1024) {
        FAIL(parse, "%s %.*s is not acceptable, size must be at least 1.000MiB", name, TEXT(text));
    }
}

// One of "T4, L8, N, -3".
static void check_scaling(struct parse *parse, struct slice one)
{
    while (one.size > 0 && one.data[0] == ' ')
        one = slice_make(one.data + 1, one.size - 1);
    while (one.size > 0 && one.data[one.size - 1] == ' ')
        one.size--;
    if (slice_equals(one, slice_of_text("N"))) return;
    bool has_letter = one.size > 0 && (one.data[0] == 'L' || one.data[0] == 'T');
    struct slice digits = has_letter ? slice_make(one.data + 1, one.size - 1) : one;
    int64_t number;
    bool has_sign = digits.size > 0 && (digits.data[0] == '-' || digits.data[0] == '+');
    if (!parse_integer(digits, INT32_MIN, INT32_MAX, &number) || (has_letter && has_sign)) {
        FAIL(parse, "Scaling parameter %.*s must match N|L[0-9]+|T[0-9]+|[+-]?[0-9]+", TEXT(one));
    } else if (has_letter && number < 2) {
        FAIL(parse, "Fan factor cannot be lower than 2 in %.*s", TEXT(one));
    }
}

static void check_unified_scaling(struct parse *parse)
{
    struct slice text;
    if (!find(parse, "scaling_parameters", &text)) return;
    size_t begin = 0;
    for (size_t i = 0; i <= text.size && parse->status == STATUS_OK; i++) {
        if (i < text.size && text.data[i] != ',') continue;
        check_scaling(parse, slice_make(text.data + begin, i - begin));
        begin = i + 1;
    }
}

static void check_unified_growth(struct parse *parse)
{
    struct slice text;
    double growth;
    if (!find(parse, "sstable_growth", &text)) return;
    bool is_percent = text.size > 0 && text.data[text.size - 1] == '%';
    struct slice number = is_percent ? slice_make(text.data, text.size - 1) : text;
    if (real_parse_double(number, &growth) != STATUS_OK) {
        if (text.size == 0) {
            FAIL(parse, "sstable_growth is not a valid number between 0 and 1: empty String");
        } else {
            FAIL(parse,
                 "sstable_growth is not a valid number between 0 and 1: For input string: "
                 "\"%.*s\"",
                 TEXT(text));
        }
        return;
    }
    if (is_percent) growth /= 100;
    if (growth < 0 || growth > 1)
        FAIL(parse, "sstable_growth %.*s must be between 0 and 1", TEXT(text));
}

static void check_unified_numbers(struct parse *parse)
{
    int64_t value;
    struct slice text;
    if (read_integer(parse, "base_shard_count", INT32_MIN, INT32_MAX, &value) && value <= 0)
        FAIL(parse, "Invalid configuration, base_shard_count should be positive: %" PRId64, value);
    check_unified_size(parse, "target_sstable_size");
    check_unified_size(parse, "flush_size_override");
    (void)read_integer(parse, "max_sstables_to_compact", INT32_MIN, INT32_MAX, &value);
    static const char expired[] = "expired_sstable_check_frequency_seconds";
    if (find(parse, expired, &text)) {
        if (!parse_integer(text, INT64_MIN, INT64_MAX, &value)) {
            FAIL(parse, "%.*s is not a parsable long (base10) for %s", TEXT(text), expired);
        } else if (value <= 0) {
            FAIL(parse, "Invalid configuration, %s should be positive: %" PRId64, expired, value);
        }
    }
}

// FBUtilities.prettyPrintMemory()
static void put_memory(double size, char text[32])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    for (; size >= 1024 && unit < 4; unit++)
        size /= 1024;
    (void)snprintf(text, 32, unit == 0 ? "%.0f%s" : "%.3f%s", size, units[unit]);
}

static void check_unified_least_size(struct parse *parse)
{
    struct slice text, target_text;
    if (!find(parse, "min_sstable_size", &text)) return;
    if (text.size == 0 || text.data[text.size - 1] != 'B') {
        FAIL(parse, "%.*s is not a valid size in bytes for min_sstable_size", TEXT(text));
        return;
    }
    double target = 1024.0 * 1024 * 1024, least = human_size(text);
    if (find(parse, "target_sstable_size", &target_text)) target = human_size(target_text);
    target = ceil(target * sqrt(0.5));
    if (least <= target) return;
    char least_text[32], most_text[32];
    put_memory(least, least_text);
    put_memory(target, most_text);
    FAIL(parse,
         "Invalid configuration, min_sstable_size (%s) should be less than the target size "
         "minimum: %s",
         least_text, most_text);
}

static void check_unified(struct parse *parse)
{
    struct slice text;
    bool unsafe;
    check_unified_scaling(parse);
    check_unified_numbers(parse);
    check_bool(parse, "unsafe_aggressive_sstable_expiration", false, &unsafe);
    if (find(parse, "overlap_inclusion_method", &text) && !is_word(text, "none") &&
        !is_word(text, "single") && !is_word(text, "transitive"))
        FAIL(parse,
             "Invalid overlap inclusion method %.*s. The valid options are [NONE, SINGLE, "
             "TRANSITIVE].",
             TEXT(text));
    check_unified_least_size(parse);
    check_unified_growth(parse);
}

// ---- Which strategy ----------------------------------------------------------------------------

struct strategy {
    const char *name;
    enum compaction_strategy strategy;
    void (*check)(struct parse *parse);
    bool has_thresholds;
    const char *const *names; // Of its own options.
};

static const char *const common_names[] = {"class",
                                           "enabled",
                                           "log_all",
                                           "only_purge_repaired_tombstones",
                                           "provide_overlapping_tombstones",
                                           "tombstone_compaction_interval",
                                           "tombstone_threshold",
                                           "unchecked_tombstone_compaction",
                                           NULL};
static const char *const threshold_names[] = {"min_threshold", "max_threshold", NULL};
static const char *const size_tiered_names[] = {"bucket_high", "bucket_low", "min_sstable_size",
                                                NULL};
static const char *const leveled_names[] = {"bucket_high",
                                            "bucket_low",
                                            "min_sstable_size",
                                            "sstable_size_in_mb",
                                            "fanout_size",
                                            "single_sstable_uplevel",
                                            NULL};
static const char *const time_window_names[] = {"bucket_high",
                                                "bucket_low",
                                                "min_sstable_size",
                                                "compaction_window_size",
                                                "compaction_window_unit",
                                                "timestamp_resolution",
                                                "expired_sstable_check_frequency_seconds",
                                                "unsafe_aggressive_sstable_expiration",
                                                NULL};
static const char *const unified_names[] = {"base_shard_count",
                                            "expired_sstable_check_frequency_seconds",
                                            "flush_size_override",
                                            "max_sstables_to_compact",
                                            "min_sstable_size",
                                            "overlap_inclusion_method",
                                            "scaling_parameters",
                                            "sstable_growth",
                                            "target_sstable_size",
                                            "unsafe_aggressive_sstable_expiration",
                                            NULL};

static const struct strategy strategies[] = {
    {"SizeTieredCompactionStrategy", COMPACTION_SIZE_TIERED, check_size_tiered, true,
     size_tiered_names},
    {"LeveledCompactionStrategy", COMPACTION_LEVELED, check_leveled, true, leveled_names},
    {"TimeWindowCompactionStrategy", COMPACTION_TIME_WINDOW, check_time_window, true,
     time_window_names},
    {"UnifiedCompactionStrategy", COMPACTION_SIZE_TIERED, check_unified, false, unified_names},
};

static const struct strategy *find_strategy(struct parse *parse)
{
    struct slice name = options_find(parse->map, "class");
    if (slice_is_null(name)) {
        FAIL(parse, "Missing sub-option 'class' for the 'compaction' option");
        return NULL;
    }
    size_t prefix = strlen(package);
    bool is_full = name.size > 0 && memchr(name.data, '.', name.size) != NULL;
    struct slice last = name;
    if (is_full && name.size > prefix && memcmp(name.data, package, prefix) == 0)
        last = slice_make(name.data + prefix, name.size - prefix);
    for (size_t i = 0; i < sizeof strategies / sizeof strategies[0]; i++)
        if (slice_equals(last, slice_of_text(strategies[i].name))) return &strategies[i];
    FAIL(parse, "Unable to find compaction strategy class '%s%.*s'", is_full ? "" : package,
         TEXT(name));
    return NULL;
}

static bool is_among(struct slice name, const char *const *names)
{
    for (; *names != NULL; names++)
        if (slice_equals(name, slice_of_text(*names))) return true;
    return false;
}

// ---- Names that nobody knows -------------------------------------------------------------------

// String.hashCode(), spread as java.util.HashMap does it.
static uint32_t java_hash(struct slice text)
{
    uint32_t hash = 0;
    for (size_t i = 0; i < text.size; i++)
        hash = hash * 31 + text.data[i];
    return hash ^ hash >> 16;
}

// In the order in which a HashMap of all options lists its keys.
static void check_names(struct parse *parse, const struct strategy *strategy)
{
    if (parse->status != STATUS_OK) return;
    const struct options *map = parse->map;
    size_t count = map->count - 1; // Without the class.
    for (size_t i = 0; strategy->has_thresholds && threshold_names[i] != NULL; i++)
        if (slice_is_null(options_find(map, threshold_names[i]))) count++;
    uint32_t table = 1;
    while ((double)table < (double)count / 0.75 + 1)
        table *= 2;
    char names[300];
    size_t size = 0;
    for (uint32_t slot = 0; slot < table; slot++) {
        for (size_t i = 0; i < map->count; i++) {
            struct slice name = map->items[i].key;
            if ((java_hash(name) & (table - 1)) != slot || is_among(name, common_names) ||
                is_among(name, strategy->names) ||
                (strategy->has_thresholds && is_among(name, threshold_names)))
                continue;
            int written = snprintf(names + size, sizeof names - size, "%s%.*s",
                                   size == 0 ? "" : ", ", TEXT(name));
            if (written < 0 || (size_t)written >= sizeof names - size) break;
            size += (size_t)written;
        }
    }
    if (size > 0)
        FAIL(parse, "Properties specified [%s] are not understood by %s", names, strategy->name);
}

// ---- Thresholds --------------------------------------------------------------------------------

static void check_is_numeric(struct parse *parse, const char *name)
{
    struct slice text;
    if (!find(parse, name, &text)) return;
    bool is_numeric = text.size > 0;
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < '0' || text.data[i] > '9') is_numeric = false;
    if (!is_numeric)
        FAIL(parse, "Invalid value %.*s for '%s' compaction sub-option - must be an integer",
             TEXT(text), name);
}

static void read_threshold(struct parse *parse, const char *name, int *value)
{
    struct slice text;
    int64_t number;
    if (!find(parse, name, &text)) return;
    if (!parse_integer(text, 0, INT32_MAX, &number)) {
        parse->status =
            error_set(parse->error, STATUS_MALFORMED,
                      "java.lang.NumberFormatException: For input string: \"%.*s\"", TEXT(text));
        return;
    }
    *value = (int)number;
}

static void check_thresholds(struct parse *parse)
{
    struct compaction_options *options = parse->options;
    check_is_numeric(parse, "min_threshold");
    check_is_numeric(parse, "max_threshold");
    read_threshold(parse, "min_threshold", &options->min_threshold);
    read_threshold(parse, "max_threshold", &options->max_threshold);
    if (parse->status != STATUS_OK) return;
    if (options->min_threshold == 0 || options->max_threshold == 0) {
        FAIL(parse, "Disabling compaction by setting compaction thresholds to 0 has been removed, "
                    "set the compaction option 'enabled' to false instead.");
    } else if (options->min_threshold < 2) {
        FAIL(parse, "Min compaction threshold cannot be less than 2 (got %d)",
             options->min_threshold);
    } else if (options->min_threshold > options->max_threshold) {
        FAIL(parse,
             "Min compaction threshold (got %d) cannot be greater than max compaction threshold "
             "(got %d)",
             options->min_threshold, options->max_threshold);
    }
}

// ---- All of it ---------------------------------------------------------------------------------

static void check_overlapping_tombstones(struct parse *parse)
{
    struct slice text;
    if (!find(parse, "provide_overlapping_tombstones", &text) || is_word(text, "none") ||
        is_word(text, "row") || is_word(text, "cell"))
        return;
    char upper[100];
    size_t size = text.size < sizeof upper ? text.size : sizeof upper;
    for (size_t i = 0; i < size; i++)
        upper[i] = (char)(text.data[i] >= 'a' && text.data[i] <= 'z' ? text.data[i] - 'a' + 'A'
                                                                     : text.data[i]);
    FAIL(parse,
         "Invalid value %.*s for 'provide_overlapping_tombstones' compaction sub-option - must be "
         "one of the following [NONE, ROW, CELL].",
         (int)size, upper);
}

static enum status parse_all(const struct options *map, bool allow_unsafe,
                             struct compaction_options *options, struct error *error)
{
    struct compaction_options parsed = compaction_options_default();
    struct parse parse = {
        .map = map, .options = &parsed, .allow_unsafe = allow_unsafe, .error = error};
    if (map->count > 0) {
        const struct strategy *strategy = find_strategy(&parse);
        if (strategy == NULL) return parse.status;
        parsed.strategy = strategy->strategy;
        check_overlapping_tombstones(&parse);
        check_common(&parse);
        if (parse.status == STATUS_OK) strategy->check(&parse);
        check_names(&parse, strategy);
        if (strategy->has_thresholds) check_thresholds(&parse);
        if (parse.status != STATUS_OK) return parse.status;
    }
    *options = parsed;
    return STATUS_OK;
}

enum status compaction_options_parse(const struct options *map, struct compaction_options *options,
                                     struct error *error)
{
    return parse_all(map, false, options, error);
}

enum status compaction_options_read(const struct options *map, struct compaction_options *options,
                                    struct error *error)
{
    return parse_all(map, true, options, error);
}

bool compaction_options_is_unified(const struct options *map)
{
    struct parse parse = {.map = map};
    const struct strategy *strategy = find_strategy(&parse);
    return strategy != NULL && !strategy->has_thresholds;
}
