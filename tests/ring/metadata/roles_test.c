// Roles as a state machine: what holds is taken, whatever does not is a conflict that changes
// nothing; all of them as bytes and back; bytes that are not.
#include "base/limits.h"
#include "ring/metadata/roles.h"

#include <check.h>
#include <stdio.h>

static struct slice text(const char *words)
{
    return slice_of_text(words);
}

static enum status change(struct roles *roles, struct role_change value)
{
    struct buffer record;
    buffer_init(&record, 8192);
    if (value.role.data == NULL) value.role = text("");
    if (value.other.data == NULL) value.other = text("");
    roles_put_change(&record, &value);
    struct cursor cursor = cursor_make(buffer_slice(&record));
    enum status status = roles_apply(roles, &cursor);
    buffer_deinit(&record);
    return status;
}

static enum status create(struct roles *roles, const char *name, const char *creator)
{
    return change(roles, (struct role_change){ROLE_CREATE, text(name), text(creator), true, false,
                                              true, true, slice_null(), 0});
}

static enum status of_two(struct roles *roles, enum role_change_kind kind, const char *role,
                          const char *other)
{
    return change(roles,
                  (struct role_change){.kind = kind, .role = text(role), .other = text(other)});
}

static enum status permit(struct roles *roles, const char *role, const char *resource,
                          uint32_t permissions)
{
    return change(roles, (struct role_change){.kind = ROLE_PERMIT,
                                              .role = text(role),
                                              .other = text(resource),
                                              .permissions = permissions});
}

static uint32_t on(const struct roles *roles, const char *role, const char *resource)
{
    return roles_permissions_on(roles_find(roles, text(role)), text(resource));
}

START_TEST(a_ring_begins_with_a_superuser)
{
    struct roles *roles = roles_create();
    const struct role *first = roles_at(roles, 0);
    ck_assert(slice_equals(first->name, text("cassandra")));
    ck_assert(first->is_superuser && first->can_login && strlen(first->hash) == ROLE_HASH_SIZE);
    ck_assert_ptr_null(roles_at(roles, 1));
    struct buffer bytes;
    buffer_init(&bytes, 1 << 20);
    roles_put_all(&bytes, roles);
    ck_assert_uint_eq(bytes.size, 0); // A snapshot of an older release had nothing either.
    buffer_deinit(&bytes);
    roles_destroy(roles);
}
END_TEST

START_TEST(roles_come_and_go_with_what_they_had)
{
    struct roles *roles = roles_create();
    ck_assert_int_eq(create(roles, "b", "cassandra"), STATUS_OK);
    ck_assert_int_eq(create(roles, "b", ""), STATUS_CONFLICT);
    ck_assert_int_eq(create(roles, "", ""), STATUS_CONFLICT);
    ck_assert_int_eq(create(roles, "a", "b"), STATUS_OK);
    ck_assert_int_eq(on(roles, "cassandra", "roles/b"),
                     ROLE_MAY_ALTER | ROLE_MAY_DROP | ROLE_MAY_AUTHORIZE | ROLE_MAY_DESCRIBE);
    ck_assert_int_eq(permit(roles, "a", "data/ks", ROLE_MAY_SELECT), STATUS_OK);
    ck_assert_int_eq(permit(roles, "nobody", "data/ks", ROLE_MAY_SELECT), STATUS_CONFLICT);
    ck_assert_int_eq(permit(roles, "a", "data/ks", 0), STATUS_CONFLICT);
    ck_assert_int_eq(of_two(roles, ROLE_GRANT, "a", "b"), STATUS_OK);
    ck_assert_int_eq(of_two(roles, ROLE_ADD_IDENTITY, "b", "spiffe"), STATUS_OK);
    ck_assert_int_eq(of_two(roles, ROLE_ADD_IDENTITY, "a", "spiffe"), STATUS_CONFLICT);
    ck_assert_int_eq(of_two(roles, ROLE_DROP, "b", ""), STATUS_OK);
    ck_assert_int_eq(of_two(roles, ROLE_DROP, "b", ""), STATUS_CONFLICT);
    ck_assert_int_eq(on(roles, "cassandra", "roles/b"), 0);
    ck_assert_uint_eq(roles_find(roles, text("a"))->member_of_count, 0);
    ck_assert_ptr_null(roles_identity_at(roles, 0));
    roles_destroy(roles);
}
END_TEST

START_TEST(memberships_have_no_circle)
{
    struct roles *roles = roles_create();
    (void)!create(roles, "a", "");
    (void)!create(roles, "b", "");
    (void)!create(roles, "c", "");
    ck_assert_int_eq(of_two(roles, ROLE_GRANT, "a", "a"), STATUS_CONFLICT);
    ck_assert_int_eq(of_two(roles, ROLE_GRANT, "a", "b"), STATUS_OK);
    ck_assert_int_eq(of_two(roles, ROLE_GRANT, "a", "b"), STATUS_CONFLICT);
    ck_assert_int_eq(of_two(roles, ROLE_GRANT, "b", "c"), STATUS_OK);
    ck_assert_int_eq(of_two(roles, ROLE_GRANT, "c", "a"), STATUS_CONFLICT);
    size_t count;
    const struct role *a = roles_find(roles, text("a"));
    (void)roles_inherited(a, &count);
    ck_assert_uint_eq(count, 3);
    ck_assert(!roles_is_superuser(a));
    ck_assert_int_eq(of_two(roles, ROLE_GRANT, "c", "cassandra"), STATUS_OK);
    ck_assert(roles_is_superuser(a));
    ck_assert_int_eq(of_two(roles, ROLE_REVOKE, "b", "c"), STATUS_OK);
    ck_assert_int_eq(of_two(roles, ROLE_REVOKE, "b", "c"), STATUS_CONFLICT);
    ck_assert(!roles_is_superuser(a));
    roles_destroy(roles);
}
END_TEST

START_TEST(what_is_dropped_is_forgotten_with_all_below)
{
    struct roles *roles = roles_create();
    (void)!create(roles, "a", "");
    static const char *const resources[] = {"data", "data/ks", "data/ks/*", "data/ks/t",
                                            "data/ks2"};
    for (size_t i = 0; i < 5; i++)
        (void)!permit(roles, "a", resources[i], ROLE_MAY_SELECT);
    roles_forget(roles, text("data/ks/t"));
    ck_assert_int_eq(on(roles, "a", "data/ks/t"), 0);
    ck_assert_int_eq(on(roles, "a", "data/ks"), ROLE_MAY_SELECT);
    roles_forget(roles, text("data/ks"));
    ck_assert_int_eq(on(roles, "a", "data/ks/*") + on(roles, "a", "data/ks"), 0);
    ck_assert_int_eq(on(roles, "a", "data/ks2"), ROLE_MAY_SELECT);
    ck_assert_int_eq(on(roles, "a", "data"), ROLE_MAY_SELECT);
    roles_destroy(roles);
}
END_TEST

START_TEST(all_as_bytes_and_back)
{
    struct roles *roles = roles_create(), *back = roles_create();
    (void)!create(roles, "a", "cassandra");
    (void)!create(roles, "b", "a");
    (void)!of_two(roles, ROLE_GRANT, "a", "b");
    (void)!of_two(roles, ROLE_ADD_IDENTITY, "b", "spiffe");
    struct buffer bytes, again;
    buffer_init(&bytes, 1 << 20);
    buffer_init(&again, 1 << 20);
    roles_put_all(&bytes, roles);
    struct cursor cursor = cursor_make(buffer_slice(&bytes));
    ck_assert(roles_is_next(&cursor));
    ck_assert_int_eq(roles_get_all(back, &cursor, NULL), STATUS_OK);
    ck_assert_uint_eq(cursor_left(&cursor), 0);
    roles_put_all(&again, back);
    ck_assert(slice_equals(buffer_slice(&bytes), buffer_slice(&again)));
    for (size_t size = 0; size < bytes.size; size++) {
        struct cursor cut = cursor_make(slice_make(bytes.data, size));
        ck_assert_int_eq(roles_get_all(back, &cut, NULL), STATUS_CORRUPT);
    }
    buffer_deinit(&bytes);
    buffer_deinit(&again);
    roles_destroy(roles);
    roles_destroy(back);
}
END_TEST

START_TEST(there_is_an_end_to_their_number)
{
    struct roles *roles = roles_create();
    char name[32];
    enum status status = STATUS_OK;
    size_t made = 0;
    while (status == STATUS_OK && made <= ROLES_MAX) {
        snprintf(name, sizeof name, "role %zu", made++);
        status = create(roles, name, "");
    }
    ck_assert_int_eq(status, STATUS_CONFLICT);
    ck_assert(!roles_has_room(roles));
    ck_assert_int_eq(of_two(roles, ROLE_DROP, "role 1", ""), STATUS_OK);
    ck_assert(roles_has_room(roles));
    roles_destroy(roles);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("roles");
    tcase_add_test(tcase, a_ring_begins_with_a_superuser);
    tcase_add_test(tcase, roles_come_and_go_with_what_they_had);
    tcase_add_test(tcase, memberships_have_no_circle);
    tcase_add_test(tcase, what_is_dropped_is_forgotten_with_all_below);
    tcase_add_test(tcase, all_as_bytes_and_back);
    tcase_add_test(tcase, there_is_an_end_to_their_number);
    Suite *suite = suite_create("roles");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
