#include "stream/tweets/tweets.h"

#include "base/assert.h"
#include "base/random.h"
#include "stream/source/day.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TWEETS_DAYS = 7, TWEETS_TAGS = 20000, TWEETS_WORD_SIZE = 64 };

#define TWEETS_START_US    (INT64_C(1401667200) * 1000000) // 2014-06-02
#define TWEETS_INTERVAL_US 500000                          // Of a stream without an end.

struct tweets {
    struct tweets_options options;
    struct random random;
    uint64_t index;
    double *tag_weights; // Sum of the weights up to and including each.
    struct buffer text;
    int64_t time_us; // Of the last one.
};

// The largest come first; the rest are made of syllables.
static const char *const tweets_tags[] = {
    "#iphone",        "#android", "#news",    "#music",          "#worldcup", "#nowplaying",
    "#jobs",          "#love",    "#ipad",    "#teamfollowback", "#app",      "#tech",
    "#google",        "#apple",   "#fashion", "#café",           "#москва",   "#日本",
    "#España",        "#straße",  "#ΑΘΗΝΑ",   "#fútbol",         "#서울",     "#C++",
    "#100daysofcode", "#r&b",     "#👍",       "#naïve",          "#İstanbul",
};
enum { TWEETS_FIXED_TAGS = sizeof tweets_tags / sizeof *tweets_tags };

static const char *const tweets_words[] = {
    "the",     "a",          "just",    "new",      "today",      "love",   "my",
    "is",      "really",     "good",    "morning",  "with",       "people", "watching",
    "match",   "game",       "update",  "best",     "ever",       "check",  "this",
    "out",     "free",       "follow",  "me",       "you",        "when",   "phone",
    "battery", "camera",     "release", "why",      "hola",       "mañana", "qué",
    "día",     "fiesta",     "vamos",   "señor",    "corazón",    "heute",  "schön",
    "Grüße",   "über",       "mit",     "Wetter",   "bitte",      "Straße", "aujourd'hui",
    "très",    "ça",         "été",     "français", "bonjour",    "merci",  "où",
    "привет",  "сегодня",    "спасибо", "утро",     "こんにちは", "今日は", "ありがとう",
    "写真",    "안녕하세요", "오늘",    "사랑해",   "günaydın",   "çok",    "teşekkürler",
    "صباح",    "الخير",
};
enum { TWEETS_WORDS = sizeof tweets_words / sizeof *tweets_words };

// What only looks like a hashtag, or is an odd one.
static const char *const tweets_odd_words[] = {
    "#",    "C#",        "foo#bar",   "##double", "#tag!",
    "#a,b", "&amp;#39;", "@some_one", "RT",       "http://t.co/x#y"};
enum { TWEETS_ODD_WORDS = sizeof tweets_odd_words / sizeof *tweets_odd_words };

static const char *const tweets_emoji[] = {"😂", "❤️", "🔥", "👏", "😭", "🎉", "📱", "🇧🇷"};
enum { TWEETS_EMOJI = sizeof tweets_emoji / sizeof *tweets_emoji };

struct tweets *tweets_create(const struct tweets_options *options)
{
    struct tweets *tweets = calloc(1, sizeof *tweets);
    ASSERT(tweets != NULL);
    tweets->options = *options;
    if (tweets->options.days == 0) tweets->options.days = TWEETS_DAYS;
    if (tweets->options.tags == 0) tweets->options.tags = TWEETS_TAGS;
    if (tweets->options.start_us == 0) tweets->options.start_us = TWEETS_START_US;
    random_init(&tweets->random, options->seed);
    buffer_init(&tweets->text, 64 * 1024);
    tweets->tag_weights = malloc(tweets->options.tags * sizeof *tweets->tag_weights);
    ASSERT(tweets->tag_weights != NULL);
    double sum = 0;
    for (uint32_t i = 0; i < tweets->options.tags; i++)
        tweets->tag_weights[i] = sum += 1.0 / (i + 1); // Zipf's law.
    return tweets;
}

void tweets_destroy(struct tweets *tweets)
{
    if (tweets == NULL) return;
    free(tweets->tag_weights);
    buffer_deinit(&tweets->text);
    free(tweets);
}

// ---- Texts -------------------------------------------------------------------------------------

static uint32_t tweets_pick_tag(struct tweets *tweets)
{
    uint32_t low = 0, high = tweets->options.tags - 1;
    double place = random_f64(&tweets->random) * tweets->tag_weights[high];
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (tweets->tag_weights[middle] <= place)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void tweets_put_text(struct buffer *out, const char *text)
{
    buffer_put(out, text, strlen(text));
}

// A tag as somebody typed it: people do not agree on case.
static void tweets_put_tag(struct tweets *tweets, uint32_t tag)
{
    static const char *const syllables[] = {"ka", "ro", "mi", "te", "lu", "so", "na", "vi",
                                            "de", "po", "ra", "xi", "be", "go", "fu", "zen"};
    struct buffer *text = &tweets->text;
    size_t start = text->size;
    if (tag < TWEETS_FIXED_TAGS) {
        tweets_put_text(text, tweets_tags[tag]);
    } else {
        buffer_put_u8(text, '#');
        for (uint32_t rest = tag; rest > 0; rest /= 16)
            tweets_put_text(text, syllables[rest % 16]);
    }
    uint64_t manner = random_below(&tweets->random, 8);
    for (size_t i = start + 1; i < text->size && manner < 2; i++) {
        bool upper = manner == 0 || i == start + 1;
        uint8_t *byte = &text->data[i];
        if (upper && *byte >= 'a' && *byte <= 'z') *byte = (uint8_t)(*byte - 'a' + 'A');
    }
}

static void tweets_put_word(struct tweets *tweets)
{
    struct random *random = &tweets->random;
    uint64_t kind = random_below(random, 100);
    if (kind < 12)
        tweets_put_tag(tweets, tweets_pick_tag(tweets));
    else if (kind < 14)
        tweets_put_text(&tweets->text, tweets_odd_words[random_below(random, TWEETS_ODD_WORDS)]);
    else if (kind < 18)
        tweets_put_text(&tweets->text, tweets_emoji[random_below(random, TWEETS_EMOJI)]);
    else if (kind < 20)
        buffer_put_format(&tweets->text, "http://t.co/%08" PRIx64, random_u64(random) >> 32);
    else
        tweets_put_text(&tweets->text, tweets_words[random_below(random, TWEETS_WORDS)]);
}

static void tweets_make_text(struct tweets *tweets)
{
    static const char *const spaces[] = {" ", " ", " ", " ", " ", " ", " ", " ", "\n", "  ", "\t"};
    buffer_clear(&tweets->text);
    uint64_t words = 4 + random_below(&tweets->random, 14);
    for (uint64_t i = 0; i < words; i++) {
        if (i > 0)
            tweets_put_text(&tweets->text,
                            spaces[random_below(&tweets->random, sizeof spaces / sizeof *spaces)]);
        tweets_put_word(tweets);
    }
}

// ---- JSON --------------------------------------------------------------------------------------

// The code point at `at`, whose UTF-8 is ours and sound.
static uint32_t tweets_code_point(const uint8_t *at, size_t *size)
{
    *size = *at < 0x80 ? 1 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : 4;
    uint32_t code = *size == 1 ? *at : *at & (0x7fu >> *size);
    for (size_t i = 1; i < *size; i++)
        code = code << 6 | (at[i] & 0x3f);
    return code;
}

// As Twitter does it: all that is not ASCII escaped, or nothing of it.
static void tweets_put_json(struct buffer *line, struct slice text, bool is_escaped)
{
    buffer_put_u8(line, '"');
    for (size_t i = 0, size; i < text.size; i += size) {
        uint32_t code = tweets_code_point(text.data + i, &size);
        if (code == '"' || code == '\\' || code == '/') {
            buffer_put_u8(line, '\\');
            buffer_put_u8(line, (uint8_t)code);
        } else if (code == '\n') {
            tweets_put_text(line, "\\n");
        } else if (code == '\t') {
            tweets_put_text(line, "\\t");
        } else if (size == 1 || !is_escaped) {
            buffer_put(line, text.data + i, size);
        } else if (code < 0x10000) {
            buffer_put_format(line, "\\u%04x", code);
        } else {
            buffer_put_format(line, "\\u%04x\\u%04x", 0xd800 + ((code - 0x10000) >> 10),
                              0xdc00 + (code & 0x3ff));
        }
    }
    buffer_put_u8(line, '"');
}

static void tweets_put_time(struct buffer *line, int64_t time_us)
{
    static const char *const days[] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int64_t seconds = time_us / 1000000, number = seconds / 86400, clock = seconds % 86400, year;
    unsigned month, day;
    day_to_date(number, &year, &month, &day);
    buffer_put_format(line, "\"%s %s %02u %02d:%02d:%02d +0000 %04" PRId64 "\"", days[number % 7],
                      months[month - 1], day, (int)(clock / 3600), (int)(clock / 60 % 60),
                      (int)(clock % 60), year);
}

static void tweets_put_user(struct tweets *tweets, struct buffer *line)
{
    uint64_t id = random_below(&tweets->random, 50000000);
    buffer_put_format(line,
                      ",\"user\":{\"id\":%" PRIu64 ",\"screen_name\":\"user_%" PRIx64
                      "\",\"followers_count\":%" PRIu64,
                      id, id, random_below(&tweets->random, 5000));
    if (!tweets->options.is_status) {
        buffer_put_u8(line, '}');
        return;
    }
    buffer_put_format(
        line,
        ",\"id_str\":\"%" PRIu64 "\",\"name\":\"User %" PRIx64
        "\",\"location\":\"Somewhere, Earth\",\"description\":\"I write about phones \\u2665, "
        "football and the weather. Opinions are my own.\",\"url\":\"http:\\/\\/t.co\\/%08" PRIx64
        "\",\"entities\":{\"url\":{\"urls\":[{\"url\":\"http:\\/\\/t.co\\/abc\",\"expanded_url\":"
        "\"http:\\/\\/example.com\\/\",\"display_url\":\"example.com\",\"indices\":[0,22]}]},"
        "\"description\":{\"urls\":[]}},\"protected\":false,\"friends_count\":%" PRIu64
        ",\"listed_count\":12,\"created_at\":\"Wed Nov 19 20:40:28 +0000 2008\","
        "\"favourites_count\":431,\"utc_offset\":-25200,\"time_zone\":\"Pacific Time (US & "
        "Canada)\",\"geo_enabled\":true,\"verified\":false,\"statuses_count\":9120,\"lang\":\"en\","
        "\"contributors_enabled\":false,\"is_translator\":false,\"profile_background_color\":"
        "\"C0DEED\",\"profile_background_image_url\":\"http:\\/\\/abs.example.com\\/images\\/themes"
        "\\/theme1\\/bg.png\",\"profile_background_tile\":false,\"profile_image_url\":"
        "\"http:\\/\\/pbs.example.com\\/profile_images\\/4717\\/photo_normal.jpeg\","
        "\"profile_link_color\":\"0084B4\",\"profile_sidebar_border_color\":\"C0DEED\","
        "\"profile_sidebar_fill_color\":\"DDEEF6\",\"profile_text_color\":\"333333\","
        "\"profile_use_background_image\":true,\"default_profile\":true,\"following\":null,"
        "\"follow_request_sent\":null,\"notifications\":null}",
        id, id, id & 0xffffffff, random_below(&tweets->random, 3000));
}

// What a full status object has besides.
static void tweets_put_rest(struct tweets *tweets, struct buffer *line)
{
    buffer_put_format(
        line,
        ",\"truncated\":false,\"source\":\"<a href=\\\"http:\\/\\/example.com\\/download\\/iphone"
        "\\\" rel=\\\"nofollow\\\">Example for iPhone<\\/a>\",\"in_reply_to_status_id\":null,"
        "\"in_reply_to_status_id_str\":null,\"in_reply_to_user_id\":null,"
        "\"in_reply_to_user_id_str\":null,\"in_reply_to_screen_name\":null,\"geo\":null,"
        "\"coordinates\":null,\"place\":null,\"contributors\":null,\"retweet_count\":%" PRIu64
        ",\"favorite_count\":%" PRIu64
        ",\"entities\":{\"hashtags\":[],\"symbols\":[],\"user_mentions\":[{\"screen_name\":"
        "\"some_one\",\"name\":\"Some One\",\"id\":15439395,\"id_str\":\"15439395\",\"indices\":"
        "[3,15]}],\"urls\":[],\"media\":[{\"id\":4738363,\"id_str\":\"4738363\",\"indices\":"
        "[58,80],\"media_url\":\"http:\\/\\/pbs.example.com\\/media\\/BpNs1x.jpg\",\"type\":"
        "\"photo\",\"sizes\":{\"small\":{\"w\":340,\"h\":191,\"resize\":\"fit\"},\"large\":"
        "{\"w\":1024,\"h\":576,\"resize\":\"fit\"},\"thumb\":{\"w\":150,\"h\":150,\"resize\":"
        "\"crop\"}}}]},\"favorited\":false,\"retweeted\":false,\"possibly_sensitive\":false",
        random_below(&tweets->random, 900), random_below(&tweets->random, 900));
}

bool tweets_next(struct tweets *tweets, struct buffer *line)
{
    static const char *const languages[] = {"en", "es", "de", "fr", "ru", "ja", "ko", "tr"};
    const struct tweets_options *options = &tweets->options;
    if (options->count > 0 && tweets->index == options->count) return false;
    int64_t span_us = (int64_t)options->days * 86400 * 1000000;
    int64_t time_us =
        options->start_us +
        (options->count > 0
             ? (int64_t)((double)tweets->index / (double)options->count * (double)span_us)
             : (int64_t)tweets->index * TWEETS_INTERVAL_US);
    tweets->time_us = time_us;
    uint64_t id = 473000000000000000 + tweets->index++ * 4194304;
    tweets_make_text(tweets);
    bool is_escaped = random_chance(&tweets->random, 0.3);
    tweets_put_text(line, "{\"created_at\":");
    tweets_put_time(line, time_us);
    buffer_put_format(line, ",\"id\":%" PRIu64 ",\"id_str\":\"%" PRIu64 "\",\"text\":", id, id);
    tweets_put_json(line, buffer_slice(&tweets->text), is_escaped);
    tweets_put_user(tweets, line);
    if (options->is_status) tweets_put_rest(tweets, line);
    buffer_put_format(line, ",\"lang\":\"%s\"}\n", languages[random_below(&tweets->random, 8)]);
    return true;
}

struct slice tweets_text(const struct tweets *tweets)
{
    return buffer_slice(&tweets->text);
}

int64_t tweets_time_us(const struct tweets *tweets)
{
    return tweets->time_us;
}
