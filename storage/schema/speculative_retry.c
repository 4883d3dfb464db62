#include "storage/schema/speculative_retry.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { TEXT_SIZE_MAX = 128 };
// More milliseconds are as good as never.
#define FIXED_MAX_MS 1e12

// "99p", "99percentile", "50ms". False: malformed. Whether the percentage can be is not looked at.
static bool speculative_retry_number(const char *text, struct speculative_retry *policy)
{
    char *end;
    double value = strtod(text, &end);
    // strtod() knows more: signs, exponents, hexadecimal digits, "inf".
    if (end == text || strspn(text, "0123456789.") != (size_t)(end - text)) return false;
    if (strcasecmp(end, "ms") == 0) {
        policy->kind = SPECULATIVE_RETRY_FIXED;
        policy->fixed_ns = (uint64_t)((value < FIXED_MAX_MS ? value : FIXED_MAX_MS) * 1e6);
        return true;
    }
    policy->kind = SPECULATIVE_RETRY_PERCENTILE;
    policy->percent = value;
    return strcasecmp(end, "p") == 0 || strcasecmp(end, "percentile") == 0;
}

static bool speculative_retry_has_percent(const struct speculative_retry *policy)
{
    return policy->kind != SPECULATIVE_RETRY_PERCENTILE ||
           (policy->percent > 0 && policy->percent < 100);
}

// "MIN(99p,50ms)", which this cuts into pieces.
static enum speculative_retry_fault speculative_retry_hybrid(char *text, size_t size,
                                                             struct speculative_retry *policy)
{
    bool is_min = strncasecmp(text, "min(", 4) == 0;
    char *comma = strchr(text, ',');
    if ((!is_min && strncasecmp(text, "max(", 4) != 0) || comma == NULL || text[size - 1] != ')')
        return SPECULATIVE_RETRY_MALFORMED;
    text[size - 1] = '\0';
    char *first_end = comma;
    while (first_end[-1] == ' ')
        first_end--;
    *first_end = '\0';
    struct speculative_retry first = {0}, second = {0};
    if (!speculative_retry_number(text + 4, &first) ||
        !speculative_retry_number(comma + 1 + strspn(comma + 1, " "), &second) ||
        !speculative_retry_has_percent(&first) || !speculative_retry_has_percent(&second))
        return SPECULATIVE_RETRY_MALFORMED;
    if (first.kind == second.kind)
        return first.kind == SPECULATIVE_RETRY_FIXED ? SPECULATIVE_RETRY_TWO_FIXED
                                                     : SPECULATIVE_RETRY_TWO_PERCENT;
    const struct speculative_retry *fixed =
        first.kind == SPECULATIVE_RETRY_FIXED ? &first : &second;
    *policy = (struct speculative_retry){is_min ? SPECULATIVE_RETRY_MIN : SPECULATIVE_RETRY_MAX,
                                         fixed == &first ? second.percent : first.percent,
                                         fixed->fixed_ns};
    return SPECULATIVE_RETRY_GOOD;
}

enum speculative_retry_fault speculative_retry_parse(struct slice text,
                                                     struct speculative_retry *policy)
{
    *policy = (struct speculative_retry){SPECULATIVE_RETRY_UNKNOWN, 0, 0};
    char copy[TEXT_SIZE_MAX];
    if (text.size >= sizeof copy || text.size == 0 || memchr(text.data, 0, text.size) != NULL)
        return SPECULATIVE_RETRY_MALFORMED;
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    if (strcasecmp(copy, "always") == 0) {
        policy->kind = SPECULATIVE_RETRY_ALWAYS;
        return SPECULATIVE_RETRY_GOOD;
    }
    if (strcasecmp(copy, "never") == 0 || strcasecmp(copy, "none") == 0) {
        policy->kind = SPECULATIVE_RETRY_NEVER;
        return SPECULATIVE_RETRY_GOOD;
    }
    struct speculative_retry number = {0};
    if (!speculative_retry_number(copy, &number))
        return speculative_retry_hybrid(copy, text.size, policy);
    if (!speculative_retry_has_percent(&number)) return SPECULATIVE_RETRY_PERCENT;
    *policy = number;
    return SPECULATIVE_RETRY_GOOD;
}

static void speculative_retry_put_percent(double percent, struct buffer *text)
{
    char digits[32];
    (void)snprintf(digits, sizeof digits, "%.4f", percent);
    size_t size = strlen(digits);
    while (digits[size - 1] == '0')
        size--;
    if (digits[size - 1] == '.') size--;
    buffer_put_format(text, "%.*sp", (int)size, digits);
}

static void speculative_retry_put_fixed(uint64_t fixed_ns, struct buffer *text)
{
    uint64_t milliseconds = fixed_ns / 1000000;
    buffer_put_format(text, "%" PRIu64 "ms", milliseconds < INT32_MAX ? milliseconds : INT32_MAX);
}

void speculative_retry_put_text(const struct speculative_retry *policy, struct buffer *text)
{
    switch (policy->kind) {
    case SPECULATIVE_RETRY_UNKNOWN:
        break;
    case SPECULATIVE_RETRY_NEVER:
        buffer_put_format(text, "NEVER");
        break;
    case SPECULATIVE_RETRY_ALWAYS:
        buffer_put_format(text, "ALWAYS");
        break;
    case SPECULATIVE_RETRY_PERCENTILE:
        speculative_retry_put_percent(policy->percent, text);
        break;
    case SPECULATIVE_RETRY_FIXED:
        speculative_retry_put_fixed(policy->fixed_ns, text);
        break;
    case SPECULATIVE_RETRY_MIN:
    case SPECULATIVE_RETRY_MAX:
        buffer_put_format(text, policy->kind == SPECULATIVE_RETRY_MIN ? "MIN(" : "MAX(");
        speculative_retry_put_percent(policy->percent, text);
        buffer_put_u8(text, ',');
        speculative_retry_put_fixed(policy->fixed_ns, text);
        buffer_put_u8(text, ')');
        break;
    }
}
