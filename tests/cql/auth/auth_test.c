// Passwords and resources: what is a hash, who stands above whom.
#include "base/env_uv.h"
#include "base/limits.h"
#include "cql/auth/auth.h"
#include "cql/auth/permission.h"
#include "cql/auth/resource.h"

#include <check.h>

static struct env *env;
static struct auth auth;
static struct arena arena;

static void setup(void)
{
    ck_assert_int_eq(env_uv_create(&env, NULL), STATUS_OK);
    auth = (struct auth){.env = env, .authorizes = true};
    arena_init(&arena, 1024);
}

static void teardown(void)
{
    arena_deinit(&arena);
    env_uv_destroy(env);
}

static void is_done(struct auth_password *password)
{
    (void)password;
    env_uv_stop(env);
}

static bool is_right(const char *text, const char *hash)
{
    struct auth_password password;
    ck_assert(auth_check_password(&auth, &password, slice_of_text(text), hash, is_done));
    env_uv_run(env);
    return password.is_right;
}

START_TEST(a_password_is_right_for_its_own_hash_alone)
{
    struct auth_password password;
    ck_assert(auth_hash_password(&auth, &password, slice_of_text("a word"), is_done));
    env_uv_run(env);
    ck_assert(auth_is_hash(slice_of_text(password.hash)));
    for (size_t i = 0; i < sizeof password.text; i++)
        ck_assert_int_eq(password.text[i], 0); // It is not kept.
    char hash[ROLE_HASH_SIZE + 1];
    memcpy(hash, password.hash, sizeof hash);
    ck_assert(is_right("a word", hash));
    ck_assert(!is_right("a Word", hash));
    ck_assert(!is_right("", hash));
    ck_assert(!is_right("a word", ""));
    ck_assert(!is_right("a word", "no hash"));
    // As jBcrypt, Cassandra's library, made it.
    ck_assert(is_right("abc", "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i"));
    // Only 72 bytes count.
    char longer[101] = {0};
    memset(longer, 'x', 100);
    ck_assert(auth_hash_password(&auth, &password, slice_of_text(longer), is_done));
    env_uv_run(env);
    longer[72] = '\0';
    memcpy(hash, password.hash, sizeof hash);
    ck_assert(is_right(longer, hash));
    longer[71] = '\0';
    ck_assert(!is_right(longer, hash));
}
END_TEST

START_TEST(a_hash_has_a_form)
{
    static const char right[] = "$2a$10$JSJEMFm6GeaW9XxT5JIheuEtPvat6i7uKbnTcxX3c1wshIIsGyUtG";
    ck_assert(auth_is_hash(slice_of_text(right)));
    char text[sizeof right];
    static const struct {
        size_t at;
        char c;
    } wrong[] = {{0, '%'}, {1, '3'}, {2, 'y'}, {4, '3'}, {4, '9'}, {5, 'x'}, {6, '.'}, {30, '-'}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        memcpy(text, right, sizeof text);
        text[wrong[i].at] = wrong[i].c;
        ck_assert_msg(!auth_is_hash(slice_of_text(text)), "%s", text);
    }
    ck_assert(!auth_is_hash(slice_make(right, sizeof right - 2)));
    ck_assert(!auth_is_hash(slice_make("", 0)));
}
END_TEST

START_TEST(resources_have_parents_and_words)
{
    static const struct {
        const char *resource, *text, *parents;
    } known[] = {
        {"data", "<all keyspaces>", ""},
        {"data/ks", "<keyspace ks>", "data "},
        {"data/ks/*", "<all tables in ks>", "data/ks data "},
        {"data/ks/t", "<table ks.t>", "data/ks/* data/ks data "},
        {"roles", "<all roles>", ""},
        {"roles/a/b", "<role a/b>", "roles "},
        {"functions", "<all functions>", ""},
        {"functions/ks", "<all functions in ks>", "functions "},
        {"functions/ks/f[int^text]", "<function ks.f(int,text)>", "functions/ks functions "},
        {"mbean", "<all mbeans>", ""},
        {"mbean/a:b=c/d", "<mbean a:b=c/d>", "mbean "},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct slice resource = slice_of_text(known[i].resource);
        ck_assert_str_eq(resource_text(&arena, resource), known[i].text);
        const char *parents = "";
        while (resource_go_up(&arena, &resource))
            parents = arena_format(&arena, "%s%.*s ", parents, (int)resource.size,
                                   (const char *)resource.data);
        ck_assert_str_eq(parents, known[i].parents);
    }
}
END_TEST

START_TEST(permissions_go_with_resources)
{
    ck_assert_uint_eq(resource_permissions(slice_of_text("data/ks/t")) & ROLE_MAY_CREATE, 0);
    ck_assert_uint_ne(resource_permissions(slice_of_text("data/ks/*")) & ROLE_MAY_CREATE, 0);
    ck_assert_str_eq(permission_names(&arena, resource_permissions(slice_of_text("roles/r"))),
                     "ALTER, DROP, AUTHORIZE, DESCRIBE");
    ck_assert_str_eq(permission_names(&arena, resource_permissions(slice_of_text("functions"))),
                     "CREATE, ALTER, DROP, AUTHORIZE, EXECUTE");
    ck_assert_str_eq(permission_names(&arena, 0), "");
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("auth");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_password_is_right_for_its_own_hash_alone);
    tcase_add_test(tests, a_hash_has_a_form);
    tcase_add_test(tests, resources_have_parents_and_words);
    tcase_add_test(tests, permissions_go_with_resources);
    Suite *suite = suite_create("auth");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
