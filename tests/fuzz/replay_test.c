// Every input that was once a bug, and some that are only short, through the target it is of.
#include "tests/fuzz/targets.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static void run_file(const char *path, void (*target)(struct slice input))
{
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s", path);
    static uint8_t bytes[1 << 20];
    size_t size = fread(bytes, 1, sizeof bytes, file);
    (void)fclose(file);
    // A copy of just its size, so that a read behind it is seen.
    uint8_t *copy = malloc(size + 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy + 1, bytes, size);
    printf("%s\n", path);
    (void)fflush(stdout);
    target(slice_make(copy + 1, size));
    free(copy);
}

static int is_input(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

// In the same order everywhere: some targets keep their node for many inputs.
static void run_folder(const char *parent, const char *name, void (*target)(struct slice input))
{
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/%s", parent, name);
    struct dirent **entries;
    int count = scandir(path, &entries, is_input, alphasort);
    for (int i = 0; i < count; i++) {
        (void)snprintf(path, sizeof path, "%s/%s/%s", parent, name, entries[i]->d_name);
        run_file(path, target);
        free(entries[i]);
    }
    if (count >= 0) free(entries);
}

// Of bugs that were; a few that reach what there is to reach; and all that a fuzzer found, if it is
// wanted (tests/coverage).
static void run_folders(const char *name, void (*target)(struct slice input))
{
    run_folder("tests/fuzz/regressions", name, target);
    run_folder("tests/fuzz/corpus", name, target);
    const char *more = getenv("HELENUS_FUZZ_CORPUS");
    if (more != NULL) run_folder(more, name, target);
}

#define X(name)                                                                                    \
    START_TEST(name##_takes_what_once_broke_it)                                                    \
    {                                                                                              \
        static const uint8_t bytes[16] = {                                                         \
            0, 1, 2, 3, 255, 254, 'a', 0, 0, 0, 0, 0, 128, 64, 7, 9};                              \
        for (size_t size = 0; size <= sizeof bytes; size++)                                        \
            fuzz_##name(slice_make(bytes, size));                                                  \
        run_folders(#name, fuzz_##name);                                                           \
    }                                                                                              \
    END_TEST
// clang-format off
FUZZ_TARGET_MAP(X)
// clang-format on
#undef X

int main(void)
{
    Suite *suite = suite_create("fuzz");
    TCase *inputs = tcase_create("inputs");
#define X(name) tcase_add_test(inputs, name##_takes_what_once_broke_it);
    FUZZ_TARGET_MAP(X)
#undef X
    tcase_set_timeout(inputs, 60);
    suite_add_tcase(suite, inputs);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
