#include "node/ring_picture.h"

#include "base/assert.h"
#include "node/admin_protocol.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum { WIDTH = 100, HEIGHT = 33, PLACES_MAX = 24, LABEL_SIZE = 40, TEXT_SIZE_MAX = 64 * 1024 };

static const double pi = 3.14159265358979323846;

struct canvas {
    char rows[HEIGHT][WIDTH + 1];
};

static void canvas_write(struct canvas *canvas, int row, int column, const char *text)
{
    if (row < 0 || row >= HEIGHT) return;
    for (; *text != '\0'; text++, column++)
        if (column >= 0 && column < WIDTH) canvas->rows[row][column] = *text;
}

// From the top, clockwise: `turn` from 0 to 1.
static void place_on(double turn, double scale, int *row, int *column)
{
    double angle = 2 * pi * turn;
    *row = (int)lround(HEIGHT / 2.0 - 0.5 - cos(angle) * (HEIGHT / 2.0 - 2) * scale);
    *column = (int)lround(WIDTH / 2.0 + sin(angle) * 26 * scale);
}

static void draw_circle(struct canvas *canvas)
{
    for (int i = 0; i < 360; i++) {
        int row, column;
        place_on(i / 360.0, 1, &row, &column);
        canvas_write(canvas, row, column, ".");
    }
}

// How far round the ring a token is, counted from the smallest there is.
static double turn_of(struct token token)
{
    uint64_t distance = (uint64_t)token.value ^ (UINT64_C(1) << 63);
    return (double)distance / 18446744073709551616.0;
}

static void draw_place(struct canvas *canvas, const struct ring_place *place, const uint8_t *states)
{
    char label[LABEL_SIZE];
    int row, column;
    double turn = turn_of(place->token);
    uint64_t distance = (uint64_t)place->token.value ^ (UINT64_C(1) << 63);
    bool is_down = states != NULL && states[place->member] == ADMIN_MEMBER_DOWN;
    // The first 16 bits, as on the slides.
    (void)snprintf(label, sizeof label, "%04X node %u%s", (unsigned)(distance >> 48),
                   place->member + 1u, is_down ? " down" : "");
    place_on(turn, 1, &row, &column);
    canvas_write(canvas, row, column, is_down ? "x" : "O");
    int length = (int)strlen(label);
    if (turn > 0.03 && turn < 0.47)
        canvas_write(canvas, row, column + 2, label);
    else if (turn > 0.53 && turn < 0.97)
        canvas_write(canvas, row, column - 1 - length, label);
    else
        canvas_write(canvas, row + (turn > 0.25 && turn < 0.75 ? 1 : -1), column - length / 2,
                     label);
}

static void put_nodes(struct buffer *text, const struct topology *topology, const uint8_t *states)
{
    static const char *const names[] = {"?", "up", "up?", "down"};
    for (uint16_t i = 0; i < topology->member_count; i++) {
        char address[ENV_ADDRESS_TEXT_SIZE];
        env_address_format(&topology->members[i].address, address);
        buffer_put_format(text, "node %-3u %-22s %zu token%s%s%s\n", i + 1u, address,
                          topology->members[i].token_count,
                          topology->members[i].token_count == 1 ? "" : "s",
                          states == NULL ? "" : "  ", states == NULL ? "" : names[states[i]]);
    }
}

void ring_picture_put(struct buffer *text, const struct topology *topology, const uint8_t *states)
{
    struct canvas canvas;
    memset(&canvas, ' ', sizeof canvas);
    draw_circle(&canvas);
    size_t shown = topology->place_count < PLACES_MAX ? topology->place_count : PLACES_MAX;
    for (size_t i = 0; i < shown; i++)
        draw_place(&canvas, &topology->places[i * topology->place_count / shown], states);
    for (int row = 0; row < HEIGHT; row++) {
        int length = WIDTH;
        while (length > 0 && canvas.rows[row][length - 1] == ' ')
            length--;
        buffer_put_format(text, "%.*s\n", length, canvas.rows[row]);
    }
    if (shown < topology->place_count)
        buffer_put_format(text, "\n%zu of %zu tokens are shown.\n", shown, topology->place_count);
    buffer_put_format(text, "\nA key belongs to the first token at or behind its own, clockwise; "
                            "its copies to the next nodes.\n\n");
    put_nodes(text, topology, states);
}

void ring_picture_print(const struct topology *topology, const uint8_t *states)
{
    struct buffer text;
    buffer_init(&text, TEXT_SIZE_MAX);
    ring_picture_put(&text, topology, states);
    (void)fwrite(text.data, 1, text.size, stdout);
    buffer_deinit(&text);
}
