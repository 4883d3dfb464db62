// The manifest of a table: what is stored comes back, what is damaged is refused.
#include "storage/engine/manifest.h"

#include "storage/whole_file.h"
#include "tests/storage/support/engine_fixture.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static char path[4096];
static struct manifest manifest;

static void setup(void)
{
    engine_fixture_setup();
    (void)snprintf(path, sizeof path, "%s/manifest-of-test", engine_fixture_directory());
    manifest_init(&manifest, "data/ks/table-1");
}

static void teardown(void)
{
    manifest_deinit(&manifest);
    engine_fixture_teardown();
}

static struct manifest_entry entry_of(uint64_t generation, enum manifest_state state)
{
    struct manifest_entry entry = {.generation = generation, .log_position = 7, .state = state};
    for (int i = 0; i < SSTABLE_COMPONENT_COUNT; i++) {
        entry.check.sizes[i] = generation * 100 + (uint64_t)i;
        entry.check.xxh3[i] = UINT64_MAX - generation - (uint64_t)i;
    }
    return entry;
}

static void store(void)
{
    struct error error = {0};
    enum status status =
        manifest_store(engine_fixture_env(), engine_fixture_directory(), path, &manifest, &error);
    ck_assert_msg(status == STATUS_OK, "%s", error.text);
}

START_TEST(what_is_stored_comes_back)
{
    struct manifest_entry entries[] = {entry_of(64, MANIFEST_LIVE), entry_of(128, MANIFEST_GONE),
                                       entry_of(192, MANIFEST_ADDING),
                                       entry_of(256, MANIFEST_RETIRING)};
    for (size_t i = 0; i < 4; i++)
        manifest_add(&manifest, &entries[i]);
    manifest.dropped = true;
    manifest.flushed_position = 11;
    manifest.truncated_position = 12;
    store();
    struct manifest loaded;
    ck_assert_int_eq(manifest_load(engine_fixture_env(), path, &loaded, NULL), STATUS_OK);
    ck_assert(loaded.dropped);
    ck_assert_uint_eq(loaded.flushed_position, 11);
    ck_assert_uint_eq(loaded.truncated_position, 12);
    ck_assert_str_eq(loaded.directory, "data/ks/table-1");
    ck_assert_uint_eq(loaded.count, 4);
    for (size_t i = 0; i < 4; i++) {
        const struct manifest_entry *entry = manifest_find(&loaded, entries[i].generation);
        ck_assert_ptr_nonnull(entry);
        ck_assert_uint_eq(entry->log_position, 7);
        ck_assert_int_eq(entry->state, entries[i].state);
        ck_assert_mem_eq(entry->check.sizes, entries[i].check.sizes, sizeof entry->check.sizes);
        ck_assert_mem_eq(entry->check.xxh3, entries[i].check.xxh3, sizeof entry->check.xxh3);
        ck_assert(entry->check.is_foreign == entries[i].check.is_foreign);
    }
    manifest_deinit(&loaded);
}
END_TEST

START_TEST(a_copy_is_independent)
{
    struct manifest_entry entry = entry_of(64, MANIFEST_LIVE);
    manifest_add(&manifest, &entry);
    struct manifest copy;
    manifest_copy(&copy, &manifest);
    manifest_remove(&copy, 64);
    manifest_remove(&copy, 65); // Of none that is there: nothing happens.
    ck_assert_ptr_null(manifest_find(&copy, 64));
    ck_assert_ptr_nonnull(manifest_find(&manifest, 64));
    manifest_deinit(&copy);
}
END_TEST

START_TEST(none_is_not_found)
{
    struct manifest loaded;
    ck_assert_int_eq(manifest_load(engine_fixture_env(), path, &loaded, NULL), STATUS_NOT_FOUND);
}
END_TEST

// Every byte, and every length.
START_TEST(what_is_damaged_is_corrupt)
{
    struct manifest_entry entry = entry_of(64, MANIFEST_LIVE);
    manifest_add(&manifest, &entry);
    store();
    struct buffer bytes;
    buffer_init(&bytes, MIB);
    ck_assert_int_eq(whole_file_read(engine_fixture_env(), path, &bytes, NULL), STATUS_OK);
    struct manifest loaded;
    for (size_t i = 0; i < 2 * bytes.size; i++) {
        size_t size = i < bytes.size ? i : bytes.size;
        if (i >= bytes.size) bytes.data[i - bytes.size] ^= 0x10;
        ck_assert_int_eq(whole_file_write(engine_fixture_env(), engine_fixture_directory(), path,
                                          slice_make(bytes.data, size), NULL),
                         STATUS_OK);
        struct error error = {0};
        ck_assert_int_eq(manifest_load(engine_fixture_env(), path, &loaded, &error),
                         STATUS_CORRUPT);
        ck_assert(strstr(error.text, path) != NULL);
        if (i >= bytes.size) bytes.data[i - bytes.size] ^= 0x10;
    }
    buffer_deinit(&bytes);
}
END_TEST

int main(void)
{
    TCase *files = tcase_create("manifest");
    tcase_add_checked_fixture(files, setup, teardown);
    tcase_set_timeout(files, 60);
    tcase_add_test(files, what_is_stored_comes_back);
    tcase_add_test(files, a_copy_is_independent);
    tcase_add_test(files, none_is_not_found);
    tcase_add_test(files, what_is_damaged_is_corrupt);
    Suite *suite = suite_create("manifest");
    suite_add_tcase(suite, files);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
