#include "cql/protocol/login.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "cql/auth/auth.h"

#include <stdlib.h>

struct login {
    struct auth_password password;
    struct connection *connection;
    int16_t stream;
    size_t user_size;
    char user[ROLE_NAME_SIZE_MAX];
};

static struct auth *auth_of(const struct connection *connection)
{
    return connection->shared->processor->auth;
}

bool login_is_needed(const struct connection *connection)
{
    return auth_of(connection) != NULL;
}

void login_ask(struct connection *connection, int16_t stream)
{
    struct buffer *body = connection_begin_response(connection, stream, OPCODE_AUTHENTICATE, 0);
    if (body == NULL) return;
    message_put_string(body, slice_of_text(AUTH_AUTHENTICATOR_CLASS));
    (void)connection_end_response(connection);
}

static void succeed(struct connection *connection, int16_t stream, struct slice user)
{
    connection->user = malloc(user.size + 1);
    ASSERT(connection->user != NULL);
    memcpy(connection->user, user.data, user.size);
    connection->user_size = user.size;
    connection->state = CONNECTION_READY;
    struct buffer *body = connection_begin_response(connection, stream, OPCODE_AUTH_SUCCESS, 0);
    if (body == NULL) return;
    message_put_bytes(body, slice_null());
    (void)connection_end_response(connection);
}

static void is_checked(struct auth_password *password)
{
    struct login *login = CONTAINER_OF(password, struct login, password);
    struct connection *connection = login->connection;
    struct slice user = slice_make(login->user, login->user_size);
    struct cql_error error;
    connection->login = NULL;
    if (connection->state == CONNECTION_AUTHENTICATING) {
        if (auth_login_is_right(auth_of(connection), user, password->is_right, &error))
            succeed(connection, login->stream, user);
        else
            connection_send_error(connection, login->stream, &error);
    }
    free(login);
    connection_login_ended(connection);
}

bool login_start(struct connection *connection, const struct frame *frame, struct cql_error *error)
{
    struct cursor body = cursor_make(frame->body);
    int32_t size = (int32_t)cursor_u32(&body);
    struct slice token = size < 0 ? slice_make("", 0) : cursor_take(&body, (size_t)size);
    if (body.failed)
        return cql_error_set(error, CQL_ERROR_PROTOCOL, "The token of AUTH_RESPONSE ends early");
    struct slice user, password;
    struct auth *auth = auth_of(connection);
    if (!auth_read_plain(token, &user, &password, error)) {
        connection_send_error(connection, frame->stream, error);
        return true;
    }
    struct login *login = calloc(1, sizeof *login);
    ASSERT(login != NULL);
    login->connection = connection;
    login->stream = frame->stream;
    // No role has a longer name.
    login->user_size = user.size < ROLE_NAME_SIZE_MAX ? user.size : ROLE_NAME_SIZE_MAX;
    memcpy(login->user, user.data, login->user_size);
    if (auth_check_password(auth, &login->password, password, auth_hash_of(auth, user),
                            is_checked)) {
        connection->login = login;
        return true;
    }
    free(login);
    cql_error_set(error, CQL_ERROR_OVERLOADED, "Too many logins wait for their turn");
    connection_send_error(connection, frame->stream, error);
    return true;
}

void login_free(struct connection *connection)
{
    free(connection->login);
    free(connection->user);
    connection->login = NULL;
    connection->user = NULL;
}
