#include "cql/client/bench_chart.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum {
    WIDTH = 1000,
    PANEL_TOP = 70,
    PANEL_HEIGHT = 320,
    PANEL_LEFT = 70,
    PANEL_WIDTH = 400,
    PANEL_STEP = 490, // From one panel to the next.
    HEIGHT = 440,
    POINTS_MAX = 400, // Of a line: about as many as pixels.
    SHOWN_NS_MIN = 100 * 1000 * 1000,
};

// The scale that both panels share: powers of ten of nanoseconds, bottom and top.
struct scale {
    int bottom, top;
};

static void put_escaped(struct buffer *svg, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '<' || c == '>' || c == '&' || c == '"')
            buffer_put_format(svg, "&#%d;", c);
        else if (c >= 0x20) // XML has no name for the others.
            buffer_put_u8(svg, c);
    }
}

static double scale_y(const struct scale *scale, double ns)
{
    double exponent = log10(ns < 1 ? 1 : ns);
    if (exponent < scale->bottom) exponent = scale->bottom;
    double share = (exponent - scale->bottom) / (scale->top - scale->bottom);
    return PANEL_TOP + PANEL_HEIGHT * (1 - share);
}

static struct scale scale_of(const struct cql_bench_result *result)
{
    const struct histogram *latency = &result->latency;
    struct scale scale = {3, 4}; // 1 us.
    if (latency->count == 0) return scale;
    scale.bottom = (int)floor(log10((double)(latency->min < 1 ? 1 : latency->min)));
    scale.top = (int)ceil(log10((double)(latency->max < 1 ? 1 : latency->max)));
    if (scale.top <= scale.bottom) scale.top = scale.bottom + 1;
    return scale;
}

static void put_text(struct buffer *svg, double x, double y, const char *anchor, const char *text)
{
    buffer_put_format(svg, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
    put_escaped(svg, text);
    buffer_put_format(svg, "</text>\n");
}

static void put_grid_line(struct buffer *svg, double x1, double y1, double x2, double y2)
{
    buffer_put_format(svg, "<path class=\"grid\" d=\"M%.1f %.1fL%.1f %.1f\"/>\n", x1, y1, x2, y2);
}

// Frame, what it shows, and the powers of ten.
static void put_panel(struct buffer *svg, const struct scale *scale, double left, const char *what)
{
    static const char *const names[] = {"1 ns",   "10 ns", "100 ns", "1 us",   "10 us",
                                        "100 us", "1 ms",  "10 ms",  "100 ms", "1 s",
                                        "10 s",   "100 s", "1000 s", "10^4 s"};
    enum { NAME_COUNT = sizeof names / sizeof names[0] };
    put_text(svg, left, PANEL_TOP - 10, "start", what);
    for (int e = scale->bottom; e <= scale->top; e++) {
        double y = scale_y(scale, pow(10, e));
        put_grid_line(svg, left, y, left + PANEL_WIDTH, y);
        if (e < NAME_COUNT) put_text(svg, left - 6, y + 4, "end", names[e]);
    }
}

// ---- Over time ---------------------------------------------------------------------------------

static const struct {
    const char *name, *color;
} series[] = {{"max", "#999"}, {"p99.9", "#d62728"}, {"p99", "#ff7f0e"}, {"p50", "#1f77b4"}};
enum { SERIES_COUNT = sizeof series / sizeof series[0] };

static uint64_t series_value(const struct cql_bench_second *second, size_t index)
{
    const uint64_t values[SERIES_COUNT] = {second->max_ns, second->p999_ns, second->p99_ns,
                                           second->p50_ns};
    return values[index];
}

// Seconds to show: all but a last one so short that it says nothing.
static size_t shown_count(const struct cql_bench_result *result)
{
    size_t count = result->second_count;
    return count > 1 && result->seconds[count - 1].elapsed_ns < SHOWN_NS_MIN ? count - 1 : count;
}

// Where there are more seconds than points, a point shows the worst of its seconds. A second
// without an answer has none: the line goes on behind it.
static void put_series(struct buffer *svg, const struct scale *scale,
                       const struct cql_bench_result *result, double left, size_t index)
{
    size_t count = shown_count(result);
    size_t points = count < POINTS_MAX ? count : POINTS_MAX;
    double end_ns = (double)result->seconds[count - 1].end_ns;
    const char *step = "M";
    buffer_put_format(svg, "<path class=\"line\" stroke=\"%s\" d=\"", series[index].color);
    for (size_t point = 0; point < points; point++) {
        uint64_t worst_ns = 0;
        size_t last = (point + 1) * count / points;
        for (size_t i = point * count / points; i < last; i++) {
            uint64_t value_ns = series_value(&result->seconds[i], index);
            if (value_ns > worst_ns) worst_ns = value_ns;
        }
        if (worst_ns == 0) continue;
        double x = left + PANEL_WIDTH * (double)result->seconds[last - 1].end_ns / end_ns;
        buffer_put_format(svg, "%s%.1f %.1f", step, x, scale_y(scale, (double)worst_ns));
        step = "L";
    }
    buffer_put_format(svg, "\"/>\n");
}

static void put_over_time(struct buffer *svg, const struct scale *scale,
                          const struct cql_bench_result *result, double left)
{
    put_panel(svg, scale, left, "latency, second by second");
    if (result->second_count == 0) return;
    double seconds = (double)result->seconds[shown_count(result) - 1].end_ns / 1e9;
    for (int i = 0; i <= 4; i++) {
        char label[32];
        (void)snprintf(label, sizeof label, "%.3g s", seconds * i / 4);
        put_text(svg, left + PANEL_WIDTH * i / 4.0, PANEL_TOP + PANEL_HEIGHT + 18, "middle", label);
    }
    for (size_t i = 0; i < SERIES_COUNT; i++) {
        double x = left + 20 + 95 * (double)i;
        double y = PANEL_TOP + PANEL_HEIGHT + 38;
        put_series(svg, scale, result, left, i);
        buffer_put_format(svg, "<path class=\"line\" stroke=\"%s\" d=\"M%.1f %.1fh20\"/>\n",
                          series[i].color, x, y - 4);
        put_text(svg, x + 26, y, "start", series[i].name);
    }
}

// ---- The percentile curve ----------------------------------------------------------------------

// One line of it: the x axis has as many nines as the values can tell.
static void put_curve_line(struct buffer *svg, const struct scale *scale,
                           const struct histogram *histogram, double left, double nines,
                           const char *color)
{
    buffer_put_format(svg, "<path class=\"line\" stroke=\"%s\" d=\"", color);
    for (int i = 0; i <= POINTS_MAX / 2; i++) {
        double share = (double)i / (POINTS_MAX / 2);
        double percent = 100 * (1 - pow(10, -nines * share));
        double y = scale_y(scale, (double)histogram_percentile(histogram, percent));
        buffer_put_format(svg, "%s%.1f %.1f", i == 0 ? "M" : "L", left + PANEL_WIDTH * share, y);
    }
    buffer_put_format(svg, "\"/>\n");
}

static void put_curve(struct buffer *svg, const struct scale *scale,
                      const struct cql_bench_options *options,
                      const struct cql_bench_result *result, double left)
{
    static const char *const names[] = {"0",     "90",     "99",      "99.9",
                                        "99.99", "99.999", "99.9999", "99.99999"};
    put_panel(svg, scale, left, "latency that so many % of the requests did not exceed");
    if (result->latency.count == 0) return;
    double nines = ceil(log10((double)result->latency.count));
    if (nines < 1) nines = 1;
    if (nines > 7) nines = 7;
    for (int i = 0; i <= (int)nines; i++) {
        double x = left + PANEL_WIDTH * i / nines;
        put_grid_line(svg, x, PANEL_TOP, x, PANEL_TOP + PANEL_HEIGHT);
        put_text(svg, x, PANEL_TOP + PANEL_HEIGHT + 18, "middle", names[i]);
    }
    bool is_open = options->rate != 0 && result->service.count > 0;
    if (is_open) put_curve_line(svg, scale, &result->service, left, nines, "#999");
    put_curve_line(svg, scale, &result->latency, left, nines, "#1f77b4");
    put_text(svg, left, PANEL_TOP + PANEL_HEIGHT + 38, "start",
             is_open ? "blue: from the due time; grey: from the sending" : "from the sending");
}

void bench_chart_put(struct buffer *svg, const char *title, const struct cql_bench_options *options,
                     const struct cql_bench_result *result)
{
    char line[256];
    struct scale scale = scale_of(result);
    buffer_put_format(svg,
                      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
                      "viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"12\">\n"
                      "<style>.grid{stroke:#ddd;fill:none}.line{fill:none;stroke-width:1.5}"
                      "</style>\n<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n",
                      WIDTH, HEIGHT, WIDTH, HEIGHT, WIDTH, HEIGHT);
    put_text(svg, PANEL_LEFT, 20, "start", title);
    double rate =
        result->elapsed_ns == 0 ? 0 : (double)result->operations * 1e9 / (double)result->elapsed_ns;
    int size =
        snprintf(line, sizeof line, "%" PRIu64 " operations, %.0f/s", result->operations, rate);
    if (options->rate != 0)
        size += snprintf(line + size, sizeof line - (size_t)size, " of %" PRIu64 "/s asked",
                         options->rate);
    (void)snprintf(line + size, sizeof line - (size_t)size,
                   ", %zu x %zu in flight, %" PRIu64 " errors, %" PRIu64 " unanswered",
                   options->connections, options->in_flight, result->errors, result->unanswered);
    put_text(svg, PANEL_LEFT, 38, "start", line);
    put_over_time(svg, &scale, result, PANEL_LEFT);
    put_curve(svg, &scale, options, result, PANEL_LEFT + PANEL_STEP);
    buffer_put_format(svg, "</svg>\n");
}
