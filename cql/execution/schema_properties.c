#include "cql/execution/schema_properties.h"

#include "base/bytes.h"
#include "storage/compaction/compaction_options.h"
#include "storage/schema/options.h"
#include "storage/sstable/compression_options.h"
#include "storage/uuid.h"
#include "storage/value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

static bool schema_properties_config(struct cql_error *error, const char *text)
{
    return cql_error_set(error, CQL_ERROR_CONFIG, "%s", text);
}

static bool schema_properties_is(struct slice text, const char *word)
{
    size_t size = strlen(word);
    return text.size == size &&
           (size == 0 || strncasecmp((const char *)text.data, word, size) == 0);
}

// ---- Values -------------------------------------------------------------------------------------

static bool schema_properties_int(struct analysis *analysis, const struct cql_property *property,
                                  int32_t *value)
{
    char *end;
    const char *text = analysis_text(analysis->arena, property->value);
    errno = 0;
    long number = strtol(text, &end, 10);
    if (errno == 0 && *text != '\0' && *end == '\0' && number >= INT32_MIN && number <= INT32_MAX) {
        *value = (int32_t)number;
        return true;
    }
    return cql_error_set(analysis->error, CQL_ERROR_SYNTAX, "Invalid integer value %s for '%.*s'",
                         text, SLICE_TEXT(property->name));
}

static bool schema_properties_double(struct analysis *analysis, const struct cql_property *property,
                                     double *value)
{
    char *end;
    const char *text = analysis_text(analysis->arena, property->value);
    *value = strtod(text, &end);
    if (*text != '\0' && *end == '\0') return true;
    return cql_error_set(analysis->error, CQL_ERROR_SYNTAX, "Invalid double value %s for '%.*s'",
                         text, SLICE_TEXT(property->name));
}

static bool schema_properties_bool(struct analysis *analysis, const struct cql_property *property,
                                   bool *value)
{
    *value = schema_properties_is(property->value, "true") ||
             schema_properties_is(property->value, "1") ||
             schema_properties_is(property->value, "yes");
    if (*value || schema_properties_is(property->value, "false") ||
        schema_properties_is(property->value, "0") || schema_properties_is(property->value, "no"))
        return true;
    return cql_error_set(analysis->error, CQL_ERROR_SYNTAX,
                         "Invalid boolean value %.*s for '%.*s'. Positive values can be '1', "
                         "'true' or 'yes'. Negative values can be '0', 'false' or 'no'.",
                         SLICE_TEXT(property->value), SLICE_TEXT(property->name));
}

// A map in the order of its keys, with room for `more`.
static struct options schema_properties_map(struct arena *arena,
                                            const struct cql_property *property, size_t more)
{
    struct option *items = ARENA_NEW_ARRAY(arena, struct option, property->entry_count + more + 1);
    for (size_t i = 0; i < property->entry_count; i++)
        items[i] = (struct option){property->entries[i].key, property->entries[i].value};
    return (struct options){items, property->entry_count};
}

static void schema_properties_add(struct options *options, const char *key, struct slice value)
{
    struct option *items = (struct option *)(uintptr_t)options->items;
    size_t place = options->count++;
    items[place] = (struct option){slice_of_text(key), value};
}

static void schema_properties_sort(struct options *options)
{
    struct option *items = (struct option *)(uintptr_t)options->items;
    for (size_t i = 1; i < options->count; i++) {
        struct option moved = items[i];
        size_t place = i;
        for (; place > 0 && slice_compare(items[place - 1].key, moved.key) > 0; place--)
            items[place] = items[place - 1];
        items[place] = moved;
    }
}

static void schema_properties_replace(struct options *options, const char *key, struct slice value)
{
    struct option *items = (struct option *)(uintptr_t)options->items;
    for (size_t i = 0; i < options->count; i++)
        if (slice_equals(items[i].key, slice_of_text(key))) items[i].value = value;
}

// A class without a dot is in `package`.
static struct slice schema_properties_class(struct arena *arena, const char *package,
                                            struct slice name)
{
    if (memchr(name.data, '.', name.size) != NULL) return name;
    return slice_of_text(arena_format(arena, "%s.%.*s", package, SLICE_TEXT(name)));
}

// The last part of a class is one of `names`, a list that ends with NULL.
static const char *schema_properties_known_class(struct slice class_name, const char *package,
                                                 const char *const *names)
{
    size_t package_size = strlen(package);
    if (class_name.size <= package_size + 1 || memcmp(class_name.data, package, package_size) != 0)
        return NULL;
    struct slice last =
        slice_make(class_name.data + package_size + 1, class_name.size - package_size - 1);
    for (; *names != NULL; names++)
        if (slice_equals(last, slice_of_text(*names))) return *names;
    return NULL;
}

// ---- compaction, compression, caching -----------------------------------------------------------

static bool schema_properties_compaction(struct analysis *analysis, struct arena *arena,
                                         const struct cql_property *property,
                                         struct options *compaction)
{
    static const char package[] = "org.apache.cassandra.db.compaction";
    struct options made = schema_properties_map(arena, property, 2);
    struct compaction_options parsed;
    struct error error = {.text = ""};
    // An empty map is a table's default for the storage, but no value here.
    if (made.count == 0)
        return schema_properties_config(analysis->error,
                                        "Missing sub-option 'class' for the 'compaction' option");
    enum status status = compaction_options_parse(&made, &parsed, &error);
    if (status == STATUS_MALFORMED)
        return cql_error_set(analysis->error, CQL_ERROR_SERVER, "%s", error.text);
    if (status != STATUS_OK) return schema_properties_config(analysis->error, error.text);
    struct slice class_name = schema_properties_class(arena, package, options_find(&made, "class"));
    schema_properties_replace(&made, "class", class_name);
    if (!compaction_options_is_unified(&made)) {
        if (slice_is_null(options_find(&made, "max_threshold")))
            schema_properties_add(&made, "max_threshold", slice_of_text("32"));
        if (slice_is_null(options_find(&made, "min_threshold")))
            schema_properties_add(&made, "min_threshold", slice_of_text("4"));
    }
    schema_properties_sort(&made);
    *compaction = made;
    return true;
}

static bool schema_properties_compression(struct analysis *analysis, struct arena *arena,
                                          const struct cql_property *property,
                                          struct options *compression)
{
    struct options given = schema_properties_map(analysis->arena, property, 0);
    struct error error;
    enum status status = compression_options_check(&given, arena, compression, &error);
    if (status == STATUS_OK) return true;
    enum cql_error_code code = status == STATUS_INVALID ? CQL_ERROR_CONFIG : CQL_ERROR_SERVER;
    return cql_error_set(analysis->error, code, "%s", error.text);
}

// "007" is 7; nothing and all have their words. False: Java has no such int.
static bool schema_properties_caching_rows(struct arena *arena, struct slice *rows)
{
    uint64_t number = 0;
    if (schema_properties_is(*rows, "all")) number = INT32_MAX;
    bool is_word = number != 0 || schema_properties_is(*rows, "none");
    for (size_t i = 0; i < rows->size && !is_word; i++) {
        number = number * 10 + (uint64_t)(rows->data[i] - '0');
        if (number > INT32_MAX) return false;
    }
    if (number == 0 || number == INT32_MAX)
        *rows = slice_of_text(number == 0 ? "NONE" : "ALL");
    else
        *rows = slice_of_text(arena_format(arena, "%" PRIu64, number));
    return true;
}

static bool schema_properties_caching(struct analysis *analysis, struct arena *arena,
                                      const struct cql_property *property, struct options *caching)
{
    struct options given = schema_properties_map(arena, property, 0);
    struct slice keys = options_find(&given, "keys");
    struct slice rows = options_find(&given, "rows_per_partition");
    for (size_t i = 0; i < given.count; i++) {
        struct slice key = given.items[i].key;
        if (!slice_equals(key, slice_of_text("keys")) &&
            !slice_equals(key, slice_of_text("rows_per_partition")))
            return cql_error_set(analysis->error, CQL_ERROR_CONFIG,
                                 "Invalid caching sub-options [%.*s]: only 'keys' and "
                                 "'rows_per_partition' are allowed",
                                 SLICE_TEXT(key));
    }
    if (slice_is_null(keys)) keys = slice_of_text("NONE");
    if (slice_is_null(rows)) rows = slice_of_text("NONE");
    if (!schema_properties_is(keys, "all") && !schema_properties_is(keys, "none"))
        return cql_error_set(analysis->error, CQL_ERROR_CONFIG,
                             "Invalid value '%.*s' for caching sub-option 'keys': only 'ALL' and "
                             "'NONE' are allowed",
                             SLICE_TEXT(keys));
    bool is_number = rows.size > 0;
    for (size_t i = 0; i < rows.size; i++)
        if (rows.data[i] < '0' || rows.data[i] > '9') is_number = false;
    if (!is_number && !schema_properties_is(rows, "all") && !schema_properties_is(rows, "none"))
        return cql_error_set(analysis->error, CQL_ERROR_CONFIG,
                             "Invalid value '%.*s' for caching sub-option 'rows_per_partition': "
                             "only 'ALL', 'NONE', and integer values are allowed",
                             SLICE_TEXT(rows));
    struct slice asked = rows;
    if (!schema_properties_caching_rows(arena, &rows))
        return cql_error_set(analysis->error, CQL_ERROR_SERVER,
                             "java.lang.NumberFormatException: For input string: \"%.*s\"",
                             SLICE_TEXT(asked));
    keys = slice_of_text(schema_properties_is(keys, "all") ? "ALL" : "NONE");
    struct option *items = ARENA_NEW_ARRAY(arena, struct option, 2);
    items[0] = (struct option){slice_of_text("keys"), keys};
    items[1] = (struct option){slice_of_text("rows_per_partition"), rows};
    *caching = (struct options){items, 2};
    return true;
}

static struct slice schema_properties_retry_text(struct arena *arena,
                                                 const struct speculative_retry *policy)
{
    struct buffer text;
    buffer_init(&text, 128);
    speculative_retry_put_text(policy, &text);
    struct slice copy = arena_copy(arena, buffer_slice(&text));
    buffer_deinit(&text);
    return copy;
}

// Of both options, speculative_retry and additional_write_policy: Cassandra's errors name the first
// for either.
static bool schema_properties_retry(struct analysis *analysis, const struct cql_property *property,
                                    struct slice *retry)
{
    struct speculative_retry policy;
    const char *text = analysis_text(analysis->arena, property->value), *both = NULL;
    switch (speculative_retry_parse(property->value, &policy)) {
    case SPECULATIVE_RETRY_GOOD:
        *retry = schema_properties_retry_text(analysis->arena, &policy);
        return true;
    case SPECULATIVE_RETRY_MALFORMED:
        return cql_error_set(analysis->error, CQL_ERROR_CONFIG,
                             "Invalid value %s for option 'speculative_retry'", text);
    case SPECULATIVE_RETRY_PERCENT:
        return cql_error_set(analysis->error, CQL_ERROR_CONFIG,
                             "Invalid value %s for PERCENTILE option 'speculative_retry': must be "
                             "between (0.0 and 100.0)",
                             text);
    case SPECULATIVE_RETRY_TWO_FIXED:
        both = "FIXED";
        break;
    case SPECULATIVE_RETRY_TWO_PERCENT:
        both = "PERCENTILE";
        break;
    }
    return cql_error_set(analysis->error, CQL_ERROR_CONFIG,
                         "Invalid value %s for option 'speculative_retry': MIN()/MAX() arguments "
                         "should be of different types, but both are of type %s",
                         text, both);
}

static bool schema_properties_read_repair(struct analysis *analysis,
                                          const struct cql_property *property,
                                          struct slice *read_repair)
{
    bool is_none = schema_properties_is(property->value, "none");
    if (is_none || schema_properties_is(property->value, "blocking")) {
        *read_repair = slice_of_text(is_none ? "NONE" : "BLOCKING");
        return true;
    }
    char *upper = (char *)(uintptr_t)analysis_text(analysis->arena, property->value);
    for (char *at = upper; *at != '\0'; at++)
        if (*at >= 'a' && *at <= 'z') *at = (char)(*at - 'a' + 'A');
    return cql_error_set(analysis->error, CQL_ERROR_SERVER,
                         "java.lang.IllegalArgumentException: No enum constant "
                         "org.apache.cassandra.service.reads.repair.ReadRepairStrategy.%s",
                         upper);
}

// ---- Tables -------------------------------------------------------------------------------------

static bool schema_properties_wants_map(struct slice name)
{
    return schema_properties_is(name, "caching") || schema_properties_is(name, "compaction") ||
           schema_properties_is(name, "compression") || schema_properties_is(name, "extensions");
}

static bool schema_properties_check_shape(struct analysis *analysis,
                                          const struct cql_property *property, bool wants_map)
{
    if (property->is_map == wants_map) return true;
    return cql_error_set(analysis->error, CQL_ERROR_SYNTAX,
                         wants_map ? "Invalid value for property '%.*s'. It should be a map."
                                   : "Invalid value for property '%.*s'. It should be a string",
                         SLICE_TEXT(property->name));
}

static bool schema_properties_apply_id(struct analysis *analysis,
                                       const struct cql_property *property, struct uuid *id,
                                       bool *has_id)
{
    if (uuid_parse(property->value, id) != STATUS_OK)
        return schema_properties_config(analysis->error, "Invalid table id");
    *has_id = true;
    return true;
}

static bool schema_properties_apply_one(struct analysis *analysis, struct arena *arena,
                                        const struct cql_property *property,
                                        struct table_params *params, struct uuid *id, bool *has_id)
{
    struct slice name = property->name;
    if (schema_properties_is(name, "compaction"))
        return schema_properties_compaction(analysis, arena, property, &params->compaction);
    if (schema_properties_is(name, "compression"))
        return schema_properties_compression(analysis, arena, property, &params->compression);
    if (schema_properties_is(name, "caching"))
        return schema_properties_caching(analysis, arena, property, &params->caching);
    if (schema_properties_is(name, "extensions")) return true; // CQL cannot set them.
    if (schema_properties_is(name, "comment")) {
        params->comment = property->value;
        return true;
    }
    if (schema_properties_is(name, "speculative_retry"))
        return schema_properties_retry(analysis, property, &params->speculative_retry);
    if (schema_properties_is(name, "additional_write_policy"))
        return schema_properties_retry(analysis, property, &params->additional_write_policy);
    if (schema_properties_is(name, "read_repair"))
        return schema_properties_read_repair(analysis, property, &params->read_repair);
    if (schema_properties_is(name, "memtable")) {
        if (!schema_properties_is(property->value, "default"))
            return cql_error_set(analysis->error, CQL_ERROR_CONFIG,
                                 "Memtable configuration \"%.*s\" not found.",
                                 SLICE_TEXT(property->value));
        return true;
    }
    if (schema_properties_is(name, "id"))
        return schema_properties_apply_id(analysis, property, id, has_id);
    if (schema_properties_is(name, "bloom_filter_fp_chance"))
        return schema_properties_double(analysis, property, &params->bloom_filter_fp_chance);
    if (schema_properties_is(name, "crc_check_chance"))
        return schema_properties_double(analysis, property, &params->crc_check_chance);
    if (schema_properties_is(name, "default_time_to_live"))
        return schema_properties_int(analysis, property, &params->default_time_to_live);
    if (schema_properties_is(name, "gc_grace_seconds"))
        return schema_properties_int(analysis, property, &params->gc_grace_seconds);
    if (schema_properties_is(name, "max_index_interval"))
        return schema_properties_int(analysis, property, &params->max_index_interval);
    if (schema_properties_is(name, "min_index_interval"))
        return schema_properties_int(analysis, property, &params->min_index_interval);
    if (schema_properties_is(name, "memtable_flush_period_in_ms"))
        return schema_properties_int(analysis, property, &params->memtable_flush_period_in_ms);
    if (schema_properties_is(name, "allow_auto_snapshot"))
        return schema_properties_bool(analysis, property, &params->allow_auto_snapshot);
    if (schema_properties_is(name, "incremental_backups"))
        return schema_properties_bool(analysis, property, &params->incremental_backups);
    if (schema_properties_is(name, "cdc"))
        return schema_properties_bool(analysis, property, &params->cdc);
    return cql_error_set(analysis->error, CQL_ERROR_SYNTAX, "Unknown property '%.*s'",
                         SLICE_TEXT(name));
}

bool schema_properties_check_values(struct analysis *analysis,
                                    const struct cql_properties *properties)
{
    // In the order in which TableAttributes.build() reads them.
    static const char *const names[] = {"allow_auto_snapshot",
                                        "bloom_filter_fp_chance",
                                        "caching",
                                        "comment",
                                        "compaction",
                                        "compression",
                                        "memtable",
                                        "default_time_to_live",
                                        "gc_grace_seconds",
                                        "incremental_backups",
                                        "max_index_interval",
                                        "memtable_flush_period_in_ms",
                                        "min_index_interval",
                                        "speculative_retry",
                                        "additional_write_policy",
                                        "crc_check_chance",
                                        "cdc",
                                        "read_repair"};
    struct table_params params = table_params_default();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (size_t k = 0; k < properties->count; k++) {
            const struct cql_property *property = &properties->items[k];
            if (!schema_properties_is(property->name, names[i])) continue;
            if (!schema_properties_check_shape(analysis, property,
                                               schema_properties_wants_map(property->name)) ||
                !schema_properties_apply_one(analysis, analysis->arena, property, &params, NULL,
                                             NULL))
                return false;
        }
    return true;
}

bool schema_properties_apply(struct analysis *analysis, struct arena *arena,
                             const struct cql_properties *properties, struct table_params *params,
                             struct uuid *id, bool *has_id)
{
    for (size_t i = 0; i < properties->count; i++) {
        const struct cql_property *property = &properties->items[i];
        if (!schema_properties_check_shape(analysis, property,
                                           schema_properties_wants_map(property->name)) ||
            !schema_properties_apply_one(analysis, arena, property, params, id, has_id))
            return false;
    }
    return true;
}

void schema_properties_complete(const struct cql_properties *properties,
                                struct table_params *params)
{
    for (size_t i = 0; i < properties->count; i++)
        if (schema_properties_is(properties->items[i].name, "bloom_filter_fp_chance")) return;
    const char leveled[] = "org.apache.cassandra.db.compaction.LeveledCompactionStrategy";
    if (slice_equals(options_find(&params->compaction, "class"), slice_of_text(leveled)))
        params->bloom_filter_fp_chance = 0.1;
}

static bool schema_properties_least(struct cql_error *error, const char *name, int32_t value,
                                    int32_t least)
{
    if (value >= least) return true;
    return cql_error_set(error, CQL_ERROR_CONFIG, "%s must be greater than or equal to %d (got %d)",
                         name, least, value);
}

static const char *schema_properties_real_text(double value, char text[64])
{
    struct buffer buffer;
    buffer_init(&buffer, 60);
    uint8_t bytes[8];
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    bytes_put_u64(bytes, bits);
    value_put_cast(type_of_kind(TYPE_DOUBLE), slice_make(bytes, sizeof bytes), &buffer);
    snprintf(text, 64, "%.*s", (int)buffer.size, (const char *)buffer.data);
    buffer_deinit(&buffer);
    return text;
}

bool schema_properties_check(const struct table_params *params, bool is_counter,
                             struct cql_error *error)
{
    char text[64];
    double chance = params->bloom_filter_fp_chance;
    if (!(chance > 6.71e-5 && chance <= 1.0))
        return cql_error_set(error, CQL_ERROR_CONFIG,
                             "bloom_filter_fp_chance must be larger than 6.71E-5 and less than or "
                             "equal to 1.0 (got %s)",
                             schema_properties_real_text(chance, text));
    if (!(params->crc_check_chance >= 0 && params->crc_check_chance <= 1.0))
        return cql_error_set(error, CQL_ERROR_CONFIG,
                             "crc_check_chance must be larger than or equal to 0 and smaller than "
                             "or equal to 1.0 (got %s)",
                             schema_properties_real_text(params->crc_check_chance, text));
    if (!schema_properties_least(error, "default_time_to_live", params->default_time_to_live, 0))
        return false;
    if (params->default_time_to_live > 630720000)
        return cql_error_set(error, CQL_ERROR_CONFIG,
                             "default_time_to_live must be less than or equal to 630720000 (got "
                             "%d)",
                             params->default_time_to_live);
    if (!schema_properties_least(error, "gc_grace_seconds", params->gc_grace_seconds, 0) ||
        !schema_properties_least(error, "min_index_interval", params->min_index_interval, 1))
        return false;
    if (params->max_index_interval < params->min_index_interval)
        return cql_error_set(error, CQL_ERROR_CONFIG,
                             "max_index_interval must be greater than or equal to "
                             "min_index_interval (%d) (got %d)",
                             params->min_index_interval, params->max_index_interval);
    if (!schema_properties_least(error, "memtable_flush_period_in_ms",
                                 params->memtable_flush_period_in_ms, 0))
        return false;
    if (is_counter && params->default_time_to_live > 0)
        return cql_error_set(error, CQL_ERROR_INVALID,
                             "Cannot set default_time_to_live on a table with counters");
    return true;
}

// ---- Keyspaces ----------------------------------------------------------------------------------

static bool schema_properties_factor(struct cql_error *error, struct slice value)
{
    bool is_number = value.size > 0;
    for (size_t i = 0; i < value.size; i++)
        if ((value.data[i] < '0' || value.data[i] > '9') && !(i == 0 && value.data[i] == '-'))
            is_number = false;
    if (!is_number || value.size > 9)
        return cql_error_set(error, CQL_ERROR_CONFIG, "For input string: \"%.*s\"",
                             SLICE_TEXT(value));
    if (value.data[0] != '-') return true;
    return cql_error_set(error, CQL_ERROR_CONFIG,
                         "Replication factor must be non-negative, found %.*s", SLICE_TEXT(value));
}

// "007" is 7.
static struct slice schema_properties_plain_number(struct slice value)
{
    while (value.size > 1 && value.data[0] == '0')
        value = slice_make(value.data + 1, value.size - 1);
    return value;
}

// The data centres of a ring, and how many copies each is to have: null, when nothing was said.
struct schema_properties_centers {
    const char **names;
    struct slice *factors;
    size_t count;
};

static void schema_properties_find_centers(struct analysis *analysis, const char *data_center,
                                           struct schema_properties_centers *centers)
{
    const struct topology *topology = metadata_topology(analysis->processor->metadata);
    size_t most = topology == NULL ? 1 : topology->member_count;
    centers->names = ARENA_NEW_ARRAY(analysis->arena, const char *, most);
    centers->factors = ARENA_NEW_ARRAY(analysis->arena, struct slice, most);
    centers->count = 0;
    for (size_t i = 0; i < most; i++) {
        const char *name = topology == NULL ? data_center : topology->members[i].data_center;
        bool is_new = true;
        for (size_t j = 0; j < centers->count && is_new; j++)
            is_new = strcmp(centers->names[j], name) != 0;
        if (!is_new) continue;
        // The topology may change before the statement is done.
        centers->names[centers->count] = arena_copy_text(analysis->arena, name);
        centers->factors[centers->count++] = slice_null();
    }
}

static struct slice *schema_properties_center(struct schema_properties_centers *centers,
                                              struct slice name)
{
    for (size_t i = 0; i < centers->count; i++)
        if (slice_equals(slice_of_text(centers->names[i]), name)) return &centers->factors[i];
    return NULL;
}

static bool schema_properties_factors(struct analysis *analysis, struct slice keyspace,
                                      const struct options *given, const char *strategy,
                                      struct schema_properties_centers *centers,
                                      struct slice *factor)
{
    struct cql_error *error = analysis->error;
    bool is_topology = strcmp(strategy, "NetworkTopologyStrategy") == 0;
    for (size_t i = 0; i < given->count; i++) {
        struct slice key = given->items[i].key, value = given->items[i].value;
        if (slice_equals(key, slice_of_text("class"))) continue;
        bool is_factor = slice_equals(key, slice_of_text("replication_factor"));
        struct slice *of_center = is_topology ? schema_properties_center(centers, key) : NULL;
        if (!is_factor && of_center == NULL) {
            if (is_topology && slice_equals(value, slice_of_text("0"))) continue;
            if (is_topology && !schema_properties_factor(error, value)) return false;
            return cql_error_set(error, CQL_ERROR_CONFIG,
                                 "Unrecognized strategy option {%.*s} passed to %s for keyspace "
                                 "%.*s",
                                 SLICE_TEXT(key), strategy, SLICE_TEXT(keyspace));
        }
        if (!schema_properties_factor(error, value)) return false;
        // What is said of a data centre itself goes before what is said of all.
        *(of_center == NULL ? factor : of_center) = value;
    }
    return true;
}

// One entry for each data centre that was named; for all, when something was said of all or nothing
// at all (default_keyspace_rf).
static void schema_properties_put_centers(struct arena *arena,
                                          const struct schema_properties_centers *centers,
                                          struct slice factor, struct option *items, size_t *count)
{
    bool any = false;
    for (size_t i = 0; i < centers->count; i++)
        any = any || !slice_is_null(centers->factors[i]);
    if (slice_is_null(factor) && !any) factor = slice_of_text("1");
    for (size_t i = 0; i < centers->count; i++) {
        struct slice value = slice_is_null(centers->factors[i]) ? factor : centers->factors[i];
        // NetworkTopologyStrategy.prepareOptions(): "0" is as if nothing were said ("00" is not).
        if (slice_is_null(value) || slice_equals(value, slice_of_text("0"))) continue;
        items[(*count)++] = (struct option){arena_copy(arena, slice_of_text(centers->names[i])),
                                            schema_properties_plain_number(value)};
    }
}

// AbstractReplicationStrategy.prepareReplicationStrategyOptions(): what an ALTER does not say. A
// factor for all data centres is not for those that had one; without any, the present one stays.
static struct slice schema_properties_keep(const struct options *previous, bool is_topology,
                                           struct schema_properties_centers *centers,
                                           struct slice factor)
{
    bool any = false;
    for (size_t i = 0; i < centers->count; i++)
        any = any || !slice_is_null(centers->factors[i]);
    if (slice_is_null(factor) && !any) return options_find(previous, "replication_factor");
    for (size_t i = 0; i < centers->count && is_topology && !slice_is_null(factor); i++)
        if (slice_is_null(centers->factors[i]))
            centers->factors[i] = options_find(previous, centers->names[i]);
    return factor;
}

// `replication` has the present one, or nothing.
static bool schema_properties_replication(struct analysis *analysis, struct slice keyspace,
                                          const struct cql_property *property,
                                          const char *data_center, struct options *replication)
{
    static const char package[] = "org.apache.cassandra.locator";
    static const char *const classes[] = {"SimpleStrategy", "NetworkTopologyStrategy",
                                          "LocalStrategy", NULL};
    struct options given = schema_properties_map(analysis->arena, property, 0);
    struct cql_error *error = analysis->error;
    if (given.count == 0)
        return cql_error_set(error, CQL_ERROR_SERVER, "java.lang.NullPointerException");
    struct slice class_name =
        schema_properties_class(analysis->arena, package, options_find(&given, "class"));
    const char *name = schema_properties_known_class(class_name, package, classes);
    if (name == NULL)
        return cql_error_set(error, CQL_ERROR_CONFIG,
                             "Unable to find replication strategy class '%.*s'",
                             SLICE_TEXT(class_name));
    // Each node would keep rows of its own, and find no others'.
    if (strcmp(name, "LocalStrategy") == 0)
        return cql_error_set(error, CQL_ERROR_INVALID,
                             "Unable to use given strategy class: LocalStrategy is reserved for "
                             "internal use.");
    struct slice factor = slice_null();
    struct schema_properties_centers centers;
    schema_properties_find_centers(analysis, data_center, &centers);
    if (!schema_properties_factors(analysis, keyspace, &given, name, &centers, &factor))
        return false;
    bool is_topology = strcmp(name, "NetworkTopologyStrategy") == 0;
    factor = schema_properties_keep(replication, is_topology, &centers, factor);
    struct option *items = ARENA_NEW_ARRAY(analysis->arena, struct option, centers.count + 2);
    size_t count = 0;
    items[count++] = (struct option){slice_of_text("class"), class_name};
    if (is_topology) {
        schema_properties_put_centers(analysis->arena, &centers, factor, items, &count);
        if (count == 1)
            return schema_properties_config(
                error, "Configuration for at least one datacenter must be present");
    } else if (strcmp(name, "SimpleStrategy") == 0) {
        if (slice_is_null(factor)) factor = slice_of_text("1");
        items[count++] = (struct option){slice_of_text("replication_factor"),
                                         schema_properties_plain_number(factor)};
    }
    *replication = (struct options){items, count};
    schema_properties_sort(replication);
    return true;
}

bool schema_properties_check_keyspace(struct analysis *analysis,
                                      const struct cql_keyspace_change *change)
{
    for (size_t i = 0; i < change->properties.count; i++) {
        const struct cql_property *property = &change->properties.items[i];
        bool is_replication = schema_properties_is(property->name, "replication");
        if (!is_replication && !schema_properties_is(property->name, "durable_writes"))
            return cql_error_set(analysis->error, CQL_ERROR_SYNTAX, "Unknown property '%.*s'",
                                 SLICE_TEXT(property->name));
        if (!schema_properties_check_shape(analysis, property, is_replication)) return false;
        if (!is_replication) continue;
        struct options given = schema_properties_map(analysis->arena, property, 0);
        if (given.count > 0 && slice_is_null(options_find(&given, "class")))
            return schema_properties_config(analysis->error, "Missing replication strategy class");
    }
    return true;
}

bool schema_properties_keyspace(struct analysis *analysis, const struct cql_keyspace_change *change,
                                const char *data_center, struct options *replication,
                                bool *durable_writes)
{
    if (!schema_properties_check_keyspace(analysis, change)) return false;
    for (size_t i = 0; i < change->properties.count; i++) {
        const struct cql_property *property = &change->properties.items[i];
        bool is_replication = schema_properties_is(property->name, "replication");
        bool is_ok = is_replication
                         ? schema_properties_replication(analysis, change->keyspace, property,
                                                         data_center, replication)
                         : schema_properties_bool(analysis, property, durable_writes);
        if (!is_ok) return false;
    }
    return true;
}
