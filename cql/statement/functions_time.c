// uuid and time functions (org.apache.cassandra.cql3.functions.TimeFcts, UuidFcts).
#include "base/bytes.h"
#include "cql/statement/functions_native.h"
#include "storage/uuid.h"
#include "storage/value/calendar.h"
#include "storage/value/duration.h"

enum { MS_PER_DAY = 86400000, US_PER_MS = 1000 };

static struct slice functions_time_put64(const struct function_call *call, int64_t value)
{
    uint8_t *bytes = arena_alloc(call->arena, 8);
    bytes_put_u64(bytes, (uint64_t)value);
    return slice_make(bytes, 8);
}

static int64_t functions_time_floor_div(int64_t value, int64_t divisor)
{
    int64_t quotient = value / divisor;
    return quotient - (value % divisor < 0);
}

static struct slice functions_time_put_date(const struct function_call *call, int64_t ms)
{
    uint8_t *bytes = arena_alloc(call->arena, 4);
    int64_t days = functions_time_floor_div(ms, MS_PER_DAY);
    // Cassandra truncates towards zero and then corrects only whole days: before 1970 a part of a
    // day goes to the day after.
    if (ms < 0 && ms % MS_PER_DAY != 0) days++;
    bytes_put_u32(bytes, (uint32_t)(days + 2147483648LL));
    return slice_make(bytes, 4);
}

static struct slice functions_time_put_uuid(const struct function_call *call, struct uuid uuid)
{
    return arena_copy(call->arena, slice_make(uuid.bytes, sizeof uuid.bytes));
}

static bool functions_time_now(const struct function_call *call, const struct slice *arguments,
                               struct slice *result)
{
    (void)arguments;
    *result = functions_time_put_uuid(call, functions_now_uuid(call->processor));
    return true;
}

static bool functions_time_uuid(const struct function_call *call, const struct slice *arguments,
                                struct slice *result)
{
    (void)arguments;
    uint8_t random[16];
    env_random_bytes(call->processor->env, random, sizeof random);
    *result = functions_time_put_uuid(call, uuid_make_random(random));
    return true;
}

static bool functions_time_current_timestamp(const struct function_call *call,
                                             const struct slice *arguments, struct slice *result)
{
    (void)arguments;
    *result = functions_time_put64(call, env_wall_us(call->processor->env) / US_PER_MS);
    return true;
}

static bool functions_time_current_date(const struct function_call *call,
                                        const struct slice *arguments, struct slice *result)
{
    (void)arguments;
    *result = functions_time_put_date(call, env_wall_us(call->processor->env) / US_PER_MS);
    return true;
}

static bool functions_time_current_time(const struct function_call *call,
                                        const struct slice *arguments, struct slice *result)
{
    (void)arguments;
    int64_t us = env_wall_us(call->processor->env);
    int64_t us_per_day = (int64_t)MS_PER_DAY * US_PER_MS;
    int64_t of_day = us - functions_time_floor_div(us, us_per_day) * us_per_day;
    *result = functions_time_put64(call, of_day * 1000);
    return true;
}

// Milliseconds of a timestamp, timeuuid or date; false when the value is null or empty.
static bool functions_time_get_ms(enum type_kind kind, struct slice bytes, int64_t *ms)
{
    if (kind == TYPE_TIMESTAMP && bytes.size == 8)
        *ms = (int64_t)bytes_get_u64(bytes.data);
    else if (kind == TYPE_TIMEUUID && bytes.size == 16)
        *ms = uuid_unix_ms(uuid_from_bytes(bytes.data));
    else if (kind == TYPE_DATE && bytes.size == 4)
        *ms = ((int64_t)bytes_get_u32(bytes.data) - 2147483648LL) * MS_PER_DAY;
    else
        return false;
    return true;
}

static bool functions_time_to_date(const struct function_call *call, const struct slice *arguments,
                                   struct slice *result)
{
    int64_t ms;
    *result = slice_null();
    if (functions_time_get_ms(call->function->arguments[0]->kind, arguments[0], &ms))
        *result = functions_time_put_date(call, ms);
    return true;
}

static bool functions_time_to_ms(const struct function_call *call, const struct slice *arguments,
                                 struct slice *result)
{
    int64_t ms;
    *result = slice_null();
    if (functions_time_get_ms(call->function->arguments[0]->kind, arguments[0], &ms))
        *result = functions_time_put64(call, ms);
    return true;
}

static bool functions_time_bound_uuid(const struct function_call *call, struct slice argument,
                                      unsigned extra_ticks, uint64_t low, struct slice *result)
{
    int64_t ms;
    *result = slice_null();
    if (!functions_time_get_ms(TYPE_TIMESTAMP, argument, &ms)) return true;
    // 60 bits of ticks since 1582; what lies outside wraps as it does in Cassandra.
    uint64_t ticks = (uint64_t)ms * 10000u + (uint64_t)UUID_EPOCH_TICKS + extra_ticks;
    *result = functions_time_put_uuid(call, uuid_make_time_raw(ticks & ((1ull << 60) - 1), low));
    return true;
}

static bool functions_time_min_uuid(const struct function_call *call, const struct slice *arguments,
                                    struct slice *result)
{
    return functions_time_bound_uuid(call, arguments[0], 0, 0x8080808080808080ull, result);
}

static bool functions_time_max_uuid(const struct function_call *call, const struct slice *arguments,
                                    struct slice *result)
{
    return functions_time_bound_uuid(call, arguments[0], 9999, 0x7f7f7f7f7f7f7f7full, result);
}

// ---- floor(time, duration[, start]) -------------------------------------------------------------

static bool functions_floor_refuse(const struct function_call *call, const char *text)
{
    return cql_error_set(call->error, CQL_ERROR_INVALID, "%s", text);
}

static bool functions_floor_refuse_precision(const struct function_call *call,
                                             struct duration duration, bool is_date)
{
    struct buffer text;
    buffer_init(&text, 96);
    duration_put_text(duration, &text);
    cql_error_set(call->error, CQL_ERROR_INVALID,
                  is_date ? "The floor on date values cannot be computed for the %.*s duration as "
                            "precision is below 1 day"
                          : "The floor cannot be computed for the %.*s duration as precision is "
                            "below 1 millisecond",
                  SLICE_TEXT(buffer_slice(&text)));
    buffer_deinit(&text);
    return false;
}

static bool functions_is_negative(struct duration duration)
{
    return duration.months < 0 || duration.days < 0 || duration.nanoseconds < 0;
}

// Of a timestamp, a timeuuid or a date.
static bool functions_time_floor(const struct function_call *call, const struct slice *arguments,
                                 struct slice *result)
{
    const struct type *const *types = call->function->arguments;
    bool is_date = types[0]->kind == TYPE_DATE;
    struct duration duration;
    int64_t ms, start = 0;
    *result = slice_null();
    if (!functions_time_get_ms(types[0]->kind, arguments[0], &ms) ||
        duration_decode(arguments[1], &duration) != STATUS_OK)
        return true;
    if (call->function->argument_count > 2 &&
        !functions_time_get_ms(types[2]->kind, arguments[2], &start))
        return true;
    if (duration.nanoseconds % (is_date ? INT64_MAX : 1000000) != 0)
        return functions_floor_refuse_precision(call, duration, is_date);
    if (start > ms)
        return functions_floor_refuse(
            call, "The floor function starting time is greater than the provided time");
    if (functions_is_negative(duration))
        return functions_floor_refuse(call,
                                      "Negative durations are not supported by the floor function");
    ms = duration_floor_ms(duration, ms, start);
    *result = is_date ? functions_time_put_date(call, ms) : functions_time_put64(call, ms);
    return true;
}

static bool functions_time_floor_of_day(const struct function_call *call,
                                        const struct slice *arguments, struct slice *result)
{
    struct duration duration;
    *result = slice_null();
    if (arguments[0].size != 8 || duration_decode(arguments[1], &duration) != STATUS_OK)
        return true;
    if (functions_is_negative(duration))
        return functions_floor_refuse(call,
                                      "Negative durations are not supported by the floor function");
    if (duration.months != 0 || duration.days != 0 || duration.nanoseconds > CALENDAR_NS_PER_DAY)
        return functions_floor_refuse(call, "For time values, the floor can only be computed for "
                                            "durations smaller that a day");
    int64_t time = (int64_t)bytes_get_u64(arguments[0].data);
    if (duration.nanoseconds > 0) time -= time % duration.nanoseconds;
    *result = functions_time_put64(call, time);
    return true;
}

// clang-format off
const struct function_definition functions_time_table[] = {
    {"now",               TYPE_TIMEUUID,  0, {0},              functions_time_now},
    {"current_timeuuid",  TYPE_TIMEUUID,  0, {0},              functions_time_now},
    {"currenttimeuuid",   TYPE_TIMEUUID,  0, {0},              functions_time_now},
    {"uuid",              TYPE_UUID,      0, {0},              functions_time_uuid},
    {"current_timestamp", TYPE_TIMESTAMP, 0, {0},              functions_time_current_timestamp},
    {"currenttimestamp",  TYPE_TIMESTAMP, 0, {0},              functions_time_current_timestamp},
    {"current_date",      TYPE_DATE,      0, {0},              functions_time_current_date},
    {"currentdate",       TYPE_DATE,      0, {0},              functions_time_current_date},
    {"current_time",      TYPE_TIME,      0, {0},              functions_time_current_time},
    {"currenttime",       TYPE_TIME,      0, {0},              functions_time_current_time},
    {"to_date",           TYPE_DATE,      1, {TYPE_TIMEUUID},  functions_time_to_date},
    {"to_date",           TYPE_DATE,      1, {TYPE_TIMESTAMP}, functions_time_to_date},
    {"todate",            TYPE_DATE,      1, {TYPE_TIMEUUID},  functions_time_to_date},
    {"todate",            TYPE_DATE,      1, {TYPE_TIMESTAMP}, functions_time_to_date},
    {"to_timestamp",      TYPE_TIMESTAMP, 1, {TYPE_TIMEUUID},  functions_time_to_ms},
    {"to_timestamp",      TYPE_TIMESTAMP, 1, {TYPE_DATE},      functions_time_to_ms},
    {"totimestamp",       TYPE_TIMESTAMP, 1, {TYPE_TIMEUUID},  functions_time_to_ms},
    {"totimestamp",       TYPE_TIMESTAMP, 1, {TYPE_DATE},      functions_time_to_ms},
    {"to_unix_timestamp", TYPE_BIGINT,    1, {TYPE_TIMEUUID},  functions_time_to_ms},
    {"to_unix_timestamp", TYPE_BIGINT,    1, {TYPE_TIMESTAMP}, functions_time_to_ms},
    {"to_unix_timestamp", TYPE_BIGINT,    1, {TYPE_DATE},      functions_time_to_ms},
    {"tounixtimestamp",   TYPE_BIGINT,    1, {TYPE_TIMEUUID},  functions_time_to_ms},
    {"tounixtimestamp",   TYPE_BIGINT,    1, {TYPE_TIMESTAMP}, functions_time_to_ms},
    {"tounixtimestamp",   TYPE_BIGINT,    1, {TYPE_DATE},      functions_time_to_ms},
    {"min_timeuuid",      TYPE_TIMEUUID,  1, {TYPE_TIMESTAMP}, functions_time_min_uuid},
    {"mintimeuuid",       TYPE_TIMEUUID,  1, {TYPE_TIMESTAMP}, functions_time_min_uuid},
    {"max_timeuuid",      TYPE_TIMEUUID,  1, {TYPE_TIMESTAMP}, functions_time_max_uuid},
    {"maxtimeuuid",       TYPE_TIMEUUID,  1, {TYPE_TIMESTAMP}, functions_time_max_uuid},
    {"floor",             TYPE_DATE,      2, {TYPE_DATE, TYPE_DURATION},            functions_time_floor},
    {"floor",             TYPE_DATE,      3, {TYPE_DATE, TYPE_DURATION, TYPE_DATE}, functions_time_floor},
    {"floor",             TYPE_TIME,      2, {TYPE_TIME, TYPE_DURATION},            functions_time_floor_of_day},
    {"floor",             TYPE_TIMESTAMP, 2, {TYPE_TIMESTAMP, TYPE_DURATION},       functions_time_floor},
    {"floor",             TYPE_TIMESTAMP, 3, {TYPE_TIMESTAMP, TYPE_DURATION, TYPE_TIMESTAMP}, functions_time_floor},
    {"floor",             TYPE_TIMESTAMP, 2, {TYPE_TIMEUUID, TYPE_DURATION},        functions_time_floor},
    {"floor",             TYPE_TIMESTAMP, 3, {TYPE_TIMEUUID, TYPE_DURATION, TYPE_TIMESTAMP},  functions_time_floor},
    {NULL,                TYPE_EMPTY,     0, {0},              NULL},
};
// clang-format on
