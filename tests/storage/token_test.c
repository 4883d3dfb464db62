// Tokens and both halves of the hash against Cassandra's; keys of all tail lengths are among them.
#include "storage/token.h"

#include "storage/murmur3.h"
#include "tests/storage/support/one_token.h"
#include "tests/storage/support/vectors.h"

#include <check.h>
#include <inttypes.h>
#include <stdlib.h>

static struct vectors vectors;

START_TEST(hashes_are_cassandras)
{
    vectors_open_golden(&vectors, "murmur3.tsv");
    while (vectors_next(&vectors)) {
        struct slice key = vectors_hex(&vectors, vectors.fields[0]);
        struct murmur3 hash = murmur3_hash(key);
        ck_assert_int_eq(token_of_key(key).value, strtoll(vectors.fields[1], NULL, 10));
        ck_assert_uint_eq(hash.h1, strtoull(vectors.fields[2], NULL, 16));
        ck_assert_uint_eq(hash.h2, strtoull(vectors.fields[3], NULL, 16));
    }
    vectors_close(&vectors);
}
END_TEST

// Of sstable-nb §9.4, so that something is checked without the shared folder.
static const struct {
    const char *key;
    int64_t token;
} known[] = {
    {"-", INT64_MIN},
    {"00", 5048724184180415669},
    {"80", -5284281814142962636},
    {"68656c6c6f", -3758069500696749310},
    {"80878e959ca3aab1b8bfc6cdd4dbe2e9f0", 5211886051089384206},
    {"653cbefb85ec3111b4e38fa9bc7cbcae", INT64_MAX}, // Its hash is MIN64.
};

START_TEST(tokens_are_cassandras)
{
    arena_init(&vectors.arena, 256);
    struct slice key = vectors_hex(&vectors, known[_i].key);
    ck_assert_int_eq(token_of_key(key).value, known[_i].token);
    arena_deinit(&vectors.arena);
}
END_TEST

START_TEST(many_keys_may_have_one_token)
{
    static const int64_t tokens[] = {0, 1, -1, 1000, INT64_MAX, INT64_MIN + 1, INT64_MIN};
    uint8_t keys[2][ONE_TOKEN_KEY_SIZE];
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        for (uint64_t number = 0; number < 100; number++) {
            uint8_t *key = keys[number % 2];
            one_token_key((struct token){tokens[i]}, number, key);
            int64_t expected = tokens[i] == INT64_MIN ? INT64_MAX : tokens[i];
            ck_assert_int_eq(token_of_key(slice_make(key, ONE_TOKEN_KEY_SIZE)).value, expected);
            if (number > 0) ck_assert_mem_ne(keys[0], keys[1], ONE_TOKEN_KEY_SIZE);
        }
    }
}
END_TEST

START_TEST(partitions_are_ordered_by_token_then_bytes)
{
    struct partition_key a = {{1}, slice_make("b", 1)}, b = {{1}, slice_make("bb", 2)};
    struct partition_key c = {{2}, slice_make("a", 1)};
    ck_assert_int_lt(partition_key_compare(&a, &b), 0);
    ck_assert_int_lt(partition_key_compare(&b, &c), 0);
    ck_assert_int_gt(partition_key_compare(&c, &a), 0);
    ck_assert_int_eq(partition_key_compare(&a, &a), 0);
}
END_TEST

int main(void)
{
    TCase *token = tcase_create("token");
    tcase_add_test(token, hashes_are_cassandras);
    tcase_add_loop_test(token, tokens_are_cassandras, 0, sizeof known / sizeof known[0]);
    tcase_add_test(token, many_keys_may_have_one_token);
    tcase_add_test(token, partitions_are_ordered_by_token_then_bytes);

    Suite *suite = suite_create("token");
    suite_add_tcase(suite, token);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
