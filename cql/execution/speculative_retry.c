#include "cql/execution/speculative_retry.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum retry_kind { RETRY_NONE, RETRY_PERCENTILE, RETRY_FIXED };

// "99p", "99percentile", "50ms"; `value` is the number.
static enum retry_kind speculative_retry_number(const char *text, double *value)
{
    char *end;
    *value = strtod(text, &end);
    if (end == text || strspn(text, "0123456789.") != (size_t)(end - text)) return RETRY_NONE;
    if (strcasecmp(end, "p") == 0 || strcasecmp(end, "percentile") == 0) return RETRY_PERCENTILE;
    return strcasecmp(end, "ms") == 0 ? RETRY_FIXED : RETRY_NONE;
}

// "MIN(99p,50ms)" (HybridSpeculativeRetryPolicy): its two parts.
static bool speculative_retry_split(struct arena *arena, const char *text, const char *parts[2])
{
    if (strncasecmp(text, "min(", 4) != 0 && strncasecmp(text, "max(", 4) != 0) return false;
    const char *comma = strchr(text, ','), *end = text + strlen(text) - 1;
    if (comma == NULL || *end != ')') return false;
    const char *first = text + 4, *second = comma + 1;
    second += strspn(second, " ");
    while (comma > first && comma[-1] == ' ')
        comma--;
    parts[0] = arena_format(arena, "%.*s", (int)(comma - first), first);
    parts[1] = arena_format(arena, "%.*s", (int)(end - second), second);
    return true;
}

bool speculative_retry_check(struct arena *arena, const char *text, struct cql_error *error)
{
    static const char *const words[] = {"never", "always", "none"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcasecmp(text, words[i]) == 0) return true;
    double value, other;
    enum retry_kind kind = speculative_retry_number(text, &value);
    if (kind == RETRY_PERCENTILE && (value <= 0 || value >= 100))
        return cql_error_set(error, CQL_ERROR_CONFIG,
                             "Invalid value %s for PERCENTILE option 'speculative_retry': must be "
                             "between (0.0 and 100.0)",
                             text);
    if (kind != RETRY_NONE) return true;
    const char *parts[2];
    if (speculative_retry_split(arena, text, parts)) {
        kind = speculative_retry_number(parts[0], &value);
        enum retry_kind other_kind = speculative_retry_number(parts[1], &other);
        bool are_sound = kind != RETRY_NONE && other_kind != RETRY_NONE &&
                         (kind != RETRY_PERCENTILE || (value > 0 && value < 100)) &&
                         (other_kind != RETRY_PERCENTILE || (other > 0 && other < 100));
        if (are_sound && kind != other_kind) return true;
        if (are_sound)
            return cql_error_set(error, CQL_ERROR_CONFIG,
                                 "Invalid value %s for option 'speculative_retry': MIN()/MAX() "
                                 "arguments should be of different types, but both are of type %s",
                                 text, kind == RETRY_FIXED ? "FIXED" : "PERCENTILE");
    }
    return cql_error_set(error, CQL_ERROR_CONFIG, "Invalid value %s for option 'speculative_retry'",
                         text);
}
