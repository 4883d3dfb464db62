// node/sim/linearizable: histories that can be and such that can not.
#include "node/sim/linearizable.h"

#include <check.h>
#include <string.h>

enum { ANSWERED, OPEN, REFUSED };

// An operation of register 0. `seen` of one that was applied does not count.
struct step {
    enum linearizable_kind kind;
    uint64_t expected, value;
    uint64_t begin, end;
    int outcome;
    bool applied;
    uint64_t seen;
};

#define CAS(expected, value, begin, end)                                                           \
    {                                                                                              \
        LINEARIZABLE_COMPARE, expected, value, begin, end, ANSWERED, true, 0                       \
    }
#define MISS(expected, value, begin, end, seen)                                                    \
    {                                                                                              \
        LINEARIZABLE_COMPARE, expected, value, begin, end, ANSWERED, false, seen                   \
    }
#define UNKNOWN(expected, value, begin)                                                            \
    {                                                                                              \
        LINEARIZABLE_COMPARE, expected, value, begin, 0, OPEN, false, 0                            \
    }
#define NEVER(expected, value, begin, end)                                                         \
    {                                                                                              \
        LINEARIZABLE_COMPARE, expected, value, begin, end, REFUSED, false, 0                       \
    }
#define READ(seen, begin, end)                                                                     \
    {                                                                                              \
        LINEARIZABLE_READ, 0, 0, begin, end, ANSWERED, false, seen                                 \
    }
#define READ_OPEN(begin)                                                                           \
    {                                                                                              \
        LINEARIZABLE_READ, 0, 0, begin, 0, OPEN, false, 0                                          \
    }

static bool check(const struct step *steps, size_t count)
{
    char message[512];
    struct linearizable *history = linearizable_create(2);
    for (size_t i = 0; i < count; i++) {
        const struct step *step = &steps[i];
        uint64_t event =
            linearizable_begin(history, 0, step->kind, step->expected, step->value, step->begin);
        if (step->outcome == ANSWERED)
            linearizable_end(history, event, step->applied, step->seen, step->end);
        if (step->outcome == REFUSED) linearizable_refuse(history, event);
    }
    bool holds = linearizable_check(history, message);
    linearizable_destroy(history);
    return holds;
}

#define HOLDS(...)                                                                                 \
    ck_assert(check((const struct step[]){__VA_ARGS__},                                            \
                    sizeof(const struct step[]){__VA_ARGS__} / sizeof(struct step)))
#define FAILS(...)                                                                                 \
    ck_assert(!check((const struct step[]){__VA_ARGS__},                                           \
                     sizeof(const struct step[]){__VA_ARGS__} / sizeof(struct step)))

START_TEST(what_can_be_one_after_the_other_holds)
{
    HOLDS(READ(0, 1, 2));
    HOLDS(CAS(0, 1, 1, 5), CAS(1, 2, 2, 6), READ(2, 7, 8));
    HOLDS(CAS(0, 1, 1, 9), READ(0, 2, 3), READ(1, 4, 5)); // Old, then new, while it is under way.
    HOLDS(CAS(0, 1, 1, 2), MISS(0, 7, 3, 4, 1), READ(1, 5, 6));
    HOLDS(CAS(0, 1, 1, 2), UNKNOWN(1, 2, 3), READ(1, 10, 11)); // Never applied, or later.
    HOLDS(CAS(0, 1, 1, 2), UNKNOWN(1, 2, 3), READ(1, 10, 11), READ(2, 12, 13));
    HOLDS(UNKNOWN(0, 1, 1), CAS(1, 2, 2, 3), READ(2, 4, 5)); // Seen by its successor only.
    HOLDS(CAS(0, 1, 1, 2), UNKNOWN(1, 2, 3), CAS(1, 3, 4, 5), READ(3, 6, 7));
    HOLDS(NEVER(0, 1, 1, 2), READ(0, 3, 4), READ_OPEN(5));
    HOLDS(CAS(0, 1, 4, 9), CAS(1, 2, 1, 7)); // They overlap: the second began first.
}
END_TEST

START_TEST(what_can_not_be_fails)
{
    FAILS(CAS(0, 1, 1, 2), READ(0, 3, 4));                                 // A stale read.
    FAILS(CAS(0, 1, 1, 2), CAS(1, 2, 3, 4), READ(2, 5, 6), READ(1, 7, 8)); // Backwards.
    FAILS(CAS(0, 1, 1, 2), CAS(1, 2, 3, 4), CAS(1, 3, 5, 6));              // Both over one value.
    FAILS(CAS(0, 1, 1, 2), CAS(0, 2, 1, 2));                               // Two inserts.
    FAILS(READ(5, 1, 2));                                                  // From nowhere.
    FAILS(NEVER(0, 1, 1, 2), READ(1, 3, 4));                               // Refused, and there.
    FAILS(CAS(0, 1, 1, 2), MISS(1, 2, 3, 4, 1)); // It was there, and was not replaced.
    FAILS(CAS(0, 1, 1, 2), MISS(0, 7, 3, 4, 1), READ(7, 5, 6)); // Told no, and there.
    FAILS(READ(1, 1, 2), CAS(0, 1, 3, 4));                      // Seen before it began.
    FAILS(CAS(0, 1, 1, 2), CAS(2, 3, 3, 4));                    // Over a value that never was.
    FAILS(CAS(0, 1, 1, 2), UNKNOWN(1, 2, 3), READ(2, 4, 5), READ(1, 6, 7)); // Came and went.
    FAILS(CAS(0, 1, 1, 2), UNKNOWN(1, 2, 3), READ(2, 4, 5), CAS(1, 3, 6, 7));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("linearizable");
    TCase *tests = tcase_create("linearizable");
    suite_add_tcase(suite, tests);
    tcase_add_test(tests, what_can_be_one_after_the_other_holds);
    tcase_add_test(tests, what_can_not_be_fails);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
