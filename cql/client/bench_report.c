#include "cql/client/bench_report.h"

#include <inttypes.h>
#include <math.h>

static const double percents[] = {50, 90, 95, 99, 99.9, 99.99, 100};
static const char *const percent_names[] = {"p50", "p90", "p95", "p99", "p99.9", "p99.99", "max"};
enum { PERCENT_COUNT = sizeof percents / sizeof percents[0] };

static double us(uint64_t ns)
{
    return (double)ns / 1e3;
}

static double per_operation_us(const struct cql_bench_result *result, uint64_t ns)
{
    return result->operations == 0 ? 0 : us(ns) / (double)result->operations;
}

static double per_second(uint64_t count, uint64_t elapsed_ns)
{
    return elapsed_ns == 0 ? 0 : (double)count * 1e9 / (double)elapsed_ns;
}

static double result_rate(const struct cql_bench_result *result)
{
    return per_second(result->operations, result->elapsed_ns);
}

static const char *arrivals_text(const struct cql_bench_options *options)
{
    return options->arrivals == BENCH_ARRIVALS_POISSON ? "poisson" : "even";
}

bool bench_report_is_good(const struct cql_bench_options *options,
                          const struct cql_bench_result *result)
{
    if (result->errors > 0 || result->unanswered > 0 || result->refused > 0 ||
        result->operations == 0)
        return false;
    if (options->rate == 0) return true;
    // The answers to the last ones come a little later. How many come by chance differs from
    // the mean by its square root or so.
    double asked = (double)options->rate * ((double)result->elapsed_ns / 1e9 - 0.1);
    double slack = asked / 100;
    if (options->arrivals == BENCH_ARRIVALS_POISSON) slack += 4 * sqrt(asked);
    return (double)result->operations + slack >= asked;
}

// ---- JSON --------------------------------------------------------------------------------------

static void put_json_text(struct buffer *text, const char *value)
{
    buffer_put_u8(text, '"');
    for (; *value != '\0'; value++) {
        unsigned char c = (unsigned char)*value;
        if (c == '"' || c == '\\')
            buffer_put_format(text, "\\%c", c);
        else if (c < 0x20)
            buffer_put_format(text, "\\u%04x", c);
        else
            buffer_put_u8(text, c);
    }
    buffer_put_u8(text, '"');
}

static void put_json_percentiles(struct buffer *text, const char *prefix,
                                 const struct histogram *histogram)
{
    buffer_put_format(text, ",\"%smean_us\":%.1f", prefix, histogram_mean(histogram) / 1e3);
    for (size_t i = 0; i < PERCENT_COUNT; i++)
        buffer_put_format(text, ",\"%s%s_us\":%.1f", prefix, percent_names[i],
                          us(histogram_percentile(histogram, percents[i])));
}

static void put_json_processes(struct buffer *text, const struct cql_bench_options *options,
                               const struct cql_bench_result *result)
{
    const char *comma = "";
    buffer_put_format(text, ",\"processes\":[");
    for (size_t i = 0; i < options->pid_count; i++) {
        if (!result->processes[i].is_known) continue;
        buffer_put_format(
            text,
            "%s{\"pid\":%d,\"cpu_us_per_operation\":%.3f,\"cpu_seconds\":%.3f,"
            "\"resident_bytes\":%" PRIu64 "}",
            comma, result->processes[i].pid, per_operation_us(result, result->processes[i].cpu_ns),
            (double)result->processes[i].cpu_ns / 1e9, result->processes[i].resident_bytes);
        comma = ",";
    }
    buffer_put_u8(text, ']');
}

void bench_report_put_json(struct buffer *text, const struct cql_bench_options *options,
                           const struct cql_bench_result *result)
{
    buffer_put_format(text,
                      "{\"type\":\"summary\",\"connections\":%zu,\"in_flight\":%zu,"
                      "\"seconds\":%.3f,\"operations\":%" PRIu64 ",\"errors\":%" PRIu64
                      ",\"rows\":%" PRIu64 ",\"rate\":%.1f",
                      options->connections, options->in_flight, (double)result->elapsed_ns / 1e9,
                      result->operations, result->errors, result->rows, result_rate(result));
    if (options->rate != 0)
        buffer_put_format(text,
                          ",\"asked_rate\":%" PRIu64 ",\"arrivals\":\"%s\",\"unanswered\":%" PRIu64,
                          options->rate, arrivals_text(options), result->unanswered);
    if (options->deadline_ns != 0)
        buffer_put_format(text, ",\"refused\":%" PRIu64 ",\"good\":%" PRIu64, result->refused,
                          result->good);
    put_json_percentiles(text, "", &result->latency);
    if (options->rate != 0) put_json_percentiles(text, "service_", &result->service);
    put_json_processes(text, options, result);
    buffer_put_format(text, ",\"first_error\":");
    put_json_text(text, result->first_error);
    buffer_put_format(text, "}\n");
}

void bench_report_put_second_json(struct buffer *text, const struct cql_bench_second *second)
{
    buffer_put_format(text,
                      "{\"type\":\"second\",\"at\":%.3f,\"operations\":%" PRIu64
                      ",\"errors\":%" PRIu64 ",\"rate\":%.1f,\"p50_us\":%.1f,\"p90_us\":%.1f,"
                      "\"p99_us\":%.1f,\"p99.9_us\":%.1f,\"max_us\":%.1f,\"in_flight\":%" PRIu64
                      ",\"behind_us\":%.1f}\n",
                      (double)second->end_ns / 1e9, second->operations, second->errors,
                      per_second(second->operations, second->elapsed_ns), us(second->p50_ns),
                      us(second->p90_ns), us(second->p99_ns), us(second->p999_ns),
                      us(second->max_ns), second->in_flight, us(second->behind_ns));
}

// ---- Text --------------------------------------------------------------------------------------

void bench_report_put_second_text(struct buffer *text, const struct cql_bench_second *second)
{
    buffer_put_format(text, "%.0f s: %.0f/s, p50 %.0f, p99 %.0f, max %.0f us",
                      (double)second->end_ns / 1e9,
                      per_second(second->operations, second->elapsed_ns), us(second->p50_ns),
                      us(second->p99_ns), us(second->max_ns));
    if (second->errors > 0) buffer_put_format(text, ", %" PRIu64 " errors", second->errors);
    if (second->behind_ns > 0)
        buffer_put_format(text, ", %.1f ms behind", (double)second->behind_ns / 1e6);
}

static void put_text_percentiles(struct buffer *text, const char *what,
                                 const struct histogram *histogram)
{
    buffer_put_format(text, "%s: mean %.0f", what, histogram_mean(histogram) / 1e3);
    for (size_t i = 0; i < PERCENT_COUNT; i++)
        buffer_put_format(text, ", %s %.0f", percent_names[i],
                          us(histogram_percentile(histogram, percents[i])));
    buffer_put_u8(text, '\n');
}

static void put_text_processes(struct buffer *text, const struct cql_bench_options *options,
                               const struct cql_bench_result *result)
{
    for (size_t i = 0; i < options->pid_count; i++) {
        if (result->processes[i].is_known)
            buffer_put_format(text, "process %d: %.2f us of CPU an operation, %.1f MiB\n",
                              result->processes[i].pid,
                              per_operation_us(result, result->processes[i].cpu_ns),
                              (double)result->processes[i].resident_bytes / (1024 * 1024));
        else
            buffer_put_format(text, "process %d: not there\n", result->processes[i].pid);
    }
}

void bench_report_put_text(struct buffer *text, const struct cql_bench_options *options,
                           const struct cql_bench_result *result)
{
    buffer_put_format(text, "%" PRIu64 " operations in %.1f s: %.0f/s", result->operations,
                      (double)result->elapsed_ns / 1e9, result_rate(result));
    if (options->rate != 0)
        buffer_put_format(text, " of %" PRIu64 "/s asked (%s)", options->rate,
                          arrivals_text(options));
    buffer_put_format(text, ", %zu connection%s x %zu in flight\n", options->connections,
                      options->connections == 1 ? "" : "s", options->in_flight);
    if (options->deadline_ns != 0)
        buffer_put_format(text,
                          "%" PRIu64 " good answers within %" PRIu64
                          " ms of their due time, %" PRIu64 " requests had no room\n",
                          result->good, options->deadline_ns / 1000000, result->refused);
    if (options->rate == 0) {
        put_text_percentiles(text, "latency in us", &result->latency);
    } else {
        put_text_percentiles(text, "latency in us, from the due time", &result->latency);
        put_text_percentiles(text, "service in us, from the sending ", &result->service);
    }
    if (result->rows > 0)
        buffer_put_format(text, "%" PRIu64 " rows, %.1f a read\n", result->rows,
                          (double)result->rows / (double)result->operations);
    put_text_processes(text, options, result);
    if (result->unanswered > 0)
        buffer_put_format(text,
                          "%" PRIu64 " due and not answered in time: the rate was not held; they "
                          "are in the latency with what they had waited\n",
                          result->unanswered);
    if (result->errors > 0)
        buffer_put_format(text, "%" PRIu64 " errors, the first: %s\n", result->errors,
                          result->first_error);
}
