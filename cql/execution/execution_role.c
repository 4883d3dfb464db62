// Executing statements about roles (org.apache.cassandra.cql3.statements.CreateRoleStatement and
// its kin): checked against the roles as they are, one change in the metadata log, answered when
// all members that live have it.
//
//     STARTED --allowed?--> CHECKED --a password?--> HASHING --> CHANGING --applied--> done
//        ^------------------- another change came first -----------/
//
// Without authentication all of them are refused, in the words of Cassandra's AllowAllAuthenticator
// and AllowAllAuthorizer.
#include "cql/execution/execution_role.h"
#include "base/container_of.h"
#include "base/limits.h"
#include "cql/auth/permission.h"
#include "cql/auth/resource.h"
#include "cql/execution/execution.h"
#include "cql/statement/analysis.h"

enum { TRIES_MAX = 16 };

struct role_work {
    struct metadata_role_change change;
    struct auth_password password;
    struct execution *execution;
    struct role_change value;
    bool is_hashing, is_changing;
    unsigned tries;
    // Of who made something.
    const struct slice *resources;
    size_t resource_count, resources_done;
    enum result_kind result_kind;
};

static const struct cql_statement_ast *ast_of(const struct role_work *work)
{
    return work->execution->statement->plan->ast;
}

static void role_abandon(struct execution *execution)
{
    struct role_work *work = execution->state->work;
    if (work->is_changing) metadata_role_change_abandon(&work->change);
}

static struct role_work *role_work_begin(struct execution *execution)
{
    struct role_work *work = ARENA_NEW(&execution->arena, struct role_work);
    work->execution = execution;
    execution->state->work = work;
    execution->state->abandon = role_abandon;
    return work;
}

// ---- The change ---------------------------------------------------------------------------------

static void role_try(struct role_work *work);

static void role_fail(struct role_work *work, enum status status)
{
    struct execution *execution = work->execution;
    if (status == STATUS_CONFLICT)
        cql_error_set(&execution->error, CQL_ERROR_SERVER,
                      "Other changes of roles came first, again and again");
    else
        cql_error_set(&execution->error, CQL_ERROR_SERVER,
                      "The change of the role could not be stored: %s", status_text(status));
    execution_fail(execution);
}

static void role_changed(struct metadata_role_change *change, enum status status)
{
    struct role_work *work = CONTAINER_OF(change, struct role_work, change);
    work->is_changing = false;
    if (status == STATUS_CONFLICT && ++work->tries < TRIES_MAX)
        role_try(work);
    else if (status != STATUS_OK)
        role_fail(work, status);
    else
        execution_succeed(work->execution, RESULT_VOID);
}

static void role_append(struct role_work *work)
{
    work->is_changing = true;
    metadata_change_role(work->execution->processor->metadata, &work->change, &work->value,
                         role_changed);
}

static void role_is_hashed(struct auth_password *password)
{
    struct role_work *work = CONTAINER_OF(password, struct role_work, password);
    struct execution *execution = work->execution;
    work->is_hashing = false;
    if (password->hash[0] == '\0') {
        cql_error_set(&execution->error, CQL_ERROR_SERVER, "The password could not be hashed");
        execution_fail(execution);
        return;
    }
    // What was checked may have changed meanwhile.
    role_try(work);
}

// The hash that the role gets, once it is there. False: it is being made, or can not be.
static bool role_has_hash(struct role_work *work)
{
    const struct cql_role_statement *role = &ast_of(work)->role;
    const struct cql_property *hashed = role_option(role, "HASHED PASSWORD");
    const struct cql_property *plain = role_option(role, "PASSWORD");
    if (hashed != NULL) work->value.hash = hashed->value;
    if (plain == NULL) return true;
    if (work->password.hash[0] != '\0') {
        work->value.hash = slice_of_text(work->password.hash);
        return true;
    }
    struct execution *execution = work->execution;
    work->is_hashing = true;
    if (auth_hash_password(execution->processor->auth, &work->password, plain->value,
                           role_is_hashed))
        return false;
    cql_error_set(&execution->error, CQL_ERROR_OVERLOADED,
                  "Too many passwords wait for being hashed");
    execution_fail(execution);
    return false;
}

static void role_try(struct role_work *work)
{
    struct execution *execution = work->execution;
    const struct permission_user user = {execution->processor, execution->options->user,
                                         &execution->arena, &execution->error};
    execution->result.warning_count = 0;
    if (!role_check(&user, execution->statement)) {
        execution_fail(execution);
        return;
    }
    enum cql_ast_kind kind = ast_of(work)->kind;
    if (kind == CQL_AST_LIST_ROLES || kind == CQL_AST_LIST_USERS ||
        kind == CQL_AST_LIST_PERMISSIONS) {
        execution_role_list(execution, &user);
        return;
    }
    const char *warning = NULL;
    work->value = (struct role_change){0};
    switch (role_make_change(&user, execution->statement, &work->value, &warning)) {
    case ROLE_MADE_NOTHING:
        if (warning != NULL) execution_add_warning(execution, warning);
        execution_succeed(execution, RESULT_VOID);
        return;
    case ROLE_MADE_ERROR:
        execution_fail(execution);
        return;
    case ROLE_MADE_CHANGE:
        break;
    }
    if (warning != NULL) execution_add_warning(execution, warning);
    if (role_has_hash(work)) role_append(work);
}

void execution_role_start(struct execution *execution)
{
    if (execution->processor->auth == NULL) {
        const struct permission_user user = {execution->processor, slice_null(), &execution->arena,
                                             &execution->error};
        role_refuse(&user, execution->statement->plan->ast);
        execution_fail(execution);
        return;
    }
    role_try(role_work_begin(execution));
}

// ---- Who made something -------------------------------------------------------------------------

static void role_permit_next(struct role_work *work);

// A creator who was dropped meanwhile gets nothing, which is no fault of the statement.
static void role_is_permitted(struct metadata_role_change *change, enum status status)
{
    struct role_work *work = CONTAINER_OF(change, struct role_work, change);
    (void)status;
    work->is_changing = false;
    work->resources_done++;
    role_permit_next(work);
}

static void role_permit_next(struct role_work *work)
{
    struct execution *execution = work->execution;
    if (work->resources_done == work->resource_count) {
        execution_succeed(execution, work->result_kind);
        return;
    }
    struct slice resource = work->resources[work->resources_done];
    work->value = (struct role_change){.kind = ROLE_PERMIT,
                                       .role = execution->options->user,
                                       .other = resource,
                                       .hash = slice_null(),
                                       .permissions = resource_permissions(resource)};
    work->is_changing = true;
    metadata_change_role(execution->processor->metadata, &work->change, &work->value,
                         role_is_permitted);
}

void execution_role_permit_creator(struct execution *execution, enum result_kind kind,
                                   const struct slice *resources, size_t count)
{
    struct role_work *work = role_work_begin(execution);
    work->resources = resources;
    work->resource_count = count;
    work->result_kind = kind;
    role_permit_next(work);
}
